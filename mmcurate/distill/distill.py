"""Asking a teacher each question several times."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pydantic

from mmcurate.chat import Answer, AnswerStore, ChatRequest, Failure, Usage
from mmcurate.errors import SettingsError, Stopped
from mmcurate.prompts import SYSTEM_PROMPT, prompt_id, user_text
from mmcurate.schema import RESPONSES
from mmcurate.step import Context, Step, settings, with_passing_failures

ERRORS = pa.large_list(
    pa.struct([("sample_index", pa.int32()), ("reason", pa.large_string()), ("passing", pa.bool_())])
)
GUESSED_TOKENS = 1500
"""How long an answer is taken to be before any was seen, for the estimate of cost."""


class Teacher(Protocol):
    """What `Distill` needs of a chat model; `OpenAIChat` and `VLLMChat` have it."""

    model: str
    max_tokens: int

    def answers(
        self, requests: Sequence[ChatRequest], on_result: Callable[[int, Answer | Failure], None] | None = None
    ) -> list[Answer | Failure]:
        """Answers requests, from its store where it can."""
        ...

    def request_key(self, request: ChatRequest) -> bytes:
        """Returns the key under which the request's answer is stored."""
        ...

    def answer_store(self) -> AnswerStore:
        """Returns the open answer store."""
        ...

    def fingerprint(self) -> str:
        """Returns a digest of the model and all that its answers depend on. Raises where the model can't be asked."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Returns what the manifest keeps of it: `model`, `base_url`, `asked`, prices and `store`, without secrets."""
        ...

    def cost(self, prompt_tokens: float, num_tokens: float) -> float:
        """Returns US dollars."""
        ...

    def status(self) -> dict[str, str]:
        """Returns what a progress line shows."""
        ...

    def open(self, store: Path, say: Callable[[str], None]) -> None:
        """Gets ready for a run, with the run's answer store."""
        ...

    def close(self) -> None:
        """Gives back what `open` took."""
        ...


