"""The published recipes as settings of TRL's `SFTConfig` and `GRPOConfig`: plain dicts, each number with its source.

"openmmreasoner" is the recipe as its paper (arXiv 2511.16334) and its scripts have it, which `lint` has something to say about;
"paper" has the same numbers, but each algorithm as its own paper describes it. What no paper and no script says is marked
"ours". Which precision, and whether to recompute activations, depends on the device and isn't here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmcurate.errors import SettingsError, did_you_mean

PRESETS = ("paper", "openmmreasoner")

MAX_PIXELS = 4_194_304
"""Of one picture: the SFT script's `image_max_pixels`. It belongs to the processor, as the next two belong to the choice of rows."""
MAX_ROW_TOKENS = 61_440
"""Of one SFT row: the script's `packing_length`, with `filter_overlong`."""
MAX_PROMPT_TOKENS = 4_096
"""Of one RL prompt, pictures included: the RL script's `max_prompt_length`, with `filter_overlong_prompts`."""

_SFT_ROWS = 192
"""Rows an update (ours). TRL packs no rows with pictures, so 32 packs of 61,440 tokens have no counterpart; one pass over 874,357 rows
in 4,300 steps is 203 rows a step, and 192 is near to that and shared evenly by 1 to 4, 6, 8, 12, 16, 24, 32, 48 or 64 devices."""
_SFT: dict[str, Any] = {
    "learning_rate": 5e-5,  # section 4 and script, as all here that isn't marked
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.1,  # a share of all: 430 of 4,300
    "weight_decay": 0.0,
    "num_train_epochs": 1,
    "max_grad_norm": 1.0,  # the script leaves it at the default
    "loss_type": "nll",
    "completion_only_loss": True,  # the assistant's tokens; no picture is ever in the labels
    "max_length": None,  # ours: rows are chosen by length before, never cut
    "packing": False,  # ours: TRL refuses it for pictures
    "remove_unused_columns": False,  # ours: rows are made into messages when they are read
    "logging_steps": 1,
    "save_steps": 500,  # ours; script: 2,000
    "save_total_limit": 3,
}

_PROMPTS = 128
"""Prompts an update: arXiv 2511.16334, script `ppo_mini_batch_size=128`, with 16 responses each."""
_UPDATES = {"paper": 4, "openmmreasoner": 1}
"""Updates a rollout: four in arXiv 2507.18071, section 5.1; the scripts' batch equals their mini-batch (`train_batch_size=128`)."""
_RL: dict[str, Any] = {
    "learning_rate": 1e-6,  # arXiv 2511.16334 and script, as all here that isn't marked
    "lr_scheduler_type": "constant_with_warmup",
    "warmup_steps": 25,
    "weight_decay": 0.1,
    "max_grad_norm": 1.0,
    "num_train_epochs": 2.1,  # 1,232 updates of 128 of 74,971 prompts
    "num_generations": 16,
    "max_completion_length": 28_696,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,  # off
    "beta": 0.0,  # no KL term, so no reference model
    "entropy_coef": 0.0,
    "num_iterations": 1,
    "scale_rewards": "group",  # advantages over the group's deviation: arXiv 2507.18071 eq. 6, 2402.03300, 2503.14476 eq. 9
    "mask_truncated_completions": False,  # a response that is cut off counts, and is wrong
    "remove_unused_columns": False,  # the reward needs the golds
    "logging_steps": 1,
    "save_steps": 16,  # and a multiple of the updates a rollout, so that a resumed run goes on with a new rollout
    "save_total_limit": 3,  # ours
}
LOSSES: dict[str, dict[str, Any]] = {
    "gspo": {
        "importance_sampling_level": "sequence",
        "loss_type": "grpo",
    },  # the mean of responses' means: arXiv 2507.18071 eq. 5
    "grpo": {"importance_sampling_level": "token", "loss_type": "grpo"},  # the same mean: arXiv 2402.03300 eq. 3
    "dapo": {
        "importance_sampling_level": "token",
        "loss_type": "dapo",
    },  # the mean over all tokens: arXiv 2503.14476 eq. 8
}
"""What makes a loss that algorithm's, in TRL's terms."""
_CLIPS = {
    "paper": {
        # arXiv 2507.18071, section 5.1: GSPO's, and that of the GRPO which it is compared with
        "gspo": {"epsilon": 3e-4, "epsilon_high": 4e-4},
        "grpo": {"epsilon": 0.2, "epsilon_high": 0.27},
        # arXiv 2503.14476, section 3.1. Dynamic sampling (3.2) is the pass-rate filter, overlong shaping (3.4) is in the reward
        "dapo": {"epsilon": 0.2, "epsilon_high": 0.28},
    },
    "openmmreasoner": {
        "gspo": {"epsilon": 3e-4, "epsilon_high": 4e-4},
        # the scripts are GSPO's; for the other two, verl's default on both sides
        "grpo": {"epsilon": 0.2, "epsilon_high": 0.2},
        "dapo": {"epsilon": 0.2, "epsilon_high": 0.2},
    },
}


