"""Worker processes that can be killed one by one: started as `python -m MODULE`, spoken to over pipes.

No fork, so threads, notebooks and Ray tasks may use them; no `if __name__` guard is asked of a script.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mmcurate.errors import RunError, Stopped

START_TIMEOUT_S = 120.0
_CHUNK = 32


class WorkersFailed(RunError):
    """The worker processes don't start, so nothing can be said of any task."""


class Task:
    """One piece of work and who waits for it."""

    __slots__ = ("crashes", "done", "payload")

    def __init__(self, payload: Any, done: Callable[[Any], None]) -> None:
        self.payload, self.done, self.crashes = payload, done, 0


class WorkerPool:
    """Some processes that each answer JSON lines with JSON lines, in order.

    A process that dies in the middle of a task is started anew and the task tried once more; one that takes too
    long is killed. Either way the task's result is `{"failed": reason}`, and no other task is harmed.

    Args:
        module: what `python -m` starts; it calls `serve`.
        num_workers: how many processes; each starts when there is work for it.
        timeout_s: for one task.
    """

    def __init__(self, module: str, num_workers: int, timeout_s: float) -> None:
        self.module, self.num_workers, self.timeout_s = module, num_workers, timeout_s
        self._todo: deque[Task] = deque()
        self._taken: set[Task] = set()
        self._wake = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        self.num_done = 0

    def run(self, payloads: Sequence[Any]) -> list[Any]:
        """Returns the results of some tasks, in order. Safe from several threads at once.

        Raises:
            WorkersFailed: no worker starts, so that nothing is known of the tasks.
            Stopped: the pool was closed meanwhile.
        """
        results: list[Any] = [None] * len(payloads)
        left = len(payloads)
        done = threading.Event()
        guard = threading.Lock()

        def finish(i: int, result: Any) -> None:
            nonlocal left
            with guard:
                results[i] = result
                left -= 1
                if not left:
                    done.set()

        with self._wake:
            if self._closed:
                raise Stopped("the worker pool is closed")
            for i, payload in enumerate(payloads):
                self._todo.append(Task(payload, lambda result, i=i: finish(i, result)))  # type: ignore[misc]
            while len(self._threads) < min(self.num_workers, max(1, len(self._todo))):
                thread = threading.Thread(target=self._drive, name=f"mmcurate-worker-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._wake.notify_all()
        if payloads:
            done.wait()
        failure = next((r for r in results if isinstance(r, BaseException)), None)
        if failure is not None:
            raise failure
        return results

    def _take(self) -> list[Task]:
        with self._wake:
            while not self._todo and not self._closed:
                self._wake.wait()
            share = max(1, min(_CHUNK, len(self._todo) // self.num_workers))
            tasks = [self._todo.popleft() for _ in range(min(share, len(self._todo)))]
            self._taken.update(tasks)
            return tasks

    def _drive(self) -> None:
        try:
            self._work()
        except BaseException as error:  # a thread that dies would leave its callers waiting for ever
            failure = WorkersFailed(f"`python -m {self.module}`: {type(error).__name__}: {error}")
            with self._wake:
                self._closed = True
                for task in [*self._taken, *self._todo]:
                    task.done(failure)
                self._todo.clear()
                self._wake.notify_all()

    def _work(self) -> None:
        process: _Process | None = None
        while True:
            tasks = deque(self._take())
            if not tasks:
                break
            while tasks:
                if process is None:
                    process = self._start(tasks)
                    if process is None:
                        break
                try:
                    process.send([t.payload for t in tasks])
                    while tasks:
                        self._finish(tasks[0], process.receive(self.timeout_s))
                        tasks.popleft()
                except (OSError, EOFError, TimeoutError) as error:
                    self._drop(process)
                    process = None
                    task = tasks[0]
                    task.crashes += 1
                    if self._closed:
                        tasks.popleft()
                        self._finish(task, Stopped("the worker pool was closed"))
                        continue
                    if isinstance(error, TimeoutError):
                        reason = f"took longer than {self.timeout_s:g} s"
                    elif task.crashes < 2:
                        continue
                    else:
                        reason = "the worker died twice"
                    tasks.popleft()
                    self._finish(task, {"failed": reason})
        if process is not None:
            self._drop(process)

    def _start(self, tasks: deque[Task]) -> _Process | None:
        if self._closed:
            while tasks:
                self._finish(tasks.popleft(), Stopped("the worker pool was closed"))
            return None
        for _ in range(2):  # one more try for a worker that is killed while it starts
            process = _Process(self.module)
            self._processes.add(process.popen)
            try:
                process.receive(START_TIMEOUT_S)
                return process
            except (OSError, EOFError, TimeoutError):
                self._drop(process)
        if not self._closed:
            failure = WorkersFailed(f"`{sys.executable} -m {self.module}` doesn't start; run it by hand to see why")
            with self._wake:
                tasks.extend(self._todo)
                self._todo.clear()
            while tasks:
                self._finish(tasks.popleft(), failure)
        while tasks:
            self._finish(tasks.popleft(), Stopped("the worker pool was closed"))
        return None

    def _finish(self, task: Task, result: Any) -> None:
        with self._wake:
            self._taken.discard(task)
            self.num_done += 1
        task.done(result)

    def _drop(self, process: _Process) -> None:
        process.kill()
        self._processes.discard(process.popen)

    def close(self) -> None:
        """Kills the processes; tasks that wait get a failure."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        for popen in list(self._processes):
            popen.kill()
        for thread in self._threads:
            thread.join(2)
        while self._todo:
            self._todo.popleft().done(Stopped("the worker pool was closed"))


class _Process:
    def __init__(self, module: str) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which then ends its workers
        )
        self._buffer = b""
        self._lines: deque[bytes] = deque()

    def send(self, payloads: list[Any]) -> None:
        data = b"".join(json.dumps(p).encode() + b"\n" for p in payloads)
        assert self.popen.stdin
        # In a thread, since a long line fills the pipe while the worker's answers wait to be read.
        threading.Thread(target=self._write, args=(data,), daemon=True).start() if len(data) > 32_768 else self._write(
            data
        )

    def _write(self, data: bytes) -> None:
        assert self.popen.stdin
        try:
            self.popen.stdin.write(data)
            self.popen.stdin.flush()
        except (OSError, ValueError):
            pass  # it died: receive() says so

    def receive(self, timeout_s: float) -> Any:
        assert self.popen.stdout
        end = time.monotonic() + timeout_s
        descriptor = self.popen.stdout.fileno()
        ready = select.poll()  # select() fails beyond 1,024 open files
        ready.register(descriptor, select.POLLIN)
        while not self._lines:
            left = end - time.monotonic()
            if left <= 0 or not ready.poll(left * 1000):
                raise TimeoutError
            data = os.read(descriptor, 1 << 16)
            if not data:
                raise EOFError
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            self._lines.extend(lines)
        return json.loads(self._lines.popleft())

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def serve(work: Callable[[Any], Any]) -> None:
    """The worker's side: answers each line of stdin until there are no more. `print` goes to stderr."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answers.write(b'"ready"\n')
    answers.flush()
    for line in sys.stdin.buffer:
        answers.write(json.dumps(work(json.loads(line))).encode() + b"\n")
        answers.flush()
