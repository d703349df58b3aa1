"""The files of an export for a trainer: Parquet with typed columns, configurations, scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcurate.columns import durable_write


def write_parquet(
    path: Path,
    schema: pa.Schema,
    shards: Iterable[list[dict[str, Any]]],
    convert: Callable[[dict[str, Any], int], dict[str, Any]],
    group_rows: int = 1000,
) -> int:
    """Writes rows as one Parquet file, a row group at a time, and returns how many.

    Args:
        path: the file.
        schema: of the file.
        shards: the export's rows.
        convert: makes a row of the file from a row of the export and its number.
        group_rows: the most rows in a group; a reader holds a whole one.
    """
    import pyarrow.parquet as pq

    num_rows = 0

    def write(file: Any) -> None:
        nonlocal num_rows
        with pq.ParquetWriter(file, schema) as writer:
            for rows in shards:
                for start in range(0, len(rows), group_rows):
                    part = rows[start : start + group_rows]
                    made = [convert(row, num_rows + i) for i, row in enumerate(part)]
                    writer.write_table(pa.Table.from_pylist(made, schema))
                    num_rows += len(part)

    durable_write(path, write)
    return num_rows


def write_text(path: Path, text: str) -> None:
    """Writes a text file; one that starts with `#!` can be run."""
    durable_write(path, lambda file: file.write(text.encode()))
    if text.startswith("#!"):
        path.chmod(0o755)


SCRIPT = """#!/usr/bin/env bash
# {what}
set -euo pipefail
cd "$(dirname "${{BASH_SOURCE[0]}}")"
"""
"""How every script begins: it works wherever the folder lies."""

MAX_PROMPT, MAX_RESPONSE = 4_096, 28_696
"""OpenMMReasoner's limits in RL, in tokens."""
SFT_ROWS, SFT_STEPS = 874_357, 4_300
"""OpenMMReasoner's SFT: so many rows, so many steps on 32 GPUs, one pack of 61,440 tokens each."""


def sft_numbers(rows: int) -> dict[str, int]:
    """Returns what the training configurations say: the recipe's numbers, and `steps` and `warmup` for as many passes over `rows`."""
    steps = max(10, round(SFT_STEPS * rows / SFT_ROWS))
    return {"recipe_steps": SFT_STEPS, "recipe_rows": SFT_ROWS, "rows": rows, "steps": steps, "warmup": steps // 10}
