"""MMR1-SFT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.golds import gold_of
from mmcurate.sources.published import Published
from mmcurate.sources.turns import in_context, turns_of
from mmcurate.step import settings


@settings
class MMR1(Published):
    """MMR1/MMR1-SFT: 1,620,490 questions about mathematics in one JSON array, beside some 203 tars of pictures.

    Each row brings its trace as `responses`, as it is and not verified, and a gold where the trace marks one. The array is streamed; the
    tars are searched for the pictures that a run takes, and never unpacked. From the Hub each tar that is searched is downloaded
    whole: a tar has no table of contents.
    """

    id: str = "MMR1/MMR1-SFT"

    name: ClassVar[str] = "mmr1"
    licence: ClassVar[str] = "other: research only, non-commercial"
    rows: ClassVar[int | None] = 1_620_490
    kept: ClassVar[int | None] = 199_425
    data: ClassVar[tuple[str, ...]] = ("sft.json", "sft.jsonl")
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("conversations", "messages"),)
    archives: ClassVar[tuple[str, ...]] = ("part_*.tar",)
    beside: ClassVar[bool] = True
    remarks: ClassVar[tuple[str, ...]] = (
        "how the 199,425 were chosen isn't published",
        "how golds stand in the traces, and which tar holds which picture, isn't documented",
    )

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        turns, problem = turns_of(raw)
        if problem:
            yield self.question(number, "", None, problem=problem)
            return
        last = turns[-1]
        if not last.response.strip():
            problem = f"no response: {last.answered} is empty"
        yield self.question(
            number,
            in_context(turns, len(turns) - 1),
            gold_of(last.response),
            images=raw.get("images", raw.get("image")),
            problem=problem,
            columns=(last.asked, last.answered),
            raw_question=last.question,
            responses=[{"text": last.response, "teacher": "Gemini-2.5", "sample_index": 0}],
        )
