"""A chat model behind an OpenAI-compatible endpoint: vLLM, SGLang, llama.cpp, OpenAI and most others."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import re
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import pydantic

from mmcurate import pictures
from mmcurate.chat.batch import Batch
from mmcurate.chat.endpoint import Endpoint
from mmcurate.chat.request import Answer, ChatRequest, Failure, seed
from mmcurate.chat.store import AnswerStore, cache_folder, shared
from mmcurate.chat.transport import AiohttpTransport, ClientTransport, Transport
from mmcurate.errors import RequestFailed, SettingsError, Stopped
from mmcurate.step import Runtime, digest, settings

log = logging.getLogger(__name__)


@settings
class OpenAIChat:
    """A teacher or judge. Each answer is durable in the answer store before it is counted.

    Attributes:
        model: the name that the server knows it by.
        base_url: ends in `/v1` for most servers.
        api_key: else `MMCURATE_API_KEY`, or `OPENAI_API_KEY` for api.openai.com. Shown and written nowhere.
        temperature, top_p, presence_penalty, frequency_penalty, stop, max_tokens: sent with each request, so
            that no server's default decides; None is not sent.
        extra_body: further fields of each request, such as `{"top_k": 20}`.
        input_price, output_price: US dollars a million tokens, for estimates of cost.
        concurrency: requests in flight at the most; fewer while the server answers 429.
        timeout_s: for one answer.
        max_retries: how often a request is sent again after an error that isn't the endpoint's.
        store: the folder of the answer store; a run sets it, else it lies in the user's cache.
        make_client: makes an `openai.AsyncOpenAI` to send through, for what needs one (Azure, for example):
            `make_client=lambda: openai.AsyncAzureOpenAI(...)`.
    """

    model: str
    base_url: Annotated[str, Runtime] = "https://api.openai.com/v1"
    _: dataclasses.KW_ONLY
    api_key: Annotated[pydantic.SecretStr | None, Runtime] = None
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    presence_penalty: float | None = 0.0
    frequency_penalty: float | None = 0.0
    stop: Sequence[str] = ()
    max_tokens: int = pydantic.Field(default=16_384, gt=0)
    extra_body: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    input_price: Annotated[float, Runtime] = 0.0
    output_price: Annotated[float, Runtime] = 0.0
    concurrency: Annotated[int, Runtime] = pydantic.Field(default=256, gt=0)
    timeout_s: Annotated[float, Runtime] = 3600.0
    max_retries: Annotated[int, Runtime] = pydantic.Field(default=6, ge=0)
    store: Annotated[str | Path | None, Runtime] = None
    make_client: Annotated[Callable[[], Any] | None, Runtime] = None

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            shown = re.sub(r"//[^/@]*@", "//***@", self.base_url.partition("?")[0])
            raise SettingsError(f"OpenAIChat: base_url = {shown!r} must look like http://host:8000/v1")
        live = _Live()
        object.__setattr__(self, "_live", live)
        weakref.finalize(self, live.close)

    def __repr__(self) -> str:
        shown = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("api_key", "base_url")
        }
        given = [f"{n}={v!r}" for n, v in shown.items() if n != "model" and v not in (None, (), {})]
        return f"OpenAIChat({self.model!r}, {self.where()!r}, {', '.join(given)})"

    def where(self) -> str:
        """Returns the URL without a user's name, password or query."""
        url = urlsplit(self.base_url)
        return urlunsplit(
            (url.scheme, f"{url.hostname}:{url.port}" if url.port else url.hostname or "", url.path, "", "")
        )

    def _key(self) -> str:
        if self.api_key is not None:
            return self.api_key.get_secret_value()  # an empty one means none
        openai = (urlsplit(self.base_url).hostname or "").endswith("openai.com")
        return os.environ.get("MMCURATE_API_KEY") or (os.environ.get("OPENAI_API_KEY", "") if openai else "")

    def _scrub(self, text: str) -> str:
        url = urlsplit(self.base_url)
        for secret in (self._key(), url.password, url.query):
            if secret:
                text = text.replace(secret, "***")
        return re.sub(r"\bsk-[\w-]{6,}", "***", text)

    def _endpoint(self) -> Endpoint:
        live: _Live = self._live  # type: ignore[attr-defined]
        with live.guard:
            if live.endpoint is None:
                live.endpoint = Endpoint(
                    self._transport,
                    model=self.model,
                    where=self.where(),
                    concurrency=self.concurrency,
                    max_retries=self.max_retries,
                    say=live.say,
                    scrub=self._scrub,
                )
            return live.endpoint

    def _transport(self) -> Transport:
        if self.make_client is not None:
            return ClientTransport(self.make_client(), self.timeout_s)
        return AiohttpTransport(self.base_url, self._key(), self.timeout_s, self.concurrency + 8)

    def identity(self) -> dict[str, Any]:
        """Returns the model and its sampling settings: with the messages, all that an answer depends on.

        Asks the server once which revision it serves.
        """
        live: _Live = self._live  # type: ignore[attr-defined]
        if live.identity is None:
            served = self._endpoint().identity()
            live.identity = {"model": self.model, "served": served, **self._sampling()}
        return live.identity

    def _sampling(self) -> dict[str, Any]:
        names = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
        sampling: dict[str, Any] = {n: getattr(self, n) for n in names if getattr(self, n) is not None}
        if self.stop:
            sampling["stop"] = list(self.stop)
        return {**sampling, **self.extra_body}

    def fingerprint(self) -> str:
        """Returns the digest of the model, its revision and its settings."""
        return digest({**self.identity(), "max_tokens": self.max_tokens})

    def open(self, store: str | Path, say: Callable[[str], None]) -> None:
        """Uses an answer store for this run, unless the teacher has one of its own."""
        live: _Live = self._live  # type: ignore[attr-defined]
        live.say = say
        if live.endpoint is not None:
            live.endpoint.say = say
        wanted = Path(self.store or store).expanduser().resolve()
        if live.store is not None and live.store.folder != wanted:  # of a question asked by hand before the run
            shared.give_back(live.store)
            live.store = None
        if live.store is None:
            live.store = shared.take(wanted)

    def answer_store(self) -> AnswerStore:
        """Returns the open answer store; in the user's cache where none was named."""
        live: _Live = self._live  # type: ignore[attr-defined]
        if live.store is None:
            live.store = shared.take(self.store or cache_folder())
            log.info("answers are kept in %s", live.store.folder)
        return live.store

    def request_key(self, request: ChatRequest) -> bytes:
        """Returns the 32-byte key under which the request's answer is stored."""
        return request.key(self.identity())

    def _payload(self, request: ChatRequest) -> dict[str, Any]:
        first = dataclasses.replace(request, sample_index=0)
        return {
            "model": self.model,
            "messages": request.messages(),
            "max_tokens": self.max_tokens,
            "seed": seed(self.request_key(first), request.sample_index),
            **self._sampling(),
        }

    def answers(
        self, requests: Sequence[ChatRequest], on_result: Callable[[int, Answer | Failure], None] | None = None
    ) -> list[Answer | Failure]:
        """Answers many requests: from the store where it has them, else from the endpoint.

        Safe from several threads at once; equal requests in flight are sent once.

        Args:
            requests: any number; they are in flight together up to `concurrency`.
            on_result: called with each index and result as it comes, from another thread.

        Raises:
            Unauthorized, ModelNotFound: the endpoint refuses everything.
        """
        live: _Live = self._live  # type: ignore[attr-defined]
        keys = [self.request_key(request) for request in requests]
        store, endpoint = self.answer_store(), self._endpoint()
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
            for key, request in mine.items():
                if key in stored:
                    self._tell(key, stored[key])
                else:
                    payload, came = functools.partial(self._payload, request), functools.partial(self._came, store, key)
                    endpoint.submit(payload, key, bool(request.images), came)
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
        live: _Live = self._live  # type: ignore[attr-defined]
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
            RequestFailed: the endpoint gave no answer to this request.
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
        return self._live.usage  # type: ignore[attr-defined]

    def cost(self, prompt_tokens: float, num_tokens: float) -> float:
        """Returns US dollars."""
        return (prompt_tokens * self.input_price + num_tokens * self.output_price) / 1e6

    def status(self) -> dict[str, str]:
        """Returns what a progress line shows of the endpoint."""
        live: _Live = self._live  # type: ignore[attr-defined]
        return live.endpoint.status() if live.endpoint else {}

    def close(self) -> None:
        """Cancels what is in flight and closes connections and store. The object can be used again."""
        self._live.close()  # type: ignore[attr-defined]

    def __enter__(self) -> OpenAIChat:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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


class _Live:
    """What a teacher holds while it works."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.endpoint: Endpoint | None = None
        self.store: AnswerStore | None = None
        self.identity: dict[str, Any] | None = None
        self.in_flight: dict[bytes, list[tuple[Batch, int]]] = {}
        self.usage = Usage()
        self.say: Callable[[str], None] = log.warning

    def close(self) -> None:
        """Closes the endpoint, then the store, so that no answer comes after the store is gone."""
        if self.endpoint is not None:
            self.endpoint.close()
        with self.guard:
            waiting = [w for one in self.in_flight.values() for w in one]
            self.in_flight.clear()
        for batch, i in waiting:
            batch.put(i, Stopped("the teacher was closed"))
        if self.store is not None:
            shared.give_back(self.store)
        self.endpoint, self.store, self.identity = None, None, None
