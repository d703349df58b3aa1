"""What a run holds: its row shards, its steps' column files, and which rows and traces are still in."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmcurate.columns import ROW_NUMBER, array_digest, read_digests, read_table
from mmcurate.errors import ColumnError, did_you_mean
from mmcurate.schema import ROW

ROWS = "rows"
"""The name under which a source's own columns are found: `rows.question`."""
DROPS = pa.schema([(ROW_NUMBER, pa.int32()), ("index", pa.int32()), ("reason", pa.string())])
"""What a filter writes: a row, or one of its traces (`index` not null), and why it is out."""


@dataclass(frozen=True)
class Ref:
    """A column: the step that made it, and its name."""

    step: str
    column: str

    def __str__(self) -> str:
        return f"{self.step}.{self.column}"


@dataclass
class Entry:
    """One step of a run, as the manifest keeps it.

    Attributes:
        kind: "columns" for a step, "drops" for a filter or cap.
        columns: the columns it made, each with the list it runs along ("" for none).
        of: for drops, the list whose traces it masks ("" for rows).
        files: one for each shard, relative to the run folder.
        passing: how many failures that may pass are in each incomplete shard.
        about: what the step says of itself (`Step.describe`).
        export: for drops of an export, its name; each export takes what the last step left, not what another export left.
    """

    name: str
    kind: str
    settings: Any
    version: int = 1
    columns: dict[str, str] = field(default_factory=dict)
    hidden: bool = False
    of: str = ""
    files: list[str] = field(default_factory=list)
    passing: dict[int, int] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    export: str = ""


