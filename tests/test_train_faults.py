"""What may go wrong around a training: it is told, and nothing else comes out than what was asked."""

import json
from functools import partial

import datasets
import pytest

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.distill import Distill
from mmcurate.errors import RunError, SettingsError
from mmcurate.reward import Reward
from mmcurate.train import folder, rl, sft
from mmcurate.train.measure import measure
from mmcurate.train.rows import open_set
from mmcurate.verify import Verify
from tests import toy
from tests.conftest import picture, questions, read_jsonl
from tests.tiny_models import build
from tests.training import QUICK, ROLLOUT, losses, stopped


@pytest.fixture(scope="module")
def model(models):
    return models["qwen3_vl"]


@pytest.fixture(scope="module")
def rows():
    return toy.final_set(toy.colours(16))


SMALL = ROLLOUT | {"max_completion_length": 4}
"""Rollouts of eight prompts in four updates, of four tokens each."""


def seen(done, name):
    return [said[name] for said in done.history if name in said]


def lengths(completions, completion_ids, **columns):
    """A reward of any text, so that all of them have one."""
    return [float(sum(ids) % 7) for ids in completion_ids]


def test_rl_goes_on_in_its_second_pass_with_that_pass_s_order(model, rows, tmp_path):
    changes = SMALL | {"max_steps": 16, "num_train_epochs": 9, "save_total_limit": 9, "reward": lengths}
    whole = rl(rows, model, tmp_path / "whole", **changes)
    for step in (8, 12):
        again = rl(rows, model, stopped(whole, tmp_path / f"{step}", step=step), **changes)
        for name in ("loss", "reward", "entropy", "grad_norm"):
            assert seen(again, name) == seen(whole, name)


def test_a_kl_term_is_to_the_model_that_was_given(model, tmp_path):
    mixed = datasets.concatenate_datasets(
        [toy.final_set(toy.colours(8)), toy.final_set({**q, "images": []} for q in toy.colours(8, seed=3))]
    )
    changes = SMALL | {"max_steps": 8, "beta": 0.1, "reward": lengths}
    whole = rl(mixed, model, tmp_path / "whole", **changes)
    again = rl(mixed, model, stopped(whole, tmp_path / "again", step=4), **changes)
    assert seen(whole, "kl")[4] > 1e-6
    assert seen(again, "kl") == seen(whole, "kl")


def test_too_few_rows_after_the_long_ones_went(model, rows, tmp_path):
    long = [{"role": "user", "content": "<image>" + "word " * 90}]
    some = rows.select(range(7)).to_list() + [{**rows.to_list()[0], "prompt": long}] * 2
    some = datasets.Dataset.from_list(some, features=rows.features)
    with pytest.raises(SettingsError, match="a rollout of 8 prompts on 7 rows"):
        rl(some, model, tmp_path / "out", max_steps=4, max_prompt_tokens=60, **SMALL)
    done = rl(some, model, tmp_path / "out", max_steps=4, max_prompt_tokens=900, **SMALL)
    assert len(losses(done)) == 4, "a training that never began holds no folder"
    assert done.left_out == {}


def test_rows_with_one_id_are_each_counted(model, rows, tmp_path):
    long = [{"role": "assistant", "content": "word " * 90}]
    some = rows.select(range(8)).to_list() + [{**rows.to_list()[0], "completion": long}] * 3
    done = sft(datasets.Dataset.from_list(some, rows.features), model, tmp_path / "out", **QUICK, max_tokens=100)
    assert done.left_out == {"a row of over 100 tokens": 3}
    assert len(read_jsonl(done.path / "left_out.jsonl")) == 3


def test_a_run_that_is_not_complete_is_not_trained_on(tmp_path):
    source = datasets.Dataset.from_list(questions(8))
    with SimulatedTeacher(questions(8), accuracy=1.0, cut_off=0.0, slips=0.0) as server:
        teacher = OpenAIChat(server.model, server.base_url)
        half = mm.Pipeline(source, Distill(teacher, num_responses=1)).run(tmp_path / "run")
        manifest = json.loads((half.path / "run.json").read_text())
        (half.path / "run.json").write_text(json.dumps(manifest | {"complete": False}))
        with pytest.raises(RunError, match="isn't complete"):
            open_set(half.path, "sft")
        whole = mm.Pipeline(source, Distill(teacher, num_responses=1), Verify()).run(tmp_path / "run")
    assert set(open_set(whole.path, "sft")["verdict"]) == {"correct"}
    with pytest.raises(SettingsError, match="there is no such folder"):
        open_set(tmp_path / "none", "sft")


def test_answers_that_nothing_checked_are_told(model, rows, tmp_path, caplog):
    ready = rows.add_column("verdict", ["correct"] * 12 + [None] * 4)
    sft(ready, model, tmp_path / "out", **QUICK, max_steps=1)
    assert "4 of 16 rows without a verdict" in caplog.text


