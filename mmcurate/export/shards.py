"""Parquet shards for the Hub: named by what is in them, each picture in a row group once however many rows show it.

The bytes of a picture are a dictionary of the row group, so a row that shows it again costs some bits. That asks for rows that
show the same pictures to lie together, and for a dictionary page that holds all of a row group's pictures: with the writer's usual limit
of 1 MB it falls back to plain bytes, once a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from mmcurate.columns import array_digest, durable_write
from mmcurate.step import digest

SHARD_BYTES = 500 << 20
"""How large a shard is, about: what the Hub asks for."""
ROW_GROUP_BYTES = 128 << 20
"""How large a row group is at most once its dictionaries are unfolded, which is what a reader has to hold. The Hub's
viewer gives up at 300 MB, and Arrow can't hold 2 GB of a nested column in one piece. One row may be larger."""
_VERSION = 1
_BYTES = "images.list.element.bytes"


class Rows(Protocol):
    """The rows of a config, in units that are never cut: a question with its traces, or a shard of a run.

    Attributes:
        features: a `datasets.Features`.
    """

    features: Any

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns a random number for each unit, always the same for the same unit, and its size in bytes: (U,) uint64, (U,) int64."""
        ...

    def tables(self, start: int, stop: int) -> Iterator[pa.Table]:
        """Yields the row groups of units `start` to `stop`; pictures by their names only."""
        ...

    def with_pictures(self, table: pa.Table) -> pa.Table:
        """Returns a row group with the bytes of its pictures."""
        ...


@dataclass(frozen=True)
class Shard:
    """A shard to be.

    Attributes:
        path: in the repository; the file's name is a digest of the rows and their pictures.
        start, stop: its units.
        num_rows: how many rows it has.
        num_bytes: of its rows in memory, pictures left out.
    """

    path: str
    start: int
    stop: int
    num_rows: int
    num_bytes: int


def plan(config: str, rows: Rows) -> list[Shard]:
    """Returns the shards of a config. Reads all of its text, a row group at a time, and no picture."""
    out = []
    for start, stop in cut(*rows.units()):
        told: list[Any] = [_VERSION, config, rows.features.to_dict()]
        num_rows = num_bytes = 0
        for table in rows.tables(start, stop):
            told.append([array_digest(column) for column in table.columns])
            num_rows, num_bytes = num_rows + table.num_rows, num_bytes + table.nbytes
        if num_rows:
            out.append(Shard(f"data/{config}/{digest(told)[:20]}.parquet", start, stop, num_rows, num_bytes))
    return out


def cut(chances: np.ndarray, sizes: np.ndarray) -> list[tuple[int, int]]:
    """Returns where shards start and stop: at units that are chosen by their own numbers, so that a change moves few cuts.

    Args:
        chances, sizes: as from `Rows.units`.
    """
    out, start, size = [], 0, 0
    limits = np.minimum(sizes.astype(np.float64) / (SHARD_BYTES / 2), 1.0) * 2.0**64
    for i, chosen in enumerate((chances.astype(np.float64) < limits).tolist()):
        size += int(sizes[i])
        if (chosen and size >= SHARD_BYTES / 2) or size >= SHARD_BYTES * 3 / 2:
            out.append((start, i + 1))
            start, size = i + 1, 0
    if start < len(sizes):
        out.append((start, len(sizes)))
    return out


def write(path: Path, rows: Rows, shard: Shard) -> None:
    """Writes a shard, a row group at a time.

    Raises:
        DiskFull: there is no room for it.
    """
    import pyarrow.parquet as pq

    schema = rows.features.arrow_schema
    leaves = _leaves(schema)
    options: dict[str, Any] = {
        "compression": {leaf: "NONE" if leaf == _BYTES else "ZSTD" for leaf in leaves},
        "use_dictionary": [leaf for leaf in leaves if leaf == _BYTES],
        "dictionary_pagesize_limit": (1 << 31) - 1,
        "write_statistics": [leaf for leaf in leaves if leaf != _BYTES],
        "write_page_index": True,
    }

    def put(file: Any) -> None:
        with pq.ParquetWriter(file, schema, **options) as writer:
            for table in rows.tables(shard.start, shard.stop):
                full = rows.with_pictures(table.select(schema.names)).cast(schema)
                writer.write_table(full, row_group_size=max(1, full.num_rows))

    durable_write(path, put)


def _leaves(schema: pa.Schema) -> list[str]:
    """Returns the names of a schema's Parquet columns, such as "images.list.element.bytes"."""
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    found = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [found.column(i).path for i in range(len(found))]


def merged(tables: Iterable[pa.Table], num_bytes: int) -> Iterator[pa.Table]:
    """Yields tables joined to larger ones of at least so many bytes, but the last."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(t.nbytes for t in waiting) >= num_bytes:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
