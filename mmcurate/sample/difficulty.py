"""How hard a question is for the teacher that answered it."""

from __future__ import annotations

from statistics import NormalDist
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pydantic

from mmcurate.errors import SettingsError
from mmcurate.step import Step, settings


def wilson_interval(rates: np.ndarray, counts: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the score interval of shares: Wilson (1927), formula in Brown, Cai & DasGupta (2001), section 3.1.1.

    Args:
        rates: (N,) float64, 0 to 1.
        counts: (N,) how many trials each rate is of. NaN comes out where it is 0.
        confidence: such as 0.95, two-sided.
    """
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    n = np.where(counts > 0, counts, np.nan)
    centre = (rates + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (rates * (1 - rates) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
    return np.where(rates == 0, n * 0, low), np.where(rates == 1, n * 0 + 1, high)


@settings
class Difficulty(Step):
    """Sorts questions into bands by their pass rate, and says how sure the pass rate is.

    Provides `difficulty`: "always" and "never" where all or none of the scored responses are correct, else "easy",
    "medium" or "hard"; null where none was scored. And `pass_rate_low` and `pass_rate_high`, Wilson's interval: 4 of 8
    is a pass rate between 0.22 and 0.78, so with few responses the bands of single questions are a rough sorting.

    Attributes:
        confidence: of the interval.
        easy: the least pass rate of an easy question.
        hard: the largest pass rate of a hard one.
    """

    confidence: float = pydantic.Field(default=0.95, gt=0, lt=1)
    easy: float = pydantic.Field(default=0.75, gt=0, le=1)
    hard: float = pydantic.Field(default=0.25, ge=0, lt=1)

    requires: ClassVar[tuple[str, ...]] = ("pass_rate", "num_scored")
    provides: ClassVar[pa.Schema] = pa.schema(
        [("pass_rate_low", pa.float64()), ("pass_rate_high", pa.float64()), ("difficulty", pa.string())]
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hard >= self.easy:
            raise SettingsError(f"Difficulty: hard = {self.hard} must be less than easy = {self.easy}")

    def __call__(self, table: pa.Table) -> pa.Table:
        rates = table["pass_rate"].cast(pa.float64()).to_numpy()  # null is NaN
        counts = table["num_scored"].cast(pa.int64()).fill_null(0).to_numpy()
        counts = np.where(np.isnan(rates), 0, counts)
        low, high = wilson_interval(rates, counts, self.confidence)
        bands = np.select(
            [counts == 0, rates == 1, rates == 0, rates >= self.easy, rates <= self.hard],
            ["", "always", "never", "easy", "hard"],
            "medium",
        )
        unknown = counts == 0
        columns = (low, high, bands.astype(object))
        return pa.table(
            [pa.array(c, f.type, mask=unknown) for c, f in zip(columns, self.provides, strict=True)], self.provides
        )
