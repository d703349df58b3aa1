"""Supervised fine-tuning of tiny Qwen models: it learns pictures, goes on where it stopped, and says what it left out."""

import json
import os
import signal
import subprocess
import sys
import time

import datasets
import numpy as np
import pytest

from mmcurate.errors import ColumnError, RunFolderError, SettingsError
from mmcurate.train import folder, sft
from tests import toy
from tests.conftest import ROOT, picture, read_jsonl
from tests.tiny_models import VIDEOS
from tests.training import FAMILIES, QUICK, losses, stopped


@pytest.fixture(scope="module")
def rows():
    return toy.final_set(toy.questions(48))


@pytest.mark.parametrize("family", [pytest.param("qwen2_5_vl", marks=pytest.mark.slow), "qwen3_vl"])
def test_it_learns_to_name_colours_and_to_count(family, models, tmp_path):
    rows, held_out = toy.final_set(toy.questions(640)), toy.final_set(toy.questions(40, seed=99))
    changes = QUICK | {"per_device_train_batch_size": 16, "num_train_epochs": 6}
    done = sft(rows, models[family], tmp_path / "out", **changes)
    seen = losses(done)
    assert np.mean(seen[-10:]) < seen[0] / 10
    said = toy.answers(done.model, held_out)
    right = [f"<answer>{gold}</answer>" in text for gold, text in zip(held_out["answer"], said, strict=True)]
    assert sum(right) >= 36, "held-out pictures"


