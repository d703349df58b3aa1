"""`GoldAudit`: marks questions whose own gold the verifier doesn't accept, before a teacher is paid for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, ClassVar

import pyarrow as pa
import pydantic

from mmcurate.schema import Verdict
from mmcurate.step import Runtime, Step, settings
from mmcurate.verify.audit import Golden, bad_golds
from mmcurate.verify.grade import TIMEOUT_S
from mmcurate.verify.policy import DEFAULT, Policy
from mmcurate.workers import WorkerPool


@settings
class GoldAudit(Step):
    """Grades each question's own gold as a response, as `audit` does.

    Provides `gold_problem`: null where the gold is accepted in every form, where there is none, and where the check itself failed; else the form, the
    verdict and why. No answer to such a question could ever be found right by a rule.

    Attributes:
        policy: what counts as the same answer; the one of `Verify`.
        workers: processes; as many as there are processors unless given.
    """

    policy: Policy = DEFAULT
    workers: Annotated[int | None, Runtime] = pydantic.Field(default=None, ge=1)

    version: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("question", "options", "answer")
    provides: ClassVar[pa.Schema] = pa.schema([("gold_problem", pa.large_string())])

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_pool", None)
        object.__setattr__(self, "_counts", [0, 0])

    def _workers(self) -> WorkerPool:
        pool: WorkerPool | None = self._pool  # type: ignore[attr-defined]
        if pool is None:
            pool = WorkerPool("mmcurate.verify.worker", self.workers or os.cpu_count() or 1, TIMEOUT_S)
            object.__setattr__(self, "_pool", pool)
        return pool

    def close(self) -> None:
        pool: WorkerPool | None = self._pool  # type: ignore[attr-defined]
        object.__setattr__(self, "_pool", None)
        if pool is not None:
            pool.close()

    def status(self) -> Mapping[str, str]:
        checked, bad = self._counts  # type: ignore[attr-defined]
        return {"golds": f"{checked:,}", "not accepted": f"{bad:,}"} if checked else {}

    def __call__(self, table: pa.Table) -> pa.Table:
        rows = table.select(["id", *self.requires]).to_pylist()
        places = [i for i, row in enumerate(rows) if (row["answer"] or "").strip()]
        golden = [
            Golden(rows[i]["id"], rows[i]["question"], tuple(rows[i]["options"] or ()), rows[i]["answer"].strip())
            for i in places
        ]
        bad = bad_golds(golden, self._workers(), self.policy)
        problems: list[str | None] = [None] * len(rows)
        bad = {
            i: one for i, one in bad.items() if one.grade.verdict is not Verdict.ERROR
        }  # a check that failed says nothing
        for i, one in bad.items():
            problems[places[i]] = f"{one.grade.verdict} as {one.wrapping}: {one.grade.why}"
        counts: list[int] = self._counts  # type: ignore[attr-defined]
        counts[0], counts[1] = counts[0] + len(golden), counts[1] + len(bad)
        return pa.table({"gold_problem": pa.array(problems, pa.large_string())})
