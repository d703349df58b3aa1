"""Grading every response of a run."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pydantic

from mmcurate.chat import Answer, Failure, Usage
from mmcurate.schema import GRADES, Grade, Verdict
from mmcurate.step import Context, Runtime, Step, settings, with_passing_failures, with_spent
from mmcurate.verify.grade import TIMEOUT_S, grade_tasks
from mmcurate.verify.judge import ask_judge, check_judge
from mmcurate.verify.policy import DEFAULT, Policy
from mmcurate.workers import WorkerPool

_SCORED = (Verdict.CORRECT, Verdict.INCORRECT, Verdict.NO_ANSWER)


@settings
class Verify(Step):
    """Grades each response: rules, then math-verify, then the judge where no rule decides.

    Provides `verdicts`, one grade for each response; `pass_rate`, the share of correct ones among those
    that are correct, incorrect or no_answer (null where none is, or where there is no gold); and `num_scored`, how many those are.

    Attributes:
        judge: an `OpenAIChat` or `VLLMChat` at temperature 0, or None: then what no rule decides is `undecided`.
        policy: what counts as the same answer where people differ: units, percent, rounding.
        workers: processes that grade; as many as there are processors unless given.
    """

    judge: Any = None
    policy: Policy = DEFAULT
    workers: Annotated[int | None, Runtime] = pydantic.Field(default=None, gt=0)

    version: ClassVar[int] = 4
    requires: ClassVar[tuple[str, ...]] = ("question", "options", "answer", "responses")
    provides: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("verdicts", GRADES, metadata={"of": "responses"}),
            ("pass_rate", pa.float64()),
            ("num_scored", pa.int32()),
        ]
    )
    waits: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_judge("Verify", self.judge)
        object.__setattr__(self, "_live", _Live())

    def check(self) -> None:
        if self.judge is not None:
            self.judge.fingerprint()

    def open(self, context: Context) -> None:
        if self.judge is not None:
            self.judge.open(context.store, context.say)

    def close(self) -> None:
        self._live.close()  # type: ignore[attr-defined]
        if self.judge is not None:
            self.judge.close()

    def describe(self) -> Mapping[str, Any]:
        return {} if self.judge is None else self.judge.describe()

    def announce(self, plan: Mapping[str, float]) -> str:
        if self.judge is None:
            return ""
        return f"what no rule decides goes to {self.judge.model}; how much that is, the rules tell"

    def status(self) -> Mapping[str, str]:
        live: _Live = self._live  # type: ignore[attr-defined]
        counts, judged = live.counts, live.judged
        total = sum(counts.values())
        out = {"graded": f"{total:,}", "accepted": f"{counts[Verdict.CORRECT] / total:.1%}"} if total else {}
        if counts[Verdict.ERROR]:
            out["errors"] = f"{counts[Verdict.ERROR]:,}"
        if judged.answers:
            out["judged"] = f"{judged.answers:,}"
            cost = self.judge.cost(judged.paid_prompt_tokens, judged.paid_tokens)
            out.update({"US$": f"{cost:,.2f}"} if cost else {})
        return {**out, **(self.judge.status() if self.judge is not None else {})}

    def rows_done(self) -> int:
        return self._live.rows_done()  # type: ignore[attr-defined]

    def rows(self, table: pa.Table) -> list[dict[str, Any]]:
        """Returns the rows as they are compared.

        A step for questions with rules of their own changes them here: `golds` are several of which each is right, and
        `policy` is the row's; `answer` is then what a judge is told. Its `version` is 100 * Verify.version + its own.
        """
        rows: list[dict[str, Any]] = table.select(list(self.requires)).to_pylist()
        return rows

    def __call__(self, table: pa.Table) -> pa.Table:
        rows = self.rows(table)
        pairs = [(row, response) for row in rows for response in row["responses"] or ()]
        golds = [row.get("golds") or [row["answer"] or ""] for row, _ in pairs]
        tasks = [
            {
                "response": _text(response),
                "gold": gold,
                "options": row["options"] or [],
                "question": row["question"],
                "finish_reason": response["finish_reason"],
                "policy": row.get("policy", self.policy),
            }
            for (row, response), mine in zip(pairs, golds, strict=True)
            for gold in mine
        ]
        live: _Live = self._live  # type: ignore[attr-defined]
        live.begin(len(rows), len(tasks))
        graded = iter(grade_tasks(live.pool(self.workers), tasks, self.policy))
        grades = [min((next(graded) for _ in mine), key=_rank) for mine in golds]
        asked = [(r["question"], r["options"] or [], r["answer"], _text(response)) for r, response in pairs]
        results = ask_judge(self.judge, grades, asked)
        live.count(grades, results)
        verdicts, rates, scored, start = [], [], [], 0
        for row in rows:
            mine = grades[start : start + len(row["responses"] or ())]
            start += len(mine)
            verdicts.append([_struct(g) for g in mine])
            counted = [g for g in mine if g.verdict in _SCORED] if row["answer"] else []
            scored.append(len(counted))
            rates.append(sum(g.verdict is Verdict.CORRECT for g in counted) / len(counted) if counted else None)
        made = pa.table(
            {
                "verdicts": pa.array(verdicts, GRADES),
                "pass_rate": pa.array(rates, pa.float64()),
                "num_scored": pa.array(scored, pa.int32()),
            }
        )
        made = with_passing_failures(made, sum(isinstance(r, Failure) and r.passing for r in results))
        said = [r for r in results if isinstance(r, Answer)]
        tokens = {"prompt_tokens": sum(a.prompt_tokens for a in said), "tokens": sum(a.num_tokens for a in said)}
        return with_spent(made, {"answers": len(said), **tokens}) if said else made


_RANKS = (Verdict.CORRECT, Verdict.UNDECIDED, Verdict.ERROR, Verdict.INCORRECT, Verdict.NO_ANSWER)


def _rank(grade: Grade) -> int:
    """Which of a response's grades counts, where several golds are right: one that accepts it, then one that is open."""
    return _RANKS.index(grade.verdict)


def _text(response: dict[str, Any]) -> str:
    return response["text"] or ""


def _struct(grade: Grade) -> dict[str, Any]:
    extracted = None if grade.extracted is None else grade.extracted.encode("utf-8", "replace").decode()
    why = grade.why.encode("utf-8", "replace").decode()
    return {
        "verdict": str(grade.verdict),
        "method": grade.method,
        "extracted": extracted,
        "why": why,
        "disagreement": grade.disagreement,
    }


class _Live:
    """The workers of a step, and what its progress line counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.judged = Usage()
        self._pool: WorkerPool | None = None
        self._guard = threading.Lock()
        self._rows = self._tasks = 0

    def pool(self, workers: int | None) -> WorkerPool:
        with self._guard:
            if self._pool is None:
                self._pool = WorkerPool("mmcurate.verify.worker", workers or os.cpu_count() or 1, TIMEOUT_S)
            return self._pool

    def begin(self, num_rows: int, num_tasks: int) -> None:
        with self._guard:
            self._rows, self._tasks = self._rows + num_rows, self._tasks + num_tasks

    def rows_done(self) -> int:
        done = self._pool.num_done if self._pool else 0
        return done * self._rows // self._tasks if self._tasks else 0

    def count(self, grades: list[Grade], judged: list[Answer | Failure]) -> None:
        with self._guard:
            self.counts.update(g.verdict for g in grades)
            for result in judged:
                if isinstance(result, Answer):
                    self.judged.add(result)

    def close(self) -> None:
        with self._guard:
            pool, self._pool = self._pool, None
            self._rows = self._tasks = 0
        if pool is not None:
            pool.close()
