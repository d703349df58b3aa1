"""The funnel: how many rows and traces went into each step, how many came out, and why the rest did not."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from mmcurate.columns import read_table
from mmcurate.state import ROWS, Entry, Ref, State, lengths


@dataclass
class Line:
    """One step's line. `num_in` = `num_out` + the sum of `dropped`, always."""

    step: str
    num_in: int
    num_out: int
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(repr=False)
class Funnel:
    """All lines.

    Attributes:
        rows: a line for the source and for each step that drops rows, then one for each export. Every export takes
            what the last step left.
        traces: for each list of responses, a line for asking, for each step that drops traces, and for each export of them.
    """

    rows: list[Line]
    traces: dict[str, list[Line]]

    def __str__(self) -> str:
        lines = []
        for title, part in (("questions", self.rows), *self.traces.items()):
            lines.append(title)
            for line in part:
                lines.append(f"  {line.step}: {line.num_in:,} -> {line.num_out:,}")
                lines += [f"    {n:,} {reason}" for reason, n in sorted(line.dropped.items(), key=lambda i: -i[1])]
        return "\n".join(lines)

    __repr__ = __str__

    def to_json(self) -> dict[str, Any]:
        """Returns the funnel as JSON."""
        return {
            "rows": [asdict(line) for line in self.rows],
            "traces": {k: [asdict(line) for line in v] for k, v in self.traces.items()},
        }


def kind(problem: str) -> str:
    """Returns what many problems have in common: the part before the colon."""
    return problem.partition(":")[0]


def funnel(root: Any, entries: list[Entry]) -> Funnel:
    """Counts, by going through a run's steps once more.

    Args:
        root: the run folder.
        entries: its steps in order, the first being the source's rows, then what exports left out.
    """
    state = State(root, entries[0].files)
    problems = Counter(
        kind(p)
        for s in range(state.num_shards)
        for p in read_table(state.path(ROWS, s), ["problem"])["problem"].to_pylist()
        if p
    )
    total = sum(state.shard_rows())
    rows = [Line("source", total, total - sum(problems.values()), dict(problems))]
    traces: dict[str, list[Line]] = {}
    own = Ref(ROWS, "responses")
    if own in state.lists():
        count = _counts(state, str(own))
        brought = sum(
            int(lengths(read_table(state.path(ROWS, s), ["responses"])["responses"].combine_chunks()).sum())
            for s in range(state.num_shards)
        )
        gone = {"their question can't be used": brought - count} if brought > count else {}
        traces[str(own)] = [Line("source", brought, count, gone)]
    steps = state
    for before, entry in itertools.pairwise(entries):
        if entry.export and entry.export != before.export:
            state = steps.branch()
        if entry.kind == "columns":
            state.entries[entry.name] = entry
            if "responses" in entry.columns:
                traces[f"{entry.name}.responses"] = [_asked(state, entry)]
        elif entry.of:
            state.entries[entry.name] = entry
            traces[entry.of].append(_drop(state, entry))
        else:
            state.entries[entry.name] = entry
            counts = {} if entry.export else {name: _counts(state, name) for name in traces}
            rows.append(_drop(state, entry))
            for name, num_in in counts.items():
                num_out = _counts(state, name)
                if num_in != num_out:
                    traces[name].append(
                        Line(entry.name, num_in, num_out, {"their question was dropped": num_in - num_out})
                    )
    return Funnel(rows, traces)


def _asked(state: State, entry: Entry) -> Line:
    """The line of a step that asks: its failed requests are its drops."""
    got, failed = 0, Counter[str]()
    for shard in range(state.num_shards):
        got += _count(state, Ref(entry.name, "responses"), shard)
        if "request_errors" in entry.columns:
            errors = read_table(state.path(entry.name, shard), ["request_errors"])["request_errors"]
            failed.update(_short(e["reason"]) for row in errors.to_pylist() for e in row)
    return Line(entry.name, got + sum(failed.values()), got, dict(failed))


def _short(reason: str) -> str:
    return "no answer: " + reason[:60]


def _drop(state: State, entry: Entry) -> Line:
    """Takes an entry's drops out of the state and returns its line."""
    num_in = _counts(state, entry.of) if entry.of else state.num_rows()
    reasons: Counter[str] = Counter()
    for shard in range(state.num_shards):
        drops = read_table(state.path(entry.name, shard))
        counts = pc.value_counts(drops["reason"])
        reasons.update({c["values"].as_py(): c["counts"].as_py() for c in counts})
        state.drop(entry, shard, drops)
    num_out = _counts(state, entry.of) if entry.of else state.num_rows()
    return Line(entry.name, num_in, num_out, dict(reasons))


def _count(state: State, ref: Ref, shard: int) -> int:
    mask = state.mask(str(ref), shard)
    return int(lengths(state.read(ref, shard)).sum()) if mask is None else int(np.sum(mask))


def _counts(state: State, name: str) -> int:
    step, _, column = name.partition(".")
    return sum(_count(state, Ref(step, column), shard) for shard in range(state.num_shards))