@settings
class Distill(Step):
    """Asks a teacher each question `num_responses` times, each time with another seed.

    Provides `responses`, and in `request_errors` why an answer is missing: where `passing` is true, the next run
    asks again.

    Attributes:
        teacher: an `OpenAIChat`, or a `VLLMChat`.
        num_responses: answers a question. A larger number later asks only for the further ones.
        system_prompt: the same for teacher, student, RL and evaluation.
    """

    teacher: Any
    num_responses: int = pydantic.Field(default=8, gt=0)
    system_prompt: str = SYSTEM_PROMPT

    version: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("question", "options", "images")
    provides: ClassVar[pa.Schema] = pa.schema([("responses", RESPONSES), ("request_errors", ERRORS)])
    waits: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(getattr(self.teacher, "answers", None)):
            raise SettingsError(
                f"Distill: teacher is {type(self.teacher).__name__}, which can't answer; give an OpenAIChat(...)"
            )
        object.__setattr__(self, "_seen", _Seen())
        object.__setattr__(self, "_stopping", threading.Event())

    def check(self) -> None:
        """Asks for the model. Raises EndpointDown, Unauthorized or ModelNotFound, or SettingsError without vLLM."""
        self.teacher.fingerprint()

    def open(self, context: Context) -> None:
        self.teacher.open(context.store, context.say)
        object.__setattr__(self, "_stopping", context.stopping)
        object.__setattr__(self, "_seen", _Seen())

    def close(self) -> None:
        self.teacher.close()

    def describe(self) -> Mapping[str, Any]:
        prompts = {prompt_id(self.system_prompt): self.system_prompt}
        return {**self.teacher.describe(), "num_responses": self.num_responses, "prompts": prompts}

    def _requests(self, table: pa.Table) -> list[ChatRequest]:
        out = []
        for row in table.select(["question", "options", "images"]).to_pylist():
            images = row["images"] or []
            text, order = user_text(row["question"], row["options"] or [], len(images))
            first = ChatRequest(self.system_prompt, text, [images[i] for i in order])
            out += [dataclasses.replace(first, sample_index=i) for i in range(self.num_responses)]
        return out

    def plan(self, table: pa.Table) -> Mapping[str, float]:
        requests = self._requests(table)
        keys = [self.teacher.request_key(r) for r in requests]
        stored = self.teacher.answer_store().get(keys, self.teacher.max_tokens)
        out = {"requests": len(requests), "stored": 0, "prompt": 0.0, "stored_prompt": 0.0}
        for request, key in zip(requests, keys, strict=True):
            size = (len(request.system) + len(request.text)) / 4 + sum(
                p["width"] * p["height"] / 1024 + 2 for p in request.images
            )
            out["stored"] += key in stored
            out["stored_prompt" if key in stored else "prompt"] += size
        out["known_prompt"] = sum(a.prompt_tokens for a in stored.values())
        out["known_tokens"] = sum(a.num_tokens for a in stored.values())
        out["bytes"] = 8_000.0 * (out["requests"] - out["stored"])
        return out

    def announce(self, plan: Mapping[str, float]) -> str:
        requests, stored = int(plan.get("requests", 0)), int(plan.get("stored", 0))
        new, folder = requests - stored, self.teacher.answer_store().folder
        if not new:
            return f"all {requests:,} answers are in the store {folder}"
        # What the store holds of this very run tells more than a guess.
        prompt = plan["prompt"] * (plan["known_prompt"] / plan["stored_prompt"] if plan["known_prompt"] else 1.0)
        each = plan["known_tokens"] / stored if plan["known_tokens"] else min(GUESSED_TOKENS, self.teacher.max_tokens)
        how = (
            f"by those in the store {each:,.0f} an answer" if plan["known_tokens"] else f"a guess of {each:,} an answer"
        )
        line = f"{new:,} requests to {self.teacher.model} ({stored:,} more are in the store {folder}), "
        line += f"about {prompt:,.0f} tokens to send and {new * each:,.0f} to get ({how})"
        cost = self.teacher.cost(prompt, new * each)
        return line + (f", about US$ {cost:,.2f}" if cost else "; with input_price and output_price it tells the cost")

    def status(self) -> Mapping[str, str]:
        return self._seen.status(self.teacher)  # type: ignore[attr-defined]

    def rows_done(self) -> int:
        seen: _Seen = self._seen  # type: ignore[attr-defined]
        return (seen.usage.answers + seen.failed) // self.num_responses

    def __call__(self, table: pa.Table) -> pa.Table:
        requests = self._requests(table)
        seen: _Seen = self._seen  # type: ignore[attr-defined]
        if self._stopping.is_set():  # type: ignore[attr-defined]
            raise Stopped("stopped before this shard was asked")
        results = self.teacher.answers(requests, seen.count)
        prompt = prompt_id(self.system_prompt)
        ids = table["id"].to_pylist()
        responses: list[list[dict[str, Any]]] = [[] for _ in ids]
        errors: list[list[dict[str, Any]]] = [[] for _ in ids]
        for i, (request, result) in enumerate(zip(requests, results, strict=True)):
            row = i // self.num_responses
            if isinstance(result, Failure):
                errors[row].append(
                    {"sample_index": request.sample_index, "reason": result.reason, "passing": result.passing}
                )
                continue
            responses[row].append(
                {
                    "trace_id": f"{ids[row]}#{request.sample_index}-{result.key.hex()[:6]}",
                    "teacher": self.teacher.model,
                    "prompt_id": prompt,
                    "sample_index": request.sample_index,
                    "text": _utf8(result.text),
                    "reasoning": _utf8(result.reasoning),
                    "finish_reason": result.finish_reason,
                    "prompt_tokens": result.prompt_tokens,
                    "num_tokens": result.num_tokens,
                }
            )
        made = pa.table(
            {"responses": pa.array(responses, RESPONSES), "request_errors": pa.array(errors, ERRORS)},
            schema=self.provides,
        )
        return with_passing_failures(made, sum(e["passing"] for row in errors for e in row))


def _utf8(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "replace").decode()


class _Seen:
    """What the progress line counts."""

    def __init__(self) -> None:
        self.usage, self.failed = Usage(), 0
        self._paid: deque[tuple[float, int]] = deque([(time.monotonic(), 0)], maxlen=60)
        self._guard = threading.Lock()

    def count(self, _: int, result: Answer | Failure) -> None:
        with self._guard:
            if isinstance(result, Answer):
                self.usage.add(result)
            else:
                self.failed += 1

    def status(self, teacher: Teacher) -> dict[str, str]:
        now, paid = time.monotonic(), self.usage.paid_answers
        begin, before = self._paid[0]
        self._paid.append((now, paid))  # a status every 0.3 s: the rate of the last 20 s or so
        out = {
            "answers": f"{self.usage.answers:,}",
            "a second": f"{(paid - before) / max(1e-3, now - begin):,.1f}",
            "tokens": f"{self.usage.tokens:,}",
        }
        cost = teacher.cost(self.usage.paid_prompt_tokens, self.usage.paid_tokens)
        if cost:
            out["US$"] = f"{cost:,.2f}"
        if self.failed:
            out["failed"] = f"{self.failed:,}"
        return {**out, **teacher.status()}
