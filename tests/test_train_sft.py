"""Supervised fine-tuning of tiny Qwen models: it learns pictures, goes on where it stopped, and says what it left out."""

import numpy as np
import pytest

from mmcurate.train.sft import sft
from tests import toy
from tests.tiny_models import build

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
QUICK = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {f: build(f, root / f, texts=toy.TEXTS, vocab_size=330, spread=0.1) for f in FAMILIES}


@pytest.fixture(scope="module")
def rows():
    return toy.final_set(toy.questions(48))


def losses(done):
    return [said["loss"] for said in done.history if "loss" in said]


@pytest.mark.parametrize("family", FAMILIES)
def test_it_learns_to_name_colours_and_to_count(family, models, tmp_path):
    rows, held_out = toy.final_set(toy.questions(640)), toy.final_set(toy.questions(40, seed=99))
    done = sft(rows, models[family], tmp_path / "out", **QUICK | {"per_device_train_batch_size": 16}, max_steps=300)
    seen = losses(done)
    assert np.mean(seen[-10:]) < seen[0] / 10
    said = toy.answers(done.model, held_out)
    right = [f"<answer>{gold}</answer>" in text for gold, text in zip(held_out["answer"], said, strict=True)]
    assert sum(right) >= 36, "held-out pictures"
    assert done.plot.read_bytes()[:4] == b"\x89PNG"
