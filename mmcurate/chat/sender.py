"""What sends requests to a model: an event loop in a thread of its own.

So it works in a script, in threads and in a notebook alike, and requests of all threads flow into one place.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mmcurate.chat.request import Answer, Failure
from mmcurate.errors import Stopped

T = TypeVar("T")
Done = Callable[[Answer | Failure | BaseException, bytes], None]
"""Gets a request's result and the body to store, on the sender's thread."""


class Sender(ABC):
    """Answers requests on an event loop of its own; the first error that is no `Failure` ends all of them.

    Args:
        name: of the thread.
        say: tells the user one line.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self.say = say
        self._tasks: set[asyncio.Task[None]] = set()
        self._fatal: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _post(self, answer: Callable[[], Coroutine[Any, Any, tuple[Answer | Failure, bytes]]], done: Done) -> None:
        """Begins to answer a request, from any thread."""
        self._loop.call_soon_threadsafe(self._begin, answer, done)

    def _begin(self, answer: Any, done: Done) -> None:
        if self._fatal:
            done(self._fatal, b"")
        else:
            self._spawn(self._deliver(answer, done))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, answer: Any, done: Done) -> None:
        result: Answer | Failure | BaseException
        try:
            result, body = await answer()
        except asyncio.CancelledError:
            result, body = self._fatal or Stopped("stopped before the answer came"), b""
        except Exception as error:
            self._fatal = self._fatal or error
            result, body = error, b""
        done(result, body)

    def close(self, *, wait: bool = True) -> None:
        """Cancels what is in flight and gives back what is held.

        Args:
            wait: False leaves that to the sender's thread.
        """
        if not self._thread.is_alive():
            return
        self._fatal = self._fatal or Stopped("the client was closed")
        ending = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        if wait:
            ending.result()
            self._thread.join(5)

    async def _end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._release()
        self._loop.call_soon(self._loop.stop)

    @abstractmethod
    async def _release(self) -> None:
        """Gives back what is held; nothing is in flight any more."""
