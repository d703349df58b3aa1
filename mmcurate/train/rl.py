"""Reinforcement learning with verifiable rewards on a final RL set: TRL's `GRPOTrainer`, set up to be the algorithm that was named."""

from __future__ import annotations

import dataclasses
import inspect
from functools import partial
from pathlib import Path
from typing import Any

from mmcurate.reward import Reward
from mmcurate.step import digest
from mmcurate.train import folder, log, rows
from mmcurate.train.facts import facts_of
from mmcurate.train.job import Job, config_of, prepare, run
from mmcurate.train.lint import lint_rl, tell
from mmcurate.train.measure import Limits, by_id
from mmcurate.train.model import resuming
from mmcurate.train.policy import trainer_class
from mmcurate.train.presets import MAX_PROMPT_TOKENS, rl_settings
from mmcurate.train.sampling import curriculum as easy_to_hard
from mmcurate.train.sampling import filter_pass_rate


def rl(
    data: Any,
    model: str | Path,
    out: str | Path,
    *,
    algorithm: str = "gspo",
    preset: str = "paper",
    reward: Any = None,
    pass_rate: tuple[float, float] | None = None,
    curriculum: bool = False,
    lora: Any = None,
    max_prompt_tokens: int = MAX_PROMPT_TOKENS,
    max_pixels: int | None = None,
    args: Any = None,
    **changes: Any,
) -> folder.Trained:
    """Trains a Qwen2.5-VL or Qwen3-VL on its own responses; the same call goes on where it was stopped.

        rl("runs/mine", "models/sft/model", "models/gspo")
        rl("runs/mine/final_rl", model, out, algorithm="dapo", pass_rate=(0, 1), lora=True, max_completion_length=4096)

    Before anything loads, settings that undo what was asked are refused or told (`lint.lint_rl`). Rows that can't be used or whose prompt
    is too long are left out before training, with their reasons in `left_out.jsonl`. A response that isn't scored stays
    out of its group, and media tokens can't be written. History and curves have the reward and its parts, the
    ratio, the share clipped, entropy, lengths and the share of groups without variance. Resuming gives the losses of a
    training that wasn't stopped, from a checkpoint between two rollouts.

    Responses are made by transformers, or with `use_vllm=True` by vLLM. Under `accelerate launch` it runs on many GPUs.

    Args:
        data: a run, its folder, an RL set's folder (`runs/mine/final_rl`), or such a `datasets.Dataset`.
        model: a folder, or an id of the Hub.
        out: the folder for checkpoints, history, curves (`training.png`) and the trained model (`model`).
        algorithm: "gspo" (arXiv 2507.18071), "grpo" (2402.03300) or "dapo" (2503.14476).
        preset: "paper" or "openmmreasoner"; see `presets.rl_settings`.
        reward: a `mmcurate.reward.Reward`, any TRL reward function, or a list of them; `Reward()` unless given.
        pass_rate: keep only questions with a pass rate between these two, exclusively; `(0, 1)` is offline dynamic sampling.
        curriculum: train from high pass rates to low ones instead of in random order.
        lora: True, or a `peft.LoraConfig`, for an adapter, which is merged at the end; all weights are trained otherwise.
        max_prompt_tokens: of a prompt with its pictures.
        max_pixels: of a picture, which is made smaller; the checkpoint's own limit unless given. The paper's is 4,194,304.
        args: a ready `trl.GRPOConfig` instead of a preset; its `output_dir` is replaced.
        changes: any setting of `trl.GRPOConfig`, on top of the preset.

    Raises:
        SettingsError: a setting undoes what was asked, or the folder holds another training.
        ColumnError: the set lacks what RL needs.
    """
    out = Path(out).expanduser().resolve()
    rewards = reward if isinstance(reward, list) else [Reward() if reward is None else reward]
    if curriculum and args is None:
        changes.setdefault("shuffle_dataset", False)
    config = config_of("GRPOConfig", args, out, partial(rl_settings, preset, algorithm), changes)
    whole = dataset = rows.open_set(data, "rl")
    reasons: dict[int, str] = {}
    if pass_rate is not None:
        dataset, reasons = filter_pass_rate(whole, *pass_rate)
    if curriculum:
        dataset = easy_to_hard(dataset)
    if config.use_vllm and config.vllm_max_model_length is None:  # the checkpoint's context may be more than the memory
        config.vllm_max_model_length = max_prompt_tokens + config.max_completion_length
    taught = folder.taught(model)
    ours = next((r for r in rewards if isinstance(r, Reward)), rewards[0])
    check = partial(lint_rl, config, algorithm, reward=ours, sft=taught, curriculum=curriculum)
    tell(check(data=(facts := facts_of(dataset))))
    asked = {"training": algorithm, "reward": [_fingerprint(r) for r in rewards]}
    limits = Limits(prompt=max_prompt_tokens, pixels=max_pixels)
    job = prepare(dataset, model, out, config, lora, limits, asked=asked, dropped=by_id(whole, reasons))
    fits = dataclasses.replace(facts, num_rows=len(job.dataset))
    tell(finding for finding in check(data=fits) if finding.level == "error")  # too few may be left
    return folder.finished(out) or run(job, _trainer(job, rewards), taught=taught)


def _fingerprint(reward: Any) -> str:
    if isinstance(reward, Reward):
        return reward.fingerprint()
    try:
        return digest([inspect.getsource(reward)])
    except (OSError, TypeError):
        return getattr(reward, "__qualname__", type(reward).__name__)


def _trainer(job: Job, rewards: list[Any]) -> Any:
    if job.suppressed:
        asked = dict(job.config.generation_kwargs or {})
        if job.config.use_vllm:
            asked["logit_bias"] = {**asked.get("logit_bias", {}), **dict.fromkeys(job.suppressed, -100.0)}
        else:
            asked["suppress_tokens"] = sorted({*asked.get("suppress_tokens", ()), *job.suppressed})
        job.config.generation_kwargs = asked
    made = resuming(trainer_class())(
        model=job.load(),
        reward_funcs=list(rewards),
        args=job.config,
        train_dataset=job.rows(),
        processing_class=job.processor,
        peft_config=job.new_adapter,
        callbacks=[log.history_callback(job.out / folder.HISTORY)],
    )
    for i, reward in enumerate(rewards):
        if isinstance(reward, Reward):  # so that it knows which responses were cut off
            made.reward_funcs[i] = dataclasses.replace(reward, eos_token_ids=tuple(made.eos_token_ids))
    return made
