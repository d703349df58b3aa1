"""Questions that the library draws itself: pictures, captions and known answers, as many as one likes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pydantic

from mmcurate.errors import SettingsError, did_you_mean
from mmcurate.sources.procedural import charts, figures
from mmcurate.sources.procedural.canvas import Drawn
from mmcurate.sources.source import Source
from mmcurate.step import digest, settings

FAMILIES: dict[str, Callable[[random.Random, int], Drawn]] = {
    "bar_chart": charts.bar_chart,
    "line_chart": charts.line_chart,
    "pie_chart": charts.pie_chart,
    "table": charts.table,
    "geometry": figures.geometry,
    "clock": figures.clock,
    "grid": figures.grid,
    "pattern": figures.pattern,
}
VERSION = 1
"""Raise it when the same settings draw other questions."""


@settings
class Procedural(Source):
    """Draws questions with checkable answers, in turn from each family; question i is the same for any number.

    Attributes:
        num_questions: how many.
        seed: another seed draws other questions.
        families: some of `FAMILIES`; all unless given.
        levels: of difficulty, some of 1, 2 and 3.
        name: what the rows' `source` says.
    """

    num_questions: int = pydantic.Field(default=1000, ge=0)
    seed: int = 0
    families: Sequence[str] = tuple(FAMILIES)
    levels: Sequence[int] = (1, 2, 3)
    name: str = "procedural"

    def __post_init__(self) -> None:
        for family in self.families:
            if family not in FAMILIES:
                raise SettingsError(f"Procedural: there is no family {family!r}{did_you_mean(family, FAMILIES)}")
        if not self.families or not self.levels or set(self.levels) - {1, 2, 3}:
            raise SettingsError("Procedural: needs at least one family, and levels among 1, 2 and 3")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for i in range(self.num_questions):
            family = self.families[i % len(self.families)]
            level = self.levels[i // len(self.families) % len(self.levels)]
            drawn = FAMILIES[family](random.Random(f"{self.seed}-{i}-{family}-{level}"), level)
            yield {
                "id": f"{self.name}-{self.seed}-{i:06d}",
                "source": self.name,
                "question": drawn.question,
                "options": drawn.options,
                "answer": drawn.answer,
                "images": [drawn.png],
                "licence": "Apache-2.0",
                "family": family,
                "level": level,
                "caption": drawn.caption,
            }

    def fingerprint(self) -> str | None:
        """Returns a digest of the settings."""
        return digest(
            ["procedural", VERSION, self.num_questions, self.seed, list(self.families), list(self.levels), self.name]
        )
