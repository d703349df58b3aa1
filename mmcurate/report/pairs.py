"""The pairs that a run's steps found alike: duplicates beside what stays for them, questions beside what they hit."""

from __future__ import annotations

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
"""How many pairs of a step are shown: those of the smallest similarity first, then by their digests."""
_SHOWN = ("id", "source", "question", "options", "answer", "images")
_COLUMNS = {"duplicate_of": "duplicates", "conflicts_with": "label conflicts", "benchmark_match": "in a benchmark"}


@dataclass
class Pairs:
    """What one column of a step paired.

    Attributes:
        step, column: which.
        title: what the pairs are.
        num_pairs: how many.
        by_kind: how many of each `match_kind`, where the step tells.
        shown: some of them: two rows as dicts, and a word on how alike they are.
    """

    step: str
    column: str
    title: str
    num_pairs: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    shown: list[tuple[dict[str, Any], dict[str, Any], str]] = field(default_factory=list)


def read_pairs(root: Path, entries: list[Entry]) -> list[Pairs]:
    """Returns the pairs of each step that found some.

    Args:
        root: the run folder.
        entries: its steps; the first is the source's rows.
    """
    out = []
    for entry in entries[1:]:
        for column, title in _COLUMNS.items():
            if entry.kind == "columns" and column in entry.columns:
                found = _read(root, entries[0], entry, Pairs(entry.name, column, title))
                if found.num_pairs:
                    out.append(found)
    return out


def _read(root: Path, rows: Entry, entry: Entry, out: Pairs) -> Pairs:
    more = [
        c
        for c in ("similarity", "match_kind", "match_similarity")
        if c in entry.columns and out.column != "conflicts_with"
    ]
    ranked: list[tuple[float, int, int, int]] = []
    for shard, file in enumerate(entry.files):
        table = read_table(root / file, [ROW_NUMBER, out.column, *more])
        there = pc.indices_nonzero(pc.is_valid(table[out.column])).to_numpy()
        out.num_pairs += len(there)
        if not len(there):
            continue
        table = table.take(pa.array(there))
        if "match_kind" in more:
            out.by_kind.update(table["match_kind"].to_pylist())
        near = next((table[c].to_pylist() for c in more if c.endswith("similarity")), [1.0] * len(there))
        names = table[out.column].to_pylist()
        ranked += [
            (s, zlib.crc32(f"{n}{r}".encode("utf-8", "surrogatepass")), shard, int(i))
            for s, n, r, i in zip(near, names, table[ROW_NUMBER].to_pylist(), there, strict=True)
        ]
        ranked = sorted(ranked)[:SAMPLE]
    told = [(read_table(root / entry.files[shard]).slice(i, 1).to_pylist()[0], shard) for _, _, shard, i in ranked]
    others = _rows_of(root, rows, [t[out.column] for t, _ in told]) if out.column != "benchmark_match" else {}
    for one, shard in told:
        other = others.get(one[out.column]) or {
            "id": one[out.column],
            "question": one.get("match_question"),
            "images": [{"bytes": one["match_picture"], "path": None}] if one.get("match_picture") else [],
        }
        near = one.get("similarity", one.get("match_similarity"))
        word = " ".join(
            filter(None, [one.get("match_kind"), f"similarity of the texts: {near:.2f}" if near is not None else ""])
        )
        out.shown.append((_row(root, rows, shard, one[ROW_NUMBER]), other, word))
    return out


def _row(root: Path, rows: Entry, shard: int, number: int) -> dict[str, Any]:
    row: dict[str, Any] = read_table(root / rows.files[shard], list(_SHOWN)).slice(number, 1).to_pylist()[0]
    for picture in row["images"] or ():
        picture["path"] = str(root / picture["path"])
    return row


def _rows_of(root: Path, rows: Entry, names: list[str]) -> dict[str, dict[str, Any]]:
    """Returns the first row with each id."""
    out: dict[str, dict[str, Any]] = {}
    wanted = pa.array(sorted(set(names)), pa.string())
    for shard, file in enumerate(rows.files):
        ids = read_table(root / file, ["id"])["id"]
        for number in np.flatnonzero(pc.is_in(ids, wanted).to_numpy()):
            row = _row(root, rows, shard, int(number))
            out.setdefault(row["id"], row)
        if len(out) == len(wanted):
            break
    return out
