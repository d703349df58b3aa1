"""Balanced samples: equally many questions of each source, subject or difficulty."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from mmcurate.errors import SettingsError
from mmcurate.step import Step, settings

UNKNOWN = "unknown"


@settings
class Strata(Step):
    """The stratum of each question."""

    by: Sequence[str] = ("source",)

    provides: ClassVar[pa.Schema] = pa.schema([("stratum", pa.string())])

    def __post_init__(self) -> None:
        object.__setattr__(self, "requires", _columns(self.by))
        super().__post_init__()

    def __call__(self, table: pa.Table) -> pa.Table:
        columns = {name: table[name].to_pylist() for name in _columns(self.by)}
        if "metadata" in columns:
            columns["metadata"] = [json.loads(text) if text else {} for text in columns["metadata"]]
        parts = []
        for name in self.by:
            first, *keys = _path(name)
            parts.append([_text(value, keys) for value in columns[first]])
        return pa.table({"stratum": [" / ".join(p) for p in zip(*parts, strict=True)]}, schema=self.provides)


@settings
class Stratified(Step):
    """Orders questions so that any first n of them are as balanced over the strata as they can be.

    Provides `stratum`, such as "mathvision / algebra", and `stratified_rank`, 0 for the first: one question of each stratum,
    then a second of each, and so on; a small stratum runs out and the others go on. `AtMost(10_000, order="stratified_rank")`
    then takes a balanced sample. Within a stratum the order is random, and of the ids and the seed alone:
    it doesn't change with the order of the rows, and a question more moves the others by one place at most in their stratum.

    Memory: some 300 bytes a row.

    Attributes:
        by: columns of the source (`source`, `licence`) or of an earlier step (`difficulty`), or a key of the source's further
            columns (`metadata.subject`). A value that isn't there is a stratum of its own, "unknown".
        seed: for another order.
    """

    by: Sequence[str] = ("source",)
    seed: int = 0

    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    provides: ClassVar[pa.Schema] = pa.schema([("stratum", pa.string()), ("stratified_rank", pa.int32())])

    def __post_init__(self) -> None:
        if not self.by:
            raise SettingsError("Stratified: by = () must name at least one column")
        super().__post_init__()

    def signatures(self) -> Step:
        return Strata(self.by)

    def __call__(self, table: pa.Table) -> pa.Table:
        strata = table["stratum"].to_pylist()
        rank = stratified_rank(table["id"].to_pylist(), strata, self.seed)
        return pa.table({"stratum": strata, "stratified_rank": rank.astype(np.int32)}, schema=self.provides)


def stratified_rank(ids: Sequence[str], strata: Sequence[str], seed: int) -> np.ndarray:
    """Returns each row's place in a round robin over the strata, shuffled by the ids and the seed: (N,) int64."""
    if not ids:
        return np.zeros(0, np.int64)
    names, stratum = np.unique(np.asarray(strata, object).astype(str), return_inverse=True)
    turn = np.argsort(np.argsort([_draw(seed, "stratum", name) for name in names]))[stratum]
    order = np.lexsort((np.array([_draw(seed, "row", name) for name in ids]), turn))
    starts = np.flatnonzero(np.diff(turn[order], prepend=-1))
    counts = np.diff(starts, append=len(ids))
    round_ = np.empty(len(ids), np.int64)
    round_[order] = np.arange(len(ids)) - np.repeat(starts, counts)
    rank = np.empty(len(ids), np.int64)
    rank[np.lexsort((turn, round_))] = np.arange(len(ids))
    return rank


def _draw(seed: int, kind: str, name: str) -> bytes:
    """Returns 16 bytes that are random to anyone who doesn't know the seed, and always the same."""
    return hashlib.blake2b(f"{seed}\0{kind}\0{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _path(name: str) -> list[str]:
    return name.split(".") if name.startswith("metadata.") else [name]


def _columns(by: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_path(name)[0] for name in by))


def _text(value: Any, keys: Sequence[str]) -> str:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return UNKNOWN if value is None or value == "" else str(value)
