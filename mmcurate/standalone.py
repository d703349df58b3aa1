"""A step on its own: any `datasets.Dataset` gets its columns, without a run folder."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from mmcurate.canonical import as_table, canonical
from mmcurate.chat.store import cache_folder
from mmcurate.errors import ColumnError, SettingsError
from mmcurate.progress import say
from mmcurate.sources.hub import undecoded
from mmcurate.sources.source import rename
from mmcurate.step import Context, Step

_ROWS_AT_ONCE = 256


def apply(step: Step, dataset: Any, *, columns: Mapping[str, str] | None = None) -> Any:
    """Returns a data set with a step's columns added.

    Rows that the step can't take (a picture that is missing, for example) get nulls.

    Args:
        step: any step; its answers are kept in the user's cache.
        dataset: a `datasets.Dataset`. A missing `id` becomes the row number; `responses` may be texts.
        columns: where our columns are to be found, such as `{"question": "problem"}`.

    Raises:
        ColumnError: the data set lacks a column that the step needs.
    """
    import datasets

    if not isinstance(dataset, datasets.Dataset):
        raise SettingsError(f"apply takes a datasets.Dataset, not {type(dataset).__name__}")
    if not isinstance(step, Step):
        raise SettingsError(f"apply takes a step, not {type(step).__name__}")
    if step.where:
        raise SettingsError(
            f"{step.name}: apply hands every row to a step, so it takes no where; filter the data set first"
        )
    signatures = step.signatures()
    needs = list(dict.fromkeys((*(signatures.requires if signatures else ()), *step.requires)))
    optional = {"options", "images", "source", "metadata"} | ({"answer"} if signatures else set())
    raw = [_raw(rename(row, columns or {}), i) for i, row in enumerate(undecoded(dataset))]
    have = set(raw[0]) if raw else set(needs)
    missing = [n for n in needs if n not in have and n not in optional]
    if missing:
        raise ColumnError(
            f"{step.name} needs the column {missing[0]!r}; the data set has {', '.join(dataset.column_names)}: name it with columns={{{missing[0]!r}: ...}}"
        )
    rows, usable, seen = [], [], dict[str, int]()
    for i, row in enumerate(raw):
        made, files = canonical(row, i, seen)
        for picture, (_, data) in zip(made["images"], files, strict=True):
            picture.update(bytes=data, path=None)
        problem = made["problem"]
        if problem is None or (problem == "empty question" and "question" not in needs):
            usable.append(i)
        rows.append(made)
    table = as_table([rows[i] for i in usable])
    for name in needs:
        if name not in table.column_names:  # of an earlier step
            table = table.append_column(name, pa.array([raw[i][name] for i in usable]))
    table = table.select(list(dict.fromkeys(("id", *needs))))
    step.open(Context(store=cache_folder(), say=say, stopping=threading.Event()))
    try:
        step.check()
        if signatures is not None:
            table = _beside(table, _in_parts(signatures, table))
        made = step(table) if step.scope == "dataset" else _in_parts(step, table)
    finally:
        step.close()
    places = np.full(len(rows), -1)
    places[usable] = np.arange(len(usable))
    taken = (
        made.take(pa.array(places, mask=places < 0))
        if usable
        else pa.table({f.name: pa.nulls(len(rows), f.type) for f in step.provides})
    )
    clash = [n for n in taken.column_names if n in dataset.column_names]
    kept = dataset.remove_columns(clash) if clash else dataset
    added = datasets.Dataset(taken.replace_schema_metadata(None))
    if not len(dataset):  # `concatenate_datasets` leaves empty ones out
        return datasets.Dataset.from_dict(
            {n: [] for n in (*kept.column_names, *added.column_names)},
            features=datasets.Features({**kept.features, **added.features}),
        )
    return datasets.concatenate_datasets([kept, added], axis=1)


def _raw(row: dict[str, Any], number: int) -> dict[str, Any]:
    if row.get("id") is None:
        row["id"] = str(number)
    images = row.get("images")
    row["images"] = [] if images is None else images if isinstance(images, list) else [images]
    return row


def _in_parts(step: Step, table: pa.Table) -> pa.Table:
    parts = [step(table.slice(i, _ROWS_AT_ONCE).combine_chunks()) for i in range(0, table.num_rows, _ROWS_AT_ONCE)]
    return pa.concat_tables([p.replace_schema_metadata(None) for p in parts]) if parts else step.provides.empty_table()


def _beside(table: pa.Table, other: pa.Table) -> pa.Table:
    for name in other.column_names:
        table = table.append_column(name, other[name])
    return table
