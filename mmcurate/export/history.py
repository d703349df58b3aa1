"""Every question and every answer of a run, the dropped ones too, with what each step said of them: for the Hub, without pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmcurate.columns import ROW_NUMBER, read_table
from mmcurate.export.fates import ShardFates, without_folders
from mmcurate.export.pictured import HASHES
from mmcurate.export.shards import merged
from mmcurate.run import Run
from mmcurate.schema import GRADE, RESPONSE
from mmcurate.sources.source import chance
from mmcurate.state import ROWS, Ref, lengths, relist

_ROW_GROUP_BYTES = 32 << 20
_OWN = ("id", "source", "question", "options", "answer", "licence", "metadata")
_LEFT_OUT = ("request_errors", "match_question", "match_picture")
"""Columns that aren't published: the last two are a benchmark's own text and picture, which belong in no training set."""

_TAKEN = {"question_id", "step", "kept", "dropped_by", "reason", HASHES, *_OWN, *(f.name for f in [*RESPONSE, *GRADE])}


class _History:
    """What the two configs share; each shard of the run is a unit. See `shards.Rows`."""

    features: Any

    def __init__(self, run: Run) -> None:
        import datasets

        self.run, self.state = run, run.state()
        self.lists = self.state.lists()
        self.said = self._said()
        first = self._table(0) if self.state.num_shards else pa.table({})
        self.features = datasets.Features.from_arrow_schema(first.schema)

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        shards = range(self.state.num_shards)
        files = [[self.run.path / e.files[s] for e in self._entries()] for s in shards]
        chances = np.array([chance(0, s, {}) for s in shards], np.uint64)
        return chances, np.array([sum(os.path.getsize(f) for f in some) for some in files], np.int64)

    def _entries(self) -> list[Any]:
        raise NotImplementedError

    def _table(self, shard: int) -> pa.Table:
        raise NotImplementedError

    def tables(self, start: int, stop: int) -> Iterator[pa.Table]:
        yield from merged((self._table(s) for s in range(start, stop)), _ROW_GROUP_BYTES)

    def with_pictures(self, table: pa.Table) -> pa.Table:
        return table

    def _said(self) -> list[tuple[str, Ref, str]]:
        """Returns the columns that steps made, each with its name here and the list it runs along."""
        named = [(name, ref, self.state.list_of(ref)) for name, ref in self.run.columns(self.state)]
        return [
            (f"{ref.step}_{name}" if name in _TAKEN else name, ref, along)
            for name, ref, along in named
            if ref.column not in (*_LEFT_OUT, "responses") and not (ref.step == ROWS and not along)
        ]


class Questions(_History):
    """One row a question of the source: its text, what the steps said of it, whether it was kept, and why not."""

    def _entries(self) -> list[Any]:
        return [self.state.entries[ROWS]]

    def _table(self, shard: int) -> pa.Table:
        state = self.state
        rows = read_table(state.path(ROWS, shard), [*_OWN, "images"])
        made = {name: rows[name].combine_chunks() for name in _OWN}
        made["options"] = _plain_list(made["options"])
        images = rows["images"].combine_chunks()
        made[HASHES] = _plain_list(relist(images.flatten().field("sha256"), lengths(images)))
        numbers = np.arange(rows.num_rows, dtype=np.int32)
        for name, ref, along in self.said:
            if not along:
                made[name] = _plain_list(state.read(ref, shard, numbers))
        return pa.table({**made, **ShardFates(self.run, self.lists, shard).rows.columns()})


class Responses(_History):
    """One row an answer of a teacher, those that never came too: its text, its verdict, whether it was kept, and why not."""

    def _entries(self) -> list[Any]:
        return [self.state.entries[name] for name in {r.step for r in self.lists}]

    def _table(self, shard: int) -> pa.Table:
        fates = ShardFates(self.run, self.lists, shard)
        parts = [self._answers(ref, shard, fates) for ref in self.lists]
        parts += [self._failures(e, shard) for e in self.run.entries if "request_errors" in e.columns]
        return pa.concat_tables(parts, promote_options="default")

    def _asked(self, shard: int, rows: np.ndarray) -> dict[str, pa.Array]:
        table = read_table(self.state.path(ROWS, shard), ["id", "source", "licence"]).take(pa.array(rows))
        own = {name: table[name].combine_chunks() for name in table.column_names}
        return {"question_id": own.pop("id"), **own}

    def _answers(self, ref: Ref, shard: int, fates: ShardFates) -> pa.Table:
        """Returns the traces of a list of responses."""
        file = read_table(self.state.path(ref.step, shard))
        lists = file[ref.column].combine_chunks()
        counts, values = lengths(lists), lists.flatten()
        numbers = np.arange(len(lists)) if ref.step == ROWS else file[ROW_NUMBER].to_numpy()
        fields = {f.name: values.field(f.name) for f in RESPONSE}
        made = {"trace_id": fields.pop("trace_id"), **self._asked(shard, fates.owners[str(ref)])}
        made["step"] = pa.array([ref.step] * len(values), pa.string())
        made.update(fields)
        last = [r for _, r, along in self.said if along == str(ref) and r.column == "verdicts"][-1:]
        for name, said, along in self.said:
            if along != str(ref):
                continue
            mine = _along(self.state.read(said, shard, numbers), counts)
            if said.column == "verdicts":
                before = "" if [said] == last else f"{said.step}_"
                made.update({before + f.name: pc.struct_field(mine, f.name) for f in GRADE})
            else:
                made[name] = mine
        return pa.table({**made, **fates.traces[str(ref)].columns()})

    def _failures(self, entry: Any, shard: int) -> pa.Table:
        """Returns the answers that never came."""
        file = read_table(self.state.path(entry.name, shard), [ROW_NUMBER, "request_errors"])
        lists = file["request_errors"].combine_chunks()
        rows, errors = np.repeat(file[ROW_NUMBER].to_numpy(), lengths(lists)), lists.flatten()
        asked = self._asked(shard, rows)
        index = errors.field("sample_index")
        return pa.table(
            {
                "trace_id": pc.binary_join_element_wise(asked["question_id"], index.cast(pa.string()), "#"),
                **asked,
                "step": pa.array([entry.name] * len(rows), pa.string()),
                "sample_index": index,
                "kept": pa.array([False] * len(rows), pa.bool_()),
                "dropped_by": pa.array([entry.name] * len(rows), pa.string()),
                "reason": pa.array(
                    [f"no answer: {without_folders(r)}" for r in errors.field("reason").to_pylist()], pa.string()
                ),
            }
        )


def _plain_list(array: pa.Array) -> pa.Array:
    """Returns a large list as a list, which more readers know; anything else as it is."""
    return array.cast(pa.list_(array.type.value_type)) if pa.types.is_large_list(array.type) else array


def _along(lists: pa.Array, counts: np.ndarray) -> pa.Array:
    """Returns a column's items one a trace: null where the step that made it didn't see the row any more.

    Args:
        lists: one list a row, as long as the row's traces or missing.
        counts: how many traces each row has.
    """
    mine = lengths(lists)
    rows = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    there = mine[rows] == counts[rows]
    places = np.where(there, (np.cumsum(mine) - mine)[rows] + within, 0)
    return lists.flatten().take(pa.array(places, mask=~there))
