"""One line a step while it works, and lines for the user: quiet where nobody watches."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

log = logging.getLogger("mmcurate")


def say(text: str) -> None:
    """Tells the user one line: through logging where that is set up, else on a terminal or in a notebook."""
    if log.isEnabledFor(logging.INFO) and log.hasHandlers():
        log.info(text)
    elif sys.stderr.isatty() or "ipykernel" in sys.modules:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
    else:
        log.info(text)


class Progress:
    """A tqdm line: rows, and what the step says of itself. Shows nothing where stderr is no terminal."""

    def __init__(self, name: str, num_rows: int, done: int = 0) -> None:
        from tqdm import tqdm

        self._before = self._finished = done
        self._bar: Any = tqdm(
            total=num_rows, initial=done, desc=name, unit=" rows", disable=None, leave=True, dynamic_ncols=True
        )

    def advance(self, num_rows: int, status: Mapping[str, str], rows_done: int = 0) -> None:
        """Counts finished rows, or those that the step says are done, and shows the step's status."""
        if not self._bar.disable:
            self._bar.set_postfix(dict(status), refresh=False)
            self._finished += num_rows
            self._bar.update(max(0, max(self._finished, self._before + rows_done) - self._bar.n))
            self._bar.refresh()

    def close(self) -> None:
        """Leaves the line as it is."""
        self._bar.close()
