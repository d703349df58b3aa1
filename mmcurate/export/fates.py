"""Who dropped which row and trace of a run, and why: what `run.explain` tells of one, for a whole shard."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from mmcurate.columns import ROW_NUMBER, read_table
from mmcurate.run import Run
from mmcurate.state import ROWS, Entry, Ref, lengths

_FOLDERS = re.compile(r"""(?<![\w<>()\[\]{}.:/\\$-])(?:file://|~)?/(?:[^\s:'"/<>]+/)+""")


def without_folders(text: str) -> str:
    """Returns a text whose absolute paths are their last parts: which folders a machine has is nobody's business."""
    return _FOLDERS.sub("", text)


class Fate:
    """Who dropped some rows or traces, and why; None where nobody did.

    Args:
        count: how many they are.
    """

    def __init__(self, count: int) -> None:
        self.out = np.zeros(count, bool)
        self.by = np.full(count, None, object)
        self.why = np.full(count, None, object)

    def drop(self, where: np.ndarray, by: Any, why: np.ndarray) -> None:
        """Notes drops at some places; the first that is noted of a place stays.

        Args:
            where: the places, (K,) int.
            by: one for all, or (K,).
            why: (K,) texts.
        """
        free = ~self.out[where]
        self.by[where[free]] = by[free] if isinstance(by, np.ndarray) else by
        self.why[where[free]] = why[free]
        self.out[where] = True

    def columns(self) -> dict[str, pa.Array]:
        """Returns the columns `kept`, `dropped_by` and `reason`."""
        return {
            "kept": pa.array(~self.out),
            "dropped_by": pa.array(self.by, pa.string()),
            "reason": pa.array([None if w is None else without_folders(w) for w in self.why], pa.string()),
        }


class ShardFates:
    """What became of the rows and traces of one shard.

    Attributes:
        rows: of its rows.
        traces: of the traces of each list of responses, flat, as they lie in the list's file.
        owners: the row of each of these traces.
    """

    def __init__(self, run: Run, lists: list[Ref], shard: int) -> None:
        problems = read_table(run.path / run.entries[0].files[shard], ["problem"])["problem"]
        self.rows = Fate(len(problems))
        bad = np.flatnonzero(problems.is_valid().to_numpy())
        self.rows.drop(bad, "source", np.array(problems.drop_null().to_pylist(), object))
        self.traces: dict[str, Fate] = {}
        self.owners: dict[str, np.ndarray] = {}
        self._begins: dict[str, dict[int, int]] = {}
        for ref in lists:
            self._add(run, ref, shard)
        for entry in run.entries[1:]:
            if entry.kind == "drops":
                where, why = self._places(run, entry, shard)
                self._fate(entry.of).drop(where, entry.name, why)
        self._exports(run, shard)
        for name, fate in self.traces.items():
            lost = np.flatnonzero(self.rows.out[self.owners[name]])
            owners = self.owners[name][lost]
            fate.drop(lost, self.rows.by[owners], "its question was dropped: " + self.rows.why[owners])

    def _add(self, run: Run, ref: Ref, shard: int) -> None:
        file = run.path / next(e for e in run.entries if e.name == ref.step).files[shard]
        table = read_table(file, [ref.column] if ref.step == ROWS else [ROW_NUMBER, ref.column])
        counts = lengths(table[ref.column].combine_chunks())
        numbers = np.arange(len(counts)) if ref.step == ROWS else table[ROW_NUMBER].to_numpy()
        self.owners[str(ref)] = np.repeat(numbers, counts)
        self.traces[str(ref)] = Fate(int(counts.sum()))
        begins = np.cumsum(counts) - counts
        self._begins[str(ref)] = dict(zip(numbers.tolist(), begins.tolist(), strict=True))

    def _fate(self, of: str) -> Fate:
        return self.traces[of] if of else self.rows

    def _places(self, run: Run, entry: Entry, shard: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the places of an entry's drops, and the reasons."""
        drops = read_table(run.path / entry.files[shard])
        rows, why = drops[ROW_NUMBER].to_numpy(), np.array(drops["reason"].to_pylist(), object)
        if not entry.of:
            return rows, why
        begins = np.array([self._begins[entry.of][row] for row in rows.tolist()], np.int64)
        return begins + drops["index"].to_numpy(), why

    def _exports(self, run: Run, shard: int) -> None:
        """Takes out what no export took: a question without a kept trace may still be in another set."""
        num_exports = Counter(entry.of for entry in run.exports)
        found = [(entry, *self._places(run, entry, shard)) for entry in run.exports]
        for of, count in num_exports.items():
            fate = self._fate(of)
            missed = np.zeros(len(fate.out), np.int32)
            for entry, where, _ in found:
                if entry.of == of:
                    missed[where] += 1
            for entry, where, why in found:
                if entry.of == of:
                    gone = missed[where] == count
                    fate.drop(where[gone], entry.name, why[gone])
