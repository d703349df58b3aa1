"""We-Math2.0-Standard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.published import Published, own_id
from mmcurate.step import settings


@settings
class WeMathStandard(Published):
    """We-Math/We-Math2.0-Standard: one picture with many questions and one question with many pictures, by design.

    So neither pictures nor texts alone tell duplicates. `knowledge_levels` go from the broadest to the finest.
    """

    id: str = "We-Math/We-Math2.0-Standard"

    name: ClassVar[str] = "wemath_standard"
    licence: ClassVar[str] = "CC-BY-NC-4.0"
    rows: ClassVar[int | None] = 5_843
    kept: ClassVar[int | None] = 5_848
    data: ClassVar[tuple[str, ...]] = ("data/standard-*.parquet", "standard-*.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("answer",), ("image",))
    remarks: ClassVar[tuple[str, ...]] = ("kept is about, and above rows: the recipe's authors publish shares only",)

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        levels = [raw.get(f"knowledge-level{i}") for i in (1, 2, 3, 4)]
        yield self.question(
            own_id(raw.get("id"), number),
            raw["question"],
            raw["answer"],
            images=raw["image"],
            knowledge_levels=[level for level in levels if level],
            knowledge=raw.get("knowledge"),
            principle=raw.get("principle"),
            idx=raw.get("idx"),
        )
