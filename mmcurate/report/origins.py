"""Where a run's questions came from: each source's rows as published, as read and as kept, beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmcurate.columns import ROW_NUMBER, read_table
from mmcurate.report.funnel import kind
from mmcurate.state import ROWS, Entry, Ref, replay


@dataclass
class Origin:
    """One source of a run.

    Attributes:
        name: what its rows' `source` says.
        about: what it says of itself (`Source.describe`).
        num_read: rows that were taken in.
        problems: how many of them can't be used, by reason.
        num_kept: questions still in after the last step.
        num_traces: their traces that are still in.
        num_golds, num_bad_golds: golds that were audited, and those that aren't accepted.
    """

    name: str
    about: dict[str, Any] = field(default_factory=dict)
    num_read: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    num_kept: int = 0
    num_traces: int = 0
    num_golds: int = 0
    num_bad_golds: int = 0


def read_origins(root: Path, parts: Sequence[dict[str, Any]], entries: list[Entry]) -> list[Origin]:
    """Counts a run's rows by source, those that the manifest describes first.

    Args:
        root: the run folder.
        parts: what the sources say of themselves.
        entries: the run's steps, the first being the source's rows.
    """
    out = {part["name"]: Origin(part["name"], part) for part in parts}
    state = replay(root, entries)
    lists = state.lists()
    audits = [e for e in entries if "gold_problem" in e.columns]
    for shard in range(state.num_shards):
        rows = read_table(state.path(ROWS, shard), ["source", "problem", "answer"])
        for name, number in _counted(rows["source"]):
            out.setdefault(name, Origin(name)).num_read += number
        bad = rows.filter(pc.is_valid(rows["problem"])).select(["source", "problem"])
        for row in bad.to_pylist():
            out[row["source"]].problems[kind(row["problem"])] += 1
        kept = state.read(Ref(ROWS, "source"), shard)
        for name, number in _counted(kept):
            out[name].num_kept += number
        for ref in lists:
            counts = pc.list_value_length(state.table([("traces", ref)], shard)["traces"].combine_chunks()).fill_null(0)
            for name, number in _counted(kept.take(pa.array(np.repeat(np.arange(len(kept)), counts.to_numpy())))):
                out[name].num_traces += number
        for entry in audits[-1:]:
            table = read_table(root / entry.files[shard], [ROW_NUMBER, "gold_problem"])
            seen = rows.take(table[ROW_NUMBER])
            for name, number in _counted(seen["source"].filter(pc.is_valid(seen["answer"]))):
                out[name].num_golds += number
            for name, number in _counted(seen["source"].filter(pc.is_valid(table["gold_problem"]))):
                out[name].num_bad_golds += number
    return list(out.values())


def _counted(names: Any) -> list[tuple[str, int]]:
    return [(c["values"].as_py(), c["counts"].as_py()) for c in pc.value_counts(names)]
