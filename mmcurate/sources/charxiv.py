"""CharXiv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, ClassVar

from mmcurate.answers import clean
from mmcurate.errors import SettingsError, did_you_mean
from mmcurate.sources.charxiv_questions import TEMPLATES, descriptive_question, reasoning_question
from mmcurate.sources.published import Published
from mmcurate.step import settings

_KINDS = ("reasoning", "descriptive")


@settings
class CharXiv(Published):
    """princeton-nlp/CharXiv, a benchmark: charts of papers, with one reasoning and four descriptive questions each.

    Descriptive questions come from nineteen templates, and a quarter of the golds is "Not Applicable"; they are compared without the
    subplot that they name, so that they are seen to be templates. Each kind is judged by its own rules, which `template` and
    `reasoning_a_type` name.

    Attributes:
        config: the kinds of question: "reasoning", "descriptive" or both.
        split: "validation", or "test", whose rows have no golds.
    """

    id: str = "princeton-nlp/CharXiv"
    config: str | Sequence[str] = _KINDS
    split: str = "validation"

    name: ClassVar[str] = "charxiv"
    licence: ClassVar[str] = "CC-BY-SA-4.0"
    rows: ClassVar[int | None] = 5_000
    # The file of the split "validation" is val.parquet.
    data: ClassVar[tuple[str, ...]] = (
        "data/{split}-*.parquet",
        "{split}-*.parquet",
        "{split}.parquet",
        "{split:.3}.parquet",
    )
    columns: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("image",),
        ("reasoning_q",),
        ("reasoning_a",),
        ("descriptive_q1",),
        ("descriptive_a1",),
    )
    remarks: ClassVar[tuple[str, ...]] = (
        "rows counts questions: five on each of 1,000 figures",
        "the charts belong to their papers' authors",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind in [self.config] if isinstance(self.config, str) else self.config:
            if kind not in _KINDS:
                raise SettingsError(f"CharXiv: config {kind!r}{did_you_mean(kind, _KINDS)}")

    def rows_of(self, raw: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
        figure = PurePosixPath(str(raw.get("figure_path") or number)).stem
        about = {
            "figure_id": figure,
            **{k: raw.get(k) for k in ("category", "year", "num_subplots", "original_id")},
        }
        if "reasoning" in self.config:
            yield self._reasoning(figure, raw, about)
        if "descriptive" in self.config:
            for place in (1, 2, 3, 4):
                yield self._descriptive(figure, place, raw, about)

    def _reasoning(self, figure: str, raw: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
        asked, gold, problem = str(raw["reasoning_q"] or "").strip(), clean(raw["reasoning_a"]), None
        question = asked
        try:
            if asked:
                question = reasoning_question(asked, raw.get("reasoning_a_type"), gold or "")
        except ValueError as error:
            problem = f"bad row: {error}"
        return self.question(
            f"{figure}-reasoning",
            question,
            gold,
            images=raw["image"],
            problem=problem,
            columns=("reasoning_q", "reasoning_a"),
            question_type="reasoning",
            reasoning_a_type=raw.get("reasoning_a_type"),
            reasoning_q_source=raw.get("reasoning_q_source"),
            **about,
            raw_question=asked,
            match_text=asked,
        )

    def _descriptive(self, figure: str, place: int, raw: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
        template: Any = raw.get(f"descriptive_q{place}")
        problem = shared = None
        try:
            where = (raw.get(name) for name in ("subplot_loc", "subplot_row", "subplot_col"))
            question = descriptive_question(template, *where)
            shared = TEMPLATES[template][0]
        except ValueError as error:
            question, problem = "", f"bad row: descriptive_q{place}: {error}"
        return self.question(
            f"{figure}-descriptive{place}",
            question,
            clean(raw.get(f"descriptive_a{place}")),
            images=raw["image"],
            problem=problem,
            columns=(f"descriptive_q{place}", f"descriptive_a{place}"),
            question_type="descriptive",
            template=template,
            **about,
            match_text=shared,
            match_template=True,
        )
