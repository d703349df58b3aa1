"""MMMU-Pro."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from mmcurate.sources.mmmu import MMMU, listed
from mmcurate.sources.source import IN_PICTURE
from mmcurate.step import settings

_SHORT = {"standard (10 options)": "standard10", "standard (4 options)": "standard4", "vision": "vision"}


@settings
class MMMUPro(MMMU):
    """MMMU/MMMU_Pro, a benchmark: MMMU with up to ten options, and the same questions drawn into pictures.

    Its score is the mean of its two configs. Options were shuffled, so tags don't come in the order of their numbers: each still
    stands for the column of its number. A vision row asks for what is in its picture, options included: these are in `drawn_options`
    alone, and it is compared by its picture.

    Attributes:
        config: the configs that are read; "standard (4 options)" is one more.
    """

    id: str = "MMMU/MMMU_Pro"
    config: str | Sequence[str] = ("standard (10 options)", "vision")
    split: str = "test"

    name: ClassVar[str] = "mmmu_pro"
    rows: ClassVar[int | None] = 3_460
    data: ClassVar[tuple[str, ...]] = ("{config}/{split}-*.parquet", "{config}/*.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("image_1", "image"), ("options",), ("answer",), ("id",))
    remarks: ClassVar[tuple[str, ...]] = ("rows is of two configs of 1,730 rows each",)

    def rows_in(self, file: str) -> Iterator[dict[str, Any]]:
        config = PurePosixPath(file).parent.name or Path(self.path or "").expanduser().resolve().parent.name
        for raw in super().rows_in(file):
            yield {**raw, "config": _SHORT.get(config, config)}

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        about = {"subject": raw.get("subject"), "config": raw["config"]}
        id = f"{raw['config']}-{raw['id']}"
        if "image_1" in raw:
            yield self.tagged(id, {"question_type": "multiple-choice", **raw}, **about)
            return
        yield self.question(
            id,
            IN_PICTURE,
            raw["answer"],
            images=raw["image"],
            drawn_options=_read(raw["options"]),
            question_type="multiple-choice",
            **about,
            match_text="",
        )


def _read(options: Any) -> Any:
    """Returns a list of options, or what stands there instead: it is neither shown nor compared."""
    try:
        return listed(options)
    except ValueError:
        return options
