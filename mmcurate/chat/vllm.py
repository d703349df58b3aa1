"""A chat model on one's own GPUs: vLLM in this process, without a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

import pydantic

from mmcurate.chat import vllm_engine
from mmcurate.chat.model import ChatModel
from mmcurate.chat.request import ChatRequest
from mmcurate.chat.sender import Done
from mmcurate.chat.weights import identify
from mmcurate.errors import SettingsError
from mmcurate.step import Runtime, as_json, digest, settings

_OURS = {"model", "revision", "tokenizer_revision", "tensor_parallel_size", "max_model_len"}
_SENT = {
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "max_tokens",
    "seed",
    "n",
    "output_kind",
}
_HOW = {
    "async_scheduling",
    "cpu_offload_gb",
    "data_parallel_size",
    "disable_custom_all_reduce",
    "disable_log_stats",
    "distributed_executor_backend",
    "download_dir",
    "enable_chunked_prefill",
    "enable_expert_parallel",
    "enable_prefix_caching",
    "enforce_eager",
    "gpu_memory_utilization",
    "kv_cache_memory_bytes",
    "limit_mm_per_prompt",
    "max_num_batched_tokens",
    "max_num_seqs",
    "mm_encoder_tp_mode",
    "mm_processor_cache_gb",
    "mm_processor_cache_type",
    "pipeline_parallel_size",
    "skip_mm_profiling",
}
"""Engine arguments that say how vLLM computes, not what: no part of the key of an answer. All others are."""
_DEFAULTS = {"enable_prefix_caching": True, "limit_mm_per_prompt": {"video": 0}, "disable_log_stats": True}


@settings
class VLLMChat(ChatModel):
    """A teacher or judge on this machine's GPUs, in place of an `OpenAIChat`.

    Requests of all threads flow into one engine, which batches them as they come: no answer waits for another. The model
    sees the tokens and pictures that it would see behind `vllm serve`; prefixes and pictures that come again are
    computed once. It loads at the first question that the answer store can't answer and is closed with the run. One model is
    loaded at a time: a judge's waits until the teacher is idle and takes over its GPUs; equal engine settings share one.
    A script needs `if __name__ == "__main__":` around what it runs, since vLLM starts processes.

    Answers aren't shared with those of the same model behind a server: a server says neither which commit of the weights it
    serves nor which defaults of the checkpoint's `generation_config.json` it adds (a top_k, for example). Here the
    commit is part of an answer's key, of a local folder its content, and only the settings below are applied.

    The same models behind servers, for `OpenAIChat`, each on eight GPUs of 80 GB or more (where the teacher doesn't fit, its
    FP8 checkpoint does):

        vllm serve Qwen/Qwen3-VL-235B-A22B-Instruct --tensor-parallel-size 8 --max-model-len 32768 \\
            --limit-mm-per-prompt.video 0 --mm-encoder-tp-mode data --mm-processor-cache-type shm \\
            --gpu-memory-utilization 0.95 --generation-config vllm
        vllm serve Qwen/Qwen3-235B-A22B-Instruct-2507 --tensor-parallel-size 8 --max-model-len 32768 \\
            --generation-config vllm

    Without videos no memory is kept for them; the small vision encoder runs whole on each GPU; processed pictures are
    cached in shared memory; `--generation-config vllm` leaves sampling to what a request says. Prefix caching and
    asynchronous scheduling are on by themselves (vLLM 0.32).

    Attributes:
        model: an id of the Hub, or a folder.
        tensor_parallel_size: on how many GPUs the model is spread.
        revision: a branch, tag or commit of the Hub.
        max_model_len: how many tokens prompt and answer may have together; a request that needs more is a failure.
        sampling: further fields of vLLM's `SamplingParams`, such as `{"top_k": 20}`.
        engine_args: further arguments of vLLM's engine, such as `{"mm_encoder_tp_mode": "data"}`. Those that may change an answer
            (`dtype`, `quantization`, `mm_processor_kwargs`, ...) are part of its key.
        temperature, top_p, presence_penalty, frequency_penalty, stop, max_tokens: of each request; None is vLLM's default.
        input_price, output_price: US dollars a million tokens, for estimates of cost.
        store: the folder of the answer store; a run sets it, else it lies in the user's cache.
    """

    _: dataclasses.KW_ONLY
    tensor_parallel_size: Annotated[int, pydantic.Field(gt=0), Runtime] = 8
    revision: str | None = None
    max_model_len: Annotated[int, Runtime] = 32_768
    sampling: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    engine_args: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    __repr__ = ChatModel.__repr__

    def __post_init__(self) -> None:
        for name, given, ours in (("engine_args", self.engine_args, _OURS), ("sampling", self.sampling, _SENT)):
            for key in ours & set(given):
                raise SettingsError(f"VLLMChat: {name} holds {key!r}, which VLLMChat sets itself")
        if "hf_token" in self.engine_args:
            raise SettingsError(
                "VLLMChat: engine_args holds 'hf_token': say it in the environment, HF_TOKEN, so that no file has it"
            )
        if self.max_model_len <= self.max_tokens:
            raise SettingsError(
                f"VLLMChat: max_model_len = {self.max_model_len} holds prompt and answer, so it must be larger than "
                f"max_tokens = {self.max_tokens}"
            )
        super().__post_init__()

    def where(self) -> str:
        """Returns that it is here."""
        return "vLLM in this process"

    def fingerprint(self) -> str:
        """Returns the digest of the model, its revision and its settings. Raises where vLLM can't run."""
        vllm_engine.check(self.engine_args, self.sampling)
        # A request that doesn't fit is a failure for good: with more room its step is done again, from the store.
        return digest([super().fingerprint(), self.max_model_len])

    def _identify(self) -> dict[str, Any]:
        changing = {k: v for k, v in self.engine_args.items() if k not in _HOW}
        return {"engine": "vllm", **identify(self.model, self.revision), "engine_args": as_json(changing)}

    def _sampling(self) -> dict[str, Any]:
        return {**super()._sampling(), **self.sampling}

    def _open_backend(self) -> vllm_engine.Hold:
        args = {**_DEFAULTS, **self.engine_args}
        args |= {"model": self.model, "tensor_parallel_size": self.tensor_parallel_size}
        args |= {"max_model_len": self.max_model_len}
        if "model" in self.identity():  # of the Hub: exactly the commit that the keys name
            args |= dict.fromkeys(("revision", "tokenizer_revision"), self.identity()["weights"])
        return vllm_engine.Hold(args, self._state().say)

    def _send(self, backend: vllm_engine.Hold, request: ChatRequest, key: bytes, done: Done) -> None:
        sampling = {**self._sampling(), "max_tokens": self.max_tokens, "seed": self._seed(request)}
        backend.submit(request, sampling, key, done)
