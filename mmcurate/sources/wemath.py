"""We-Math."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.answers import LETTERS
from mmcurate.sources.golds import by_letter
from mmcurate.sources.published import Published
from mmcurate.step import settings


@settings
class WeMath(Published):
    """We-Math/We-Math, a benchmark: problems of two and three steps, and each step as a question of its own.

    The rows of one `problem_id` are scored together: the whole problem is the `key` that ends in "multi", its steps end in "_1",
    "_2", "_3". What a row becomes (insufficient knowledge, inadequate generalisation, complete mastery, rote memorisation) follows
    from which of them are right.
    """

    id: str = "We-Math/We-Math"
    split: str = "testmini"

    name: ClassVar[str] = "wemath"
    licence: ClassVar[str] = "CC-BY-NC-4.0"
    rows: ClassVar[int | None] = 1_740
    data: ClassVar[tuple[str, ...]] = ("data/{split}-*.parquet", "{split}-*.parquet", "{split}.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("question",),
        ("option",),
        ("answer",),
        ("image_path",),
        ("ID",),
        ("key",),
    )

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        options = options_in_line(str(raw["option"] or ""))
        yield self.question(
            f"{raw['ID']}-{raw['key']}",
            raw["question"],
            by_letter(str(raw["answer"] or ""), options),
            options=options,
            images=raw["image_path"],
            problem_id=raw["ID"],
            key=raw["key"],
            question_number=raw.get("question number"),
            knowledge_concept=raw.get("knowledge concept"),
            knowledge_concept_description=raw.get("knowledge concept description"),
        )


def options_in_line(text: str) -> list[str]:
    """Returns the options of "A. 3; B. 4; C. 5".

    A semicolon may be part of an option, a full stop may be full-width, a blank may stand for a semicolon, and a letter may be
    left out: so A, B, C are looked for in their order, each behind the last, where an option can start.
    """
    marks: list[re.Match[str]] = []
    for letter in LETTERS:
        start = marks[-1].end() if marks else 0
        after = re.compile(rf"(?:^|;)\s*{letter}[.．](?!\s*;)")
        mark = after.search(text, start) or re.compile(rf"\s{letter}[.．]\s").search(text, start)
        if not mark:
            break
        marks.append(mark)
    ends = [mark.start() for mark in marks[1:]] + [len(text)] * bool(marks)
    return [text[mark.end() : end].strip().rstrip(";").rstrip() for mark, end in zip(marks, ends, strict=True)]
