"""An endpoint under load: retries, backoff, pausing while it is down, and what an error means."""

from __future__ import annotations

import asyncio
import functools
import json
import random
from collections.abc import Callable
from typing import Any

from mmcurate.chat.limiter import Limiter
from mmcurate.chat.request import Answer, Failure, parse
from mmcurate.chat.sender import Done, Sender
from mmcurate.chat.transport import Reply, Transport
from mmcurate.errors import ChatError, EndpointDown, ModelNotFound, Unauthorized, did_you_mean

MAX_OVERLOADS = 40
"""How many 429s one request takes (with waits of up to a minute between them) before it is given up for this run."""
_PROBE_S = 30.0
_PERMANENT_500 = ("not supported", "unsupported", "image input")


class Endpoint(Sender):
    """Sends requests to one endpoint.

    Args:
        make_transport: makes the transport; called on the endpoint's own event loop.
        model: the model's name.
        concurrency: requests in flight at the most.
        max_retries: how often a request is sent again after an error of its own.
        say: tells the user one line (the endpoint is down, is back).
        scrub: takes secrets out of a text.
    """

    def __init__(
        self,
        make_transport: Callable[[], Transport],
        *,
        model: str,
        where: str,
        concurrency: int,
        max_retries: int,
        say: Callable[[str], None],
        scrub: Callable[[str], str],
    ) -> None:
        super().__init__("mmcurate-chat", say)
        self.model, self.where, self.max_retries = model, where, max_retries
        self._scrub = scrub
        self._answered = False
        self._served: dict[str, str] | None = None
        self._limiter = Limiter(concurrency)
        self._probe: asyncio.Task[None] | None = None
        self._transport = self._run(self._make(make_transport))

    @staticmethod
    async def _make(make_transport: Callable[[], Transport]) -> Transport:
        return make_transport()

    def identity(self) -> dict[str, str]:
        """Returns what the server says of the model: its root, revision or digest.

        Raises:
            EndpointDown: there is no connection.
            Unauthorized: the key was refused.
            ModelNotFound: the server has other models.
        """
        self._served = self._read_models(self._run(self._models()))
        return self._served

    def _read_models(self, reply: Reply) -> dict[str, str]:
        if reply.status in (401, 403):
            raise Unauthorized(f"{self.where} refused the key (HTTP {reply.status}); pass api_key=")
        if reply.status in (404, 405, 501):
            return {}  # some endpoints have no list of models
        try:
            models = {m["id"]: m for m in json.loads(reply.body)["data"]}
        except (ValueError, KeyError, TypeError):
            # Not the same as no list: without the revision every key would change, and all be paid for again.
            said = self._scrub(_message(reply.body))
            raise EndpointDown(
                f"{self.where}/models answers HTTP {reply.status} and no list of models: {said}"
            ) from None
        if self.model not in models:
            hint = did_you_mean(self.model, models)
            raise ModelNotFound(f"{self.where} doesn't serve the model {self.model!r}{hint}")
        return {k: str(v) for k, v in models[self.model].items() if k in ("root", "revision", "digest", "parent") and v}

    async def _models(self) -> Reply:
        """Asks for the list of models, some times where the answer is an error that may pass."""
        reply = Reply(0, None, b"")
        for attempt in range(4):
            await asyncio.sleep(0.3 * attempt**2)
            try:
                reply = await self._transport.models()
            except EndpointDown as error:
                raise EndpointDown(
                    f"cannot reach {self.where}: {self._scrub(str(error))}; is the server up, and is the URL right "
                    "(it ends in /v1 for most servers)?"
                ) from None
            if reply.status < 500 and reply.status != 429:
                break
        return reply

    def submit(self, payload: Callable[[], dict[str, Any]], key: bytes, heavy: bool, done: Done) -> None:
        """Sends a request from any thread; `done` gets its answer and body on the event loop's thread."""
        self._post(functools.partial(self._complete, payload, key, heavy), done)

    async def _complete(self, make_payload: Any, key: bytes, heavy: bool) -> tuple[Answer | Failure, bytes]:
        tries = overloads = 0
        while True:
            await self._limiter.acquire()
            reply, reason, wait_s = None, "", None
            try:
                if self._fatal:
                    raise self._fatal
                try:
                    payload = await self._loop.run_in_executor(None, make_payload) if heavy else make_payload()
                except (OSError, ValueError) as error:
                    return Failure(f"the request can't be made: {error}", passing=False), b""
                try:
                    reply = await self._transport.complete(payload)
                except EndpointDown as error:
                    reason = self._scrub(str(error))
            finally:
                self._limiter.release()
            if reply is None or reply.status in (502, 503, 504):
                reason = reason or f"HTTP {reply.status if reply else 0}"
                if not await self._is_up(reason):
                    continue  # it was down and is back: nothing is charged to the request
            elif reply.status == 200:
                try:
                    answer = parse(reply.body, key, stored=False)
                    self._limiter.succeeded()
                    self._answered = True
                    return answer, reply.body
                except ValueError as error:
                    reason = self._scrub(str(error))
            else:
                failure = self._refusal(reply)
                if failure:
                    return failure, b""
                reason = f"HTTP {reply.status}: {self._scrub(_message(reply.body))}"
                if reply.status == 429:
                    self._limiter.overloaded()
                    overloads += 1
                    wait_s = reply.retry_after_s if reply.retry_after_s is not None else min(60.0, 0.5 * 1.5**overloads)
            if wait_s is None:
                tries += 1
                wait_s = min(30.0, 0.25 * 2**tries)
            if tries > self.max_retries or overloads > MAX_OVERLOADS:
                times = tries + overloads
                return Failure(f"no answer after {times} tries, the last: {reason}", passing=True), b""
            await asyncio.sleep(wait_s * random.uniform(0.75, 1.25))

    def _refusal(self, reply: Reply) -> Failure | None:
        """Returns the failure that a status means for this request, raises what it means for all, or None to retry."""
        said = self._scrub(_message(reply.body))
        if reply.status == 401 or (reply.status == 403 and not self._answered):
            raise Unauthorized(f"{self.where} refused the key (HTTP {reply.status}): {said}")
        if reply.status == 402:
            raise ChatError(f"{self.where}: the account is out of credit (HTTP 402): {said}")
        if reply.status == 404:
            raise ModelNotFound(f"{self.where} has no chat completions for the model {self.model!r}: {said}")
        if reply.status == 429 and "insufficient_quota" in said:
            raise ChatError(f"{self.where}: the account is out of credit: {said}")
        if reply.status == 500 and any(word in said for word in _PERMANENT_500):
            return Failure(f"HTTP 500: {said}", passing=False)
        if reply.status in (408, 409, 425, 429) or reply.status >= 500:
            return None
        return Failure(f"HTTP {reply.status}: {said}", passing=False)

    async def _is_up(self, reason: str) -> bool:
        """Whether the endpoint answers a probe. Where it doesn't: pauses all sending until it does, and is false."""
        if self._probe is None:
            try:
                reply = await self._transport.models()
                if reply.status not in (502, 503, 504):
                    self._compare(reply)
                    return True
            except EndpointDown:
                pass
        if self._probe is None:
            self._limiter.pause()
            self.say(f"{self.where} is down ({reason}); waiting for it, nothing is lost")
            self._probe = self._spawn(self._wait_until_up())
        await asyncio.shield(self._probe)
        return False

    async def _wait_until_up(self) -> None:
        wait_s, begin = 0.5, self._loop.time()
        while True:
            await asyncio.sleep(wait_s)
            wait_s = min(_PROBE_S, wait_s * 1.5)
            try:
                reply = await self._transport.models()
                if reply.status not in (502, 503, 504):
                    self._compare(reply)
                    break
            except EndpointDown:
                continue
        self.say(f"{self.where} is back after {self._loop.time() - begin:.0f} s")
        self._probe = None
        self._limiter.resume()

    def _compare(self, reply: Reply) -> None:
        """Stops the sending where another model is back than the one that the answers' keys name.

        Raises:
            EndpointDown: there is no list of models yet.
        """
        if self._served is None:
            return
        try:
            now = self._read_models(reply)
        except (Unauthorized, ModelNotFound) as error:
            self._fatal = error
            return
        if now != self._served:
            self._fatal = ChatError(
                f"{self.where} is back with {now}, and was {self._served}: run the same command again"
            )

    def status(self) -> dict[str, str]:
        """Returns what a progress line shows: nothing while all is well."""
        if self._probe is not None:
            return {"endpoint": "down, waiting"}
        return {"in flight limit": str(int(self._limiter.limit))} if self._limiter.limit < self._limiter.most else {}

    async def _release(self) -> None:
        await self._transport.close()


def _message(body: bytes) -> str:
    """Returns what an error body says, short."""
    text = body[:2000].decode("utf-8", "replace")
    try:
        error = json.loads(body)
        error = error.get("error", error)
        text = (
            " ".join(str(error[k]) for k in ("message", "code", "detail") if error.get(k))
            if isinstance(error, dict)
            else str(error)
        )
    except (ValueError, AttributeError):
        pass
    return " ".join(text.split())[:300] or "(empty body)"
