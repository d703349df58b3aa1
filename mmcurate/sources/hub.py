"""Questions from the Hugging Face Hub, or from any `datasets.Dataset`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

import pydantic

from mmcurate.errors import SettingsError, SourceError
from mmcurate.sources.source import Rows, Source, rename, require
from mmcurate.step import Runtime, settings


@settings
class Hub(Source):
    """Reads a data set of the Hugging Face Hub.

    Attributes:
        id: such as "AI4Math/MathVista"; a local folder that `datasets.load_dataset` takes works too.
        config, split, revision, data_files: as for `datasets.load_dataset`.
        streaming: read over the network, without a copy on this machine.
        columns: where our columns are to be found, such as `{"question": "problem"}`.
        name: what the rows' `source` says; the id's last part unless given.
        licence: the rows' licence.
        token: for private data sets; else the one of `huggingface-cli login`.
    """

    id: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    data_files: str | list[str] | None = None
    streaming: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    licence: str = ""
    token: Annotated[pydantic.SecretStr | None, Runtime] = None

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.id.rstrip("/").rsplit("/", 1)[-1].lower())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        import datasets

        try:
            data = datasets.load_dataset(
                self.id,
                self.config,
                split=self.split,
                revision=self.revision,
                data_files=self.data_files,
                streaming=self.streaming,
                token=self.token.get_secret_value() if self.token else None,
            )
        except Exception as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise SourceError(f"Hub data set {self.id!r}, split {self.split!r}: {first}") from error
        yield from _rows(data, f"Hub data set {self.id!r}", self.columns, self.name, self.licence)

    def describe(self) -> list[dict[str, Any]]:
        """See `Source.describe`."""
        return [{"name": self.name, "id": self.id, "revision": self.revision, "licence": self.licence or None}]


@settings
class HFDataset(Source):
    """Reads a `datasets.Dataset` or `IterableDataset`; pipelines make it of such a data set by themselves.

    Attributes:
        dataset: the data set.
        columns, name, licence: as for `Hub`.
    """

    dataset: Any
    columns: Mapping[str, str] = field(default_factory=dict)
    name: str = "dataset"
    licence: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.dataset, dict):
            raise SettingsError(f"a DatasetDict has several splits: choose one of {', '.join(self.dataset)}")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from _rows(self.dataset, "the data set", self.columns, self.name, self.licence)


def as_source(thing: Any) -> Any:
    """Returns a source, a finished run or a `datasets.Dataset` as a source.

    Raises:
        SettingsError: it is none of these.
    """
    if type(thing).__module__.partition(".")[0] == "datasets":
        return HFDataset(thing)
    if isinstance(thing, Rows):
        return thing
    raise SettingsError(
        f"questions come from a source, a finished run or a datasets.Dataset, not {type(thing).__name__}"
        + (": say Files(path) or Hub('owner/name')" if isinstance(thing, (str, bytes, Path)) else "")
    )


def _rows(data: Any, where: str, columns: Mapping[str, str], name: str, licence: str) -> Iterator[dict[str, Any]]:
    data = undecoded(data)
    if data.column_names:
        require(where, data.column_names, columns)
    for number, raw in enumerate(data):
        row = rename(raw, columns)
        if row.get("id") is None:
            row["id"] = f"{name}-{number:06d}"
        if not row.get("source"):
            row["source"] = name
        if licence:
            row.setdefault("licence", licence)
        images = row.get("images")
        row["images"] = [] if images is None else images if isinstance(images, list) else [images]
        yield row


def undecoded(data: Any) -> Any:
    """Returns a data set whose pictures come as bytes and paths, since decoding costs 2 ms each."""
    import datasets

    for column, feature in (data.features or {}).items():
        if isinstance(feature, datasets.Image):
            data = data.cast_column(column, datasets.Image(decode=False))
        elif isinstance(getattr(feature, "feature", None), datasets.Image):
            data = data.cast_column(column, type(feature)(datasets.Image(decode=False)))
    return data
