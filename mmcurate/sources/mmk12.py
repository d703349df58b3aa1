"""MMK12."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.golds import Gold, is_multipart
from mmcurate.sources.published import Published
from mmcurate.step import settings

_CONCLUDED = re.compile(r"\b(?:so|thus|therefore|hence),? (?:it|the answer) is:? ([^.]{1,60}|[^ ]{1,60})\.?$", re.I)
"""How a gold that is a whole solution ends."""


@settings
class MMK12(Published):
    """FanqingM/MMK12: school questions; values as golds in "train", letters in "test".

    A gold that answers several questions at once ("(1) 3; (2) 5") is left out, with that reason; of one that is a whole solution the
    conclusion is taken ("... Thus, it is 300."). Some rows have no picture.

    Attributes:
        split: "train" (the recipe's) or "test".
    """

    id: str = "FanqingM/MMK12"
    split: str = "train"

    name: ClassVar[str] = "mmk12"
    licence: ClassVar[str] = "Apache-2.0"
    rows: ClassVar[int | None] = 15_616
    kept: ClassVar[int | None] = 4_723
    data: ClassVar[tuple[str, ...]] = ("data/{split}-*.parquet", "{split}-*.parquet", "{split}.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("answer",), ("image",))
    remarks: ClassVar[tuple[str, ...]] = ("rows is of the split train; kept is about: ViRL39K contains much of it",)

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        answer = str(raw["answer"] or "")
        several = f"several answers: answer has parts: {answer[:80]!r}" if is_multipart(answer) else None
        concluded = _CONCLUDED.search(answer.strip()) if len(answer) > 60 else None
        own = raw.get("id")
        yield self.question(
            f"{self.split}-{number:06d}" if own is None else str(own),
            raw["question"],
            Gold(concluded[1], "a solution's conclusion") if concluded else answer,
            images=raw["image"],
            problem=several,
            subject=raw.get("subject"),
        )
