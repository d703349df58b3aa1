"""GSPO, GRPO and DAPO side by side: reward over rollouts on a toy task, three seeds each, as a table and a plot.

    OMP_NUM_THREADS=1 python tests/benchmarks/algorithms.py --out DIR

A tiny Qwen2.5-VL is to name a square's colour. It was fine-tuned on answers of which four in five were drawn at random, so
it knows the format and is right little more often than by chance; what it learns after that, it learns from rewards. All three
start from the same models and see as many rollouts, responses, updates and pictures at one learning rate, chosen once and not tuned for
each. DAPO is its loss and clips; its dynamic sampling and overlong term are off. The table says what came out here, and nothing of
larger models or other tasks.
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests import toy
from tests.tiny_models import build

ALGORITHMS = ("gspo", "grpo", "dapo")
SEEDS = (0, 1, 2)
UPDATES = 4
"""Of each rollout."""
ROLLOUTS = 24
WINDOW = 4
"""Rollouts whose mean is a point of the table."""
KNOWN = 0.2
"""Share of the fine-tuning answers that are right for sure; the others are drawn."""
CHANCE = 0.9 / len(toy.COLOURS) + 0.1
"""The reward of a response in the right format with any of the colours."""
SETTINGS = {"gradient_accumulation_steps": 1, "save_strategy": "no", "disable_tqdm": True}


def taught(folder: Path, seed: int) -> Path:
    """Returns a model that knows the format, and hardly more."""
    from mmcurate.train import sft

    chance = random.Random(seed)
    rows = [
        row if chance.random() < KNOWN else {**row, "answer": chance.choice(list(toy.COLOURS))}
        for row in toy.questions(640, seed=seed, kinds=("colour",))
    ]
    tiny = build("qwen2_5_vl", folder / "tiny", texts=toy.TEXTS, spread=0.1, seed=seed)
    batch = {"per_device_train_batch_size": 16, "max_steps": 140, "learning_rate": 3e-3}
    return sft(toy.final_set(rows), tiny, folder / "sft", seed=seed, **batch, **SETTINGS).model


def trained(model: Path, algorithm: str, seed: int, folder: Path) -> list[dict]:
    """Returns the history of an algorithm's training: `UPDATES` steps a rollout, its reward at the first of them."""
    from mmcurate.train import rl

    rows = toy.final_set(toy.questions(480, seed=100 + seed, kinds=("colour",)))
    return rl(
        rows,
        model,
        folder,
        algorithm=algorithm,
        seed=seed,
        learning_rate=3e-4,
        warmup_steps=0,
        num_generations=6,
        per_device_train_batch_size=12,
        max_completion_length=24,
        max_steps=ROLLOUTS * UPDATES,
        **SETTINGS,
    ).history


def rewards(history: list[dict]) -> list[float]:
    """The mean reward of each rollout."""
    return [said["reward"] for said in history if "reward" in said]


def ratios(history: list[dict]) -> tuple[float, float]:
    """The smallest and the largest ratio of a training."""
    steps = [said for said in history if "ratio/min" in said]
    return min(said["ratio/min"] for said in steps), max(said["ratio/max"] for said in steps)


def points(series: list[float]) -> list[float]:
    """Means over `WINDOW` rollouts."""
    return [statistics.mean(series[start : start + WINDOW]) for start in range(0, len(series), WINDOW)]


def table(made: dict[str, list[list[dict]]]) -> str:
    """Markdown: mean and standard deviation over the seeds, of the reward in each window of rollouts."""
    ends = range(WINDOW, ROLLOUTS + 1, WINDOW)
    lines = [
        "| algorithm | " + " | ".join(f"rollouts {end - WINDOW + 1} to {end}" for end in ends) + " | ratios |",
        "|---" * (len(ends) + 2) + "|",
    ]
    for algorithm, histories in made.items():
        windows = zip(*(points(rewards(h)) for h in histories), strict=True)
        cells = [f"{statistics.mean(w):.2f} ± {statistics.stdev(w):.2f}" for w in windows]
        seen = [ratios(h) for h in histories]
        cells.append(f"{min(low for low, _ in seen):.3g} to {max(high for _, high in seen):.3g}")
        lines.append(f"| {algorithm.upper()} | " + " | ".join(cells) + " |")
    told = f"Reward, mean ± standard deviation over {len(SEEDS)} seeds; {CHANCE:.2f} by chance, 1 at most."
    return "\n".join([*lines, "", told]) + "\n"


def draw(made: dict[str, list[list[dict]]], path: Path) -> None:
    """Draws the mean reward of each rollout over the seeds, and the seeds' range around it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    steps = range(1, ROLLOUTS + 1)
    for algorithm, histories in made.items():
        series = list(zip(*map(rewards, histories), strict=True))
        (line,) = axes.plot(steps, [statistics.mean(s) for s in series], label=algorithm.upper())
        axes.fill_between(
            steps, [min(s) for s in series], [max(s) for s in series], color=line.get_color(), alpha=0.15, linewidth=0
        )
    axes.axhline(CHANCE, color="grey", linestyle=":", label="chance")
    axes.set(xlabel="rollout", ylabel="reward", ylim=(0, 1.02))
    axes.set_title(f"A toy task: mean and range of {len(SEEDS)} seeds", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def compare(out: Path) -> dict[str, list[list[dict]]]:
    """Trains all, writes `algorithms.md` and `algorithms.png`, and returns each algorithm's histories, one a seed."""
    logging.getLogger("mmcurate").setLevel(logging.ERROR)  # that DAPO's sampling is off is said above
    out.mkdir(parents=True, exist_ok=True)
    made: dict[str, list[list[dict]]] = {algorithm: [] for algorithm in ALGORITHMS}
    for seed in SEEDS:
        model = taught(out / f"seed {seed}", seed)
        for algorithm in ALGORITHMS:
            begin = time.perf_counter()
            made[algorithm].append(trained(model, algorithm, seed, out / f"seed {seed}" / algorithm))
            print(f"{algorithm}, seed {seed}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    (out / "algorithms.md").write_text(table(made))
    draw(made, out / "algorithms.png")
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the table, the plot and the trainings go")
    folder = parser.parse_args().out
    compare(folder)
    print((folder / "algorithms.md").read_text())
