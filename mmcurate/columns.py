"""Column files: one Arrow file a step and shard, named by what it was made from, with a digest of each column.

A file is complete or absent: it is written under another name, made durable, and renamed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmcurate.errors import DiskFull

ROW_NUMBER = "_row"
"""The column of every file that says which row of its shard each of its rows belongs to."""
_DIGESTS = b"mmcurate.digests"


def durable_write(path: Path, write: Any) -> None:
    """Writes a file whole or not at all: `write(file)` to a temporary name, fsync, rename, fsync of the folder.

    Raises:
        DiskFull: there is no room for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no room on the disk for {path}; free some, and the same command continues") from None
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file whole or not at all."""
    durable_write(path, lambda file: file.write(json.dumps(value, indent=1, ensure_ascii=False).encode()))


def array_digest(array: pa.Array | pa.ChunkedArray) -> str:
    """Returns a digest of an array's values, the same however they are cut into chunks or buffers."""
    hasher = hashlib.sha256()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    _feed(hasher, array)
    return hasher.hexdigest()


def _feed(hasher: Any, array: pa.Array) -> None:
    kind = array.type
    hasher.update(f"{kind}|{len(array)}|{array.null_count}|".encode())
    if array.null_count:
        hasher.update(np.asarray(array.is_valid().to_numpy(zero_copy_only=False)).tobytes())
    if pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            _feed(hasher, array.field(i))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        hasher.update(
            np.ascontiguousarray(array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), np.int64).tobytes()
        )
        _feed(hasher, array.flatten())
    elif (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    ):
        array = array.cast(pa.large_binary()).fill_null(b"")
        offsets = (
            np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
            if len(array)
            else np.zeros(1, np.int64)
        )
        hasher.update(np.diff(offsets).tobytes())
        if array.buffers()[2] is not None:
            hasher.update(memoryview(array.buffers()[2])[int(offsets[0]) : int(offsets[-1])])
    elif not pa.types.is_null(kind):
        filled = array.fill_null(False if pa.types.is_boolean(kind) else 0)
        hasher.update(np.ascontiguousarray(filled.to_numpy(zero_copy_only=False)).tobytes())


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a column file, with the digest of each column in its schema."""
    digests = {name: array_digest(table[name]) for name in table.column_names}
    metadata = {**(table.schema.metadata or {}), _DIGESTS: json.dumps(digests).encode()}
    table = table.replace_schema_metadata(metadata)

    def write(file: Any) -> None:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)

    durable_write(path, write)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Reads some columns of a column file, without copying them into memory first."""
    with pa.memory_map(str(path)) as data:
        if columns is None:
            return pa.ipc.open_file(data).read_all()
        names = pa.ipc.open_file(data).schema.names
        options = pa.ipc.IpcReadOptions(included_fields=[names.index(c) for c in columns])
        return pa.ipc.open_file(data, options=options).read_all().select(list(columns))


def read_schema(path: Path) -> pa.Schema:
    """Reads a column file's schema with its metadata."""
    with pa.memory_map(str(path)) as data:
        return pa.ipc.open_file(data).schema


def read_digests(path: Path) -> dict[str, str]:
    """Reads the digests that `write_table` stored."""
    return json.loads((read_schema(path).metadata or {})[_DIGESTS])
