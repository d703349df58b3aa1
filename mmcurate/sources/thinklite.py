"""ThinkLite-VL-hard-11k."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.published import Published, own_id
from mmcurate.step import settings


@settings
class ThinkLite(Published):
    """russwang/ThinkLite-VL-hard-11k: one Parquet file with the pictures' bytes.

    The gold is `ground_truth` where there is such a column, else `answer`. Tiny pictures are kept: some are under 28 pixels, and some
    models refuse those.
    """

    id: str = "russwang/ThinkLite-VL-hard-11k"

    name: ClassVar[str] = "thinklite_vl_hard"
    rows: ClassVar[int | None] = 11_000
    kept: ClassVar[int | None] = 10_946
    data: ClassVar[tuple[str, ...]] = ("ThinkLite-VL-Hard-11k.parquet", "*.parquet", "data/train-*.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("problem", "question"),
        ("ground_truth", "answer"),
        ("image", "images"),
    )
    remarks: ClassVar[tuple[str, ...]] = (
        "rows and kept are about",
        "the publishers declare no licence (the 70k set: MIT)",
    )

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        asked = "problem" if "problem" in raw else "question"
        answered = "ground_truth" if "ground_truth" in raw else "answer"
        yield self.question(
            own_id(raw.get("id"), number),
            raw[asked],
            raw[answered],
            options=raw.get("choices"),
            images=raw.get("image", raw.get("images")),
            columns=(asked, answered),
        )
