"""The training recipes as a user runs them: from a final set's folder to a model, and what is wrong in one line."""

import json
import os
import runpy
import subprocess
import sys

import pytest

from tests import toy
from tests.conftest import ROOT

QUICK = ("--set", "per_device_train_batch_size=8", "--set", "gradient_accumulation_steps=1")
RECIPES = ("train_sft", "train_rl")


@pytest.fixture(scope="module")
def final(tmp_path_factory):
    """A folder as `to_sft` and `to_rl` leave it."""
    folder = tmp_path_factory.mktemp("run") / "final"
    rates = [0.0, 0.5, 0.25, 0.75] * 6
    toy.final_set(toy.colours(24)).add_column("pass_rate", rates).save_to_disk(str(folder))
    (folder / "mmcurate.json").write_text(json.dumps({"export": "to_rl", "path": str(folder)}))
    return folder


def run(script, *options, launcher=(), **more):
    command = [sys.executable, *launcher, str(ROOT / "recipes" / f"{script}.py"), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, **more)


def plain(text):
    return " ".join(text.split())


def test_from_a_final_set_to_a_model(final, models, tmp_path, monkeypatch, capsys):
    given = (final, *QUICK, "--steps", 4)
    done = run("train_sft", *given, "--model", models["qwen3_vl"], "--out", tmp_path / "sft", "--lora")
    assert done.returncode == 0, done.stderr
    assert "rows trained on 24" in plain(done.stdout)
    model = tmp_path / "sft" / "model"
    assert f"model     {model}\n" in done.stdout
    assert f"python recipes/train_rl.py runs/openmmr_rl --model {model} --out {tmp_path / 'rl'}" in done.stdout
    assert (tmp_path / "sft" / "training.png").exists()
    assert json.loads((tmp_path / "sft" / "training.json").read_text())["asked"]["max_steps"] == 4
    options = ("--set", "max_completion_length=8", "--set", "num_generations=4", "--set", "loss_type=dapo")
    options += ("--algorithm", "dapo", "--overlong", "--pass-rate", "0,1", "--curriculum", "--set", "report_to=none")
    # In this process, which has loaded torch already.
    monkeypatch.syspath_prepend(ROOT / "recipes")
    monkeypatch.setattr(
        sys, "argv", ["train_rl.py", *map(str, given), "--model", str(model), "--out", str(tmp_path / "rl"), *options]
    )
    capsys.readouterr()
    runpy.run_path(str(ROOT / "recipes" / "train_rl.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "rows trained on 18 left out: pass rate of 0 6 reward, first and last" in plain(said)
    assert f"python recipes/openmmr_eval.py --model {tmp_path / 'rl' / 'model'}=http://localhost:8000/v1" in said


@pytest.mark.parametrize("script", RECIPES)
def test_without_arguments_it_says_what_to_give(script):
    done = run(script)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "DIR and --model and --out missing: give DIR (such as runs/openmmr_sft" in done.stderr


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("learning_rate", "--set learning_rate: must be NAME=VALUE, such as learning_rate=1e-5"),
        ("preset=paper", "--set preset=paper: preset is no setting of TRL; see --help for the option"),
    ],
)
def test_settings_as_text(option, told, final, tmp_path):
    done = run("train_sft", final, "--model", "x", "--out", tmp_path / "out", "--set", option)
    assert done.returncode == 2
    assert done.stderr.startswith(f"SettingsError: {told}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_told_in_one_line(final, tmp_path):
    code = (
        f"import sys, runpy; sys.modules['peft'] = None; sys.path.insert(0, {str(ROOT / 'recipes')!r}); "
        f"sys.argv = ['train_sft.py', {str(final)!r}, '--model', 'x', '--out', {str(tmp_path / 'out')!r}]; "
        "runpy.run_path(sys.path[0] + '/train_sft.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert done.stderr == "SettingsError: training needs peft: pip install 'mmcurate[train]'\n"


@pytest.mark.slow
def test_two_processes(final, models, tmp_path):
    """They share the rows, one of them writes and tells, and an error ends both."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    env = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    given = (final, "--model", models["qwen3_vl"], "--out", tmp_path / "out", *QUICK)
    done = run("train_sft", *given, "--steps", 3, launcher=launcher, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("rows trained on") == 1
    lines = [json.loads(line) for line in (tmp_path / "out" / "history.jsonl").read_text().splitlines()]
    assert [said["step"] for said in lines] == [1, 2, 3, 3]
    assert lines[2]["epoch"] == 1.5, "16 rows an update"
    done = run("train_sft", *given, "--steps", 4, launcher=launcher, env=env)
    assert done.returncode != 0
    assert "holds a training with max_steps = 3, and this one has 4" in done.stderr
