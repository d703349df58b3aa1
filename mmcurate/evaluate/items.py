"""What a run says of each question: whether its answer is right, why it isn't scored, how long it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcurate.answers import answer_type
from mmcurate.errors import RunError
from mmcurate.run import Run
from mmcurate.schema import Verdict
from mmcurate.state import ROWS, Ref, State

_SCORED = (Verdict.CORRECT, Verdict.INCORRECT, Verdict.NO_ANSWER)
_UNREADABLE = "bad row"
"""How the problem of a row begins that couldn't be read: nothing is known of it but its source."""
_COLUMNS = ("id", "source", "options", "answer", "metadata", "problem")


@dataclass(frozen=True, slots=True)
class Item:
    """A question and its one answer.

    Attributes:
        about: the row's further columns, with its `answer_type`.
        right: whether the verdict is `correct`.
        unscored: why there is no verdict on an answer, such as "undecided: ..." or "bad image: ..."; empty where there is one.
        num_tokens: of the answer; None where there is none, or the server doesn't count.
        cut_off: whether it ended at the limit of tokens; None where there is no answer.
    """

    id: str
    source: str
    about: Mapping[str, Any]
    right: bool
    unscored: str
    num_tokens: int | None
    cut_off: bool | None

    @property
    def unreadable(self) -> bool:
        """Whether the row couldn't be read."""
        return self.unscored.startswith(_UNREADABLE)


def read_items(run: Run) -> tuple[list[Item], Counter[str]]:
    """Returns the questions of a run that count, and how many others there are, by source and reason.

    A row that can't be read, used or asked counts: it isn't scored. One without a gold doesn't count, and neither does one that a `Filter`
    dropped.

    Raises:
        RunError: nothing was verified, or a question has several answers.
    """
    state = run.state()
    steps = [e for e in state.entries.values() if e.columns.get("verdicts") and e.name != ROWS]
    if not steps:
        raise RunError(f"{run.path}: no step graded answers; put a BenchmarkVerify() after the Distill of the pipeline")
    verdicts = Ref(steps[-1].name, "verdicts")
    items: list[Item] = []
    left_out: Counter[str] = Counter()
    for shard, num_rows in enumerate(state.shard_rows()):
        for row in _rows(state, verdicts, shard, num_rows):
            row["source"] = row["source"] or "questions"
            problem, gold = row["problem"] or "", (row["answer"] or "").strip()
            if not gold and not problem.startswith(_UNREADABLE):
                left_out[f"{row['source']}: no gold answer"] += 1
            elif not problem and not row["alive"]:
                left_out[f"{row['source']}: dropped by a filter"] += 1
            else:
                items.append(_item(row, gold))
    return items, left_out


def _rows(state: State, verdicts: Ref, shard: int, num_rows: int) -> Iterator[dict[str, Any]]:
    """Yields every row of a shard, with `responses`, `verdicts`, `errors` and whether it is still in."""
    refs = {name: Ref(ROWS, name) for name in _COLUMNS}
    responses = Ref(*state.list_of(verdicts).split("."))
    refs |= {"responses": responses, "verdicts": verdicts}
    if "request_errors" in state.entries[responses.step].columns:
        refs["errors"] = Ref(responses.step, "request_errors")
    columns = {name: state.read(ref, shard, np.arange(num_rows)).to_pylist() for name, ref in refs.items()}
    alive = set(state.alive[shard].tolist())
    for i in range(num_rows):
        yield {**{name: column[i] for name, column in columns.items()}, "alive": i in alive}


def _item(row: Mapping[str, Any], gold: str) -> Item:
    responses = row["responses"] or []
    if len(responses) > 1:
        raise RunError(f"{row['id']} has {len(responses)} answers, and is scored by one: ask with num_responses=1")
    about = json.loads(row["metadata"] or "{}")
    about.setdefault("answer_type", answer_type(gold, row["options"] or []) if gold else None)
    grade = (row["verdicts"] or [None])[0]
    response = responses[0] if responses else None
    return Item(
        row["id"],
        row["source"],
        about,
        grade is not None and grade["verdict"] == Verdict.CORRECT,
        _unscored(row, grade),
        response and _num_tokens(response),
        None if response is None else response["finish_reason"] == "length",
    )


def _num_tokens(response: Mapping[str, Any]) -> int | None:
    """Returns the server's count; 0 of a text means that it doesn't count."""
    said = response["text"] or response["reasoning"]
    return response["num_tokens"] or (None if said else response["num_tokens"])


def _unscored(row: Mapping[str, Any], grade: Mapping[str, Any] | None) -> str:
    if row["problem"]:
        return str(row["problem"])
    if grade is not None:
        return "" if grade["verdict"] in _SCORED else f"{grade['verdict']}: {grade['why']}"
    if errors := row.get("errors"):
        return f"request failed: {errors[0]['reason']}"
    return "no answer was asked for"
