"""What the tests of training share: quick settings, and a training that was stopped."""

import json
import shutil

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
QUICK = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "learning_rate": 3e-3}
"""Settings under which a tiny model learns in seconds."""


ROLLOUT = {
    "per_device_train_batch_size": 16,
    "gradient_accumulation_steps": 1,
    "num_generations": 8,
    "max_completion_length": 20,
    "learning_rate": 1e-3,
    "warmup_steps": 0,
    "save_steps": 4,
}
"""Rollouts of eight prompts, each used in four updates."""


def losses(done):
    """The loss of each logged step."""
    return [said["loss"] for said in done.history if "loss" in said]


def stopped(done, out, step):
    """Makes of a finished training's folder one that was stopped after the checkpoint of a step."""
    shutil.copytree(done.path, out)
    shutil.rmtree(out / "model")
    for checkpoint in out.glob("checkpoint-*"):
        if int(checkpoint.name.rpartition("-")[2]) > step:
            shutil.rmtree(checkpoint)
    about = json.loads((out / "training.json").read_text())
    (out / "training.json").write_text(json.dumps(about | {"complete": False}))
    return out
