"""Reinforcement learning of tiny Qwen models: it learns what pictures show, and goes on where it stopped."""

import json
import random

import numpy as np
import pytest

from mmcurate.errors import ColumnError, SettingsError
from mmcurate.reward import Reward
from mmcurate.train import rl, sft
from tests import toy
from tests.conftest import read_jsonl
from tests.training import FAMILIES, QUICK, ROLLOUT, stopped

COLOUR = ("colour",)


def guessing(number, knowing=0.15):
    """Rows in the right format whose answers are drawn at random, but for a few: a model of them is little better than chance."""
    chance = random.Random(1)
    return toy.final_set(
        row if chance.random() < knowing else {**row, "answer": chance.choice(list(toy.COLOURS))}
        for row in toy.questions(number, kinds=COLOUR)
    )


@pytest.fixture(scope="module")
def started(models, tmp_path_factory):
    """Models that know the format and guess the answer."""
    root = tmp_path_factory.mktemp("started")
    changes = QUICK | {"per_device_train_batch_size": 16, "max_steps": 60, "num_train_epochs": 9}
    return {f: sft(guessing(256), models[f], root / f, **changes).model for f in FAMILIES}


def seen(done, name):
    return [said[name] for said in done.history if name in said]


@pytest.mark.parametrize("family", ["qwen2_5_vl", pytest.param("qwen3_vl", marks=pytest.mark.slow)])
def test_a_reward_that_depends_on_the_picture_rises(family, started, tmp_path):
    rows = toy.final_set(toy.questions(256, kinds=COLOUR))
    changes = ROLLOUT | {"per_device_train_batch_size": 64, "max_steps": 36, "num_train_epochs": 9}
    done = rl(rows, started[family], tmp_path / "out", **changes)
    accuracy = seen(done, "accuracy")
    assert accuracy[0] < 0.4, "a quarter is chance"
    assert np.mean(accuracy[-2:]) > 0.5, "twice chance, which no answer that ignores the picture reaches"
    for name in (
        "loss",
        "reward",
        "ratio/mean",
        "clip_ratio/region_mean",
        "entropy",
        "completions/mean_length",
        "frac_reward_zero_std",
    ):
        assert seen(done, name), f"{name} is logged"
    ratios = np.array(seen(done, "ratio/max"))
    assert (ratios[::4] == 1).all(), "the first update of a rollout is on the policy that made it"
    assert (np.delete(ratios, np.s_[::4]) > 1).all()
    assert done.plot.stat().st_size > 20_000


@pytest.mark.parametrize(("family", "lora"), [(FAMILIES[0], None), (FAMILIES[1], None), (FAMILIES[1], True)])
def test_it_goes_on_as_if_it_had_not_been_stopped(family, lora, started, tmp_path):
    rows = toy.final_set(toy.colours(32))
    whole = rl(rows, started[family], tmp_path / "whole", lora=lora, max_steps=8, **ROLLOUT)
    again = rl(rows, started[family], stopped(whole, tmp_path / "again", step=4), lora=lora, max_steps=8, **ROLLOUT)
    assert len(seen(whole, "loss")) == 8
    for name in ("loss", "reward", "entropy", "ratio/max", "completions/mean_length", "step"):
        assert seen(again, name) == seen(whole, name)


def test_pass_rates_and_order(started, tmp_path):
    rates = [0.0, 0.25, None, 1.0, 0.75, 0.5, 0.5, 0.875]
    rows = toy.final_set(toy.colours(8)).add_column("pass_rate", rates)
    changes = ROLLOUT | {
        "max_steps": 4,
        "per_device_train_batch_size": 10,
        "num_generations": 10,
        "steps_per_generation": 4,
    }
    order = []

    def reward(completions, id, **columns):
        order.extend(dict.fromkeys(id))
        return [0.5 * i for i in range(len(completions))]

    done = rl(rows, started["qwen3_vl"], tmp_path / "out", reward=reward, pass_rate=(0, 1), curriculum=True, **changes)
    ids = dict(zip(rates, rows["id"], strict=True))
    assert order == [ids[0.875], ids[0.75], rows["id"][5], rows["id"][6]]
    assert done.left_out == {"pass rate of 0": 1, "no pass rate": 1, "pass rate of 1": 1}
    assert {row["id"] for row in read_jsonl(done.path / "left_out.jsonl")} == {ids[0.0], ids[None], ids[1.0]}
    assert done.num_rows == 5


def test_what_undoes_the_algorithm_is_refused_before_anything_loads(started, tmp_path, caplog):
    rows = toy.final_set(toy.colours(16))
    with pytest.raises(SettingsError, match="gspo with loss_type = 'dapo'"):
        rl(rows, started["qwen3_vl"], tmp_path / "out", loss_type="dapo", **ROLLOUT)
    with pytest.raises(SettingsError, match="'gpso' isn't known; did you mean 'gspo'"):
        rl(rows, started["qwen3_vl"], tmp_path / "out", algorithm="gpso", **ROLLOUT)
    with pytest.raises(SettingsError, match="a rollout of 512 prompts on 16 rows"):
        rl(rows, started["qwen3_vl"], tmp_path / "out")
    with pytest.raises(ColumnError, match="lacks the column 'answer'"):
        rl(rows.remove_columns("answer"), started["qwen3_vl"], tmp_path / "out")
    with pytest.raises(ColumnError, match="lacks the column 'pass_rate'"):
        rl(rows, started["qwen3_vl"], tmp_path / "out", pass_rate=(0, 1), **ROLLOUT)
    assert not (tmp_path / "out").exists()
    changes = ROLLOUT | {"max_steps": 1, "steps_per_generation": 1, "max_completion_length": 4}
    rl(rows, started["qwen3_vl"], tmp_path / "out", **changes)
    assert "the ratio is always 1" in caplog.text


def test_what_can_not_be_scored_is_no_zero(started, tmp_path, caplog):
    """Words without options: a right one is right, another is undecided, and stays out of its group."""
    rows = toy.final_set({**row, "options": []} for row in toy.colours(16))
    done = rl(rows, started["qwen2_5_vl"], tmp_path / "out", max_steps=4, reward=Reward(format_weight=0.0), **ROLLOUT)
    [share] = seen(done, "not_scored")
    assert share > 0.5
    assert seen(done, "reward")[0] > seen(done, "accuracy")[0] * 0.99, "the mean is over what is scored"
    assert "of the responses can't be scored" in caplog.text


def test_the_next_stage_knows_what_the_model_was_taught(started, tmp_path, caplog):
    rows = toy.final_set(toy.colours(16), system="Say.")
    done = rl(rows, started["qwen3_vl"], tmp_path / "out", max_steps=1, **ROLLOUT | {"max_completion_length": 4})
    assert "the model is asked otherwise than it was taught" in caplog.text
    assert json.loads((done.model / "mmcurate_sft.json").read_text())["num_rows"] == 256