def test_a_loss_that_is_no_number_ends_it(model, rows, tmp_path):
    with pytest.raises(RunError, match=r"is (nan|inf) at step \d+: the weights are lost"):
        sft(rows, model, tmp_path / "out", **QUICK | {"learning_rate": 1e7, "warmup_steps": 0, "num_train_epochs": 20})
    assert not folder.finished(tmp_path / "out")


def test_another_model_of_the_same_name_is_another_training(rows, tmp_path, monkeypatch):
    build("qwen3_vl", tmp_path / "base", texts=toy.TEXTS)
    sft(rows, tmp_path / "base", tmp_path / "out", **QUICK, max_steps=1)
    monkeypatch.chdir(tmp_path)
    assert sft(rows, "base", "out", **QUICK, max_steps=1).num_rows == 16, "the same folder, said otherwise"
    build("qwen3_vl", tmp_path / "base", texts=toy.TEXTS, seed=1)
    with pytest.raises(SettingsError, match="holds a training with model = "):
        sft(rows, "base", "out", **QUICK, max_steps=1)


def test_several_rewards(model, rows, tmp_path):
    both = [Reward(), lengths]
    done = rl(rows, model, tmp_path / "out", reward=both, max_steps=4, **SMALL)
    assert seen(done, "rewards/lengths/mean")
    assert seen(done, "verdict/no_answer") == [1.0], "all were cut off, which the first is told"
    with pytest.raises(SettingsError, match="reward = "):
        rl(rows, model, tmp_path / "out", reward=[Reward(format_weight=0.5), lengths], max_steps=4, **SMALL)


def test_an_adapter_of_ones_own_goes_on(model, rows, tmp_path):
    from peft import LoraConfig

    mine = LoraConfig(r=4, target_modules=["q_proj", "v_proj", "o_proj", "k_proj"])
    changes = QUICK | {"max_steps": 4, "save_steps": 2}
    whole = sft(rows, model, tmp_path / "whole", lora=mine, **changes)
    assert isinstance(mine.target_modules, set | list)
    again = sft(rows, model, stopped(whole, tmp_path / "again", step=2), lora=mine, **changes)
    assert losses(again) == losses(whole)


def test_a_ready_config_serves_twice(model, rows, tmp_path):
    from trl import GRPOConfig

    changes = {k: v for k, v in SMALL.items() if k != "save_steps"} | {"max_steps": 2, "shuffle_dataset": False}
    algorithm = {"loss_type": "grpo", "importance_sampling_level": "sequence", "report_to": "none", "bf16": False}
    args = GRPOConfig(output_dir="x", **changes, **algorithm, use_cpu=True, activation_checkpointing=False)
    before = args.to_dict()
    rated = rows.add_column("pass_rate", [i / 16 for i in range(16)])
    first = rl(rated, model, tmp_path / "out", args=args, curriculum=True, reward=lengths)
    assert args.to_dict() == before
    assert rl(rated, model, tmp_path / "out", args=args, curriculum=True, reward=lengths).history == first.history


def test_a_damaged_checkpoint_is_passed_over(model, rows, tmp_path):
    changes = QUICK | {"max_steps": 6, "save_steps": 2, "num_train_epochs": 9}
    whole = sft(rows, model, tmp_path / "whole", **changes)
    again = stopped(whole, tmp_path / "again", step=4)
    (again / "checkpoint-4" / "trainer_state.json").write_text('{"epoch": 1')
    assert folder.checkpoint(again).name == "checkpoint-2"
    done = sft(rows, model, again, **changes | {"save_steps": 3})
    assert losses(done) == losses(whole)
    assert (again / "checkpoint-3").exists(), "what may change when it goes on, changes"


def test_pictures_that_are_not_there_or_not_whole(models, rows):
    from mmcurate.train.processor import load_processor

    row = {**rows.to_list()[0]}
    cut = picture(size=(400, 300), kind="JPEG", quality=95)[:-400]
    text = [{"role": "user", "content": "What colour is blood?"}]
    many = [
        {**row, "images": None, "prompt": text},
        {**row, "images": [{"bytes": None, "path": None}]},
        {**row, "images": [{"bytes": cut, "path": None}]},
        {**row, "prompt": [{"role": "user", "content": "<image>Stop.<|endoftext|>"}]},
        row,
    ]
    measured = measure(datasets.Dataset.from_list(many, rows.features), load_processor(models["qwen3_vl"], "qwen3_vl"))
    unreadable = "a picture that can't be read"
    assert measured.problems == {1: unreadable, 2: unreadable, 3: "a model's own control token in its texts"}


def test_settings_of_the_caller_win(model, rows, tmp_path):
    from mmcurate.train.job import config_of
    from mmcurate.train.presets import sft_settings

    made = config_of("SFTConfig", None, tmp_path, partial(sft_settings, "paper"), {"activation_checkpointing": True})
    assert made.activation_checkpointing is True
    for wrong, told in ({"save_only_model": True}, "save_only_model"), ({"eval_strategy": "steps"}, "eval_strategy"):
        with pytest.raises(SettingsError, match=told):
            sft(rows, model, tmp_path / "out", **QUICK, **wrong)
