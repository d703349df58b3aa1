"""Which of alike rows stays: the first, and only rows that were compared with it go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mmcurate.errors import SettingsError, closest


def ranks(sources: Sequence[str | None], priority: Sequence[str]) -> np.ndarray:
    """Returns the place of each row in the order in which rows are kept, (N,) int64.

    Rows of the sources in `priority` come first, in its order; then all others, and within these the row order.

    Raises:
        SettingsError: a name in `priority` is no source, but looks like one.
    """
    known = {s for s in sources if s}
    for name in priority:
        if name not in known and (near := closest(name, known)):
            raise SettingsError(f"priority names {name!r}, and no row is of that source; did you mean {near!r}?")
    places = {name: i for i, name in enumerate(priority)}
    level = np.array([places.get(s or "", len(places)) for s in sources], np.int64)
    out = np.empty(len(level), np.int64)
    out[np.lexsort((np.arange(len(level)), level))] = np.arange(len(level))
    return out


def keep_first(num: int, pairs: np.ndarray, similarity: Callable[[int, int], float]) -> tuple[np.ndarray, np.ndarray]:
    """Goes through items in order; one that is like a kept one before it is its duplicate.

    An item is compared with kept ones only: those proposed to it, and those of which the proposed are duplicates. So
    every duplicate was compared with what stays for it, and nothing is joined by a chain of small steps.

    Args:
        num: how many items, in the order in which they are kept.
        pairs: (P, 2) int64, proposals, either way round.
        similarity: of an item and a kept one before it; 0 where they aren't alike. Asked once a pair.

    Returns:
        The kept item of each, (N,) int64, itself where it is kept; and the similarity, (N,) float64.
    """
    kept, alike = np.arange(num), np.ones(num)
    low, high = pairs.min(1, initial=num), pairs.max(1, initial=-1)
    order = np.lexsort((low, high))
    low, high = low[order], high[order]
    items, begins = np.unique(high, return_index=True)
    for item, before in zip(items.tolist(), np.split(low, begins[1:]), strict=len(items) > 0):
        for first in np.unique(kept[before]):
            found = similarity(item, int(first)) if first != item else 0.0
            if found:
                kept[item], alike[item] = first, found
                break
    return kept, alike
