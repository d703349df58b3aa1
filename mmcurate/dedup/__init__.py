"""Finding questions that are in a set twice."""

from mmcurate.dedup.exact import ExactDedup

__all__ = ["ExactDedup"]
