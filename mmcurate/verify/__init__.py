"""Checking answers: five verdicts, each with its method and its reason."""

from mmcurate.schema import Grade, Verdict
from mmcurate.verify.audit import Audit, audit
from mmcurate.verify.gold_audit import GoldAudit
from mmcurate.verify.grade import grade, grade_all
from mmcurate.verify.policy import Policy
from mmcurate.verify.verify import Verify

__all__ = ["Audit", "GoldAudit", "Grade", "Policy", "Verdict", "Verify", "audit", "grade", "grade_all"]
