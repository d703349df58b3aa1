"""TQA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.published import Published
from mmcurate.step import settings


@settings
class TQA(Published):
    """WaltonFuture/TQA: questions about diagrams in school books.

    Attributes:
        split: "train" (the recipe's) or "test".
    """

    id: str = "WaltonFuture/TQA"
    split: str = "train"

    name: ClassVar[str] = "tqa"
    licence: ClassVar[str] = "MIT"
    rows: ClassVar[int | None] = 9_790
    kept: ClassVar[int | None] = 6_522
    data: ClassVar[tuple[str, ...]] = ("data/{split}-*.parquet", "{split}-*.parquet", "{split}.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("problem", "question"), ("answer",), ("images", "image"))
    remarks: ClassVar[tuple[str, ...]] = (
        "rows is about, and of both splits; kept is about; the id that the recipe's authors read isn't published",
        "MIT is the card's label; the original TQA says CC BY-NC 3.0",
        "the columns aren't documented",
    )

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        asked = "problem" if "problem" in raw else "question"
        yield self.question(
            f"{self.split}-{number:06d}",
            raw[asked],
            raw["answer"],
            options=raw.get("options", raw.get("choices")),
            images=raw.get("images", raw.get("image")),
            columns=(asked, "answer"),
        )
