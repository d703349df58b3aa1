"""vLLM's engine in this process: one at a time, fed by all threads, each request answered as it is done."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from mmcurate import pictures
from mmcurate.chat.orphans import Watch
from mmcurate.chat.request import Answer, ChatRequest, Failure, parse
from mmcurate.chat.sender import Done, Sender
from mmcurate.errors import ChatError, SettingsError, did_you_mean

_TRIES = 3
"""vLLM asks for a request again when its picture caches disagree."""


class Engine(Sender):
    """A vLLM engine, started on its own thread while requests already queue.

    Args:
        args: vLLM's engine arguments.
        say: tells the user one line.
        after: the engine whose GPUs this one takes over, once it is idle.
    """

    def __init__(self, args: Mapping[str, Any], say: Callable[[str], None], after: Engine | None) -> None:
        super().__init__("mmcurate-vllm", say)
        self.args = dict(args)
        self._vllm: Any = None
        self._watch: Watch | None = None
        self._loading = True
        self._numbers = itertools.count()
        self._tokenizing = threading.Lock()  # a fast tokenizer refuses two threads at once
        self.closed = threading.Event()
        self._loop.call_soon_threadsafe(self._start, after)

    def _start(self, after: Engine | None) -> None:
        """Starts vLLM, which holds this thread for minutes; what is submitted meanwhile waits."""
        if after is not None:
            after.finish()
        if not self._fatal:
            self._watch = Watch()
            self._load()
            self._watch.seen()
        self._loading = False

    def _load(self) -> None:
        model, begin = self.args["model"], time.monotonic()
        self.say(f"vLLM loads {model}")
        # vLLM forks by default, which is unsafe beside the threads of a run.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        try:
            import transformers
            from vllm import AsyncEngineArgs, AsyncLLMEngine

            args = AsyncEngineArgs(**self.args)
            # The processor's chat template comes first, as in `vllm serve`; of a text model it is the tokenizer.
            self._chat = transformers.AutoProcessor.from_pretrained(
                args.model, revision=args.revision, trust_remote_code=args.trust_remote_code
            )
            self._vllm = AsyncLLMEngine.from_engine_args(args)
        except Exception as error:
            said = " ".join(str(error).split())[:500]
            self._fatal = self._fatal or ChatError(
                f"vLLM can't start {model} ({type(error).__name__}: {said}); its own log says more. A script needs "
                '`if __name__ == "__main__":` around what it runs'
            )
            return
        # Twice what it works on at once: its queue never runs dry, and pictures of no more requests are in memory.
        self._places = asyncio.Semaphore(2 * self._vllm.vllm_config.scheduler_config.max_num_seqs)
        self.say(f"vLLM runs {model}, after {time.monotonic() - begin:.0f} s")

    def submit(self, request: ChatRequest, sampling: Mapping[str, Any], key: bytes, done: Done) -> None:
        """Answers a request, from any thread; `done` gets its answer and body on the engine's thread."""
        self._post(functools.partial(self._answer, request, sampling, key), done)

    async def _answer(
        self, request: ChatRequest, sampling: Mapping[str, Any], key: bytes
    ) -> tuple[Answer | Failure, bytes]:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineGenerateError

        try:
            params = SamplingParams(**sampling, output_kind=RequestOutputKind.FINAL_ONLY)
        except Exception as error:  # each of its checks raises a type of its own
            raise SettingsError(f"VLLMChat: vLLM takes no such sampling settings: {error}") from None
        reason = ""
        for _ in range(_TRIES):
            async with self._places:
                try:
                    prompt = await self._loop.run_in_executor(None, self._prompt, request)
                    (rendered,) = await self._vllm.renderer.render_cmpl_async([prompt])
                    output = None
                    name = f"{key.hex()[:16]}-{next(self._numbers)}"
                    async for made in self._vllm.generate(rendered, params, name):
                        output = made
                except ChatError:
                    raise
                except Exception as error:
                    if self._vllm.errored:
                        raise ChatError(
                            f"vLLM's engine died while it ran {self.args['model']}; its own log says why. The answers so "
                            "far are stored: the same command goes on"
                        ) from error
                    cause = error.__cause__ or error
                    reason = f"vLLM: {' '.join(str(cause).split()) or type(cause).__name__}"[:300]
                    if isinstance(error, EngineGenerateError) and not isinstance(cause, (ValueError, TypeError)):
                        continue
                    return Failure(reason, passing=False), b""
            if output is not None and output.outputs[0].finish_reason not in (None, "abort", "error"):
                return self._result(output, params.max_tokens, key)
            reason = "vLLM gave the request up"
        return Failure(f"no answer after {_TRIES} tries, the last: {reason}", passing=True), b""

    def _prompt(self, request: ChatRequest) -> dict[str, Any]:
        """Returns the tokens and pictures that `vllm serve` would make of the request's messages."""
        parts = request.parts()
        shown = [pictures.pixels(pictures.read(dict(p))) for p in parts if not isinstance(p, str)]
        content = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in parts]
        messages = request.with_system(content if shown else request.text)
        text = self._chat.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        left_out = [p for p in (request.system, *parts) if isinstance(p, str) and p.strip() not in text]
        if left_out:
            raise ChatError(
                f"the chat template of {self.args['model']} leaves out what it was given: {left_out[0][:80]!r}"
            )
        tokenizer = getattr(self._chat, "tokenizer", self._chat)
        with self._tokenizing:
            prompt: dict[str, Any] = {"prompt_token_ids": tokenizer.encode(text, add_special_tokens=False)}
        if shown:
            prompt["multi_modal_data"] = {"image": shown}
        return prompt

    def _result(self, output: Any, max_tokens: int, key: bytes) -> tuple[Answer | Failure, bytes]:
        """Returns an answer, with the body that a server would have sent."""
        said = output.outputs[0]
        prompt_tokens, num_tokens = len(output.prompt_token_ids), len(said.token_ids)
        if said.finish_reason == "length" and num_tokens < max_tokens:
            return Failure(
                f"{prompt_tokens:,} prompt tokens and max_tokens = {max_tokens:,} don't fit into max_model_len = "
                f"{self._vllm.vllm_config.model_config.max_model_len:,}: the answer was cut after {num_tokens:,}; raise it",
                passing=False,
            ), b""
        body = json.dumps(
            {
                "object": "chat.completion",
                "model": self.args["model"],
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": said.text},
                        "finish_reason": said.finish_reason,
                    }
                ],
                "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": num_tokens},
            }
        ).encode()
        return parse(body, key, stored=False), body

    def status(self) -> dict[str, str]:
        """Returns what a progress line shows: nothing once it runs."""
        return {"vLLM": "loading"} if self._loading else {}

    def close(self, *, wait: bool = True) -> None:
        """See `Sender.close`. While vLLM loads there is no stopping it: it ends when it has loaded, or with the process."""
        super().close(wait=wait and not self._loading)

    def finish(self) -> None:
        """Waits until all that was submitted is answered, then closes."""
        if not self.closed.is_set():
            with contextlib.suppress(RuntimeError):  # it is being closed already
                self._run(self._idle())
            self.close(wait=False)
            self.closed.wait()

    async def _idle(self) -> None:
        while self._tasks:
            await asyncio.sleep(0.05)

    async def _release(self) -> None:
        vllm, self._vllm = self._vllm, None
        if vllm is not None:
            await self._loop.run_in_executor(None, vllm.shutdown)
        if self._watch is not None:
            self._watch.close()
        self.closed.set()


