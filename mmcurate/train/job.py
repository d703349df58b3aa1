"""What both trainings share: TRL's settings, the rows that fit, the model, and a run that goes on where it was stopped."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcurate.errors import SettingsError, did_you_mean
from mmcurate.step import digest
from mmcurate.train import folder, log
from mmcurate.train.facts import Facts
from mmcurate.train.model import family_of, load_model, lora_config, suppressed
from mmcurate.train.processor import load_processor
from mmcurate.train.rows import Limits, by_id, counted, left_out, measure

_log = logging.getLogger("mmcurate")


def config_of(kind: Any, args: Any, out: Path, preset: Callable[..., dict[str, Any]], changes: dict[str, Any]) -> Any:
    """Returns TRL's config: a ready one as it is, or a preset's settings with changes on top, made for this machine.

    Args:
        kind: `SFTConfig` or `GRPOConfig`.
        args: a ready one, or None.
        out: the training's folder.
        preset: makes settings of a number of devices and changes.
        changes: what the caller wants otherwise.

    Raises:
        SettingsError: there is no such setting, or changes come with a ready config.
    """
    import torch
    from accelerate import PartialState

    known = [f.name for f in dataclasses.fields(kind) if f.init]
    for name in changes:
        if name not in known:
            raise SettingsError(f"{kind.__name__} has no setting {name!r}{did_you_mean(name, known)}")
    if args is not None:
        if changes:
            raise SettingsError(f"{next(iter(changes))} and args= both: put it into the {kind.__name__} that args is")
        if not isinstance(args, kind):
            raise SettingsError(f"args is a {type(args).__name__}; it must be a trl.{kind.__name__}")
        args.output_dir = str(out)
        return args
    gpu = torch.cuda.is_available()
    here = {
        "bf16": gpu and torch.cuda.is_bf16_supported(),
        # transformers 5.23 gave it another name
        "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing": gpu,
        "dataloader_pin_memory": gpu,
        "report_to": "none",
    }
    return kind(output_dir=str(out), **(here | preset(world_size=PartialState().num_processes, **changes)))


@dataclass
class Job:
    """A training that is ready to start.

    Attributes:
        model: a folder, or an id of the Hub.
        out: the training's folder.
        config: TRL's settings.
        dataset: the rows that fit.
        processor: the checkpoint's.
        adapter: a `peft.LoraConfig`, or None.
        suppressed: tokens that the model must not write.
        checkpoint: a folder to go on from, or None.
    """

    model: str | Path
    out: Path
    config: Any
    dataset: Any
    processor: Any
    adapter: Any
    suppressed: list[int]
    checkpoint: Path | None

    def load(self) -> Any:
        """Loads the model, from the last checkpoint where there is one."""
        settings, self.config.model_init_kwargs = (
            self.config.model_init_kwargs or {},
            None,
        )  # TRL would say it ignores them
        return load_model(self.model, self.checkpoint, self.adapter, half=self.config.bf16, settings=settings)

    @property
    def new_adapter(self) -> Any:
        """The adapter to put on the model; None where the checkpoint brings its own."""
        return None if self.checkpoint else self.adapter


def prepare(
    dataset: Any,
    model: str | Path,
    out: Path,
    config: Any,
    lora: Any,
    limits: Limits,
    *,
    asked: dict[str, Any],
    dropped: dict[str, str] | None = None,
) -> Job:
    """Measures the set, leaves out what doesn't fit, and writes down what was asked.

    Args:
        dataset: the set.
        model, out, config, lora: see `Job`.
        limits: what fits; a row never has more than the model's context.
        asked: what else decides what comes out.
        dropped: what was left out before, by id.

    Raises:
        SettingsError: nothing fits, or the folder holds a training that was asked something else.
    """
    from accelerate import PartialState

    family, about = family_of(model)
    processor = load_processor(model, family)
    if limits.pixels is not None:
        processor.image_processor.size["longest_edge"] = limits.pixels
    adapter = lora_config(lora)
    context = about.get_text_config().max_position_embeddings
    with PartialState().main_process_first():
        measured = measure(dataset, processor)
    problems = left_out(measured, dataclasses.replace(limits, row=min(limits.row or context, context)))
    kept = np.setdiff1d(np.arange(len(dataset)), np.array(list(problems), np.int64))
    gone = (dropped or {}) | by_id(dataset, problems)
    counts = counted(gone)
    for reason, number in counts.items():
        _log.info("left out: %s rows: %s", f"{number:,}", reason)
    if not len(kept):
        raise SettingsError(f"none of the set's {len(dataset):,} rows fits: {counts}")
    asked = {
        **asked,
        **dataclasses.asdict(limits),
        "model": str(model),
        "data": digest([measured.fingerprint, [int(row) for row in kept]]),
        "lora": adapter and adapter.to_dict(),
        **folder.settings_of(config),
    }
    rows = [{"id": id, "reason": reason} for id, reason in gone.items()]
    if PartialState().is_main_process:
        folder.begin(out, asked, rows, counts, len(kept))
    PartialState().wait_for_everyone()
    checkpoint = folder.checkpoint(out)
    return Job(model, out, config, dataset.select(kept), processor, adapter, suppressed(about), checkpoint)


def run(job: Job, trainer: Any, taught: Facts | None) -> folder.Trained:
    """Trains to the end, from the last checkpoint where there is one, and writes the model and the curves.

    Args:
        job, trainer: what and with what.
        taught: of the set that the model was fine-tuned on, which is written beside it.
    """
    if job.checkpoint:
        _log.info("goes on from %s", job.checkpoint)
    trainer.train(resume_from_checkpoint=str(job.checkpoint) if job.checkpoint else None)
    if job.adapter is None:
        trainer.save_model(str(job.out / folder.MODEL))
    if trainer.accelerator.is_main_process:
        if job.adapter is not None:
            merged = trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
            merged.save_pretrained(job.out / folder.MODEL)
        job.processor.save_pretrained(job.out / folder.MODEL)
        folder.teach(job.out / folder.MODEL, taught)
        history = folder.history(job.out)
        log.plot(history, job.out / folder.PLOT, job.out.name)
        folder.complete(job.out)
    trainer.accelerator.wait_for_everyone()
    return folder.finished(job.out)  # type: ignore[return-value]
