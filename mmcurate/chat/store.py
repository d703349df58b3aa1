"""The answer store: every paid answer, durable before it is counted, found again by what was asked.

A folder that runs share. Each writer has one SQLite file of its own and all files are read together, so merging two
stores is copying files. A rollback journal with grouped commits works on every file system, clusters' shared
disks included, where SQLite's WAL doesn't, and costs no more.
"""

from __future__ import annotations

import fcntl
import os
import queue
import socket
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from mmcurate.chat.request import Answer, parse
from mmcurate.errors import ChatError, DiskFull

_SCHEMA = """CREATE TABLE IF NOT EXISTS answers (
    key BLOB NOT NULL, max_tokens INTEGER NOT NULL, finish_reason TEXT NOT NULL, num_tokens INTEGER NOT NULL,
    body BLOB NOT NULL, time REAL NOT NULL, PRIMARY KEY (key, max_tokens)) WITHOUT ROWID"""
_GROUP_S = 0.02
"""How long a commit waits for more answers."""


def cache_folder() -> Path:
    """Returns where answers are kept that belong to no run: in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "mmcurate" / "answers"


class AnswerStore:
    """A folder of answers, open for reading and writing.

    Args:
        folder: made where it isn't there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock_file, self.path = self._own_file()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[tuple, Callable[[BaseException | None], None]] | None] = (
            queue.SimpleQueue()
        )
        self._closed = False
        self._connect(self.path, write=True).close()
        self._writer = threading.Thread(target=self._write, name="mmcurate-answers", daemon=True)
        self._writer.start()

    def _own_file(self) -> tuple[int, Path]:
        """Takes the first file that no other process writes."""
        for i in range(10_000):
            path = self.folder / f"answers-{i:04d}.sqlite"
            lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            except OSError:  # a file system without locks: a file that is surely nobody else's
                return lock, self.folder / f"answers-{socket.gethostname()}-{os.getpid()}-{time.time_ns()}.sqlite"
            return lock, path
        raise ChatError(f"{self.folder}: 10,000 writers hold this answer store; use another folder")

    @staticmethod
    def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        if write:
            connection.execute("PRAGMA journal_mode=TRUNCATE")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(_SCHEMA)
        return connection

    def _readers(self) -> list[sqlite3.Connection]:
        """One connection a thread and file; files of other writers are looked up anew at each call."""
        known: dict[Path, sqlite3.Connection] = self._local.__dict__.setdefault("readers", {})
        for path in sorted(self.folder.glob("answers-*.sqlite")):
            if path not in known:
                connection = self._connect(path, write=False)
                try:
                    connection.execute("SELECT 1 FROM answers LIMIT 1")
                except sqlite3.DatabaseError as error:
                    connection.close()
                    if "no such table" in str(error):
                        continue  # another writer is just making it
                    raise ChatError(f"{path} isn't an answer store ({error}); move it away") from None
                known[path] = connection
                with self._guard:
                    self._connections.append(connection)
        return list(known.values())

    def get(self, keys: Iterable[bytes], max_tokens: int) -> dict[bytes, Answer]:
        """Returns the stored answers that serve these keys at this limit on tokens.

        An answer that ended by itself serves any limit that it fits in; one that was cut off serves only the
        limit that cut it.
        """
        missing = list(dict.fromkeys(keys))
        found: dict[bytes, Answer] = {}
        for connection in self._readers():
            missing = [key for key in missing if key not in found]
            for start in range(0, len(missing), 500):
                part = missing[start : start + 500]
                rows = connection.execute(
                    f"SELECT key, body FROM answers WHERE key IN ({','.join('?' * len(part))}) AND (max_tokens = ? "
                    "OR (finish_reason NOT IN ('length', '') AND (max_tokens <= ? OR num_tokens BETWEEN 1 AND ?))) "
                    "ORDER BY key, max_tokens",
                    [*part, max_tokens, max_tokens, max_tokens],
                )
                for key, body in rows:
                    found.setdefault(bytes(key), parse(zlib.decompress(body), bytes(key), stored=True))
        return found

    def put(self, answer: Answer, max_tokens: int, body: bytes, done: Callable[[BaseException | None], None]) -> None:
        """Queues an answer with the body it came in; `done` is called from another thread once it is durable."""
        row = (answer.key, max_tokens, answer.finish_reason, answer.num_tokens, zlib.compress(body, 1), time.time())
        self._queue.put((row, done))

    def _write(self) -> None:
        connection = self._connect(self.path, write=True)
        going = True
        while going:
            first = self._queue.get()
            if first is None:
                break
            time.sleep(_GROUP_S)
            group = [first]
            while not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    going = False
                    break
                group.append(item)
            failure: BaseException | None = None
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", [r for r, _ in group]
                )
                connection.execute("COMMIT")
            except Exception as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                full = "full" in str(error)
                failure = (DiskFull if full else ChatError)(f"the answer store {self.path} can't be written: {error}")
            for _, done in group:
                done(failure)
        connection.close()

    def close(self) -> None:
        """Writes what is queued and gives the file back."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        with self._guard:
            for connection in self._connections:
                connection.close()
        os.close(self._lock_file)


class SharedStores:
    """One open `AnswerStore` a folder and process, since several teachers of a run share one."""

    def __init__(self) -> None:
        self._open: dict[Path, tuple[AnswerStore, int]] = {}
        self._guard = threading.Lock()

    def take(self, folder: str | Path) -> AnswerStore:
        """Returns the folder's store, opened where it isn't yet. Give it back."""
        place = Path(folder).expanduser().resolve()
        with self._guard:
            store, users = self._open.get(place, (None, 0))
            store = store or AnswerStore(place)
            self._open[place] = (store, users + 1)
            return store

    def give_back(self, store: AnswerStore) -> None:
        """Closes the store when its last user gives it back."""
        place = store.folder
        with self._guard:
            kept, users = self._open[place]
            if users > 1:
                self._open[place] = (kept, users - 1)
                return
            del self._open[place]
        store.close()


shared = SharedStores()
