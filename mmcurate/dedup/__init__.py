"""Duplicates: of each other, and of benchmarks."""

from mmcurate.dedup.exact import ExactDedup
from mmcurate.dedup.near import NearDedup

__all__ = ["ExactDedup", "NearDedup"]
