"""Where reasonable people differ: what still counts as the same answer."""

from __future__ import annotations

import pydantic

from mmcurate.errors import SettingsError
from mmcurate.step import settings


@settings
class Policy:
    """What counts as the same answer. The defaults are those of most benchmarks' graders.

    Never a question of policy: a changed digit or sign, another unit, an open for a closed interval, one part of several.

    Attributes:
        missing_units: "12" is right for "12 cm", and "12 cm" for "12"; the same for degrees and for the base of "204_5". Two known
            units are always converted ("1.2 m" is "120 cm", "75 cents" is "$0.75"); two that can't be never agree.
        percent_as_number: "45" and "0.45" are right for "45%".
        cents_as_dollars: "75" without a unit is right for "$0.75".
        rounding: a decimal of at least this many significant digits may be the gold value rounded or cut at its last digit
            ("0.333" for 1/3, not "0.33"); an answer may round to a gold decimal of at least one digit less ("2.718" for 2.7).
            Integers and fractions are always exact. None: no rounding at all.
        simplified: whether "2/4" is wrong for "1/2".
        tolerance: a number is right where it differs from the gold by no more than this, and `rounding` doesn't count.
        decimals: the same where both are equal once rounded to so many decimals.
    """

    missing_units: bool = True
    percent_as_number: bool = True
    cents_as_dollars: bool = False
    rounding: int | None = pydantic.Field(default=3, ge=2, le=15)
    simplified: bool = False
    tolerance: float | None = pydantic.Field(default=None, ge=0)
    decimals: int | None = pydantic.Field(default=None, ge=0, le=15)

    def __post_init__(self) -> None:
        if self.tolerance is not None and self.decimals is not None:
            raise SettingsError(
                f"Policy: tolerance = {self.tolerance} and decimals = {self.decimals} both say how close a number must be; give one"
            )

    def fingerprint(self) -> str:
        """Returns what tells this policy from another."""
        return repr(self)


DEFAULT = Policy()
