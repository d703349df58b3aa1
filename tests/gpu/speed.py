"""The section on speed: tokens a second and peak memory of SFT."""

import io
import math
import random
import time
from functools import partial

from tests import toy
from tests.gpu.card import device, freed, on, peak_gib, quiet
from tests.gpu.models import SIZES, describe, make


def speed(table, family, folder, small):
    """SFT's tokens a second and peak memory."""
    from mmcurate.train.model import lora_config

    sizes = ("tiny",) if small else tuple(SIZES[family])
    for size in sizes:
        place = describe(family, size, folder / size)
        rows = 8 if size != "2-3B" else 2
        runs = [("whole", None, True), ("LoRA", lora_config(True), True)]
        if size != "2-3B":
            runs.append(("whole, no checkpointing", None, False))
        peaks = {}
        for what, adapter, checkpointing in runs:
            rate, peaks[what] = _trained(family, place, folder / f"{size} {what}", rows, adapter, checkpointing, small)
            table.add(f"SFT, {size}, {what}, {rows} rows a step", rate, "tokens/s", least=1)
            if device() == "cuda":
                table.add(f"SFT, {size}, {what}: peak memory", peaks[what], "GiB")
        if device() == "cuda" and "whole, no checkpointing" in peaks:
            saved = peaks["whole"] / peaks["whole, no checkpointing"]
            table.add(f"SFT, {size}: peak with checkpointing over without", saved, most=1)


def _trained(family, place, out, rows, adapter, checkpointing, small):
    """Trains ten steps, and returns tokens a second of the last six, and the peak of memory."""
    from trl import SFTConfig, SFTTrainer

    from mmcurate.train.job import config_of
    from mmcurate.train.presets import sft_settings
    from mmcurate.train.processor import load_processor
    from mmcurate.train.rows import trainable

    freed()
    steps, warm = 10, 4
    args = config_of(
        SFTConfig, None, out, partial(sft_settings, "paper"),
        quiet(per_device_train_batch_size=rows, max_steps=steps, save_strategy="no", **on(SFTConfig, checkpointing)),
    )  # fmt: skip
    clock = _clock()
    trainer = SFTTrainer(
        model=make(place, device(), "float32" if adapter is None else "bfloat16"), args=args,
        train_dataset=trainable(_long_rows(rows * steps, small)), processing_class=load_processor(place, family), peft_config=adapter,
        callbacks=[clock],
    )  # fmt: skip
    trainer.train()
    tokens = [said["num_tokens"] for said in trainer.state.log_history if "num_tokens" in said]
    assert all(math.isfinite(said["loss"]) for said in trainer.state.log_history if "loss" in said)
    rate = (tokens[steps - 1] - tokens[warm - 1]) / (clock.times[steps - 1] - clock.times[warm - 1])
    peak = peak_gib()
    trainer.accelerator.free_memory()
    del trainer
    freed()
    return rate, peak


def _clock():
    import torch
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        """When each step ended, with all work of the card done."""

        def __init__(self):
            self.times = []

        def on_step_end(self, args, state, control, **more):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.times.append(time.perf_counter())

    return Clock()


def _long_rows(number, small):
    """Rows of some 1,000 tokens, a picture of 448 x 448 among them; small: of some 100, and 96 x 96."""
    import PIL.Image

    chance = random.Random(0)
    words = [chance.choice(("red", "green", "blue", "I look.", "Answer.")) for _ in range(40 if small else 380)]
    side = 96 if small else 448
    made = []
    for i in range(number):
        out = io.BytesIO()
        PIL.Image.effect_noise((side, side), 64).convert("RGB").save(out, "JPEG")
        chance.shuffle(words)
        made.append({"id": str(i), "question": "What colour?", "answer": " ".join(words), "options": [], "images": [out.getvalue()]})  # fmt: skip
    return toy.final_set(made).select_columns(["prompt", "completion", "images"])
