"""How many requests may be in flight: fewer when the server says 429, slowly more when it doesn't (AIMD)."""

from __future__ import annotations

import asyncio
from collections import deque


class Limiter:
    """A semaphore whose limit halves on overload and grows by one a round trip.

    Args:
        most: the limit at the start and at the most.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused = False
        self._halved_at = 0.0

    async def acquire(self) -> None:
        """Waits for a place."""
        if self._paused or self._waiting or self.in_flight >= int(self.limit):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            try:
                await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled():
                    self.release()
                raise
        else:
            self.in_flight += 1

    def release(self) -> None:
        """Gives a place back."""
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and not self._paused and self.in_flight < int(self.limit):
            future = self._waiting.popleft()
            if not future.done():
                self.in_flight += 1
                future.set_result(None)

    def pause(self) -> None:
        """Lets nobody in until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Lets requests in again."""
        self._paused = False
        self._wake()

    def overloaded(self) -> None:
        """Halves the limit, at most once a second, since one overload is told by many answers."""
        now = asyncio.get_running_loop().time()
        if now - self._halved_at > 1.0:
            self._halved_at = now
            self.limit = max(1.0, self.limit / 2)

    def succeeded(self) -> None:
        """Lets the limit grow: by one for each full round of answers."""
        if self.limit < self.most:
            self.limit = min(float(self.most), self.limit + 1.0 / self.limit)
            self._wake()
