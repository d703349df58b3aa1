"""MMMU."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.answers import clean
from mmcurate.sources.golds import by_letter, clean_gold
from mmcurate.sources.published import Published
from mmcurate.step import settings

_TAG = re.compile(r"<image[ _-]?(\d+)>", re.I)
_SUBJECT = re.compile(r"^(?:dev|validation|test)_(.+)_\d+$")
_PICTURES = range(1, 8)


@settings
class MMMU(Published):
    """MMMU/MMMU, a benchmark: questions of 30 college subjects with up to seven pictures, which options may show.

    A tag `<image 3>` stands for the column `image_3`; where columns before it are empty the tags are numbered anew. An open
    question may have several golds: each of `accepted_answers` is right.

    Attributes:
        split: "validation", "dev", or "test", whose rows have no golds.
    """

    id: str = "MMMU/MMMU"
    split: str = "validation"

    name: ClassVar[str] = "mmmu"
    licence: ClassVar[str] = "Apache-2.0"
    rows: ClassVar[int | None] = 900
    data: ClassVar[tuple[str, ...]] = ("data/{split}-*.parquet", "*/{split}-*.parquet", "{split}-*.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("options",), ("answer",), ("image_1",), ("id",))

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        subject = _SUBJECT.match(str(raw["id"]))
        yield self.tagged(str(raw["id"]), raw, subject=subject[1] if subject else None)

    def tagged(self, id: str, raw: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Returns a row whose tags name its pictures by their places."""
        images, places = pictures_of(raw)
        try:
            options = [_retagged(option, places) for option in listed(raw["options"])]
            question = _retagged(str(raw["question"] or ""), places)
            golds = accepted(raw["answer"]) if raw.get("question_type") == "open" else [str(raw["answer"] or "")]
            problem = None
        except ValueError as error:
            options, question, golds, problem = [], str(raw["question"] or ""), [], str(error)
        return self.question(
            id,
            question,
            by_letter(golds[0], options) if golds else None,
            options=options,
            images=images,
            problem=problem,
            raw_question=raw["question"],
            raw_answer=raw["answer"] if len(golds) > 1 else None,
            accepted_answers=[clean_gold(gold) for gold in golds] if len(golds) > 1 else None,
            question_type=raw.get("question_type"),
            subfield=raw.get("subfield"),
            topic_difficulty=raw.get("topic_difficulty"),
            img_type=raw.get("img_type"),
            explanation=raw.get("explanation") or None,
            **more,
        )


def pictures_of(raw: Mapping[str, Any]) -> tuple[list[Any], dict[int, int]]:
    """Returns the pictures that there are, and for the number of each column its place among them, from 1."""
    there = [i for i in _PICTURES if raw.get(f"image_{i}") is not None]
    return [raw[f"image_{i}"] for i in there], {number: place for place, number in enumerate(there, 1)}


def _retagged(text: str, places: Mapping[int, int]) -> str:
    def place(tag: re.Match[str]) -> str:
        number = int(tag[1])
        if number not in places:
            raise ValueError(f"missing image: the text names {tag[0]}, and image_{number} is empty")
        return f"<image {places[number]}>"

    return _TAG.sub(place, text)


def listed(options: Any) -> list[str]:
    """Returns options written as a Python list; a list in the list is the list where it stands alone, else one option.

    Raises:
        ValueError: the text is no list.
    """
    if isinstance(options, str):
        try:
            options = ast.literal_eval(options.strip() or "[]")
        except (ValueError, SyntaxError):
            raise ValueError(f"bad row: options is no list: {options[:80]!r}") from None
    options = [] if options is None else options
    if not isinstance(options, list):
        raise ValueError(f"bad row: options is no list but {type(options).__name__}: {str(options)[:80]!r}")
    if len(options) == 1 and isinstance(options[0], list):
        options = options[0]
    return [", ".join(map(str, o)) if isinstance(o, list) else clean(o) or "" for o in options]


def accepted(answer: Any) -> list[str]:
    """Returns the golds of an open question: one, or those of a list that is written as text."""
    text = str(answer or "").strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            several = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return [text]
        # An interval is no list of golds: those are texts.
        if several and all(isinstance(one, str) for one in several):
            return list(several)
    return [text]
