"""Every error that mmcurate raises on purpose.

    MMCurateError
    ├── SettingsError          a step, source or pipeline was set up wrongly (also a ValueError)
    │   └── ColumnError        a column is missing, or its name fits several
    ├── SourceError            a source can't be read: a missing file, columns that aren't there
    ├── RunError
    │   ├── RunLocked          another process is writing this run folder
    │   ├── RunFolderError     the folder isn't a run, or was written by a newer mmcurate
    │   ├── DiskFull           too little room on the disk
    │   └── Stopped            Ctrl-C or SIGTERM; the same command continues (also a KeyboardInterrupt)
    └── ChatError
        ├── EndpointDown       no connection, or a gateway error: passes by itself
        ├── Unauthorized       the key was refused
        ├── ModelNotFound      the server doesn't have that model
        └── RequestFailed      this one request failed; `.passing` says whether it may work later

Each message names the thing, what was given, what was expected and the next move.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MMCurateError(Exception):
    """The root of the tree."""


class SettingsError(MMCurateError, ValueError):
    """A step, source or pipeline was set up wrongly."""


class ColumnError(SettingsError):
    """A column is missing, or its bare name fits several steps."""


class SourceError(MMCurateError):
    """A source can't be read."""


class RunError(MMCurateError):
    """A run can't start or go on."""


class RunLocked(RunError):
    """Another process is writing this run folder."""


class RunFolderError(RunError):
    """The folder isn't a run that this version can open."""


class DiskFull(RunError):
    """Too little room on the disk."""


class Stopped(RunError, KeyboardInterrupt):
    """Ctrl-C or SIGTERM stopped the run; the same command continues it."""


class ChatError(MMCurateError):
    """Something about a chat endpoint or one of its answers."""


class EndpointDown(ChatError):
    """The endpoint can't be reached; nothing is wrong with the request."""


class Unauthorized(ChatError):
    """The endpoint refused the key."""


class ModelNotFound(ChatError):
    """The endpoint doesn't serve that model."""


class RequestFailed(ChatError):
    """One request failed.

    Attributes:
        passing: true where the same request may work later (an overloaded server), false where it
            never will (the server says that the request itself is wrong).
    """

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


def closest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that looks like a misspelt one, or None."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` for the closest known name, or the known names where none is close."""
    known = list(known)
    near = closest(name, known)
    if near:
        return f"; did you mean {near!r}?"
    return f"; there are: {', '.join(sorted(known))}" if known else ""
