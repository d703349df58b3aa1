"""What both trainings share: TRL's settings, the rows that fit, the model, and a run that goes on where it was stopped."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcurate.chat.weights import folder_digest
from mmcurate.errors import RunError, SettingsError, did_you_mean
from mmcurate.step import digest
from mmcurate.train import folder, log
from mmcurate.train.facts import Facts
from mmcurate.train.measure import Limits, by_id, counted, left_out
from mmcurate.train.measured import measured
from mmcurate.train.model import family_of, has_weights, load_model, lora_config, merge, suppressed
from mmcurate.train.processor import load_processor
from mmcurate.train.rows import mixes, trainable

_log = logging.getLogger("mmcurate")


PACKAGES = ("torch", "transformers", "trl", "accelerate", "peft", "matplotlib")
"""What the extra `train` brings; all are looked for before anything runs, since a plot comes last."""


def config_of(name: str, args: Any, out: Path, preset: Callable[..., dict[str, Any]], changes: dict[str, Any]) -> Any:
    """Returns TRL's config: a ready one as it is, or a preset's settings with changes on top, made for this machine.

    Args:
        name: of TRL's class: "SFTConfig" or "GRPOConfig".
        args: a ready one, or None.
        out: the training's folder.
        preset: makes settings of a number of devices and changes.
        changes: what the caller wants otherwise.

    Raises:
        SettingsError: there is no such setting, changes come with a ready config, or a package is missing.
    """
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise SettingsError(f"training needs {package}: pip install 'mmcurate[train]'")
    import torch
    import trl
    from accelerate import PartialState

    kind = getattr(trl, name)
    known = [f.name for f in dataclasses.fields(kind) if f.init]
    for change in changes:
        if change not in known:
            raise SettingsError(f"{name} has no setting {change!r}{did_you_mean(change, known)}")
    if "output_dir" in changes:
        raise SettingsError(f"output_dir = {changes['output_dir']!r}: the folder is said by `out`")
    if args is not None:
        if changes:
            raise SettingsError(f"{next(iter(changes))} and args= both: put it into the {name} that args is")
        if not isinstance(args, kind):
            raise SettingsError(f"args is a {type(args).__name__}; it must be a trl.{name}")
        made = copy.deepcopy(args)  # trainers change it
        made.output_dir = str(out)
    else:
        gpu = torch.cuda.is_available()
        here = {
            "bf16": gpu and torch.cuda.is_bf16_supported() and not changes.get("fp16"),
            "dataloader_pin_memory": gpu,
            "report_to": "none",
            "logging_nan_inf_filter": False,  # it would show a loss of 0 instead
        }
        if not {"activation_checkpointing", "gradient_checkpointing"} & changes.keys():
            # transformers 5.23 gave it another name
            here["activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"] = gpu
        # As the launcher says: asking accelerate would start it with other settings (`ddp_timeout`) than the config's.
        world_size = int(os.environ.get("WORLD_SIZE", 1))
        settings = here | preset(world_size=world_size, **changes)
        try:
            made = kind(output_dir=str(out), **settings)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{name} refuses {changes}: {' '.join(str(error).split())}") from None
    if not PartialState().is_main_process:
        _log.setLevel(logging.ERROR)  # one process tells
    return made


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
        blank: whether rows without pictures get a white one; see `rows.trainable`.
    """

    model: str | Path
    out: Path
    config: Any
    dataset: Any
    processor: Any
    adapter: Any
    suppressed: list[int]
    checkpoint: Path | None
    blank: bool

    def rows(self, *columns: str) -> Any:
        """Returns the rows as the trainer takes them, with the columns that are named, or with all."""
        return trainable(self.dataset.select_columns(list(columns)) if columns else self.dataset, blank=self.blank)

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


def sharded(config: Any) -> bool:
    """Whether each process holds a part of the weights, or of their gradients: FSDP or DeepSpeed, by TRL's settings or the launcher."""
    launched = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return bool(config.fsdp or config.deepspeed) or any(os.environ.get(name) == "true" for name in launched)


