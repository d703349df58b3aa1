"""Digests of what makes a question: its text, its pictures, its gold and its options."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from mmcurate.answers import gold_text, option_text, plain
from mmcurate.prompts import compared_text

KEYS = pa.schema(
    [
        ("text_key", pa.string()),
        ("images_key", pa.string()),  # of the pictures' bytes, in order; null where there are none
        ("gold_key", pa.string()),  # a letter is read through its option; null without a gold
        ("options_key", pa.string()),  # whatever their order
    ]
)
"""What `question_keys` returns."""


def question_keys(table: pa.Table) -> dict[str, list[str | None]]:
    """Returns the columns of `KEYS` for a table of `question`, `options`, `answer` and `images`."""
    out: dict[str, list[str | None]] = {name: [] for name in KEYS.names}
    columns = [table[name].to_pylist() for name in ("question", "options", "answer")]
    for question, options, answer, shas in zip(*columns, picture_hashes(table["images"]), strict=True):
        options = options or []
        out["text_key"].append(_digest(plain(compared_text(question))))
        out["images_key"].append(_digest(*shas) if shas else None)
        out["gold_key"].append(None if answer is None else _digest(gold_text(answer, options)))
        out["options_key"].append(_digest(*sorted(plain(option_text(o, i)) for i, o in enumerate(options))))
    return out


def picture_hashes(images: pa.ChunkedArray) -> Sequence[Any]:
    """Returns each row's list of picture hashes, without looking at the pictures."""
    column = images.combine_chunks()
    hashes = column.flatten().field("sha256")
    lengths = column.value_lengths().fill_null(0).to_pylist()
    flat, out, start = hashes.to_pylist(), [], 0
    for length in lengths:
        out.append(flat[start : start + length])
        start += length
    return out


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
