"""We-Math2.0-SFT."""

from __future__ import annotations

from typing import ClassVar

from mmcurate.sources.openvlthinker import OpenVLThinker
from mmcurate.step import settings


@settings
class WeMathSFT(OpenVLThinker):
    """We-Math/We-Math2.0-SFT: `mathbook_sft.jsonl` beside loose pictures, text-only rows among them.

    Neither its columns nor its golds are documented: both are read as `OpenVLThinker`'s are.
    """

    id: str = "We-Math/We-Math2.0-SFT"

    name: ClassVar[str] = "wemath_sft"
    licence: ClassVar[str] = "CC-BY-NC-4.0"
    rows: ClassVar[int | None] = 1_130
    kept: ClassVar[int | None] = 6_944
    data: ClassVar[tuple[str, ...]] = ("mathbook_sft.jsonl", "mathbook_sft.json", "data/train-*.parquet")
    remarks: ClassVar[tuple[str, ...]] = (
        "rows is about (the README says 1,000); kept counts verified answers, up to 8 a question",
        "neither the columns nor where the gold stands are documented",
    )
