"""A run folder as a place: checked before anything runs, held by one writer, left in order when a signal comes."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmcurate.errors import DiskFull, RunFolderError, RunLocked
from mmcurate.run import MANIFEST

MIN_FREE_BYTES = 100 << 20
"""A run doesn't start with less room."""


def check_folder(root: Path) -> None:
    """Makes the folder, and checks that a run may live there and has room.

    Raises:
        RunFolderError: it holds something else.
        DiskFull: too little room.
    """
    if root.exists() and not root.is_dir():
        raise RunFolderError(f"{root} is a file; a run needs a folder")
    strange = (
        [p.name for p in root.iterdir() if p.name not in (".lock", "rows", "images") and p.suffix != ".tmp"]
        if root.exists()
        else []
    )
    if strange and MANIFEST not in strange:
        raise RunFolderError(
            f"{root} is no run folder and not empty (it has {strange[0]!r}): choose another for the run"
        )
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if free < MIN_FREE_BYTES:
        raise DiskFull(f"{root} has {free / 1e6:,.0f} MB free, and a run needs at least {MIN_FREE_BYTES / 1e6:,.0f} MB")


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Holds the run folder for this process."""
    with open(root / ".lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise RunLocked(
                f"{root} is being written by {file.read().strip() or 'another process'}; wait for it, or use another folder"
            ) from None
        except OSError:
            pass  # a file system without locks
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        for left_over in [*root.glob(".*.tmp"), *root.glob("*/.*.tmp"), *root.glob("images/*/.*.tmp")]:
            left_over.unlink(missing_ok=True)  # of a run that was killed
        yield


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Lets SIGTERM stop a run as Ctrl-C does, while it runs in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
