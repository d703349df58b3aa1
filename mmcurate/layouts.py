"""Reading published sets, whatever their layout: the questions, responses and answers that they hold."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmcurate.errors import SettingsError, SourceError
from mmcurate.sources.hub import undecoded

_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(slots=True)
class Sample:
    """One row of a set. What the set doesn't say is None."""

    source: str
    system: str | None
    question: str
    response: str | None
    answer: str | None
    pictures: list[str]
    """What tells each picture from others: the digest of its bytes, or its path where the set has no bytes."""
    has_bytes: bool
    num_tokens: int | None
    pass_rate: float | None


def samples(dataset: Any) -> Iterator[Sample | str]:
    """Yields the rows of a set one by one, or why a row can't be read.

    Args:
        dataset: a `datasets.Dataset` or `IterableDataset`; a Parquet file, a folder with such files, or a folder
            that `datasets` saved; or the id of a data set on the Hub, every config and split of it.

    Raises:
        SourceError: there is nothing, or its columns are of no known layout.
        SettingsError: it is none of these.
    """
    for name, rows in _parts(dataset):
        for number, row in enumerate(rows):
            if not number:
                _check_layout(name, row)
            made: Sample | str
            try:
                made = _sample(name, row)
            except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
                made = f"{type(error).__name__}: {error}"
            yield made


def _parts(dataset: Any) -> Iterator[tuple[str, Iterable[Mapping[str, Any]]]]:
    """Yields the parts of a set, each of one schema, with a name for rows that don't name their source."""
    if isinstance(dataset, dict) and type(dataset).__module__.startswith("datasets."):
        raise SettingsError(f"compare: a DatasetDict has several splits: choose one of {', '.join(dataset)}")
    if type(dataset).__module__.partition(".")[0] == "datasets":
        yield "dataset", undecoded(dataset)
    elif isinstance(dataset, (str, Path)) and Path(dataset).exists():
        yield from _files(Path(dataset))
    elif isinstance(dataset, str) and dataset.count("/") == 1 and not dataset.startswith((".", "/")):
        yield from _hub(dataset)
    else:
        kind = repr(dataset) if isinstance(dataset, (str, Path)) else type(dataset).__name__
        raise SettingsError(
            f"compare: {kind} is no datasets.Dataset, no file or folder that exists, and no id of the Hub (owner/name)"
        )


def _files(path: Path) -> Iterator[tuple[str, Iterable[Mapping[str, Any]]]]:
    import pyarrow.parquet as pq

    if (path / "state.json").exists():
        import datasets

        yield path.name, undecoded(datasets.load_from_disk(str(path)))
        return
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files or files[0].suffix != ".parquet":
        raise SourceError(f"{path}: there are no Parquet files (*.parquet)")
    for file in files:
        name = file.stem.partition("-0")[0] if file.parent in (path, path.parent) else file.parent.name
        parquet = pq.ParquetFile(file)
        yield name, (row for batch in parquet.iter_batches(batch_size=256) for row in batch.to_pylist())


def _hub(id: str) -> Iterator[tuple[str, Iterable[Mapping[str, Any]]]]:
    import datasets

    try:
        for config in datasets.get_dataset_config_names(id):  # one by one: their features differ
            for rows in datasets.load_dataset(id, config, streaming=True).values():
                yield config, undecoded(rows)
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"Hub data set {id!r}: {first}") from error


def _check_layout(name: str, row: Mapping[str, Any]) -> None:
    if "messages" not in row and "prompt" not in row:
        raise SourceError(
            f"{name}: a set has `messages`, or `prompt` and perhaps `completion`; there are: {', '.join(row)}"
        )


def _sample(name: str, row: Mapping[str, Any]) -> Sample:
    messages = _messages(row["messages"]) if row.get("messages") else _messages(row["prompt"])
    messages += _messages(row.get("completion") or [])
    system = next((m["content"] for m in messages if m["role"] == "system"), None)
    asked = [m["content"] for m in messages if m["role"] == "user"]
    if not asked:
        raise ValueError("no message of the user")
    question, urls = _text(asked[0])
    said = [m["content"] for m in messages if m["role"] == "assistant"]
    images = [i for i in row.get("images") or () if i is not None]
    tokens = row.get("num_tokens", row.get("precomputed_tokens"))
    rate = row.get("pass_rate", row.get("avg_reward"))
    reward = row.get("reward_model") or {}
    answer = reward.get("ground_truth", row.get("answer", row.get("solution")))
    return Sample(
        source=str(row.get("data_source") or row.get("source") or name),
        system=None if system is None else _text(system)[0],
        question=question,
        response=_text(said[-1])[0] if said else None,
        answer=None if answer is None else str(answer),
        pictures=[_identity(i) for i in images] or urls,
        has_bytes=bool(images) and all(not isinstance(i, str) for i in images),
        num_tokens=len(tokens) if isinstance(tokens, list) else tokens,
        pass_rate=rate,
    )


def _messages(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [{"role": "user", "content": value}]
    return list(value)


def _text(content: Any) -> tuple[str, list[str]]:
    """Returns a message's text with an `<image>` tag for each picture, and the pictures' addresses."""
    if isinstance(content, str):
        return content, []
    texts, urls = [], []
    for part in content or ():
        if part["type"] in ("image_url", "image"):
            texts.append("<image>")
            url = part.get("image_url") or {}
            urls.append(str(url.get("url") if isinstance(url, Mapping) else url))
        else:
            texts.append(part.get("text") or "")
    return "".join(texts), urls


def _identity(image: Any) -> str:
    """Returns the digest of a picture's bytes as they first came, which is its name in our own exports."""
    if isinstance(image, str):
        return image
    name = Path(image.get("path") or "").stem
    if _DIGEST.fullmatch(name):
        return name
    data = image["bytes"]
    if data is None:
        with open(image["path"], "rb") as file:
            data = file.read()
    return hashlib.sha256(data).hexdigest()
