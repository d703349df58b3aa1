"""Duplicates: of each other, and of benchmarks."""

from mmcurate.dedup.decontaminate import Decontaminate
from mmcurate.dedup.exact import ExactDedup
from mmcurate.dedup.near import NearDedup
from mmcurate.dedup.semantic import SemanticDedup

__all__ = ["Decontaminate", "ExactDedup", "NearDedup", "SemanticDedup"]
