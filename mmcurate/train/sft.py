"""Supervised fine-tuning on a final set: TRL's `SFTTrainer`, with the settings under which it does what was asked."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mmcurate.train import folder, log, rows
from mmcurate.train.facts import facts_of
from mmcurate.train.job import Job, config_of, prepare, run
from mmcurate.train.lint import lint_sft, tell
from mmcurate.train.measure import Limits
from mmcurate.train.model import resuming
from mmcurate.train.presets import sft_settings


def sft(
    data: Any,
    model: str | Path,
    out: str | Path,
    *,
    preset: str = "paper",
    lora: Any = None,
    max_tokens: int | None = None,
    max_pixels: int | None = None,
    args: Any = None,
    **changes: Any,
) -> folder.Trained:
    """Trains a Qwen2.5-VL or Qwen3-VL on right answers; the same call goes on where it was stopped.

        sft("runs/mine", "Qwen/Qwen2.5-VL-7B-Instruct", "models/sft")
        sft("runs/mine/final", model, out, lora=True, learning_rate=1e-4, num_train_epochs=1)

    The loss falls on the answers' tokens only, each row is one sequence, and no text is cut: rows that don't fit are left
    out before training, with their reasons in `left_out.jsonl`. Resuming gives the losses of a training that wasn't
    stopped. Under `accelerate launch` it runs on many GPUs, with FSDP or DeepSpeed as configured there.

    Args:
        data: a run, its folder, a final set's folder (`runs/mine/final`), or such a `datasets.Dataset`.
        model: a folder, or an id of the Hub.
        out: the folder for checkpoints, history, curves (`training.png`) and the trained model (`model`).
        preset: "paper" or "openmmreasoner"; see `presets.sft_settings`.
        lora: True, or a `peft.LoraConfig`, for an adapter, which is merged at the end; all weights are trained otherwise.
        max_tokens: of a prompt with its pictures and its answer; the model's context unless given.
        max_pixels: of a picture, which is made smaller; the checkpoint's own limit unless given. The paper's is 4,194,304.
        args: a ready `trl.SFTConfig` instead of a preset; its `output_dir` is replaced.
        changes: any setting of `trl.SFTConfig`, on top of the preset.

    Raises:
        SettingsError: a setting undoes what was asked, or the folder holds another training.
        ColumnError: the set lacks what SFT needs.
    """
    out = Path(out).expanduser().resolve()
    config = config_of("SFTConfig", args, out, partial(sft_settings, preset), changes)
    dataset = rows.open_set(data, "sft")
    facts = facts_of(dataset)
    tell(lint_sft(config, data=facts))
    limits = Limits(row=max_tokens, pixels=max_pixels)
    job = prepare(dataset, model, out, config, lora, limits, asked={"training": "sft"})
    return folder.finished(out) or run(job, _trainer(job), taught=facts)


def _trainer(job: Job) -> Any:
    from trl import SFTTrainer

    return resuming(SFTTrainer)(
        model=job.load(),
        args=job.config,
        train_dataset=job.rows("prompt", "completion", "images"),
        processing_class=job.processor,
        peft_config=job.new_adapter,
        callbacks=[log.history_callback(job.out / folder.HISTORY)],
    )
