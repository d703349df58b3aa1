"""PuzzleVQA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.published import Published
from mmcurate.step import settings


@settings
class PuzzleVQA(Published):
    """declare-lab/PuzzleVQA: 20 kinds of drawn puzzles; golds are options' texts, numbers on one side and texts on the other."""

    id: str = "declare-lab/PuzzleVQA"

    name: ClassVar[str] = "puzzlevqa"
    licence: ClassVar[str] = "MIT"
    rows: ClassVar[int | None] = 2_000
    kept: ClassVar[int | None] = 2_000
    data: ClassVar[tuple[str, ...]] = (
        "data/train-*.parquet",
        "train-*.parquet",
        "data/*.parquet",
        "data/*.arrow",
        "*.arrow",
    )
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("options",), ("answer",), ("image",))
    remarks: ClassVar[tuple[str, ...]] = (
        "MIT is the repository's licence; the Hub's card declares none",
        "the recipe's scripts list it, and the published RL set lacks it",
    )

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        yield self.question(
            number,
            raw["question"],
            raw["answer"],
            options=raw["options"],
            images=raw["image"],
            caption=raw.get("caption"),
            explanation=raw.get("explanation"),
            deduction=raw.get("deduction"),
        )
