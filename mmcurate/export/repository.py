"""A data set repository of the Hugging Face Hub, through whatever passes: full servers, lost connections, others' commits."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmcurate.errors import RunError
from mmcurate.progress import say

_MAX_TRIES = 12
_MAX_WAIT_S = 60.0
_PASSING = (408, 409, 412, 425, 429, 500, 502, 503, 504)
"""409 and 412: somebody else has committed meanwhile."""


class Repository:
    """A data set repository, or one to be.

    Args:
        name: such as "me/mine".
        token: else that of `hf auth login`.
        revision: a branch; main unless given.

    Attributes:
        num_files, num_bytes: what was new there so far.
    """

    def __init__(self, name: str, *, token: str | None, revision: str | None) -> None:
        import huggingface_hub

        self.name, self.revision = name, revision or "main"
        self._api = huggingface_hub.HfApi(token=token, library_name="mmcurate")
        self._of: dict[str, Any] = {"repo_id": name, "repo_type": "dataset"}
        self.url = f"{self._api.endpoint}/datasets/{name}"
        self.num_files = self.num_bytes = 0

    def make(self, *, private: bool) -> None:
        """Makes the repository, and the branch, where there is none.

        Raises:
            RunError: it is there, and public where it should be private, or the other way round.
        """
        self._retry("make", lambda: self._api.create_repo(**self._of, private=private, exist_ok=True))
        is_private = bool(self._retry("look at", lambda: self._api.dataset_info(self.name)).private)
        if is_private != private:
            now, wanted = ("private", "public") if is_private else ("public", "private")
            raise RunError(
                f"{self.url} is {now}, and private={private} asks for a {wanted} one: push with private={is_private}, or change it "
                "in the repository's settings"
            )
        if self.revision != "main":
            self._retry("branch", lambda: self._api.create_branch(**self._of, branch=self.revision, exist_ok=True))

    def files(self) -> dict[str, Any]:
        """Returns the files that are there, each with its `size` and `blob_id`."""

        def read() -> dict[str, Any]:
            found = self._api.list_repo_tree(**self._of, revision=self.revision, recursive=True)
            return {entry.path: entry for entry in found if hasattr(entry, "blob_id")}

        return self._retry("list", read)

    def head(self) -> str:
        """Returns the last commit."""
        return str(self._retry("look at", lambda: self._api.dataset_info(self.name, revision=self.revision)).sha)

    def upload(self, path: str, file: Path) -> Any:
        """Sends a large file and removes it; returns what `commit` takes. It isn't seen before that."""
        import huggingface_hub

        size = file.stat().st_size
        operation = huggingface_hub.CommitOperationAdd(path, str(file))
        self._retry(
            f"send {path} to",
            lambda: self._api.preupload_lfs_files(**self._of, additions=[operation], revision=self.revision),
        )
        self.num_files, self.num_bytes = self.num_files + 1, self.num_bytes + size
        if operation.path_or_fileobj == b"":  # sent; a file that the Hub takes for a small one goes with the commit
            file.unlink()
        return operation

    def text(self, path: str, data: bytes) -> Any:
        """Returns a small file as `commit` takes it."""
        import huggingface_hub

        self.num_files, self.num_bytes = self.num_files + 1, self.num_bytes + len(data)
        return huggingface_hub.CommitOperationAdd(path, data)

    def commit(self, message: str, added: Sequence[Any], removed: Sequence[str] = ()) -> None:
        """Commits files that were sent, and removals. Where an answer is lost, it looks at what is there before it tries again."""
        import huggingface_hub

        first = True

        def send() -> None:
            nonlocal first
            there = None if first else self.files()
            first = False
            # A shard's name says what is in it; a text's doesn't, but the client leaves out what is equal.
            mine = [a for a in added if there is None or a.path_in_repo not in there or "/" not in a.path_in_repo]
            mine += [huggingface_hub.CommitOperationDelete(p) for p in removed if there is None or p in there]
            if mine:
                self._api.create_commit(**self._of, operations=mine, commit_message=message, revision=self.revision)

        self._retry("commit to", send)

    def _retry(self, what: str, call: Callable[[], Any]) -> Any:
        """Calls until it works; what won't pass by itself is raised at once."""
        for number in itertools.count(1):
            try:
                return call()
            except Exception as error:
                wait_s = _wait_s(error, number)
                if wait_s is None or number == _MAX_TRIES:
                    if _status(error) is None and not _is_lost(error):
                        raise
                    raise RunError(self._told(what, error)) from error
                say(f"the Hub: {_first_line(error)}; trying again in {wait_s:,.0f} s")
                time.sleep(wait_s)
        return None  # never reached; for the type checker

    def _told(self, what: str, error: Exception) -> str:
        hint = "; log in with `hf auth login`, or pass token=" if _status(error) in (401, 403) else ""
        return (
            f"couldn't {what} {self.url}: {_first_line(error)}{hint}; what is there stays, and the same call continues"
        )


def _causes(error: BaseException | None) -> list[BaseException]:
    """Returns an error and what it was raised from: the client wraps what a thread of it met."""
    out: list[BaseException] = []
    while error is not None and error not in out:
        out.append(error)
        error = error.__cause__
    return out


def _status(error: Exception) -> int | None:
    found = [getattr(getattr(e, "response", None), "status_code", None) for e in _causes(error)]
    return next((status for status in found if status is not None), None)


def _is_lost(error: Exception) -> bool:
    """Whether a connection failed; by name, since the client's HTTP library differs by its version."""
    names = {c.__name__ for e in _causes(error) for c in type(e).__mro__}
    return bool(names & {"TransportError", "ConnectionError", "Timeout", "TimeoutError"})


def _wait_s(error: Exception, tries: int) -> float | None:
    """Returns how long to wait before another try, or None where that is no use."""
    status = _status(error)
    lost = status is None and _is_lost(error) and type(error).__name__ != "OfflineModeIsEnabled"
    if status not in _PASSING and not lost:
        return None
    for e in _causes(error):
        headers = getattr(getattr(e, "response", None), "headers", None) or {}
        said = str(headers.get("Retry-After", ""))
        if said.isdigit():
            return float(said)
    return min(_MAX_WAIT_S, 2.0 ** (tries - 1))


def _first_line(error: Exception) -> str:
    causes = _causes(error)
    told = next((e for e in causes if getattr(e, "response", None) is not None), causes[-1])
    return next(iter(str(told).strip().splitlines()), type(told).__name__)
