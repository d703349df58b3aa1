"""Takes a source's rows into a run folder: checks each, writes each picture once, cuts shards."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcurate.canonical import as_table, canonical
from mmcurate.columns import array_digest, durable_write, write_table


def ingest(rows: Iterable[Mapping[str, Any]], root: Path, shard_rows: int) -> Iterator[tuple[str, int]]:
    """Writes rows into a run folder and yields each shard's file (relative to it) and its number of rows.

    A shard that lies there already, equal to the last byte, is not written again.
    """
    seen: dict[str, int] = {}
    waiting: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    shard = 0
    for number, raw in enumerate(rows):
        row, shown = canonical(raw, number, seen)
        waiting.append(row)
        files.update(shown)
        if len(waiting) == shard_rows:
            yield _write(waiting, files, root, shard), len(waiting)
            waiting, files, shard = [], {}, shard + 1
    if waiting:
        yield _write(waiting, files, root, shard), len(waiting)


def _write(rows: list[dict[str, Any]], files: dict[str, bytes], root: Path, shard: int) -> str:
    missing = {path: data for path, data in files.items() if not _there(root / path, len(data))}
    if missing:
        with ThreadPoolExecutor(16) as pool:  # each waits for the disk
            list(
                pool.map(lambda item: durable_write(root / item[0], lambda file: file.write(item[1])), missing.items())
            )
    table = as_table(rows)
    key = array_digest(pa.array([array_digest(table[name]) for name in table.column_names]))[:16]
    file = f"rows/{shard:05d}-{key}.arrow"
    if not (root / file).exists():
        write_table(root / file, table)
    return file


def _there(path: Path, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False
