"""Offline dynamic sampling: which questions an RL training gets, and in what order, by the pass rates that its run measured.

DAPO (arXiv 2503.14476, section 3.2) leaves out, while it trains, prompts whose responses are all right or all wrong: their advantages are 0.
TRL has no such sampling, so it is done before, with the rates of the model that answered in the run. They are worth
most where that is the model to be trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from mmcurate.errors import ColumnError, SettingsError

NO_RATE = "no pass rate"


def filter_pass_rate(dataset: Any, above: float = 0.0, below: float = 1.0) -> tuple[Any, dict[int, str]]:
    """Keeps the rows with `above` < pass rate < `below`; returns them, and why each other row isn't there, by its number.

    A row without a pass rate is left out as well, for a reason of its own: as in `Filter`, what isn't known doesn't pass.
    Pictures aren't read.

    Args:
        dataset: an RL set with the column `pass_rate`, as `to_rl` returns it.
        above: 0 leaves out what was never right.
        below: 1 leaves out what was always right.

    Raises:
        SettingsError: no such rates can be, or no row has one.
        ColumnError: the set has no pass rates.
    """
    if not 0 <= above < below <= 1:
        raise SettingsError(f"pass rates above {above:g} and below {below:g}: they must be 0 to 1, the lower one first")
    rates = _columns(dataset, "pass_rate")["pass_rate"].to_numpy()  # a null becomes NaN
    reasons = np.full(len(rates), "", object)
    reasons[np.isnan(rates)] = NO_RATE
    reasons[rates <= above] = f"pass rate of {above:g}" + " or less" * (above > 0)
    reasons[rates >= below] = f"pass rate of {below:g}" + " or more" * (below < 1)
    left_out = {int(i): str(reasons[i]) for i in np.flatnonzero(reasons != "")}
    if len(left_out) == len(rates):
        told = ", ".join(f"{np.sum(reasons == why):,} have {why}" for why in sorted(set(left_out.values())))
        raise SettingsError(
            f"no pass rate of the set's {len(rates):,} rows is above {above:g} and below {below:g}: {told or 'it is empty'}; "
            "measure them with Distill and Verify, or train without the filter"
        )
    return dataset.select(np.flatnonzero(reasons == "")), left_out


def curriculum(dataset: Any) -> Any:
    """Returns the rows from easy to hard: by falling pass rate, ties by id, rows without a rate last.

    The trainer must not shuffle them: `shuffle_dataset=False`. In the paper the order didn't help: a mean of 52.5, where rows at random
    give 54.3 (arXiv 2511.16334). Pictures aren't read.

    Args:
        dataset: an RL set with the columns `pass_rate` and `id`, as `to_rl` returns it.

    Raises:
        ColumnError: the set has no pass rates, or no ids.
    """
    table = _columns(dataset, "pass_rate", "id")
    places = pc.rank(table["id"]).to_numpy()
    return dataset.select(np.lexsort((places, -table["pass_rate"].to_numpy())))  # NaN, which a null becomes, is last


def _columns(dataset: Any, *names: str) -> Any:
    for name in names:
        if name not in dataset.column_names:
            raise ColumnError(
                f"the set lacks the column {name!r}; it has {', '.join(dataset.column_names)}. run.to_rl() makes a set that has it"
            )
    return dataset.select_columns(list(names)).with_format("arrow")[:]
