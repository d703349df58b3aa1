"""Getting answers from teachers."""

from mmcurate.distill.distill import Distill

__all__ = ["Distill"]
