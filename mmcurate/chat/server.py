"""A small OpenAI-compatible server on loopback, with faults on demand: the base of the teachers that need no model."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import threading
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any

from mmcurate.errors import ChatError
from mmcurate.step import settings


@settings
class Faults:
    """How often a server misbehaves, each a share of requests between 0 and 1.

    A request that is sent again meets its faults anew, so each gets through in the end.

    Attributes:
        overloaded: answers 429, with a Retry-After of a tenth of a second.
        failing: answers 500.
        garbage: answers 200 with broken JSON.
        dropped: closes the connection halfway through the body.
        slow: answers after `slow_s` seconds more.
        latency_s: how long every answer takes.
    """

    overloaded: float = 0.0
    failing: float = 0.0
    garbage: float = 0.0
    dropped: float = 0.0
    slow: float = 0.0
    slow_s: float = 2.0
    latency_s: float = 0.0


class ChatServer(ABC):
    """Serves one model on 127.0.0.1. A context manager; `base_url` is where it listens.

    Args:
        model: the name it serves; `root` is what it reports as the model's revision.
        port: 0 takes a free one.
        api_key: refuses every other key; empty takes any.
        faults: how it misbehaves.

    Attributes:
        num_requests: chat requests that it has answered with 200, each choice counted once.
        asked: how often each request (text, pictures, settings and seed) was answered.
    """

    def __init__(
        self, *, model: str, root: str = "", port: int = 0, api_key: str = "", faults: Faults | None = None
    ) -> None:
        self.model, self.root, self.api_key = model, root or model, api_key
        self.faults = faults or Faults()
        self.num_requests = 0
        self.asked: Counter[str] = Counter()
        self._attempts: Counter[str] = Counter()
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._runner: Any = None

    @property
    def base_url(self) -> str:
        """The URL for `OpenAIChat`."""
        if not self._port:
            raise ChatError(
                f"{type(self).__name__} isn't running: use it as `with {type(self).__name__}(...) as teacher:`"
            )
        return f"http://127.0.0.1:{self._port}/v1"

    @abstractmethod
    def reply(self, messages: list[dict[str, Any]], seed: int) -> tuple[dict[str, Any], str]:
        """Returns the message and the finish reason. The same request must always get the same."""

    async def _models(self, request: Any) -> Any:
        from aiohttp import web

        if refused := self._refuse(request):
            return refused
        model = {"id": self.model, "object": "model", "root": self.root, "owned_by": "mmcurate"}
        return web.json_response({"object": "list", "data": [model]})

    def _refuse(self, request: Any) -> Any:
        from aiohttp import web

        if self.api_key and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            said = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return web.json_response({"error": {"message": f"Incorrect API key provided: {said}"}}, status=401)
        return None

    async def _chat(self, request: Any) -> Any:
        from aiohttp import web

        raw = await request.read()
        if refused := self._refuse(request):
            return refused
        body = json.loads(raw)
        if body.get("model") != self.model:
            said = {"error": {"message": f"The model `{body.get('model')}` does not exist."}}
            return web.json_response(said, status=404)
        name = hashlib.sha256(raw).hexdigest()
        self._attempts[name] += 1
        dice = random.Random(f"{name}-{self._attempts[name]}")
        faults = self.faults
        wait_s = faults.latency_s + (faults.slow_s if dice.random() < faults.slow else 0.0)
        if wait_s:
            await asyncio.sleep(wait_s)
        draw = dice.random()
        if draw < faults.overloaded:
            return web.json_response({"error": {"message": "overloaded"}}, status=429, headers={"Retry-After": "0.1"})
        if draw < faults.overloaded + faults.failing:
            return web.json_response({"error": {"message": "internal error"}}, status=500)
        seed = int(body.get("seed") or 0)
        count = int(body.get("n") or 1)
        replies = [self.reply(body["messages"], seed + i) for i in range(count)]
        choices = [{"index": i, "message": m, "finish_reason": f} for i, (m, f) in enumerate(replies)]
        texts = [
            str(m.get("content") or "") + str(m.get("reasoning") or m.get("reasoning_content") or "")
            for m, _ in replies
        ]
        usage = {
            "prompt_tokens": sum(_size(m) for m in body["messages"]) // 4,
            "completion_tokens": sum(len(t) // 4 + 1 for t in texts),
        }
        answer = json.dumps(
            {
                "id": f"chat-{name[:12]}",
                "object": "chat.completion",
                "model": self.model,
                "choices": choices,
                "usage": usage,
            }
        ).encode()
        if draw > 1 - faults.garbage:
            return web.Response(body=answer[: len(answer) // 2], content_type="application/json")
        if draw > 1 - faults.garbage - faults.dropped:
            half = web.StreamResponse(headers={"Content-Length": str(len(answer))})
            await half.prepare(request)
            await half.write(answer[: len(answer) // 2])
            request.transport.close()
            return half
        self.asked[name] += 1
        self.num_requests += count
        return web.Response(body=answer, content_type="application/json")

    def start(self) -> None:
        """Listens, on the same port as before where it was stopped."""
        ready: threading.Event = threading.Event()
        failed: list[BaseException] = []

        async def serve() -> None:
            from aiohttp import web

            app = web.Application(client_max_size=1 << 30)
            app.router.add_get("/v1/models", self._models)
            app.router.add_post("/v1/chat/completions", self._chat)
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=4096, reuse_address=True)
            await site.start()
            self._port = self._runner.addresses[0][1]

        def main() -> None:
            loop = self._loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(serve())
            except BaseException as error:
                failed.append(error)
                ready.set()
                return
            ready.set()
            loop.run_forever()
            loop.run_until_complete(self._end())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

        self._thread = threading.Thread(target=main, name=type(self).__name__, daemon=True)
        self._thread.start()
        ready.wait()
        if failed:
            raise ChatError(f"{type(self).__name__} can't listen on port {self._port}: {failed[0]}") from failed[0]

    async def _end(self) -> None:
        """Drops the requests in work and closes every connection."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runner.cleanup()

    def stop(self) -> None:
        """Closes every connection, as a server that dies does. `start` brings it back on the same port."""
        if self._loop and self._thread and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _size(message: dict[str, Any]) -> int:
    """Returns a message's characters; a picture counts as a thousand."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return len(content)
    return sum(len(part.get("text", "")) if part["type"] == "text" else 1000 for part in content)
