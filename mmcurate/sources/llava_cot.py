"""LLaVA-CoT-100k."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmcurate.answers import answer_type, split_options
from mmcurate.prompts import clean_question
from mmcurate.sources.golds import NO_GOLD, Gold, gold_of
from mmcurate.sources.published import Published, own_id
from mmcurate.sources.turns import in_context, turns_of
from mmcurate.step import settings

_DESCRIBE = re.compile(
    r"^(?:<image>\s*)?(?:(?:can|could) you |please )*(?:describe|explain what you see|give (?:me )?an? (?:\w+ )?(?:description|caption)"
    r"|provide an? (?:\w+ )?(?:description|caption)|what do you (?:see|think is going on)|analy[sz]e the image)",
    re.I,
)
_CAPTIONED = ("sam", "llava", "wikiart", "share_textvqa", "web-celebrity", "web-landmark")
"""Top folders of pictures that ShareGPT4V captioned, as ShareGPT4V lays them out."""


@settings
class LLaVACoT(Published):
    """Xkev/LLaVA-CoT-100k: `train.jsonl` beside a zip cut into parts, golds in `<CONCLUSION>`.

    Each turn of a conversation is a question of its own, "<id>/turn2"; a later one has the earlier questions and answers
    before it, since it may refer to them.

    Attributes:
        descriptions: take open descriptions too (ShareGPT4V's rows), with the reference text as the gold and the answer type
            "description", for a judge; else they are left out, with that reason.
    """

    id: str = "Xkev/LLaVA-CoT-100k"
    descriptions: bool = False

    name: ClassVar[str] = "llava_cot"
    licence: ClassVar[str] = "Apache-2.0 label, non-commercial terms"
    rows: ClassVar[int | None] = 99_000
    kept: ClassVar[int | None] = 553_806
    data: ClassVar[tuple[str, ...]] = ("train.jsonl",)
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (("conversations",),)
    archives: ClassVar[tuple[str, ...]] = ("image.zip.part-*", "image.zip")
    beside: ClassVar[bool] = True
    remarks: ClassVar[tuple[str, ...]] = (
        "rows is about; kept counts verified answers, up to 8 a question",
        "the card says apache-2.0; the authors' README says non-commercial, and names OpenAI's and Llama's terms",
        "about 31.3K rows are ShareGPT4V's open descriptions: without them at most (99.0K - 31.3K) x 8 = 541.6K answers exist, and "
        "553,806 were published, so that count can't be reached without them",
    )

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        name = own_id(raw.get("id"), number)
        turns, problem = turns_of(raw)
        image = raw.get("image")
        inner = str(image).split("/", 1)[0] if image else None
        if problem:
            yield self.question(name, "", None, problem=problem)
        for i, turn in enumerate(turns):
            gold = gold_of(turn.response)
            kind = {}
            if not image:
                problem = "no image: image is empty, and the question is about one"
            elif gold is None:
                problem = f"no answer: {turn.answered} has {NO_GOLD}"
            elif self._is_open(turn.question, gold, inner):
                self._found.counts["open descriptions"] += 1
                kind = {"answer_type": "description"}
                problem = (
                    None
                    if self.descriptions
                    else f"open description: {turn.answered} has no answer that a rule can check"
                )
                problem = problem and f"{problem}; for a judge, take them with LLaVACoT(descriptions=True)"
            else:
                problem = None
            yield self.question(
                f"{name}/turn{i + 1}" if len(turns) > 1 else name,
                in_context(turns, i),
                gold,
                images=image,
                problem=problem,
                columns=(turn.asked, turn.answered),
                raw_question=turn.question,
                inner_source=inner,
                **kind,
            )

    def _is_open(self, question: str, gold: Gold, inner: str | None) -> bool:
        """Whether a reference is a description that only a judge can compare."""
        asked = clean_question(question)
        if split_options(asked)[1]:
            return False
        return (
            inner in _CAPTIONED
            or answer_type(gold.text) == "description"
            or bool(_DESCRIBE.match(asked) and len(gold.text.split()) > 5)
        )
