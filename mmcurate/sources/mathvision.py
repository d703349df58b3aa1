"""MathVision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.answers import options_of
from mmcurate.sources.golds import by_letter
from mmcurate.sources.published import Published, own_id
from mmcurate.step import settings


@settings
class MathVision(Published):
    """MathLLMs/MathVision, a benchmark: competition problems of `level` 1 to 5 in 16 subjects.

    There is one picture, however many `<image1>`, `<image2>` a text names: it shows all of them. Options "A" to "E" stand for
    those in the picture. A form feed in a gold was a backslash and an f.

    Attributes:
        split: "test", or "testmini", a part of it.
    """

    id: str = "MathLLMs/MathVision"
    split: str = "test"

    name: ClassVar[str] = "mathvision"
    licence: ClassVar[str] = "MIT"
    rows: ClassVar[int | None] = 3_040
    version: ClassVar[int] = 2
    data: ClassVar[tuple[str, ...]] = ("data/{split}-*.parquet", "{split}-*.parquet", "{split}.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("options",), ("answer",), ("decoded_image",))
    remarks: ClassVar[tuple[str, ...]] = ("the figures belong to the competitions that they were drawn for",)

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        options = options_of(raw["options"])
        published = str(raw["answer"] or "")
        gold = published.replace("\f", "\\f")
        yield self.question(
            own_id(raw.get("id"), number),
            raw["question"],
            by_letter(gold, options),
            options=options,
            images=raw["decoded_image"],
            raw_answer=published if gold != published else None,
            subject=raw.get("subject"),
            level=raw.get("level"),
            split=self.split,
        )
