"""AlgoPuzzleVQA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.published import Published
from mmcurate.step import settings


@settings
class AlgoPuzzleVQA(Published):
    """declare-lab/AlgoPuzzleVQA: 18 kinds of puzzles that an algorithm solves; golds are options' texts.

    Its only split is "data". `solution` is left out: each puzzle has another form of it.
    """

    id: str = "declare-lab/AlgoPuzzleVQA"

    name: ClassVar[str] = "algopuzzlevqa"
    licence: ClassVar[str] = "Apache-2.0"
    rows: ClassVar[int | None] = 1_800
    kept: ClassVar[int | None] = 1_800
    data: ClassVar[tuple[str, ...]] = (
        "data/data-*.arrow",
        "data/*.arrow",
        "data-*.arrow",
        "data/data-*.parquet",
        "*.arrow",
    )
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("options",), ("answer",), ("image",))

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        yield self.question(number, raw["question"], raw["answer"], options=raw["options"], images=raw["image"])
