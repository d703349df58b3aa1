"""A data set that others are compared with: a benchmark, or a set of one's own."""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcurate.answers import clean
from mmcurate.canonical import as_table, canonical
from mmcurate.dedup.near import NearSignatures, Signatures
from mmcurate.schema import ROW
from mmcurate.sources.hub import as_source
from mmcurate.sources.source import MATCH_TEXT, TEMPLATE

_ROWS_AT_ONCE = 256


class Reference:
    """The questions of a source, a finished run or a `datasets.Dataset`, as signatures.

    It is read when it is first needed, once; its pictures are kept in a temporary folder until `close`. A row with a `match_text`
    is compared by that instead of its question (an empty one leaves the comparison to the pictures); with a true
    `match_template` it is never compared by its text alone; false says that its text is none, however many pictures it is asked of.

    Args:
        thing: what to read.
    """

    def __init__(self, thing: Any) -> None:
        self.source = as_source(thing)
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    def describe(self) -> list[dict[str, Any]]:
        """See `Source.describe`."""
        return self.source.describe() if hasattr(self.source, "describe") else [{"name": self.name}]

    def fingerprint(self) -> str:
        """Returns a digest of the content; a source that has none of its own is read for it."""
        return self.source.fingerprint() or self._digest

    @cached_property
    def _digest(self) -> str:
        hasher = hashlib.sha256()
        for row, text, template, _ in self._rows():
            shas = [p["sha256"] for p in row["images"]]
            told = [row["id"], row["question"], text, template, row["options"], shas]
            hasher.update(json.dumps(told).encode())
        return hasher.hexdigest()

    def _rows(self) -> Iterator[tuple[dict[str, Any], str, bool | None, list[tuple[str, bytes]]]]:
        """Yields each row, the text that it is compared by, whether that is a template, and its pictures."""
        seen: dict[str, int] = {}
        for number, raw in enumerate(self.source):
            row, files = canonical(raw, number, seen)
            text = clean(raw.get(MATCH_TEXT))
            yield row, row["question"] if text is None else text, raw.get(TEMPLATE), files

    @cached_property
    def table(self) -> pa.Table:
        """Their `id`, `source`, `question`, `images`, `template` and the columns of `NearSignatures`.

        Rows without a usable text or picture stay, since the other may match; `picture_problem` says what is wrong.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="mmcurate-")
        root, step, parts = Path(self._folder.name), NearSignatures(), []
        rows = self._rows()
        while batch := list(itertools.islice(rows, _ROWS_AT_ONCE)):
            for row, _, _, files in batch:
                for picture, (path, data) in zip(row["images"], files, strict=True):
                    place = root / Path(path).name
                    if not place.exists():
                        place.write_bytes(data)
                    picture.update(path=str(place), bytes=None)
            table = as_table([row for row, *_ in batch])
            compared = as_table([{**row, "question": text} for row, text, *_ in batch])
            made = step(compared.select(["id", *step.requires]))
            made = made.append_column("template", pa.array([template for _, _, template, _ in batch], pa.bool_()))
            for name in ("id", "source", "question", "images"):
                made = made.append_column(table.schema.field(name), table[name])
            parts.append(made)
        return pa.concat_tables(parts) if parts else _nothing()

    @cached_property
    def signatures(self) -> Signatures:
        """The table as arrays."""
        return Signatures(self.table)

    def close(self) -> None:
        """Removes the temporary folder."""
        for name in ("table", "signatures"):
            self.__dict__.pop(name, None)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _nothing() -> pa.Table:
    kept = [f for f in ROW if f.name in ("id", "source", "question", "images")]
    return pa.schema([*NearSignatures.provides, ("template", pa.bool_()), *kept]).empty_table()
