"""Tables as a `datasets.Dataset` whose pictures decode from where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

PICTURES = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
"""A list of pictures as `datasets.List(datasets.Image())` stores it."""


def as_pictures(structs: pa.Array) -> pa.Array:
    """Returns lists of picture structs (`schema.PICTURE`) as lists of `datasets.Image`."""
    values = structs.flatten()
    offsets = np.concatenate([[0], np.cumsum(structs.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))])
    fields = [values.field("bytes").cast(pa.binary()), values.field("path")]
    images = pa.StructArray.from_arrays(fields, fields=list(PICTURES.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), images)


def to_dataset(tables: Sequence[pa.Table]) -> Any:
    """Returns shards of a run as one data set."""
    import datasets

    parts = []
    for table in tables:
        i = table.column_names.index("images")
        images = [as_pictures(c) for c in table["images"].chunks]
        parts.append(table.set_column(i, pa.field("images", PICTURES), pa.chunked_array(images, PICTURES)))
    whole = pa.concat_tables(parts)
    features = datasets.Features.from_arrow_schema(whole.schema)
    features["images"] = datasets.List(datasets.Image())
    return datasets.Dataset(whole.cast(features.arrow_schema), info=datasets.DatasetInfo(features=features))
