"""DynaMath."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from mmcurate.sources.published import Published
from mmcurate.step import settings

_VARIANT = re.compile(r"variant(\d+)")
_TOLERANCE = 0.001


@settings
class DynaMath(Published):
    """DynaMath/DynaMath_Sample, a benchmark: 501 seeds, each drawn ten times with other numbers.

    A seed counts as solved in the worst case where all its variants are: `seed` and `variant` tell them apart. Values are
    right within `tolerance`. Variants look alike by design: one is found by its picture, never by its text alone. Seed 302 has other golds
    for the same picture and text.

    Attributes:
        split: the splits that are read, each a variant; "test" in the copy kcz358/DynaMath, which has all in one.
    """

    id: str = "DynaMath/DynaMath_Sample"
    split: str | Sequence[str] = tuple(f"sample_variant{i}" for i in range(1, 11))

    name: ClassVar[str] = "dynamath"
    licence: ClassVar[str] = "Apache-2.0"
    rows: ClassVar[int | None] = 5_010
    data: ClassVar[tuple[str, ...]] = ("data/{split}-*.parquet", "{split}-*.parquet", "{split}.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("ground_truth",), ("decoded_image",), ("id",))
    remarks: ClassVar[tuple[str, ...]] = ("the repository's README says MIT",)

    def rows_in(self, file: str) -> Iterator[dict[str, Any]]:
        variant = _VARIANT.search(file)
        for raw in super().rows_in(file):
            yield {**raw, "variant": int(variant[1]) if variant else raw.get("variant")}

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        seed, variant, own = str(raw["id"]), raw["variant"], raw.get("question_id")
        row = self.question(
            str(own) if own is not None else seed if variant is None else f"{seed}-{variant}",
            raw["question"],
            raw["ground_truth"],
            images=raw["decoded_image"],
            columns=("question", "ground_truth"),
            seed=seed,
            variant=variant,
            published_answer_type=raw.get("answer_type"),
            subject=raw.get("subject"),
            level=raw.get("knowledge_level"),
            match_template=True,
        )
        # Its own answer types stray ("int", "single answer"): what the gold is decides.
        yield {**row, "tolerance": _TOLERANCE if row.get("answer_type") == "number" else None}