@pytest.mark.parametrize("lora", [None, True], ids=["whole", "lora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_goes_on_as_if_it_had_not_been_stopped(family, lora, models, rows, tmp_path):
    changes = QUICK | {"save_steps": 4, "num_train_epochs": 2, "lora": lora}
    whole = sft(rows, models[family], tmp_path / "whole", **changes)
    again = sft(rows, models[family], stopped(whole, tmp_path / "again", step=4), **changes)
    assert len(losses(whole)) == 12
    assert losses(again) == losses(whole)
    assert [said["step"] for said in again.history if "loss" in said] == list(range(1, 13))
    first, last = (json.loads((d.path / "training.json").read_text()) for d in (whole, again))
    assert first == last
    begin = time.monotonic()
    assert sft(rows, models[family], again.path, **changes).history == again.history, "the same call does nothing"
    assert time.monotonic() - begin < 3
    weights = [(d.model / "model.safetensors").read_bytes() for d in (whole, again)]
    assert weights[0] == weights[1]
    assert json.loads((whole.model / "video_preprocessor_config.json").read_text()) == VIDEOS


def test_kill_minus_nine(models, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from mmcurate.train import sft\nfrom tests import toy\n"
        "rows = toy.final_set(toy.questions(48))\n"
        f"sft(rows, sys.argv[2], sys.argv[3], **{QUICK | {'save_steps': 5, 'num_train_epochs': 5}})\n"
    )
    out = tmp_path / "out"
    command = [sys.executable, str(script), str(ROOT), models["qwen2_5_vl"], str(out)]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not folder.checkpoint(out):
        assert started.poll() is None, "it ended before its first checkpoint"
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert not folder.finished(out)
    subprocess.run(command, check=True, capture_output=True)
    assert [said["step"] for said in folder.history(out) if "loss" in said] == list(range(1, 31))
    assert folder.finished(out).num_rows == 48


def test_another_question_in_the_same_folder_is_refused(models, rows, tmp_path):
    sft(rows, models["qwen3_vl"], tmp_path / "out", **QUICK, max_steps=1)
    with pytest.raises(SettingsError, match=r"learning_rate = 0.003, and this one has 0.001"):
        sft(rows, models["qwen3_vl"], tmp_path / "out", **QUICK | {"learning_rate": 1e-3}, max_steps=1)
    with pytest.raises(SettingsError, match="holds a training with data = "):
        sft(rows.select(range(40)), models["qwen3_vl"], tmp_path / "out", **QUICK, max_steps=1)
    assert sft(rows, models["qwen3_vl"], tmp_path / "out", **QUICK, max_steps=1, logging_steps=5).num_rows == 48
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(RunFolderError, match="no training and not empty"):
        sft(rows, models["qwen3_vl"], tmp_path / "other", **QUICK)


def odd(rows, **changes):
    """A copy of a row with other values."""
    return {**rows[0], "images": [{"bytes": picture(), "path": None}], **changes}


def test_rows_that_do_not_fit_are_told_before_training(models, rows, tmp_path):
    long, sharp = "word " * 400, [{"role": "user", "content": "<image>What is <|image_pad|>?"}]
    none = [{"role": "user", "content": "What colour?"}]
    said = [{"role": "assistant", "content": " "}]
    strange = [
        odd(rows, id="long", completion=[{"role": "assistant", "content": long}]),
        odd(rows, id="media", prompt=sharp),
        odd(rows, id="tags", prompt=none),
        odd(rows, id="damaged", images=[{"bytes": b"no picture", "path": None}]),
        odd(rows, id="narrow", images=[{"bytes": picture(size=(4, 900)), "path": None}]),
        odd(rows, id="empty", completion=said),
        odd(rows, id="fits"),
    ]
    more = datasets.Dataset.from_list(strange, features=rows.features)
    done = sft(
        datasets.concatenate_datasets([rows, more]),
        models["qwen2_5_vl"],
        tmp_path / "out",
        **QUICK,
        max_steps=1,
        max_tokens=200,
    )
    reasons = {row["id"]: row["reason"] for row in read_jsonl(done.path / "left_out.jsonl")}
    assert reasons == {
        "long": "a row of over 200 tokens",
        "media": "a model's own control token in its texts",
        "tags": "another number of <image> tags in its question than pictures",
        "damaged": "a picture that can't be read",
        "narrow": "a picture with one side over 200 times the other, which Qwen's processors refuse",
        "empty": "an empty answer",
    }
    assert done.num_rows == 49
    assert sum(done.left_out.values()) + done.num_rows == len(rows) + len(more)
    with pytest.raises(SettingsError, match="none of the set's 48 rows fits"):
        sft(rows, models["qwen2_5_vl"], tmp_path / "none", **QUICK, max_tokens=10)


def test_what_is_wrong_is_told_in_one_line(models, rows, tmp_path):
    with pytest.raises(SettingsError, match="no setting 'learning_rat'; did you mean 'learning_rate'"):
        sft(rows, models["qwen3_vl"], tmp_path / "out", learning_rat=1e-3)
    with pytest.raises(SettingsError, match=r"SFTConfig refuses \{'eval_strategy': 'often'\}: often is not a valid"):
        sft(rows, models["qwen3_vl"], tmp_path / "out", eval_strategy="often")
    with pytest.raises(SettingsError, match="output_dir = 'x': the folder is said by `out`"):
        sft(rows, models["qwen3_vl"], tmp_path / "out", output_dir="x")
    with pytest.raises(SettingsError, match="'papr' isn't known; did you mean 'paper'"):
        sft(rows, models["qwen3_vl"], tmp_path / "out", preset="papr")
    with pytest.raises(ColumnError, match="lacks the column 'completion'"):
        sft(rows.remove_columns("completion"), models["qwen3_vl"], tmp_path / "out")
    with pytest.raises(SettingsError, match="max_length = 100"):
        sft(rows, models["qwen3_vl"], tmp_path / "out", max_length=100)
    with pytest.raises(SettingsError, match="no model"):
        sft(rows, tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(SettingsError, match="data is a list"):
        sft([{}], models["qwen3_vl"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_ready_config_is_taken_as_it_is(models, rows, tmp_path):
    from trl import SFTConfig

    changes = {
        "max_steps": 2,
        "max_length": None,
        "remove_unused_columns": False,
        "report_to": "none",
        "bf16": False,
        "activation_checkpointing": False,
        "use_cpu": True,
    }
    done = sft(rows, models["qwen3_vl"], tmp_path / "out", args=SFTConfig(output_dir="elsewhere", **changes))
    assert [said["step"] for said in done.history if "train_loss" in said] == [2]
    with pytest.raises(SettingsError, match="max_steps and args= both"):
        sft(rows, models["qwen3_vl"], tmp_path / "two", args=SFTConfig(output_dir="x", **changes), max_steps=3)
    assert not os.path.exists("elsewhere")
