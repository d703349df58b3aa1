"""What became of one question and of each of its traces."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmcurate.columns import ROW_NUMBER, read_table
from mmcurate.errors import RunError, did_you_mean
from mmcurate.state import ROWS, Entry, lengths


@dataclass
class Explanation:
    """The story of one question or trace.

    Attributes:
        id: the question's or the trace's.
        kept: whether it is in a final set: of several exports, any.
        dropped_by, reason: the step that dropped it and why; both empty where it was kept.
        facts: what the steps said of it, by step and column, in full (printing cuts long texts).
        traces: for a question, the stories of its traces; also of the answers that never came.
    """

    id: str
    kept: bool = True
    dropped_by: str = ""
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    traces: list[Explanation] = field(default_factory=list)

    def drop(self, step: str, reason: str) -> None:
        """Notes who dropped it; the first who did counts."""
        if self.kept:
            self.kept, self.dropped_by, self.reason = False, step, reason

    def __str__(self) -> str:
        fate = "kept" if self.kept else f"dropped by {self.dropped_by}: {self.reason}"
        lines = [f"{self.id}: {fate}"]
        lines += [f"  {name} = {_short(value)}" for name, value in self.facts.items()]
        for trace in self.traces:
            lines += ["  " + line for line in str(trace).splitlines()]
        return "\n".join(lines)

    __repr__ = __str__


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."


def explain(root: Path, entries: list[Entry], wanted: str) -> Explanation:
    """Returns the story of a question id or trace id.

    Raises:
        RunError: no question or trace of the run has that id.
    """
    wanted = str(wanted)
    found = _find(root, entries[0], wanted) or _find_trace(root, entries, wanted)
    if not found:
        raise RunError(
            f"no question or trace of this run has the id {wanted!r}{did_you_mean(wanted, _some_ids(root, entries[0]))}"
        )
    stories = [story(root, entries, shard, row) for shard, row in found]
    if stories[0].id == wanted:
        first = stories[0]
        for other in stories[1:]:  # further rows with the same id: each is a duplicate
            first.facts[f"another row with this id, {other.dropped_by}"] = other.reason
        return first
    for trace in stories[0].traces:
        if trace.id == wanted:
            return trace
    raise RunError(
        f"the question {stories[0].id!r} has no trace {wanted!r}{did_you_mean(wanted, [t.id for t in stories[0].traces])}"
    )


def _find(root: Path, rows: Entry, wanted: str) -> list[tuple[int, int]]:
    out = []
    for shard, file in enumerate(rows.files):
        ids = read_table(root / file, ["id"])["id"]
        out += [(shard, int(i.as_py())) for i in pc.indices_nonzero(pc.equal(ids, wanted))]
    return out


def _find_trace(root: Path, entries: list[Entry], wanted: str) -> list[tuple[int, int]]:
    """Returns where the question of a trace, or of an answer that never came, lies."""
    for entry in entries:
        for shard, file in enumerate(entry.files if "responses" in entry.columns else ()):
            table = read_table(root / file)
            lists = table["responses"].combine_chunks()
            ids = lists.flatten().field("trace_id")
            at = pc.index(ids, wanted).as_py()
            if at >= 0:
                row = int(np.searchsorted(np.cumsum(lengths(lists)), at, side="right"))
                return [(shard, row if entry.name == ROWS else table[ROW_NUMBER][row].as_py())]
    return _find(root, entries[0], wanted.rpartition("#")[0])


def _some_ids(root: Path, rows: Entry) -> list[str]:
    ids = [read_table(root / file, ["id"])["id"].to_pylist() for file in rows.files[:8]]
    return [i for part in ids for i in part][:2000]


def _row(root: Path, entry: Entry, shard: int, row: int) -> dict[str, Any] | None:
    """Returns what a step made of a row, or None where the row never reached it."""
    table = read_table(root / entry.files[shard])
    if entry.name == ROWS:
        return table.slice(row, 1).to_pylist()[0]
    at = pc.index(table[ROW_NUMBER], pa.scalar(row, pa.int32())).as_py()
    return None if at < 0 else table.slice(at, 1).to_pylist()[0]


def story(root: Path, entries: list[Entry], shard: int, row: int) -> Explanation:
    """Returns the story of one row of a shard."""
    source = _row(root, entries[0], shard, row) or {}
    told = Explanation(source["id"])
    told.facts = {k: source[k] for k in ("source", "question", "options", "answer", "licence", "metadata") if source[k]}
    lists: dict[str, list[Explanation]] = {}
    if source["problem"]:
        told.drop("source", source["problem"])
    if source["responses"]:
        own = lists[f"{ROWS}.responses"] = [_trace(r) for r in source["responses"]]
        for trace, grade in zip(own, source["verdicts"] or (), strict=False):
            trace.facts.update({f"{ROWS}.{k}": v for k, v in (grade or {}).items() if v is not None})
    left_out: list[tuple[Explanation, Entry, str]] = []
    for entry in entries[1:]:
        if entry.kind == "drops":
            drops = read_table(root / entry.files[shard])
            for drop in drops.filter(pc.equal(drops[ROW_NUMBER], row)).to_pylist():
                who = told if drop["index"] is None else lists[entry.of][drop["index"]]
                if entry.export:
                    left_out.append((who, entry, drop["reason"]))
                else:
                    who.drop(entry.name, drop["reason"])
            continue
        made = None if entry.hidden else _row(root, entry, shard, row)
        for column, along in entry.columns.items() if made else ():
            value = made[column]  # type: ignore[index]
            if column == "responses":
                lists[f"{entry.name}.responses"] = [_trace(r) for r in value or ()]
            elif column == "request_errors":
                for error in value or ():
                    failed = Explanation(f"{told.id}#{error['sample_index']}")
                    failed.drop(entry.name, f"no answer: {error['reason']}")
                    told.traces.append(failed)
            elif along:
                for trace, item in zip(lists.get(along, ()), value or (), strict=False):
                    if isinstance(item, dict):
                        trace.facts.update({f"{entry.name}.{k}": v for k, v in item.items() if v is not None})
                    elif item is not None:
                        trace.facts[f"{entry.name}.{column}"] = item
            else:
                told.facts[f"{entry.name}.{column}"] = value
    for who, entry, reason in left_out:
        # Only what no export took is out: a question without a kept trace may still be in the RL set.
        exports = {e.export for e in entries if e.export and e.of == entry.of}
        if exports == {e.export for other, e, _ in left_out if other is who}:
            who.drop(entry.name, reason)
        else:
            who.facts[entry.name] = f"left out: {reason}"
    for traces in lists.values():
        told.traces += traces
        if not told.kept:
            for trace in traces:
                trace.drop(told.dropped_by, "its question was dropped: " + told.reason)
    return told


def _trace(response: dict[str, Any]) -> Explanation:
    facts = {
        k: response[k]
        for k in ("teacher", "sample_index", "finish_reason", "num_tokens", "text", "reasoning")
        if response.get(k) is not None
    }
    return Explanation(response["trace_id"], facts=facts)
