"""Reinforcement learning with verifiable rewards on a final RL set: TRL's `GRPOTrainer`, set up to be the algorithm that was named."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from mmcurate.reward import Reward
from mmcurate.train import folder, log, rows
from mmcurate.train.facts import facts_of
from mmcurate.train.job import Job, config_of, prepare, run
from mmcurate.train.lint import lint_rl, tell
from mmcurate.train.policy import trainer_class
from mmcurate.train.presets import MAX_PROMPT_TOKENS, rl_settings


def rl(
    data: Any,
    model: str | Path,
    out: str | Path,
    *,
    algorithm: str = "gspo",
    preset: str = "paper",
    reward: Reward | None = None,
    lora: Any = None,
    max_prompt_tokens: int = MAX_PROMPT_TOKENS,
    max_pixels: int | None = None,
    args: Any = None,
    **changes: Any,
) -> folder.Trained:
    from trl import GRPOConfig

    reward = reward or Reward()
    out = Path(out).expanduser().resolve()
    config = config_of(GRPOConfig, args, out, partial(rl_settings, preset, algorithm), changes)
    dataset = rows.open_set(data, "rl")
    taught = folder.taught(model)
    tell(lint_rl(config, algorithm, reward=reward, data=facts_of(dataset), sft=taught))
    limits = rows.Limits(prompt=max_prompt_tokens, pixels=max_pixels)
    asked = {"training": algorithm, "reward": reward.fingerprint()}
    job = prepare(dataset, model, out, config, lora, limits, asked=asked)
    return folder.finished(out) or run(job, _trainer(job, reward), taught=taught)


def _trainer(job: Job, reward: Reward) -> Any:
    if job.suppressed:
        held = (
            {"logit_bias": dict.fromkeys(job.suppressed, -100.0)}
            if job.config.use_vllm
            else {"suppress_tokens": job.suppressed}
        )
        job.config.generation_kwargs = held | (job.config.generation_kwargs or {})
    made = trainer_class()(
        model=job.load(),
        reward_funcs=reward,
        args=job.config,
        train_dataset=rows.trainable(job.dataset),
        processing_class=job.processor,
        peft_config=job.new_adapter,
        callbacks=[log.history_callback(job.out / folder.HISTORY)],
    )
    if isinstance(reward, Reward):  # so that it knows which responses were cut off
        made.reward_funcs[0] = dataclasses.replace(reward, eos_token_ids=tuple(made.eos_token_ids))
    return made