def sft_settings(preset: str = "paper", *, world_size: int = 1, **changes: Any) -> dict[str, Any]:
    """Returns a preset as fields of `SFTConfig`, batches included; both presets are the same.

    AdamW, learning rate 5e-5 with a cosine and 10 % warm-up (430 of 4,300 steps), no weight decay, one pass, loss on the
    assistant's tokens (arXiv 2511.16334, section 4, and its script). It trains on packs of 61,440 tokens on 32 devices,
    some 2M tokens an update; here, where a row is a row, an update is 192 rows, or what `gradient_accumulation_steps` says.

    Args:
        preset: "paper" or "openmmreasoner".
        world_size: how many devices train.
        changes: fields that are to be otherwise.

    Raises:
        SettingsError: there is no such preset, or the batch isn't shared evenly.
    """
    check_known("sft: preset", preset, PRESETS)
    made = {**_SFT, "per_device_train_batch_size": 1, **changes}
    if "gradient_accumulation_steps" not in changes:
        made["gradient_accumulation_steps"] = _micro_batches("sft", _SFT_ROWS, f"{_SFT_ROWS} rows", world_size, made)
    return made


def rl_settings(
    preset: str = "paper", algorithm: str = "gspo", *, world_size: int = 1, **changes: Any
) -> dict[str, Any]:
    """Returns a preset as fields of `GRPOConfig`, batches included.

    Both: learning rate 1e-6 after 25 updates of warm-up, weight decay 0.1, gradients clipped at 1.0, 16 responses a prompt of up to
    28,696 tokens at temperature 1, 128 prompts an update, no KL and no entropy term, 1,232 updates on 74,971
    prompts: 2.1 passes (arXiv 2511.16334, section 4, and its scripts). They differ in this:

    - "paper": a rollout of 512 prompts is used in four updates (arXiv 2507.18071, section 5.1), so that ratios leave 1 and clips act.
      Clips: GSPO 3e-4 and 4e-4, GRPO 0.2 and 0.27 (there too), DAPO 0.2 and 0.28 (arXiv 2503.14476, section 3.1). Batches are
      the same for all three, so that a comparison compares the losses; DAPO's own are 512 prompts and 16 updates (section 4.1).
    - "openmmreasoner": one update a rollout, as the scripts have it, and no clip-higher for DAPO.

    `num_generations`, `per_device_train_batch_size` (responses a device, 1 unless given) and `world_size` change how 128 prompts are
    spread; `gradient_accumulation_steps` changes how many prompts an update has. The number of updates a rollout stays,
    unless `steps_per_generation` (in micro-batches) or `generation_batch_size` says otherwise.

    Args:
        preset: "paper" or "openmmreasoner".
        algorithm: "gspo" (sequence ratio, mean of responses' means), "grpo" (token ratio, the same mean) or "dapo" (token
            ratio, mean over all tokens).
        world_size: how many devices train.
        changes: fields that are to be otherwise.

    Raises:
        SettingsError: there is no such preset or algorithm, or the batches aren't shared evenly.
    """
    check_known("rl: preset", preset, PRESETS)
    check_known("rl: algorithm", algorithm, LOSSES)
    made = {**_RL, **LOSSES[algorithm], **_CLIPS[preset][algorithm], "per_device_train_batch_size": 1, **changes}
    group, device = made["num_generations"], made["per_device_train_batch_size"]
    if "gradient_accumulation_steps" not in changes:
        what = f"{_PROMPTS} prompts x {group} responses"
        made["gradient_accumulation_steps"] = _micro_batches("rl", _PROMPTS * group, what, world_size, made)
    if changes.get("generation_batch_size") is not None:
        return made  # TRL derives the rest, and refuses both
    if changes.get("steps_per_generation") is None:
        made["steps_per_generation"] = _UPDATES[preset] * made["gradient_accumulation_steps"]
    steps = made["steps_per_generation"]
    if world_size * device * steps % group:
        raise SettingsError(
            f"rl: a rollout of {world_size} devices x {device} responses x {steps} micro-batches isn't a multiple of "
            f"num_generations = {group}: raise gradient_accumulation_steps or per_device_train_batch_size"
        )
    return made


def _micro_batches(what: str, num: int, told: str, world_size: int, settings: dict[str, Any]) -> int:
    """Returns how many micro-batches make an update of `num` items."""
    device = settings["per_device_train_batch_size"]
    if device < 1 or num < 1 or num % (world_size * device):
        raise SettingsError(
            f"{what}: an update of {told} isn't shared evenly by {world_size} devices x per_device_train_batch_size = {device}: "
            "change one, or say gradient_accumulation_steps"
        )
    return num // (world_size * device)


def check_known(what: str, name: str, names: Iterable[str]) -> None:
    """Raises a `SettingsError` where a name is none of those known."""
    if name not in names:
        raise SettingsError(f"{what} = {name!r} isn't known{did_you_mean(name, names)}")
