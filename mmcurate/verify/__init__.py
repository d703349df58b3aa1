"""Checking answers: five verdicts, each with its method and its reason."""

from mmcurate.schema import Grade, Verdict
from mmcurate.verify.grade import grade
from mmcurate.verify.verify import Verify

__all__ = ["Grade", "Verdict", "Verify", "grade"]
