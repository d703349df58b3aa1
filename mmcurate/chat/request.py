"""One question to a model, one answer, and the key under which the answer is stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmcurate import pictures
from mmcurate.errors import ChatError

KEY_VERSION = 1
"""Part of every key; raise it when the same request would be sent as other bytes."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A system prompt, a user's text with `<image>` tags, and the pictures at those tags.

    Attributes:
        system: the system prompt, or an empty text for none.
        text: the user's text; each `<image>` in it stands for the next picture. Without pictures the text is sent as it is.
        images: picture structs (`schema.PICTURE`); their bytes are read only when the request is sent.
        sample_index: which of several answers to the same request this is; gives the request its seed.
    """

    system: str
    text: str
    images: Sequence[Mapping[str, Any]] = ()
    sample_index: int = 0

    def key(self, model: Mapping[str, Any]) -> bytes:
        """Returns the 32-byte key of the answer, given the model's identity and sampling settings.

        The route is no part of it: not the URL, not the key, not the limit on tokens (the store knows what an
        answer that ended by itself may serve).
        """
        content = [KEY_VERSION, model, self.system, self.text, [p["sha256"] for p in self.images], self.sample_index]
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    def parts(self) -> list[str | Mapping[str, Any]]:
        """Returns the user's texts and picture structs in their order.

        Raises:
            ChatError: the tags and the pictures don't match.
        """
        if not self.images:
            return [self.text]
        pieces = self.text.split("<image>")
        if len(pieces) - 1 != len(self.images):
            raise ChatError(f"{len(pieces) - 1} <image> tags, but {len(self.images)} pictures")
        out: list[str | Mapping[str, Any]] = [pieces[0]]
        for picture, piece in zip(self.images, pieces[1:], strict=True):
            out += [picture, piece]
        return [part for part in out if part]

    def messages(self) -> list[dict[str, Any]]:
        """Returns the OpenAI-style messages, pictures as data URLs. Reads the pictures."""
        content: str | list[dict[str, Any]] = self.text
        if self.images:
            content = [
                {"type": "text", "text": part}
                if isinstance(part, str)
                else {"type": "image_url", "image_url": {"url": pictures.data_url(pictures.read(dict(part)))}}
                for part in self.parts()
            ]
        return self.with_system(content)

    def with_system(self, content: Any) -> list[dict[str, Any]]:
        """Returns the messages around what the user says."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": content}]


def seed(key: bytes, sample_index: int) -> int:
    """Returns a request's seed, below 2^31: samples of one question follow each other, so none is equal.

    `key` is the key of the question's sample 0.
    """
    return (int.from_bytes(key[:4], "big") + sample_index) % (1 << 31)


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer.

    Attributes:
        text: the message's content, as it came.
        reasoning: the message's separate reasoning, or None.
        finish_reason: "stop" where the model ended by itself, "length" where it was cut off.
        prompt_tokens: by the server's count; 0 where it sends none.
        num_tokens: of the completion.
        key: the key in the answer store.
        stored: whether it came from the store instead of the endpoint.
    """

    text: str
    reasoning: str | None
    finish_reason: str
    prompt_tokens: int
    num_tokens: int
    key: bytes
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without an answer: why, and whether the same request may work later."""

    reason: str
    passing: bool


def parse(body: bytes, key: bytes, *, stored: bool) -> Answer:
    """Reads an answer from the body of a chat completion.

    Raises:
        ValueError: the body isn't one.
    """
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        usage = data.get("usage") or {}
        reasoning = message.get("reasoning") or message.get("reasoning_content") or None
        return Answer(
            text=_text(message.get("content")),
            reasoning=None if reasoning is None else _text(reasoning),
            finish_reason=_text(choice.get("finish_reason")),
            prompt_tokens=_count(usage.get("prompt_tokens")),
            num_tokens=_count(usage.get("completion_tokens")),
            key=key,
            stored=stored,
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        start = body[:120].decode("utf-8", "replace")
        raise ValueError(f"not a chat completion ({type(error).__name__}: {error}): {start!r}") from None


def _text(value: Any) -> str:
    """Returns a message's text; some servers send it as a list of parts."""
    if isinstance(value, list):
        value = "".join(part.get("text") or "" for part in value)
    if not isinstance(value, str | None):
        raise TypeError(f"a text is {type(value).__name__}")
    return (value or "").encode("utf-8", "replace").decode()


def _count(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 1 << 31 else 0
