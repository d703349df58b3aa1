"""OpenVLThinker-sft-iter3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.sources.golds import NO_GOLD, gold_of
from mmcurate.sources.published import Published
from mmcurate.sources.turns import in_context, turns_of
from mmcurate.step import settings


@settings
class OpenVLThinker(Published):
    """ydeng9/OpenVLThinker-sft-iter3: conversations with pictures, golds in the last turn's `<answer>`.

    Its columns aren't documented: conversations are read in any of three layouts, else `question` and `answer`; pictures in any form.
    The last turn is the question, behind the earlier ones. The same question recurs: four answers were sampled to each.
    """

    id: str = "ydeng9/OpenVLThinker-sft-iter3"

    name: ClassVar[str] = "openvlthinker"
    rows: ClassVar[int | None] = 3_300
    kept: ClassVar[int | None] = 22_229
    data: ClassVar[tuple[str, ...]] = (
        "data/train-*.parquet",
        "train-*.parquet",
        "*.parquet",
        "*.arrow",
        "*.jsonl",
        "train.json",
        "*sft*.json",
    )
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("messages", "conversations", "query", "question"),)
    archives: ClassVar[tuple[str, ...]] = ("*.zip", "*.tar")
    beside: ClassVar[bool] = True
    remarks: ClassVar[tuple[str, ...]] = (
        "rows is about; kept counts verified answers, up to 8 a question",
        "the publishers declare no licence",
        "the columns aren't documented",
    )

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        images = raw.get("images", raw.get("image"))
        if not {"messages", "conversations", "query"} & set(raw):
            answer = str(raw.get("answer") or raw.get("response") or "")
            yield self.question(
                number, raw.get("question"), gold_of(answer) or answer, options=raw.get("options"), images=images
            )
            return
        turns, problem = turns_of(raw)
        if problem:
            yield self.question(number, "", None, problem=problem)
            return
        gold, last = gold_of(turns[-1].response), turns[-1]
        if gold is None:
            problem = f"no answer: {last.answered} has {NO_GOLD}"
        yield self.question(
            number,
            in_context(turns, len(turns) - 1),
            gold,
            images=images,
            problem=problem,
            raw_question=last.question,
            columns=(last.asked, last.answered),
        )
