"""A chat model, wherever it runs: sampling settings, the answer store under it, and equal requests asked once."""

from __future__ import annotations

import dataclasses
import functools
import logging
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import pydantic

from mmcurate import pictures
from mmcurate.chat.batch import Batch
from mmcurate.chat.live import Backend, Live, Usage
from mmcurate.chat.request import Answer, ChatRequest, Failure, seed
from mmcurate.chat.sender import Done
from mmcurate.chat.store import AnswerStore, cache_folder, shared
from mmcurate.errors import ChatError, RequestFailed
from mmcurate.step import Runtime, digest, settings

log = logging.getLogger(__name__)

Self = TypeVar("Self", bound="ChatModel")


@settings
class ChatModel(ABC):
    """A teacher or judge. Each answer is durable in the answer store before it is counted.

    Attributes:
        model: its name.
        temperature, top_p, presence_penalty, frequency_penalty, stop, max_tokens: of each request; None leaves it to the model.
        input_price, output_price: US dollars a million tokens, for estimates of cost.
        store: the folder of the answer store; a run sets it, else it lies in the user's cache.
    """

    model: str
    _: dataclasses.KW_ONLY
    temperature: Annotated[float | None, pydantic.Field(ge=0.0, le=2.0)] = 1.0
    top_p: Annotated[float | None, pydantic.Field(gt=0.0, le=1.0)] = 1.0
    presence_penalty: Annotated[float | None, pydantic.Field(ge=-2.0, le=2.0)] = 0.0
    frequency_penalty: Annotated[float | None, pydantic.Field(ge=-2.0, le=2.0)] = 0.0
    stop: Sequence[str] = ()
    max_tokens: Annotated[int, pydantic.Field(gt=0)] = 16_384
    input_price: Annotated[float, Runtime] = 0.0
    output_price: Annotated[float, Runtime] = 0.0
    store: Annotated[str | Path | None, Runtime] = None

    _hidden: ClassVar[tuple[str, ...]] = ()
    """Settings that `repr` doesn't show."""

    def __post_init__(self) -> None:
        live = Live()
        object.__setattr__(self, "_live", live)
        weakref.finalize(self, live.close)

    def __repr__(self) -> str:
        shown = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in self._hidden}
        given = [f"{n}={v!r}" for n, v in shown.items() if n != "model" and v not in (None, (), {})]
        return f"{type(self).__name__}({self.model!r}, {self.where()!r}, {', '.join(given)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy has the settings; what is open stays in its process.
        return _remade, (type(self), {f.name: getattr(self, f.name) for f in dataclasses.fields(self)})

    @abstractmethod
    def where(self) -> str:
        """Returns where the model is, without secrets."""

    @abstractmethod
    def _identify(self) -> dict[str, Any]:
        """Returns what tells this model and its revision from every other. Raises where it can't be asked."""

    def _confirm(self) -> None:
        """Asks the model again who it is, where that was only remembered, before anything is sent.

        Raises:
            EndpointDown: it still can't be asked.
            ChatError: it is another one now.
        """
        live = self._state()
        with live.asking:
            before, live.assumed = live.assumed, None
            if before is None:
                return
            try:
                now = {**self._identify(), **self._sampling()}
                if live.assumed is not None:
                    raise live.assumed
                if now != live.identity:
                    raise ChatError(
                        f"{self.where()} is back with {now}, and was {live.identity}: run the same command again"
                    )
            except BaseException:
                live.assumed = before
                raise

    @abstractmethod
    def _open_backend(self) -> Backend:
        """Returns what requests are sent through, made for this object."""

    @abstractmethod
    def _send(self, backend: Any, request: ChatRequest, key: bytes, done: Done) -> None:
        """Sends a request that the store has no answer to."""

    def _backend(self) -> Any:
        live = self._state()
        with live.guard:
            if live.backend is None:
                live.backend = self._open_backend()
            return live.backend

    def _state(self) -> Live:
        return self._live  # type: ignore[attr-defined]

    def identity(self) -> dict[str, Any]:
        """Returns the model and its sampling settings: with the messages, all that an answer depends on."""
        live = self._state()
        if live.identity is None:
            live.identity = {**self._identify(), **self._sampling()}
        return live.identity

    def _sampling(self) -> dict[str, Any]:
        names = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
        sampling: dict[str, Any] = {n: getattr(self, n) for n in names if getattr(self, n) is not None}
        if self.stop:
            sampling["stop"] = list(self.stop)
        return sampling

    def fingerprint(self) -> str:
        """Returns the digest of the model, its revision and its settings."""
        return digest({**self.identity(), "max_tokens": self.max_tokens})

    def open(self, store: str | Path, say: Callable[[str], None]) -> None:
        """Uses an answer store for this run, unless the teacher has one of its own."""
        live = self._state()
        live.say = say
        if live.backend is not None:
            live.backend.say = say
        wanted = Path(self.store or store).expanduser().resolve()
        if live.store is not None and live.store.folder != wanted:  # of a question asked by hand before the run
            shared.give_back(live.store)
            live.store = None
        if live.store is None:
            live.store = shared.take(wanted)

    def answer_store(self) -> AnswerStore:
        """Returns the open answer store; in the user's cache where none was named."""
        live = self._state()
        with live.guard:
            if live.store is None:
                live.store = shared.take(self.store or cache_folder())
                log.info("answers are kept in %s", live.store.folder)
            return live.store

    def request_key(self, request: ChatRequest) -> bytes:
        """Returns the 32-byte key under which the request's answer is stored."""
        return request.key(self.identity())

    def _seed(self, request: ChatRequest) -> int:
        first = dataclasses.replace(request, sample_index=0)
        return seed(self.request_key(first), request.sample_index)

    def answers(
        self, requests: Sequence[ChatRequest], on_result: Callable[[int, Answer | Failure], None] | None = None
    ) -> list[Answer | Failure]:
        """Answers many requests: from the store where it has them, else from the model.

        Safe from several threads at once; equal requests in flight are sent once.

        Args:
            requests: any number; they are in flight together, as many as the model takes at once.
            on_result: called with each index and result as it comes, from another thread.

        Raises:
            ChatError: the model refuses everything: a wrong key, an unknown model, an engine that died.
        """
        live = self._state()
        keys = [self.request_key(request) for request in requests]
        store, backend = self.answer_store(), self._backend()
        batch = Batch(len(requests), on_result)
        mine: dict[bytes, ChatRequest] = {}
        with live.guard:
            for i, key in enumerate(keys):
                waiting = live.in_flight.setdefault(key, [])
                waiting.append((batch, i))
                if len(waiting) == 1:
                    mine[key] = requests[i]
        # Looked up only now: what another thread asked is either still in flight or already stored.
        try:
            stored = store.get(mine, self.max_tokens)
            if len(stored) < len(mine):
                self._confirm()
            for key, request in mine.items():
                if key in stored:
                    self._tell(key, stored[key])
                else:
                    self._send(backend, request, key, functools.partial(self._came, store, key))
        except BaseException as error:
            for key in mine:
                self._tell(key, error)
            raise
        return batch.wait()

    def _came(self, store: AnswerStore, key: bytes, result: Answer | Failure | BaseException, body: bytes) -> None:
        if isinstance(result, Answer):
            store.put(result, self.max_tokens, body, lambda error: self._tell(key, error or result))
        else:
            self._tell(key, result)

    def _tell(self, key: bytes, result: Answer | Failure | BaseException) -> None:
        live = self._state()
        with live.guard:
            waiting = live.in_flight.pop(key, [])
            if isinstance(result, Answer):
                live.usage.add(result)
        for batch, i in waiting:
            batch.put(i, result)

    def ask(self, text: str, images: Sequence[Any] = (), *, system: str = "", sample_index: int = 0) -> Answer:
        """Asks once, by hand.

        Args:
            text: may hold `<image>` tags; pictures without one come first.
            images: paths, bytes or `PIL.Image`s.
            system: a system prompt; `mmcurate.prompts.SYSTEM_PROMPT` is the one that `Distill` uses.
            sample_index: another index gives another answer.

        Raises:
            RequestFailed: the model gave no answer to this request.
        """
        shown = [pictures.as_struct(image) for image in images]
        text = "<image>" * max(0, len(shown) - text.count("<image>")) + text
        result = self.answers([ChatRequest(system, text, shown, sample_index)])[0]
        if isinstance(result, Failure):
            raise RequestFailed(result.reason, passing=result.passing)
        return result

    @property
    def usage(self) -> Usage:
        """What was asked and what it cost, since this object was made."""
        return self._state().usage

    def cost(self, prompt_tokens: float, num_tokens: float) -> float:
        """Returns US dollars."""
        return (prompt_tokens * self.input_price + num_tokens * self.output_price) / 1e6

    def describe(self) -> dict[str, Any]:
        """Returns what a run's manifest keeps: the model, where it is, all its settings and prices. No secrets."""
        return {
            "model": self.model,
            "base_url": self.where(),
            "asked": {**self.identity(), "max_tokens": self.max_tokens},
            "input_price": self.input_price,
            "output_price": self.output_price,
            "store": str(self.answer_store().folder),
        }

    def status(self) -> dict[str, str]:
        """Returns what a progress line shows of the model: nothing while all is well."""
        backend = self._state().backend
        return backend.status() if backend else {}

    def close(self) -> None:
        """Cancels what is in flight and gives back model and store. The object can be used again."""
        self._state().close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _remade(cls: type[ChatModel], given: dict[str, Any]) -> ChatModel:
    return cls(**given)
