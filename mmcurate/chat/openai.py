"""A chat model behind an OpenAI-compatible endpoint: vLLM, SGLang, llama.cpp, OpenAI and most others."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import pydantic

from mmcurate.chat.endpoint import Endpoint
from mmcurate.chat.model import ChatModel
from mmcurate.chat.request import ChatRequest
from mmcurate.chat.sender import Done
from mmcurate.chat.transport import AiohttpTransport, ClientTransport, Transport
from mmcurate.errors import EndpointDown, SettingsError
from mmcurate.step import Runtime, digest, settings


def _remembered(place: Path) -> dict[str, str] | None:
    try:
        return dict(json.loads(place.read_text("utf-8"))["served"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@settings
class OpenAIChat(ChatModel):
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

    base_url: Annotated[str, Runtime] = "https://api.openai.com/v1"
    _: dataclasses.KW_ONLY
    api_key: Annotated[pydantic.SecretStr | None, Runtime] = None
    extra_body: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    concurrency: Annotated[int, Runtime] = pydantic.Field(default=256, gt=0)
    timeout_s: Annotated[float, Runtime] = 3600.0
    max_retries: Annotated[int, Runtime] = pydantic.Field(default=6, ge=0)
    make_client: Annotated[Callable[[], Any] | None, Runtime] = None

    _hidden: ClassVar[tuple[str, ...]] = ("api_key", "base_url")
    __repr__ = ChatModel.__repr__  # a dataclass would write one that shows them

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            shown = re.sub(r"//[^/@]*@", "//***@", self.base_url.partition("?")[0])
            raise SettingsError(f"OpenAIChat: base_url = {shown!r} must look like http://host:8000/v1")
        super().__post_init__()

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

    def _open_backend(self) -> Endpoint:
        return Endpoint(
            self._transport,
            model=self.model,
            where=self.where(),
            concurrency=self.concurrency,
            max_retries=self.max_retries,
            say=self._state().say,
            scrub=self._scrub,
        )

    def _transport(self) -> Transport:
        if self.make_client is not None:
            return ClientTransport(self.make_client(), self.timeout_s)
        return AiohttpTransport(self.base_url, self._key(), self.timeout_s, self.concurrency + 8)

    def _identify(self) -> dict[str, Any]:
        """Asks the server which revision it serves; where it is down, what it served last time is taken, until it is needed."""
        place = self.answer_store().folder / f"served-{digest([self.model, self.where()])[:16]}.json"
        known = _remembered(place)
        try:
            served = self._backend().identity()
            if known and not served:  # a gateway whose server is still starting
                raise EndpointDown(f"{self.where()}/models has no list of models now, and had one before")
        except EndpointDown as error:
            if known is None:
                raise
            live = self._state()
            live.say(f"{self.where()} is down; the answers that it gave before are taken from the answer store")
            live.assumed, served = error, known
        else:
            if served != known:
                temporary = place.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
                temporary.write_text(
                    json.dumps({"model": self.model, "where": self.where(), "served": served}), "utf-8"
                )
                os.replace(temporary, place)
        return {"model": self.model, "served": served}

    def _sampling(self) -> dict[str, Any]:
        return {**super()._sampling(), **self.extra_body}

    def _payload(self, request: ChatRequest) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": request.messages(),
            "max_tokens": self.max_tokens,
            "seed": self._seed(request),
            **self._sampling(),
        }

    def _send(self, backend: Endpoint, request: ChatRequest, key: bytes, done: Done) -> None:
        backend.submit(functools.partial(self._payload, request), key, bool(request.images), done)
