"""Where steps run: `engine.map(make_worker, shards)` is all that a pipeline asks of it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Engine(Protocol):
    """Runs a worker over shards."""

    def map(
        self, make_worker: Callable[[], Callable[[T], Any]], shards: Iterable[T], *, at_once: int
    ) -> Generator[tuple[T, Any] | None, None, None]:
        """Yields (shard, result) as each is done, in any order, and None now and then while none is.

        Raises what a worker raises. After that, and when it is closed, no further shard is begun.
        """
        ...


class LocalEngine:
    """This process: threads for steps that wait, the calling thread for what is quick."""

    def map(
        self, make_worker: Callable[[], Callable[[T], Any]], shards: Iterable[T], *, at_once: int
    ) -> Generator[tuple[T, Any] | None, None, None]:
        """See `Engine.map`. With `at_once` = 1 the work is done in the calling thread."""
        waiting = list(shards)
        if at_once == 1:
            worker = make_worker()
            for shard in waiting:
                yield shard, worker(shard)
            return
        todo: queue.SimpleQueue[T] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[T, Any, BaseException | None]] = queue.SimpleQueue()
        for shard in waiting:
            todo.put(shard)
        stopped = threading.Event()

        def work() -> None:
            worker = make_worker()
            while not stopped.is_set():
                try:
                    shard = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    done.put((shard, worker(shard), None))
                except BaseException as error:
                    done.put((shard, None, error))
                    return

        for i in range(min(at_once, len(waiting))):
            threading.Thread(target=work, name=f"mmcurate-shard-{i}", daemon=True).start()
        left = len(waiting)
        try:
            while left:
                try:
                    shard, result, error = done.get(timeout=0.3)
                except queue.Empty:
                    yield None
                    continue
                if error is not None:
                    raise error
                left -= 1
                yield shard, result
        finally:
            stopped.set()
