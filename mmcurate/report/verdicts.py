"""What the verifying steps of a run said: counts by method, what a judge alone accepted, and where two methods differ."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from mmcurate.columns import ROW_NUMBER, read_table
from mmcurate.state import Entry

SAMPLE = 12
"""How many traces of a kind are shown: those whose digests are smallest, so always the same."""


Place = tuple[int, int, int]
"""A grade's digest, its shard, and its place among the shard's grades."""


@dataclass(frozen=True, slots=True)
class Example:
    """One graded trace, to be read."""

    id: str
    answer: str
    extracted: str
    verdict: str
    method: str
    why: str
    disagreement: str


@dataclass
class Verdicts:
    """What one verifying step said.

    Attributes:
        counts: how often each method gave each verdict.
        by_judge: traces that a judge alone accepted, some of them.
        disputed: traces of which another method says something else, some of them.
        num_disputed: how many there are.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_judge: list[Example] = field(default_factory=list)
    disputed: list[Example] = field(default_factory=list)
    num_disputed: int = 0

    @property
    def num_correct(self) -> int:
        """How many traces are correct."""
        return sum(n for (_, verdict), n in self.counts.items() if verdict == "correct")

    @property
    def num_by_judge(self) -> int:
        """How many of them no rule accepts, only the judge."""
        return self.counts["judge", "correct"]


def read_verdicts(root: Path, entries: list[Entry]) -> dict[str, Verdicts]:
    """Returns what each verifying step of a run said, by the step's name."""
    out: dict[str, Verdicts] = {}
    for entry in entries:
        if entry.columns.get("verdicts") and entry.name != "rows":
            out[entry.name] = _read(root, entries[0], entry)
    return out


def _read(root: Path, rows: Entry, entry: Entry) -> Verdicts:
    made = Verdicts()
    accepted: list[Place] = []
    disputed: list[Place] = []
    for shard, file in enumerate(entry.files):
        grades = _grades(root / file)
        methods, verdicts = grades.field("method").to_pylist(), grades.field("verdict").to_pylist()
        made.counts.update(zip(methods, verdicts, strict=True))
        others = grades.field("disagreement").to_pylist()
        for i, (method, verdict, other) in enumerate(zip(methods, verdicts, others, strict=True)):
            key = (zlib.crc32(f"{shard}/{i}".encode()), shard, i)
            if method == "judge" and verdict == "correct":
                accepted.append(key)
            if other is not None:
                disputed.append(key)
    made.num_disputed = len(disputed)
    made.by_judge = _examples(root, rows, entry, heapq.nsmallest(SAMPLE, accepted))
    made.disputed = _examples(root, rows, entry, heapq.nsmallest(SAMPLE, disputed))
    return made


def _grades(path: Path) -> pa.StructArray:
    lists = read_table(path, ["verdicts"])["verdicts"].combine_chunks()
    return lists.flatten()


def _examples(root: Path, rows: Entry, entry: Entry, places: list[Place]) -> list[Example]:
    out = []
    for _, shard, i in places:
        table = read_table(root / entry.files[shard], [ROW_NUMBER, "verdicts"])
        lists = table["verdicts"].combine_chunks()
        ends = np.cumsum([len(v) if v is not None else 0 for v in lists.to_pylist()])
        place = int(np.searchsorted(ends, i, side="right"))
        row = table[ROW_NUMBER][place].as_py()
        grade = lists.flatten()[i].as_py()
        asked = read_table(root / rows.files[shard], ["id", "answer"]).slice(row, 1).to_pylist()[0]
        out.append(
            Example(
                asked["id"],
                asked["answer"] or "",
                grade["extracted"] or "",
                grade["verdict"],
                grade["method"],
                grade["why"] or "",
                grade["disagreement"] or "",
            )
        )
    return out