class Hold:
    """One teacher's hold on the process's engine, which teachers of equal arguments share.

    Another model's engine starts when the running one is idle, and takes over its GPUs: so a judge can follow
    a teacher in one run.
    """

    _guard: ClassVar[threading.Lock] = threading.Lock()
    _engine: ClassVar[Engine | None] = None
    _holds: ClassVar[set[Hold]] = set()

    def __init__(self, args: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self._args, self.say = dict(args), say

    def _tell(self, text: str) -> None:
        self.say(text)

    def submit(self, request: ChatRequest, sampling: Mapping[str, Any], key: bytes, done: Done) -> None:
        """See `Engine.submit`; starts the engine where it isn't running."""
        with Hold._guard:
            engine = Hold._engine
            if engine is None or engine.args != self._args or engine.closed.is_set():
                engine = Hold._engine = Engine(self._args, self._tell, after=engine)
            Hold._holds.add(self)
            engine.submit(request, sampling, key, done)

    def status(self) -> dict[str, str]:
        """See `Engine.status`."""
        engine = Hold._engine
        return engine.status() if engine is not None and self in Hold._holds else {}

    def close(self) -> None:
        """Closes the engine when nobody else holds it."""
        with Hold._guard:
            Hold._holds.discard(self)
            if Hold._engine is not None and not Hold._holds:
                Hold._engine.close()


def check(engine_args: Mapping[str, Any], sampling: Mapping[str, Any]) -> None:
    """Checks that vLLM is there and knows the names of its arguments.

    Raises:
        SettingsError: it isn't, or it doesn't.
    """
    if importlib.util.find_spec("vllm") is None:
        raise SettingsError(
            "VLLMChat needs vLLM, which isn't installed: pip install 'mmcurate[vllm]', or let `vllm serve` run elsewhere and "
            "use OpenAIChat"
        )
    if not (engine_args or sampling):
        return  # importing it takes many seconds
    from vllm import AsyncEngineArgs, SamplingParams

    for setting, given, known in (
        ("engine_args", engine_args, AsyncEngineArgs.__dataclass_fields__),
        ("sampling", sampling, SamplingParams.__struct_fields__),
    ):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise SettingsError(
                f"VLLMChat: {setting} holds {unknown[0]!r}, which vLLM doesn't know{did_you_mean(unknown[0], known)}"
            )
