"""What a settings check finds, and what it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from mmcurate.train.facts import Facts

_DEFAULTS: dict[str, Any] = {
    "assistant_only_loss": False,
    "beta": 0.0,
    "completion_only_loss": None,
    "entropy_coef": 0.0,
    "epsilon": 0.2,
    "epsilon_high": None,
    "eval_strategy": "no",
    "generation_batch_size": None,
    "generation_kwargs": None,
    "gradient_accumulation_steps": 1,
    "importance_sampling_level": "token",
    "loss_type": "dapo",
    "mask_truncated_completions": False,
    "max_completion_length": 512,
    "max_length": 1024,
    "max_steps": -1,
    "min_p": None,
    "num_generations": 8,
    "num_iterations": 1,
    "num_train_epochs": 3.0,
    "packing": False,
    "padding_free": False,
    "per_device_train_batch_size": 8,
    "remove_unused_columns": False,
    "repetition_penalty": 1.0,
    "save_steps": 500,
    "save_strategy": "steps",
    "save_only_model": False,
    "scale_rewards": "group",
    "shuffle_dataset": True,
    "steps_per_generation": None,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "warmup_steps": 0,
    "world_size": 1,
}
"""TRL's, for what a dict leaves out."""


@dataclass(frozen=True)
class Finding:
    """Something that undoes what was asked.

    Attributes:
        level: "error" or "warning".
        what: the settings, with their values.
        why: what comes of them.
        fix: the next move.
    """

    level: Literal["error", "warning"]
    what: str
    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.fix}"


class Settings:
    """Reads a config object or a dict alike."""

    def __init__(self, config: Any) -> None:
        self._config = config

    def __getattr__(self, name: str) -> Any:
        if isinstance(self._config, Mapping):
            return self._config.get(name, _DEFAULTS[name])
        return getattr(self._config, name, _DEFAULTS[name])

    @property
    def micro_batches(self) -> int:
        """Of a rollout: how many micro-batches it is cut into."""
        if self.steps_per_generation is not None:
            return int(self.steps_per_generation)
        if self.generation_batch_size is not None:
            return int(self.generation_batch_size // (self.per_device_train_batch_size * self.world_size))
        return int(self.gradient_accumulation_steps)

    @property
    def updates(self) -> float:
        """How many updates a rollout is used in."""
        return self.micro_batches * self.num_iterations / self.gradient_accumulation_steps

    @property
    def prompts(self) -> int:
        """Of a rollout: how many prompts it has."""
        return int(self.micro_batches * self.per_device_train_batch_size * self.world_size // self.num_generations)

    def sampled(self, name: str) -> Any:
        """A setting of the sampling, which `generation_kwargs` may override."""
        return (self.generation_kwargs or {}).get(name, getattr(self, name))


class Case(NamedTuple):
    """What the rules look at; the arguments of `lint.lint_rl`."""

    config: Settings
    algorithm: str | None
    reward: Any
    data: Facts | None
    sft: Facts | None
    curriculum: bool
