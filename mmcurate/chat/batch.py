"""Many requests that one caller waits for, while other callers wait for theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mmcurate.chat.request import Answer, Failure

Result = Answer | Failure | BaseException


class Batch:
    """Collects one result for each request; an exception among them ends the wait.

    Args:
        num_requests: how many results to wait for.
        on_result: called with each index and result as it comes, from whichever thread brings it.
    """

    def __init__(self, num_requests: int, on_result: Callable[[int, Answer | Failure], None] | None = None) -> None:
        self.results: list[Answer | Failure | None] = [None] * num_requests
        self._left = num_requests
        self._on_result = on_result
        self._error: BaseException | None = None
        self._guard = threading.Lock()
        self._done = threading.Event()
        if not num_requests:
            self._done.set()

    def put(self, index: int, result: Result) -> None:
        """Stores one result; the first exception ends the batch."""
        with self._guard:
            if isinstance(result, BaseException):
                self._error = self._error or result
                self._done.set()
                return
            self.results[index] = result
            self._left -= 1
            left = self._left
        if self._on_result:
            self._on_result(index, result)
        if not left:
            self._done.set()

    def wait(self) -> list[Answer | Failure]:
        """Returns the results in order, once all are there.

        Raises:
            ChatError: the endpoint refuses everything (a wrong key, an unknown model), or the run is stopping.
        """
        while not self._done.wait(0.5):
            pass
        if self._error:
            raise self._error
        return [result for result in self.results if result is not None]
