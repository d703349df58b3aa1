"""The sections that train a tiny model: does it learn, and does it go on as if it had not been stopped."""

import time
from functools import partial

from tests import toy
from tests.gpu.card import logged, on, quiet
from tests.tiny_models import build
from tests.training import losses, stopped


def learning(table, family, folder, small):
    """SFT brings the loss down by ten times; GSPO goes on from it, and its ratios leave 1."""
    from trl import GRPOConfig, SFTConfig

    from mmcurate.train import rl, sft

    rows = toy.final_set(toy.questions(320, kinds=("colour",)))
    tiny = build(family, folder / "tiny", texts=toy.TEXTS, spread=0.1)
    begin = time.perf_counter()
    done = sft(
        rows, tiny, folder / "sft", max_steps=60, save_strategy="no",
        **quiet(per_device_train_batch_size=16, learning_rate=3e-3, **on(SFTConfig)),
    )  # fmt: skip
    seen = losses(done)
    table.add("SFT, tiny: last loss over first", sum(seen[-5:]) / 5 / seen[0], most=0.1)
    table.add("SFT, tiny: 60 steps", time.perf_counter() - begin, "s")
    begin = time.perf_counter()
    policy = quiet(
        per_device_train_batch_size=12, num_generations=6, max_completion_length=24, warmup_steps=0,
        save_strategy="no", **on(GRPOConfig),
    )  # fmt: skip
    done = rl(rows, done.model, folder / "gspo", max_steps=16, learning_rate=1e-4, **policy)
    table.add("GSPO, tiny: reward of the last rollout", logged(done, "reward")[-1], least=0.4)
    table.add("GSPO, tiny: largest |ratio - 1|", _away(done), least=1e-4)
    table.add("GSPO, tiny: steps with a finite loss", len(logged(done, "loss")), least=16)
    table.add("GSPO, tiny: 16 updates, 4 rollouts", time.perf_counter() - begin, "s")
    still = rl(rows, done.model, folder / "still", max_steps=8, learning_rate=0.0, **policy)
    table.add("GSPO, tiny and trained, learning rate 0: |ratio - 1|", _away(still))


def _away(done):
    return max(abs(r - 1) for name in ("ratio/min", "ratio/max") for r in logged(done, name))


def resume(table, family, folder, small):
    """Losses of a training that was stopped are those of one that wasn't, to what doing it twice differs by."""
    import torch
    from trl import SFTConfig

    from mmcurate.train import sft

    rows = toy.final_set(toy.questions(48))
    tiny = build(family, folder / "tiny", texts=toy.TEXTS, spread=0.1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.deterministic = True
    try:
        for lora in (None, True):
            name = "LoRA" if lora else "whole"
            train = partial(
                sft, rows, tiny, lora=lora, max_steps=12, save_steps=6,
                **quiet(per_device_train_batch_size=8, learning_rate=3e-3, **on(SFTConfig)),
            )  # fmt: skip
            whole = train(folder / name)
            twice = train(folder / f"{name} twice")
            again = train(stopped(whole, folder / f"{name} again", step=6))
            noise = _apart(whole, twice)
            table.add(f"{name}: largest difference of losses, done twice", noise)
            table.add(f"{name}: the same, stopped after 6 of 12 steps", _apart(whole, again), most=10 * noise + 1e-6)
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False


def _apart(one, other):
    return max(abs(a - b) for a, b in zip(losses(one), losses(other), strict=True))
