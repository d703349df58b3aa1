"""The sections on numerics: a CPU's loss and gradient beside a card's, and what bfloat16 does to GSPO's ratio."""

import math
import time
from functools import partial

from tests import toy
from tests.gpu.card import device, freed, on, peak_gib, quiet
from tests.gpu.models import describe, make

LOSS_TOLERANCE = 1e-5
"""Of the float32 loss, relative: sums in another order."""
GRADIENT_TOLERANCE = 1e-3
"""Of the float32 gradient: the length of the difference over its length."""
CLIP = 3e-4
"""GSPO's lower clip: noise of this size would be clipped like a change of the policy."""


def parity(table, family, folder, small):
    """The same weights and rows give the same loss and gradient on a CPU and on the card."""
    import torch

    place = describe(family, "tiny" if small else "0.3B", folder / "model")
    inputs = _batch(place, family, 4)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    reference = make(place, "cpu", attention="eager")
    table.add("parameters", sum(p.numel() for p in reference.parameters()) / 1e9, "billion")
    weights = reference.state_dict()
    loss, gradient = _gradient(reference, inputs)
    for dtype in ("float32", "bfloat16"):
        model = make(place, device(), dtype, attention="sdpa")
        model.load_state_dict(weights)
        there, its = _gradient(model, inputs)
        most, steep = (LOSS_TOLERANCE, GRADIENT_TOLERANCE) if dtype == "float32" else (math.inf, math.inf)
        table.add(f"{dtype}: loss against the CPU, relative", abs(there - loss) / loss, most=most)
        off = sum((gradient[n] - its[n]).double().square().sum().item() for n in its) ** 0.5
        length = sum(g.double().square().sum().item() for g in gradient.values()) ** 0.5
        table.add(f"{dtype}: gradient against the CPU, relative", off / length, most=steep)
        del model, its
        freed()


def _batch(place, family, number):
    """A padded batch with labels, as the SFT loss has it."""
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from mmcurate.train.processor import load_processor
    from mmcurate.train.rows import trainable

    rows = trainable(toy.final_set(toy.questions(number)).select_columns(["prompt", "completion", "images"]))
    collate = DataCollatorForVisionLanguageModeling(load_processor(place, family))
    return collate([rows[i] for i in range(number)])


def _gradient(model, inputs):
    model.train()
    where = next(model.parameters()).device
    loss = model(**{name: value.to(where) for name, value in inputs.items()}).loss
    loss.backward()
    return loss.item(), {n: p.grad.float().cpu() for n, p in model.named_parameters() if p.grad is not None}


