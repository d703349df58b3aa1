"""MiroMind-M1-SFT-719K."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.golds import gold_of
from mmcurate.sources.published import Published, own_id
from mmcurate.step import settings


@settings
class MiroMind(Published):
    """miromind-ai/MiroMind-M1-SFT-719K: questions about mathematics without pictures.

    Each row brings its trace as `responses`, as it is and not verified, and a gold where the trace boxes one.
    """

    id: str = "miromind-ai/MiroMind-M1-SFT-719K"

    name: ClassVar[str] = "miromind_m1"
    rows: ClassVar[int | None] = 719_000
    kept: ClassVar[int | None] = 91_953
    data: ClassVar[tuple[str, ...]] = (
        "data/train-*.parquet",
        "data/*.parquet",
        "*.parquet",
        "data/*.jsonl",
        "*.jsonl",
        "*.arrow",
    )
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("response",))
    remarks: ClassVar[tuple[str, ...]] = (
        "rows is about",
        "the publishers declare no licence",
        "how the 91,953 were chosen isn't published",
    )

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        response = str(raw["response"] or "")
        yield self.question(
            own_id(raw.get("id"), number),
            raw["question"],
            gold_of(response),
            problem=None if response.strip() else "no response: response is empty",
            responses=[{"text": response, "sample_index": 0}],
        )
