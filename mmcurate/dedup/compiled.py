"""`compiled`: makes a loop over arrays fast where numba is installed; the slow loops have a numpy way beside them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar

HAS_NUMBA = importlib.util.find_spec("numba") is not None and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"
"""Whether loops are compiled here."""

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compiles a function when it is first called, so that importing it costs nothing; the result is kept on disk."""
    if not HAS_NUMBA:
        return function
    made: list[Any] = []

    def call(*args: Any) -> Any:
        if not made:
            import numba

            made.append(numba.njit(cache=True, nogil=True)(function))
        return made[0](*args)

    update_wrapper(call, function)
    return call  # type: ignore[return-value]
