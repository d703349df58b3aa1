"""`compiled`: makes a loop over arrays fast where numba is installed; the slow loops have a numpy way beside them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar


def _has_numba() -> bool:
    try:
        return importlib.util.find_spec("numba") is not None and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"
    except ValueError:  # somebody has blocked its import
        return False


HAS_NUMBA = _has_numba()
"""Whether loops are compiled here."""

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compiles a function when it is first called, so that importing it costs nothing; the result is kept on disk."""
    if not HAS_NUMBA:
        return function
    made: list[Any] = []

    def call(*args: Any) -> Any:
        if not made:
            made.append(jit(function))
        return made[0](*args)

    update_wrapper(call, function)
    return call  # type: ignore[return-value]


def jit(function: Callable[..., Any]) -> Any:
    """Returns a loop as numba compiles it, without the interpreter's lock; kept on disk where there is a place for it."""
    import numba

    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # a read-only installation
        return numba.njit(nogil=True)(function)
