"""The whole way: questions, a teacher, verified traces, fine-tuning, reinforcement learning, a measured model.

Each stage opens what the one before it wrote.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

import mmcurate as mm
from mmcurate.sources import Procedural
from mmcurate.train import rl, sft
from tests.conftest import ROOT, recipe, write_jsonl
from tests.served_model import ServedModel
from tests.tiny_models import build
from tests.training import QUICK, losses


@pytest.mark.parametrize("family", ["qwen2_5_vl"])
def test_from_questions_to_a_measured_model(family, tmp_path):
    run = tmp_path / "run"
    recipe("--sample", 60, "--num-responses", 4, out=run)  # the demo: drawn questions, a simulated teacher over HTTP
    final = mm.open(run).to_sft()
    said = [
        m["content"]
        for row in final.select_columns(["prompt", "completion"])
        for m in row["prompt"] + row["completion"]
    ]
    base = build(family, tmp_path / "base", texts=set(said), vocab_size=1200, spread=0.1)

    tuned = sft(run, base, tmp_path / "sft", **QUICK, num_train_epochs=6)
    assert tuned.num_rows == len(final)
    assert np.mean(losses(tuned)[-5:]) < losses(tuned)[0] / 10

    changes = {
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 1,
        "num_generations": 4,
        "warmup_steps": 0,
    }
    better = rl(
        run, tuned.model, tmp_path / "gspo", **changes, max_completion_length=96, learning_rate=1e-5, max_steps=8
    )
    assert len(losses(better)) == 8
    assert better.num_rows == len(mm.open(run).to_rl())

    (tmp_path / "held_out").mkdir()
    rows = []
    for row in Procedural(16, seed=9, name="held_out"):
        name = f"{row['id']}.png"
        (tmp_path / "held_out" / name).write_bytes(row["images"][0])
        rows.append({k: row[k] for k in ("id", "source", "question", "options", "answer")} | {"images": [name]})
    questions = write_jsonl(tmp_path / "held_out" / "questions.jsonl", rows)
    with ServedModel(better.model, max_new_tokens=96) as server:
        command = [sys.executable, "-W", "error", str(ROOT / "recipes" / "openmmr_eval.py")]
        command += [
            "--model",
            f"tiny={server.base_url}",
            "--questions",
            str(questions),
            "--out",
            str(tmp_path / "eval"),
        ]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=200)
        assert server.num_requests == 16
    scores = json.loads((tmp_path / "eval" / "scores.json").read_text())["columns"]["held_out"]
    assert scores["num_rows"] == 16
    assert scores["num_unscored"] < 16
    print(scores)
