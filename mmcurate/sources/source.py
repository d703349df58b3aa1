"""What a source is: something that yields questions as plain dicts, and can show some of them."""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from mmcurate import pictures
from mmcurate.errors import SourceError, did_you_mean
from mmcurate.gallery import Gallery
from mmcurate.step import settings

PROBLEM = "_problem"
"""The key under which a row says why it can't be used."""
MATCH_TEXT = "match_text"
"""The key under which a benchmark's row says by which text others are compared with it, where that isn't its question: without
a unit that was put behind it, or empty where the question is in the picture."""
TEMPLATE = "match_template"
"""The key under which a benchmark's row says that its text is one of a few that are asked of many pictures: no evidence without
one."""
IN_PICTURE = "Answer the question in the picture."
"""What is asked where a benchmark draws its question."""
COLUMNS = ("id", "question", "options", "answer", "images", "source", "licence", "responses", "verdicts", PROBLEM)
_ALIASES = {"image": "images", "license": "licence", "choices": "options"}


@runtime_checkable
class Rows(Protocol):
    """Anything that yields questions: a source, a finished run."""

    name: str

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields dicts with `question` and, where they are, the other columns of `schema.ROW`; more become metadata."""
        ...

    def fingerprint(self) -> str | None:
        """Returns a digest of the content, or None where only reading it tells."""
        ...


@settings
class Source:
    """Yields questions as dicts of `id`, `question`, `options`, `answer`, `images` and whatever else there is.

    Pictures are paths, bytes, `{bytes, path}`, `PIL.Image`s or anything with `read_bytes()`; they are read when a run
    takes the row. A row that can't be used carries its reason as `_problem`.
    """

    def __iter__(self) -> Iterator[dict[str, Any]]:
        raise TypeError(f"{type(self).__name__} doesn't say what it yields: define __iter__(self)")

    def fingerprint(self) -> str | None:
        """Returns a digest of the content, or None where only reading it tells."""
        return None

    def describe(self) -> list[dict[str, Any]]:
        """Returns what a run's manifest says of each data set behind the source: `name`, and where they are known
        `id` and `revision` (on the Hub), `path`, `licence`, `rows` and `kept` (how many rows are published of it, before and
        after the recipe), `notes` (a list of sentences, such as what was found where a layout isn't documented).
        """
        return [{"name": getattr(self, "name", type(self).__name__)}]

    def sample(self, num_questions: int = 12, seed: int = 0) -> Gallery:
        """Returns some questions, which a notebook shows with their pictures; equal for equal seeds."""
        rows = [shown(row, i) for i, row in pick(self, num_questions, seed)]
        return Gallery(rows)

    def _repr_html_(self) -> str:
        return self.sample()._repr_html_()


def shown(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Returns a raw row with its pictures as structs, or with the problem of the first that can't be read."""
    out = {"id": str(number), **row, "images": []}
    for picture in row.get("images") or ():
        try:
            out["images"].append(pictures.as_struct(picture))
        except (OSError, ValueError) as error:
            out.setdefault(PROBLEM, f"picture: {error}")
    return out


def chance(seed: int, number: int, row: Mapping[str, Any]) -> int:
    """Returns a row's place in a random order that adding or removing other rows doesn't change."""
    name = row.get("id")
    text = f"{seed}\n{number if name is None else name}"
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def pick(rows: Iterable[dict[str, Any]], num_rows: int, seed: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields a random sample with each row's number, in the order of the source, which is read twice.

    Of rows that can't be used only as many come as are needed to fill the sample.
    """
    ranked = ((PROBLEM in row, chance(seed, i, row), i) for i, row in enumerate(rows))
    chosen = {i for *_, i in heapq.nsmallest(num_rows, ranked)}
    yield from ((i, row) for i, row in enumerate(rows) if i in chosen)


def rename(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Returns a row under our column names.

    Args:
        row: a row of a data set.
        columns: where ours are to be found, such as `{"question": "problem"}`. `image`, `choices` and
            `license` are found by themselves.
    """
    taken = {theirs: ours for ours, theirs in columns.items()}
    out: dict[str, Any] = {}
    for key, value in row.items():
        ours = taken.get(key, key if key in COLUMNS else _ALIASES.get(key, key))
        if ours in columns and key != columns[ours]:
            ours = f"{key}_"  # another column has that name by setting: this one is metadata
        if ours in out and out[ours] is not None and ours != key and key not in taken:
            ours = key  # the exact name was there already: this one is metadata
        elif ours in out and out[ours] is not None and value is not None:
            out[f"{ours}_"] = out[ours]
        out[ours] = value if value is not None or ours not in out else out[ours]
    return out


def require(where: str, there: Iterable[str], columns: Mapping[str, str]) -> None:
    """Checks that a data set has a question column and every column that the setting names.

    Raises:
        SourceError: names what was expected and what is there.
    """
    there = list(there)
    for ours in columns:
        if ours not in COLUMNS:
            raise SourceError(
                f"{where}: columns names {ours!r}, which is none of our columns{did_you_mean(ours, COLUMNS[:-1])}"
            )
    for ours, theirs in itertools.chain(columns.items(), [("question", columns.get("question", "question"))]):
        if theirs not in there:
            raise SourceError(
                f"{where}: no column {theirs!r} for {ours!r}; there are: {', '.join(there)}. "
                f"Name it with columns={{{ours!r}: ...}}{did_you_mean(theirs, there) if len(there) > 8 else ''}"
            )
