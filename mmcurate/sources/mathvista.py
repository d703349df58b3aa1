"""MathVista."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.published import Published, own_id
from mmcurate.step import settings


@settings
class MathVista(Published):
    """AI4Math/MathVista, a benchmark: its licence forbids training on it.

    `precision` is the number of decimals that a value is rounded to before it is compared; a `unit` is told in the question and no
    part of the gold. A gold that stands twice among the choices is the first of them.

    Attributes:
        split: "testmini", or "test", whose rows have no golds.
    """

    id: str = "AI4Math/MathVista"
    split: str = "testmini"

    name: ClassVar[str] = "mathvista"
    licence: ClassVar[str] = "CC-BY-SA-4.0, no training use"
    rows: ClassVar[int | None] = 1_000
    data: ClassVar[tuple[str, ...]] = ("data/{split}-*.parquet", "{split}-*.parquet", "{split}.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("choices",), ("answer",), ("decoded_image",))

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        about = raw["metadata"] if isinstance(raw.get("metadata"), Mapping) else {}
        asked, unit, precision = raw["question"], raw.get("unit"), raw.get("precision")
        yield self.question(
            own_id(raw.get("pid"), number),
            f"{asked} (Unit: {unit})" if asked and unit else asked,
            raw["answer"],
            options=raw["choices"],
            images=raw["decoded_image"],
            question_type=raw.get("question_type"),
            published_answer_type=raw.get("answer_type"),
            precision=None if precision is None else int(precision),
            unit=unit or None,
            inner_source=about.get("source"),
            category=about.get("category"),
            task=about.get("task"),
            context=about.get("context"),
            grade=about.get("grade"),
            skills=about.get("skills"),
            language=about.get("language"),
            raw_question=asked,
            match_text=asked,
        )
