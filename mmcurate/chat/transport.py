"""One POST of a chat completion and what its outcome means, over aiohttp or over a client of the user's own."""

from __future__ import annotations

import contextlib
import json
import resource
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from mmcurate.errors import EndpointDown


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server sent back: the status, how long it asks to wait (seconds, or None), and the body."""

    status: int
    retry_after_s: float | None
    body: bytes


class Transport(Protocol):
    """Sends bytes and gets bytes; knows nothing of retries."""

    async def models(self) -> Reply:
        """GET /models. Raises EndpointDown where there is no connection."""
        ...

    async def complete(self, payload: dict[str, Any]) -> Reply:
        """POST /chat/completions. Raises EndpointDown where there is no connection or no whole reply."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...


def _retry_after(headers: Any) -> float | None:
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return None


def _allow_open_files(number: int) -> None:
    """Raises the process's own limit on open files where it is too low for the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (number if hard == resource.RLIM_INFINITY else min(number, hard), hard)
            )


class AiohttpTransport:
    """The default: aiohttp, whose CPU cost a request is a tenth of the openai package's."""

    def __init__(self, base_url: str, api_key: str, timeout_s: float, connections: int) -> None:
        import aiohttp

        self._base = base_url.rstrip("/")
        _allow_open_files(connections + 512)
        headers = {"Content-Type": "application/json"}
        if api_key:
            url = urlsplit(self._base)  # a key and a user's name exclude each other
            self._base = urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))
            headers["Authorization"] = f"Bearer {api_key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=10),
            headers=headers,
        )

    async def _send(self, method: str, path: str, data: bytes | None, timeout_s: float | None) -> Reply:
        import aiohttp

        options: dict[str, Any] = {}
        if timeout_s:
            options["timeout"] = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(method, self._base + path, data=data, **options) as response:
                return Reply(response.status, _retry_after(response.headers), await response.read())
        except TimeoutError:
            raise EndpointDown("no answer in time") from None
        except aiohttp.InvalidURL:
            raise EndpointDown("not a valid URL") from None
        except aiohttp.ClientConnectorError as error:
            raise EndpointDown(error.os_error.strerror or str(error.os_error)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise EndpointDown(str(error) or type(error).__name__) from None

    async def models(self) -> Reply:
        return await self._send("GET", "/models", None, 10)

    async def complete(self, payload: dict[str, Any]) -> Reply:
        return await self._send("POST", "/chat/completions", json.dumps(payload, ensure_ascii=False).encode(), None)

    async def close(self) -> None:
        await self._session.close()


class ClientTransport:
    """A client of the user's own: an `openai.AsyncOpenAI`, or what looks like one (Azure's, for example)."""

    def __init__(self, client: Any, timeout_s: float) -> None:
        self._owned = client
        self._client = client.with_options(max_retries=0, timeout=timeout_s)

    async def _call(self, function: Any, **arguments: Any) -> Reply:
        import openai

        try:
            raw = await function(**arguments)
            return Reply(200, None, raw.content)
        except openai.APIStatusError as error:
            return Reply(error.status_code, _retry_after(error.response.headers), error.response.content)
        except (TimeoutError, openai.APIConnectionError) as error:
            raise EndpointDown(str(error) or type(error).__name__) from None

    async def models(self) -> Reply:
        return await self._call(self._client.models.with_raw_response.list)

    async def complete(self, payload: dict[str, Any]) -> Reply:
        known = (
            "model",
            "messages",
            "temperature",
            "top_p",
            "max_tokens",
            "presence_penalty",
            "frequency_penalty",
            "seed",
            "stop",
            "n",
        )
        extra = {k: v for k, v in payload.items() if k not in known}
        known_payload = {k: v for k, v in payload.items() if k in known}
        create = self._client.chat.completions.with_raw_response.create
        return await self._call(create, **known_payload, extra_body=extra or None)

    async def close(self) -> None:
        await self._owned.close()