def ratio(table, family, folder, small):
    """Ratios of unchanged weights: as GSPO's trainer has them in bfloat16, and the same rows in other micro-batches or padded more."""
    import torch
    from trl import GRPOConfig

    from mmcurate.reward import Reward
    from mmcurate.train.job import config_of
    from mmcurate.train.model import lora_config, suppressed
    from mmcurate.train.policy import trainer_class
    from mmcurate.train.presets import rl_settings
    from mmcurate.train.processor import load_processor
    from mmcurate.train.rows import trainable

    place = describe(family, "tiny" if small else "0.3B", folder / "model")
    length = 64 if small else 256
    for name, adapter in (("float32 weights", None), ("bfloat16 weights", lora_config(True))):
        model = make(place, device(), "float32" if adapter is None else "bfloat16")
        args = config_of(
            GRPOConfig, None, folder / name, partial(rl_settings, "paper", "gspo"),
            quiet(
                per_device_train_batch_size=8, num_generations=8, max_completion_length=length, learning_rate=0.0, warmup_steps=0,
                max_steps=4, save_strategy="no", generation_kwargs={"suppress_tokens": suppressed(model.config)}, **on(GRPOConfig),
            ),
        )  # fmt: skip
        rows = trainable(toy.final_set(_wordy(toy.questions(16))))
        trainer = trainer_class()(
            model=model, reward_funcs=Reward(), args=args, train_dataset=rows,
            processing_class=load_processor(place, family), peft_config=adapter,
        )  # fmt: skip
        freed()
        begin = time.perf_counter()
        trainer.train()
        history = trainer.state.log_history
        seen = [abs(h[n] - 1) for h in history for n in ("ratio/min", "ratio/max") if n in h]
        table.add(f"{name}: sequence |ratio - 1| in training", max(seen))
        table.add(
            f"{name}: {32 * length} response tokens, rollout and updates",
            32 * length / (time.perf_counter() - begin),
            "tokens/s",
        )
        if device() == "cuda":
            table.add(f"{name}: peak memory", peak_gib(), "GiB")
        held = trainer._buffered_inputs[0]  # the first micro-batch of the last rollout: eight responses
        with torch.no_grad():
            whole = _log_probs(trainer, held, 8)
            for what, now in (
                ("one by one", _log_probs(trainer, held, 1)),
                ("two by two", _log_probs(trainer, held, 2)),
                ("64 more of padding", _log_probs(trainer, held, 8, padding=64)),
            ):
                mask = held["completion_mask"]
                change = (now - whole) * mask
                sequence = (change.sum(-1) / mask.sum(-1)).exp() - 1
                table.add(f"{name}: token |ratio - 1|, {what}", (change.exp() - 1).abs().max().item(), most=1)
                table.add(f"{name}: sequence |ratio - 1|, {what}", sequence.abs().max().item(), most=1)
                table.add(
                    f"{name}: share beyond the clip of {CLIP:g}, {what}", (sequence.abs() > CLIP).float().mean().item()
                )
            if adapter is None:
                exact = _float32_log_probs(make(place, device()), held)
                off = ((whole - exact) * held["completion_mask"]).exp() - 1
                table.add(f"{name}: token |ratio - 1|, against float32", off.abs().max().item(), least=1e-6, most=1)
                del exact
        trainer.accelerator.free_memory()
        del trainer, model, held, whole, now
        freed()


def _float32_log_probs(model, held):
    """The same without autocast, as a measure of what bfloat16 itself loses."""
    import torch

    ids = torch.cat([held["prompt_ids"], held["completion_ids"]], 1)
    mask = torch.cat([held["prompt_mask"], held["completion_mask"]], 1)
    more = {n: held[n] for n in ("pixel_values", "image_grid_thw", "mm_token_type_ids") if n in held}
    length = held["completion_ids"].size(1)
    logits = model(input_ids=ids, attention_mask=mask, **more).logits[:, -length - 1 : -1]
    return logits.log_softmax(-1).gather(-1, held["completion_ids"][..., None])[..., 0]


def _wordy(rows):
    """Prompts of different lengths, so that batches are padded."""
    for i, row in enumerate(rows):
        yield row | {"question": row["question"] * (1 + i % 7)}


def _log_probs(trainer, held, size, padding=0):
    """Log-probabilities of responses by TRL's own function, in micro-batches of `size`, prompts padded more on the left."""
    import torch

    ids = torch.cat([held["prompt_ids"], held["completion_ids"]], 1)
    mask = torch.cat([held["prompt_mask"], held["completion_mask"]], 1)
    kinds = held.get("mm_token_type_ids")
    if padding:
        ids = torch.nn.functional.pad(ids, (padding, 0), value=trainer.processing_class.tokenizer.pad_token_id)
        mask = torch.nn.functional.pad(mask, (padding, 0))
        kinds = kinds if kinds is None else torch.nn.functional.pad(kinds, (padding, 0))
    more = {n: held.get(n) for n in ("pixel_values", "image_grid_thw", "num_images")}
    return trainer._get_per_token_logps_and_entropies(
        trainer.model_wrapped,
        ids,
        mask,
        held["completion_ids"].size(1),
        batch_size=size,
        mm_token_type_ids=kinds,
        **more,
    )[0]
