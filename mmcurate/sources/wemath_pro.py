"""We-Math2.0-Pro."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.published import Published
from mmcurate.step import settings


@settings
class WeMathPro(Published):
    """We-Math/We-Math2.0-Pro: variants of questions, harder in context (x), picture (y) and steps (z).

    Variants share `question_id` and look alike by design, their answers may differ; an id is "<question_id>-<difficulty>". Eight
    published rows have no question or no answer, and say so.
    """

    id: str = "We-Math/We-Math2.0-Pro"

    name: ClassVar[str] = "wemath_pro"
    licence: ClassVar[str] = "CC-BY-NC-4.0"
    rows: ClassVar[int | None] = 4_552
    kept: ClassVar[int | None] = 4_273
    data: ClassVar[tuple[str, ...]] = ("data/pro-*.parquet", "pro-*.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("answer",), ("image",))
    remarks: ClassVar[tuple[str, ...]] = ("kept is about",)

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        own, difficulty = raw.get("question_id"), raw.get("difficulty")
        yield self.question(
            number if own is None else f"{own}-{difficulty}" if difficulty else str(own),
            raw["question"],
            raw["answer"],
            images=raw["image"],
            question_id=own,
            difficulty=difficulty,
            knowledge_points=raw.get("knowledge points"),
            idx=raw.get("idx"),
        )
