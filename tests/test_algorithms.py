"""GSPO, GRPO and DAPO side by side, three seeds: some ten minutes, so by hand. MMCURATE_OUT keeps the table and the plot."""

import os
import statistics
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.benchmarks.algorithms import ALGORITHMS, CHANCE, ROLLOUTS, SEEDS, WINDOW, compare, ratios, rewards


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_three_learn_from_rewards(tmp_path):
    out = Path(os.environ.get("MMCURATE_OUT", tmp_path))
    made = compare(out)
    for name in ALGORITHMS:
        assert len(made[name]) == len(SEEDS)
        for history in made[name]:
            assert len(rewards(history)) == ROLLOUTS
            low, high = ratios(history)
            assert low < 1 < high, "the clip has something to clip"
        assert statistics.mean(r for h in made[name] for r in rewards(h)[-WINDOW:]) > CHANCE
        assert f"| {name.upper()} |" in (out / "algorithms.md").read_text()
    assert (out / "algorithms.png").read_bytes()[:4] == b"\x89PNG"
