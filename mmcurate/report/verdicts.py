"""What the verifying steps of a run said: counts by method, what a judge alone accepted, and where two methods differ."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
        grades = read_table(root / file, ["verdicts"])["verdicts"].combine_chunks().flatten()
        kinds = pa.table({name: grades.field(name) for name in ("method", "verdict")})
        for kind in kinds.group_by(["method", "verdict"]).aggregate([([], "count_all")]).to_pylist():
            made.counts[kind["method"], kind["verdict"]] += kind["count_all"]
        by_judge = pc.and_(pc.equal(kinds["method"], "judge"), pc.equal(kinds["verdict"], "correct"))
        accepted += _places(shard, by_judge)
        disputed += _places(shard, pc.is_valid(grades.field("disagreement")))
    made.num_disputed = len(disputed)
    made.by_judge = _examples(root, rows, entry, heapq.nsmallest(SAMPLE, accepted))
    made.disputed = _examples(root, rows, entry, heapq.nsmallest(SAMPLE, disputed))
    return made


def _places(shard: int, mask: Any) -> list[Place]:
    where = np.flatnonzero(mask.to_numpy(zero_copy_only=False) if isinstance(mask, pa.Array) else mask.to_numpy())
    return [(zlib.crc32(f"{shard}/{i}".encode()), shard, int(i)) for i in where]


def _examples(root: Path, rows: Entry, entry: Entry, places: list[Place]) -> list[Example]:
    out = []
    for _, shard, i in places:
        table = read_table(root / entry.files[shard], [ROW_NUMBER, "verdicts"])
        lists = table["verdicts"].combine_chunks()
        ends = np.cumsum(pc.list_value_length(lists).fill_null(0).to_numpy())
        row = table[ROW_NUMBER][int(np.searchsorted(ends, i, side="right"))].as_py()
        asked = read_table(root / rows.files[shard], ["id", "answer"]).slice(row, 1).to_pylist()[0]
        grade = {name: value or "" for name, value in lists.flatten()[i].as_py().items()}
        out.append(Example(asked["id"], asked["answer"] or "", **grade))
    return out
