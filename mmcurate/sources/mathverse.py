"""MathVerse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from mmcurate.answers import split_options
from mmcurate.sources.published import Published, own_id
from mmcurate.sources.source import IN_PICTURE
from mmcurate.step import settings

_LETTERS = re.compile(r"[A-H](?:\s+[A-H])+")
_ROUNDED = re.compile(r"\s*\(\s*rounded\b[^()]*\)\s*$", re.I)


@settings
class MathVerse(Published):
    """AI4Math/MathVerse, a benchmark: each problem in five versions, from "Text Dominant" to "Vision Only".

    A "Vision Only" row has its question in the picture; `question_for_eval` has its words, by which it is compared and judged.
    Degrees that were decoded wrongly (掳) are degrees again.

    Attributes:
        config: "testmini", or "testmini_text_only": one version without pictures.
    """

    id: str = "AI4Math/MathVerse"
    config: Literal["testmini", "testmini_text_only"] = "testmini"

    name: ClassVar[str] = "mathverse"
    licence: ClassVar[str] = "MIT"
    rows: ClassVar[int | None] = 3_940
    data: ClassVar[tuple[str, ...]] = ("{config}.parquet", "{config}/*.parquet", "data/{config}-*.parquet")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("question",), ("answer",), ("problem_version",))

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        about = raw["metadata"] if isinstance(raw.get("metadata"), Mapping) else {}
        own, whole = (_mended(raw.get(name)) for name in ("question", "question_for_eval"))
        gold = _ROUNDED.sub("", _mended(raw["answer"])).strip()
        if _LETTERS.fullmatch(gold):
            gold = ", ".join(gold.split())
        drawn = raw["problem_version"] == "Vision Only"
        row = self.question(
            own_id(raw.get("sample_index"), number),
            own or (IN_PICTURE if drawn else ""),
            gold,
            images=raw.get("image"),
            raw_question=raw["question"],
            raw_answer=raw["answer"] if gold != raw["answer"] else None,
            problem_index=raw.get("problem_index"),
            problem_version=raw["problem_version"],
            question_type=raw.get("question_type"),
            question_for_eval=whole or None,
            inner_source=about.get("source"),
            subject=about.get("subject"),
            subfield=about.get("subfield"),
            # A version's own text may say more than the one that all versions share.
            match_text=split_options(max(own, whole, key=len))[0],
            match_template=False,  # one problem is asked of the pictures of its versions
        )
        if row["answer"] and raw.get("question_type") == "multi-choice":
            row["answer_type"] = "choice"  # also several letters, of options that are in the picture
        yield row


def _mended(text: Any) -> str:
    return str(text or "").replace("掳", "°").strip()
