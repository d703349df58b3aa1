"""The check of training on a card, and the same ways on a CPU; both by hand. `python tests/gpu/check.py --help` says what it needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training import FAMILIES

torch = pytest.importorskip("torch")

CHECK = Path(__file__).with_name("check.py")


def checked(out, *options):
    """Runs the check; returns what it measured, by section, family and name."""
    done = subprocess.run([sys.executable, str(CHECK), "--out", str(out), *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    made = json.loads((out / "gpu.json").read_text())
    assert not made["problems"]
    found = {(row["section"], row["family"], row["what"]): row["value"] for row in made["rows"]}
    for family in FAMILIES:
        for section in ("learning", "resume", "parity", "ratio", "speed"):
            assert found[section, family, "the section took"] > 0
        assert found["parity", family, "float32: loss against the CPU, relative"] <= 1e-5
        assert found["learning", family, "SFT, tiny: last loss over first"] <= 0.1
    return made, found


@pytest.mark.gpu
@pytest.mark.timeout(700)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_card(tmp_path):
    made, found = checked(tmp_path)
    assert made["memory_gib"]
    for family in FAMILIES:
        for size in ("0.3B", "2-3B"):
            assert 0 < found["speed", family, f"SFT, {size}, whole: peak memory"] < made["memory_gib"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_ways_on_a_cpu(tmp_path):
    made, found = checked(tmp_path, "--small")
    assert made["small"]
    assert found["ratio", "qwen3_vl", "float32 weights: token |ratio - 1|, against float32"] > 0