def prepare(
    dataset: Any,
    model: str | Path,
    out: Path,
    config: Any,
    lora: Any,
    limits: Limits,
    *,
    asked: dict[str, Any],
    dropped: Sequence[tuple[str, str]] = (),
) -> Job:
    """Measures the set, leaves out what doesn't fit, and writes down what was asked.

    Args:
        dataset: the set.
        model, out, config, lora: see `Job`.
        limits: what fits; a row never has more than the model's context.
        asked: what else decides what comes out.
        dropped: what was left out before: ids and reasons.

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
    main = PartialState().is_main_process
    if main:
        folder.read(out)  # a folder that holds something else is refused before hours of measuring
    if blank := sharded(config) and mixes(dataset):
        _log.warning(
            "rows without pictures get a small white one: parameters are sharded, and a process without a picture would never run the vision tower"
        )
    sizes = measured(dataset, processor, out, blank=blank, main=main)
    problems = left_out(sizes, dataclasses.replace(limits, row=min(limits.row or context, context)))
    kept = np.setdiff1d(np.arange(len(dataset)), np.array(list(problems), np.int64))
    gone = [*dropped, *by_id(dataset, problems)]
    counts = counted(why for _, why in gone)
    for reason, number in counts.items():
        _log.info("left out: %s rows: %s", f"{number:,}", reason)
    if not len(kept):
        raise SettingsError(f"none of the set's {len(dataset):,} rows fits: {counts}")
    asked = {
        **asked,
        **dataclasses.asdict(limits),
        "model": _identity(model, about),
        "data": digest([sizes.fingerprint, [int(row) for row in kept]]),
        "lora": adapter and {k: v for k, v in adapter.to_dict().items() if k != "base_model_name_or_path"},
        **folder.settings_of(config),
    }
    rows = [{"id": id, "reason": reason} for id, reason in gone]
    limit, longest = getattr(config, "max_completion_length", None) or 0, int(sizes.prompt_tokens[kept].max())
    if limit and longest + limit > context:
        _log.warning(
            "prompts of up to %s tokens and max_completion_length = %s are more than the model's context of %s: lower one",
            f"{longest:,}", f"{limit:,}", f"{context:,}",
        )  # fmt: skip
    if main:
        folder.begin(out, asked, rows, counts, len(kept))
    PartialState().wait_for_everyone()
    checkpoint = folder.checkpoint(out)
    return Job(model, out, config, dataset.select(kept), processor, adapter, suppressed(about), checkpoint, blank)


def _identity(model: str | Path, about: Any) -> str:
    """Returns what tells a model's weights from others: of a folder its content, wherever it lies."""
    place = Path(model).expanduser()
    return folder_digest(place) if place.is_dir() else f"{model}@{getattr(about, '_commit_hash', None)}"


def run(job: Job, trainer: Any, taught: Facts | None) -> folder.Trained:
    """Trains to the end, from the last checkpoint where there is one, and writes the model and the curves.

    Args:
        job, trainer: what and with what.
        taught: of the set that the model was fine-tuned on, which is written beside it.
    """
    if job.checkpoint:
        _log.info("goes on from %s", job.checkpoint)
    trainer.train(resume_from_checkpoint=str(job.checkpoint) if job.checkpoint else None)
    if trainer.state.global_step < trainer.state.max_steps:
        raise RunError(
            f"the training ended after {trainer.state.global_step:,} of {trainer.state.max_steps:,} updates: "
            "its rows don't fill a rollout, or something stopped it; the same call goes on"
        )
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")  # shards are no model
    whole = job.adapter is None
    trainer.save_model(str(job.out / (folder.MODEL if whole else folder.ADAPTER)))  # all processes: it gathers shards
    if trainer.accelerator.is_main_process:
        if not whole:
            merge(job.model, job.out / folder.ADAPTER, job.out / folder.MODEL)
        if not has_weights(job.out / folder.MODEL):
            raise RunError(f"{job.out / folder.MODEL} got no weights: checkpoints are in {job.out}")
        job.processor.save_pretrained(job.out / folder.MODEL)
        folder.teach(job.out / folder.MODEL, taught)
        history = folder.history(job.out)
        log.plot(history, job.out / folder.PLOT, job.out.name)
        folder.complete(job.out)
    trainer.accelerator.wait_for_everyone()
    return folder.finished(job.out)  # type: ignore[return-value]
