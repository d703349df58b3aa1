"""LogicVista."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.answers import letters_of
from mmcurate.sources.published import Published, own_id
from mmcurate.step import settings

_CLEARED = ("true", "yes", "y", "1", "1.0")


@settings
class LogicVista(Published):
    """lscpku/LogicVista, a benchmark: logic puzzles whose options are in the picture.

    A gold may be several letters ("B, D"), of which all must be named; one is a number, and one is empty: that row says so. The
    repository is under Apache-2.0; the licence of an item that isn't marked as licensed is unknown.
    """

    id: str = "lscpku/LogicVista"
    split: str = "test"

    name: ClassVar[str] = "logicvista"
    licence: ClassVar[str] = "Apache-2.0"
    rows: ClassVar[int | None] = 448
    data: ClassVar[tuple[str, ...]] = ("data/{split}-*.parquet", "{split}-*.parquet", "{split}.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("answer",), ("image",))
    remarks: ClassVar[tuple[str, ...]] = ("287 items are said not to be cleared for use",)

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        cleared = str(raw.get("liscenced")).strip().lower() in _CLEARED
        row = self.question(
            own_id(raw.get("id"), number),
            raw["question"],
            raw["answer"],
            images=raw["image"],
            licence=self.licence if cleared else "unknown",
            skill=raw.get("skill"),
            broad_capability=raw.get("broad_capability"),
            specific_capability=raw.get("specific_capability"),
            explanation=raw.get("reasoning"),
            inner_source=raw.get("imagesource"),
            link=raw.get("sourcelink"),
        )
        if letters_of(row["answer"] or "", 9):
            row["answer_type"] = "choice"  # also several letters, of options that are in the picture
        yield row
