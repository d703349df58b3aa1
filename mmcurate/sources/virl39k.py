"""ViRL39K."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.golds import gold_of, unboxed
from mmcurate.sources.published import Published, own_id
from mmcurate.step import settings


@settings
class ViRL39K(Published):
    """TIGER-Lab/ViRL39K: 38,870 questions, `39Krelease.parquet` beside `images.zip`, golds in `\\boxed{}`.

    Published pass rates come as `pass_rate_32b` and `pass_rate_7b`, null where they are -1. A gold whose braces aren't balanced
    loses the wrapper alone.
    """

    id: str = "TIGER-Lab/ViRL39K"

    name: ClassVar[str] = "virl39k"
    licence: ClassVar[str] = "MIT"
    rows: ClassVar[int | None] = 38_870
    kept: ClassVar[int | None] = 38_835
    data: ClassVar[tuple[str, ...]] = ("39Krelease.parquet",)
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("answer",), ("image", "images"))
    archives: ClassVar[tuple[str, ...]] = ("images.zip",)
    beside: ClassVar[bool] = True

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        boxed = str(raw["answer"] or "")
        found = gold_of(boxed)
        answer = found.text if found and found.form == "\\boxed" else unboxed(boxed)
        if boxed.count("{") != boxed.count("}"):
            self._found.counts["golds with unbalanced braces, which lost their \\boxed alone"] += 1
        yield self.question(
            own_id(raw.get("qid"), number),
            raw["question"],
            answer,
            images=raw.get("image", raw.get("images")),
            category=raw.get("category"),
            inner_source=raw.get("source"),
            pass_rate_32b=_rate(raw.get("PassRate_32BTrained")),
            pass_rate_7b=_rate(raw.get("PassRate_7BBase")),
        )


def _rate(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value >= 0 else None
