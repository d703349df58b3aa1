"""What a chat model holds while it works, and what it counts."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from mmcurate.chat.batch import Batch
from mmcurate.chat.request import Answer
from mmcurate.chat.store import AnswerStore, shared
from mmcurate.errors import ChatError, Stopped

log = logging.getLogger(__name__)


class Backend(Protocol):
    """What a chat model sends through."""

    say: Callable[[str], None]

    def status(self) -> dict[str, str]:
        """Returns what a progress line shows of it."""
        ...

    def close(self) -> None:
        """Cancels what is in flight and gives back what is held."""
        ...


@dataclasses.dataclass
class Usage:
    """Counts of answers and tokens. `paid_*` leaves out what came from the store."""

    answers: int = 0
    paid_answers: int = 0
    paid_prompt_tokens: int = 0
    paid_tokens: int = 0
    tokens: int = 0

    def add(self, answer: Answer) -> None:
        """Counts an answer."""
        self.answers += 1
        self.tokens += answer.num_tokens
        if not answer.stored:
            self.paid_answers += 1
            self.paid_prompt_tokens += answer.prompt_tokens
            self.paid_tokens += answer.num_tokens


class Live:
    """What a teacher holds while it works."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.asking = threading.Lock()
        self.backend: Backend | None = None
        self.store: AnswerStore | None = None
        self.identity: dict[str, Any] | None = None
        self.assumed: ChatError | None = None
        """Why the identity is the one of the last time: the model can't be asked now."""
        self.in_flight: dict[bytes, list[tuple[Batch, int]]] = {}
        self.usage = Usage()
        self.say: Callable[[str], None] = log.warning

    def close(self) -> None:
        """Closes the backend, then the store, so that no answer comes after the store is gone."""
        if self.backend is not None:
            self.backend.close()
        if self.assumed is not None:
            self.identity = self.assumed = None
        with self.guard:
            waiting = [w for one in self.in_flight.values() for w in one]
            self.in_flight.clear()
        for batch, i in waiting:
            batch.put(i, Stopped("the teacher was closed"))
        if self.store is not None:
            shared.give_back(self.store)
        self.backend, self.store, self.identity = None, None, None
