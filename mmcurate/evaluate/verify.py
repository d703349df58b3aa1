"""`BenchmarkVerify`: grading a model's answers as each benchmark does."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa

from mmcurate.evaluate.rules import rule_of
from mmcurate.step import settings
from mmcurate.verify import Verify


@settings
class BenchmarkVerify(Verify):
    """Grades each response as `Verify` does, and rows of the nine benchmarks by the rule of their benchmark.

    What differs from one to the other (how close a number must be, several golds, options that are in the picture) is in
    `mmcurate.evaluate.rules`. An answer that can't be parsed is wrong and never a random letter. What goes to the judge, or without
    one stays `undecided`, are answers that are read, and that no rule compares: a choice answered in words that are no option's
    ("three-sided shape" for "triangle"; a letter or number that is no option's is wrong), other words than a gold of words, a sentence
    or a range for a value.
    """

    version: ClassVar[int] = 100 * Verify.version + 1
    requires: ClassVar[tuple[str, ...]] = (*Verify.requires, "source", "metadata")

    def rows(self, table: pa.Table) -> list[dict[str, Any]]:
        out = []
        for row in super().rows(table):
            rule = rule_of(row, self.policy)
            compared = {"question": rule.question, "options": list(rule.options), "policy": rule.policy}
            out.append({**row, **compared, "golds": list(rule.golds), "answer": " or ".join(rule.golds)})
        return out
