"""Processes that outlive a killed parent: vLLM's engine would keep its GPUs after a `kill -9`.

The watching process runs this file alone, so it imports nothing of the package.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading


class Watch:
    """Ends the processes that are started while it looks, should this process end without ending them."""

    def __init__(self) -> None:
        command = [sys.executable, "-S", "-E", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        self._known = {child.pid for child in multiprocessing.active_children()}
        self._seen = threading.Event()
        self._thread = threading.Thread(target=self._look, name="mmcurate-watch", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        going = True
        while going:
            going = not self._seen.wait(0.2)
            for child in multiprocessing.active_children():
                if child.pid not in self._known:
                    self._known.add(child.pid)
                    self._process.stdin.write(f"{child.pid} {_born(child.pid or 0)}\n".encode())  # type: ignore[union-attr]
                    self._process.stdin.flush()  # type: ignore[union-attr]

    def seen(self) -> None:
        """Looks for the last time: all are started."""
        self._seen.set()
        self._thread.join()

    def close(self) -> None:
        """Ends the watch: they are ended."""
        self.seen()
        self._process.kill()
        self._process.communicate()


def _born(pid: int) -> str:
    """Returns when a process began, since its number may be another's later; empty where there is no /proc."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[19]
    return ""


def main() -> None:
    """Reads processes from stdin until the parent is gone, then ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.read().splitlines():
        pid, _, born = line.partition(" ")
        if _born(int(pid)) == born:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    main()
