"""Questions from files: JSONL, CSV, Parquet and Arrow, with pictures as paths beside them or as bytes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mmcurate.errors import SettingsError, SourceError
from mmcurate.sources.json_array import read_array
from mmcurate.sources.source import PROBLEM, Source, rename, require
from mmcurate.step import settings

_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather")


@settings
class Files(Source):
    """Reads questions from one file, or from every such file of a folder in the order of their names.

    Attributes:
        path: a JSONL, JSON (an array), CSV, TSV, Parquet or Arrow file, or a folder of them. Paths of pictures
            are relative to the file.
        columns: where our columns are to be found, such as `{"question": "problem"}`.
        name: what the rows' `source` says, unless they have such a column; the file's name unless given.
        licence: the rows' licence, unless they have such a column.
    """

    path: str | Path
    columns: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        path = Path(self.path).expanduser()
        if not path.exists():
            raise SettingsError(f"Files: there is no {str(path)!r}; it was looked for in {Path.cwd()}")
        object.__setattr__(self, "path", path)
        if not self.name:
            stem = path.stem if path.stem not in ("data", "questions", "train") else path.resolve().parent.name
            object.__setattr__(self, "name", stem)
        if not self._files():
            raise SettingsError(f"Files: {str(path)!r} has none of the types {', '.join(_SUFFIXES)}")

    def describe(self) -> list[dict[str, Any]]:
        """See `Source.describe`."""
        return [{"name": self.name, "path": str(self.path), "licence": self.licence or None}]

    def _files(self) -> list[Path]:
        path = Path(self.path)
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        return [p for p in found if p.suffix.lower() in _SUFFIXES]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for file in self._files():
            for number, row in enumerate(read_rows(file)):
                if number == 0 and PROBLEM not in row:
                    require(str(file), row, self.columns)
                yield self._row(file, number, row)

    def _row(self, file: Path, number: int, raw: dict[str, Any]) -> dict[str, Any]:
        row = rename(raw, self.columns)
        if row.get("id") is None:
            row["id"] = (
                f"{self.name}-{number:06d}" if file == Path(self.path) else f"{self.name}-{file.stem}-{number:06d}"
            )
        row.setdefault("source", self.name)
        if self.licence:
            row.setdefault("licence", self.licence)
        if isinstance(row.get("images"), str):
            row["images"] = _listed(row["images"])
        images = row.get("images")
        if images is not None and not isinstance(images, (list, tuple)):
            images = [images]
        row["images"] = [_beside(file, picture) for picture in images or ()]
        return row


def _listed(text: str) -> list[str]:
    """Returns a CSV cell as a list of paths: a JSON array, or one path."""
    if text.lstrip().startswith("["):
        try:
            value = json.loads(text)
        except ValueError:
            return [text]
        return [str(v) for v in value]
    return [text] if text.strip() else []


def _beside(file: Path, picture: Any) -> Any:
    if isinstance(picture, str):
        return str(file.parent / picture)
    if isinstance(picture, dict) and picture.get("bytes") is None and picture.get("path"):
        return str(file.parent / picture["path"])
    return picture


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of a file, read as its suffix says; one that is no object carries its reason as `_problem`.

    Raises:
        SourceError: the file can't be read.
    """
    kind = file.suffix.lower()
    try:
        if kind in (".jsonl", ".ndjson"):
            with open(file, encoding="utf-8-sig", errors="surrogateescape") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield _json_row(line, f"{file.name} line {number}")
        elif kind == ".json":
            yield from (
                r if isinstance(r, dict) else {PROBLEM: f"bad row: {file.name}[{i}] is no object"}
                for i, r in enumerate(read_array(file))
            )
        elif kind in (".csv", ".tsv"):
            csv.field_size_limit(1 << 27)
            with open(file, encoding="utf-8-sig", newline="") as lines:
                for row in csv.DictReader(lines, delimiter="\t" if kind == ".tsv" else ","):
                    yield {k: v if v != "" or k == "question" else None for k, v in row.items() if k}
        elif kind == ".parquet":
            import pyarrow.parquet as pq

            for batch in pq.ParquetFile(file).iter_batches(batch_size=256):
                yield from batch.to_pylist()
        else:
            yield from _arrow(file)
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"{file}: can't be read as {kind[1:]}: {error}") from None


def _json_row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        return {PROBLEM: f"bad row: {where} isn't JSON: {error}"}
    return row if isinstance(row, dict) else {PROBLEM: f"bad row: {where} is no object"}


def _arrow(file: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    with pa.memory_map(str(file)) as data:
        try:
            reader = pa.ipc.open_file(data)
            batches: Any = (reader.get_batch(i) for i in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            batches = pa.ipc.open_stream(data)
        for batch in batches:
            for start in range(0, batch.num_rows, 256):
                yield from batch.slice(start, 256).to_pylist()