class State:
    """The shards of a run folder, and what is still in after the steps so far.

    Args:
        root: the run folder.
        row_files: the row shards, relative to it.
    """

    def __init__(self, root: Path, row_files: Sequence[str]) -> None:
        self.root = root
        rows = Entry(ROWS, "columns", {}, columns=dict.fromkeys(ROW.names, ""), files=list(row_files))
        rows.columns["verdicts"] = f"{ROWS}.responses"
        self.entries: dict[str, Entry] = {ROWS: rows}
        self.alive: list[np.ndarray] = []
        self._masks: dict[tuple[str, int], np.ndarray] = {}
        self._maps: dict[tuple[str, int], np.ndarray] = {}
        for shard in range(len(row_files)):
            problems = read_table(root / row_files[shard], ["problem"])["problem"]
            self.alive.append(np.flatnonzero(pc.is_null(problems).to_numpy()).astype(np.int32))

    def branch(self) -> State:
        """Returns a copy that drops on its own."""
        other = copy.copy(self)
        other.entries, other.alive = dict(self.entries), list(self.alive)
        other._masks = {key: mask.copy() for key, mask in self._masks.items()}
        return other

    @property
    def num_shards(self) -> int:
        """How many shards there are."""
        return len(self.alive)

    def num_rows(self) -> int:
        """How many rows are still in."""
        return sum(len(a) for a in self.alive)

    # --- names -------------------------------------------------------------------------------------------------

    def resolve(self, name: str, *, of: str = "") -> Ref:
        """Returns the column that a bare or qualified name means.

        Raises:
            ColumnError: there is none, or several steps have one.
        """
        if "." in name:
            step, _, column = name.partition(".")
            if step not in self.entries:
                raise ColumnError(f"{of}there is no step {step!r} before this one{did_you_mean(step, self.entries)}")
            if column not in self.entries[step].columns or self.entries[step].hidden:
                raise ColumnError(
                    f"{of}{step!r} has no column {column!r}{did_you_mean(column, self.entries[step].columns)}"
                )
            return Ref(step, column)
        made = [e.name for e in self.entries.values() if name in e.columns and not e.hidden]
        by_steps = [m for m in made if m != ROWS] or made
        if len(by_steps) > 1:
            raise ColumnError(
                f"{of}{name!r} is made by several steps: say which, {' or '.join(f'{m}.{name}' for m in by_steps)}"
            )
        if not by_steps:
            known = {c for e in self.entries.values() if not e.hidden for c in e.columns}
            raise ColumnError(f"{of}there is no column {name!r} before this step{did_you_mean(name, known)}")
        return Ref(by_steps[0], name)

    def list_of(self, ref: Ref) -> str:
        """Returns the list that a column runs along ("distill.responses"), itself for a list of responses, or ""."""
        along = self.entries[ref.step].columns[ref.column]
        return along or (str(ref) if ref.column == "responses" else "")

    def lists(self) -> list[Ref]:
        """Returns every list of responses; the source's own only where no step makes one or it isn't empty."""
        made = [Ref(e.name, "responses") for e in self.entries.values() if "responses" in e.columns and e.name != ROWS]
        return ([Ref(ROWS, "responses")] if self._has_own else []) + made

    @cached_property
    def _has_own(self) -> bool:
        """Whether any row of the source brings responses; every shard is opened to know it."""
        brought = (read_table(self.path(ROWS, s), ["responses"])["responses"] for s in range(self.num_shards))
        return any(column.null_count < len(column) for column in brought)

    def shard_rows(self) -> list[int]:
        """Returns how many rows each shard has, dropped ones included."""
        return [read_table(self.path(ROWS, s), ["id"]).num_rows for s in range(self.num_shards)]

    # --- reading -----------------------------------------------------------------------------------------------

    def path(self, step: str, shard: int) -> Path:
        """Returns a column file."""
        return self.root / self.entries[step].files[shard]

    def _map(self, step: str, shard: int) -> np.ndarray:
        """Returns the row number of each row of a step's file."""
        if step == ROWS:
            return np.arange(read_table(self.path(ROWS, shard), ["id"]).num_rows, dtype=np.int32)
        key = (step, shard)
        if key not in self._maps:
            self._maps[key] = read_table(self.path(step, shard), [ROW_NUMBER])[ROW_NUMBER].to_numpy()
        return self._maps[key]

    def read(self, ref: Ref, shard: int, rows: np.ndarray | None = None) -> pa.Array:
        """Returns a column for some rows of a shard, by default those still in. Traces that are out are left in."""
        rows = self.alive[shard] if rows is None else rows
        column = read_table(self.path(ref.step, shard), [ref.column])[ref.column].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        have = self._map(ref.step, shard)
        if np.array_equal(have, rows):
            return column
        where = np.searchsorted(have, rows)
        safe = np.minimum(where, max(0, len(have) - 1))
        there = (where < len(have)) & (have[safe] == rows) if len(have) else np.zeros(len(rows), bool)
        return column.take(pa.array(safe, mask=~there)) if len(have) else pa.nulls(len(rows), column.type)

    def digest(self, ref: Ref, shard: int) -> str:
        """Returns the digest of a column of a shard's rows that are still in (traces that are out left in)."""
        if np.array_equal(self._map(ref.step, shard), self.alive[shard]):
            return read_digests(self.path(ref.step, shard))[ref.column]
        return array_digest(self.read(ref, shard))

    # --- traces ------------------------------------------------------------------------------------------------

    def mask(self, responses: str, shard: int) -> np.ndarray | None:
        """Returns which traces of a shard's rows that are still in are in too, flat; None where all are."""
        flat = self._masks.get((responses, shard))
        if flat is None:
            return None
        ref = Ref(*responses.split("."))
        starts, counts = self._spans(ref, shard)
        return flat[_ranges(starts, counts)]

    def _spans(self, ref: Ref, shard: int) -> tuple[np.ndarray, np.ndarray]:
        """Where each living row's traces lie in the list's file, flat: starts and counts."""
        column = read_table(self.path(ref.step, shard), [ref.column])[ref.column].combine_chunks()
        counts = lengths(column)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, np.int64)
        have, rows = self._map(ref.step, shard), self.alive[shard]
        where = np.searchsorted(have, rows)
        safe = np.minimum(where, max(0, len(have) - 1))
        there = (where < len(have)) & (have[safe] == rows) if len(have) else np.zeros(len(rows), bool)
        if not len(have):
            return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        return np.where(there, starts[safe], 0), np.where(there, counts[safe], 0)

    def drop(self, entry: Entry, shard: int, drops: pa.Table) -> None:
        """Takes the rows or traces of a drops table out."""
        rows = drops[ROW_NUMBER].to_numpy()
        if not entry.of:
            self.alive[shard] = np.setdiff1d(self.alive[shard], rows).astype(np.int32)
            return
        if not len(rows):
            return
        ref = Ref(*entry.of.split("."))
        column = read_table(self.path(ref.step, shard), [ref.column])[ref.column].combine_chunks()
        counts = lengths(column)
        key = (entry.of, shard)
        if key not in self._masks:
            self._masks[key] = np.ones(int(counts.sum()), bool)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        where = np.searchsorted(self._map(ref.step, shard), rows)
        self._masks[key][starts[where] + drops["index"].to_numpy()] = False

    def table(self, refs: Iterable[tuple[str, Ref]], shard: int) -> pa.Table:
        """Returns columns of the rows still in, their lists without the traces that are out."""
        out = {}
        for name, ref in refs:
            column = self.read(ref, shard)
            along = self.list_of(ref)
            mask = self.mask(along, shard) if along else None
            if ref == Ref(ROWS, "images"):
                column = self._with_root(column)
            out[name] = column if mask is None else compact(column, mask)
        return pa.table(out)

    def _with_root(self, images: pa.Array) -> pa.Array:
        """Returns picture structs whose paths start at the run folder, wherever that is today."""
        values = images.flatten()
        if not len(values):
            return images
        paths = pc.binary_join_element_wise(str(self.root), values.field("path"), "/")
        fields = [paths if f.name == "path" else values.field(i) for i, f in enumerate(values.type)]
        structs = pa.StructArray.from_arrays(fields, fields=list(values.type))
        return relist(structs, lengths(images), images.is_null() if images.null_count else None)


def replay(root: Path, entries: Sequence[Entry]) -> State:
    """Returns what is still in after some steps.

    Args:
        root: the run folder.
        entries: the steps, the first being the source's rows; what exports left out is passed over.
    """
    state = State(root, entries[0].files)
    for entry in entries[1:]:
        if entry.export:
            continue
        state.entries[entry.name] = entry
        if entry.kind == "drops":
            for shard in range(state.num_shards):
                state.drop(entry, shard, read_table(state.path(entry.name, shard)))
    return state


def lengths(lists: pa.Array) -> np.ndarray:
    """Returns the length of each list, 0 for null, as int64."""
    return np.asarray(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def relist(values: pa.Array, counts: np.ndarray, nulls: pa.Array | None = None) -> pa.Array:
    """Returns a large list of the values, `counts` of them a row."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    return pa.LargeListArray.from_arrays(offsets, values, mask=nulls)


def compact(lists: pa.Array, mask: np.ndarray) -> pa.Array:
    """Returns lists without the items where the flat mask is false."""
    counts = lengths(lists)
    kept = (
        np.add.reduceat(np.concatenate([mask, [False]]).astype(np.int64), np.concatenate([[0], np.cumsum(counts)[:-1]]))
        if len(counts)
        else counts
    )
    kept = np.where(counts > 0, kept, 0)
    return relist(lists.flatten().filter(pa.array(mask)), kept, lists.is_null() if lists.null_count else None)


def expand(lists: pa.Array, mask: np.ndarray, counts: np.ndarray) -> pa.Array:
    """The reverse of `compact`: puts nulls where the flat mask is false, `counts` items a row."""
    positions = np.cumsum(mask) - 1
    values = lists.flatten().take(pa.array(positions, mask=~mask)) if len(mask) else lists.flatten()
    return relist(values, counts)


def _ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns start, start + 1, ... start + count - 1 of each pair, joined."""
    total = int(counts.sum())
    if not total:
        return np.zeros(0, np.int64)
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.repeat(starts - begins, counts) + np.arange(total)
