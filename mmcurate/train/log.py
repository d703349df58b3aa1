"""What a training tells while it runs: a line of history for each logged step, and its curves at the end."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

from mmcurate.errors import RunError

_log = logging.getLogger("mmcurate")

PANELS = {
    "loss": ("loss",),
    "reward": ("reward", "accuracy", "format"),
    "ratio": ("ratio/mean", "ratio/min", "ratio/max"),
    "clipped": ("clip_ratio/region_mean", "clip_ratio/low_mean", "clip_ratio/high_mean"),
    "entropy": ("entropy",),
    "tokens an answer": ("completions/mean_length", "completions/max_length"),
    "share of groups without variance": ("frac_reward_zero_std",),
    "share": ("completions/clipped_ratio", "not_scored", "mean_token_accuracy"),
    "gradient norm": ("grad_norm",),
    "learning rate": ("learning_rate",),
}
"""The panels of the plot, and the curves in each; one that was never logged isn't drawn."""


def history_callback(path: Path) -> Any:
    """Returns a trainer callback that keeps the log as JSON lines, without the steps that a resume does again."""
    from transformers import TrainerCallback

    class History(TrainerCallback):
        warned = False

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            state.compute_steps(args, state.max_steps)  # a checkpoint brings its own, of the call before
            if state.is_world_process_zero:
                path.write_text("".join(_line(said) for said in state.log_history), "utf-8")

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            if state.is_world_process_zero:
                with path.open("a", encoding="utf-8") as file:
                    file.write(_line({**logs, "step": state.global_step}))
            for name in ("loss",) if args.fp16 else ("loss", "grad_norm"):  # with fp16 a scaler skips such steps
                if not math.isfinite(logs.get(name, 0.0)):
                    raise RunError(
                        f"{name} is {logs[name]} at step {state.global_step}: the weights are lost from here on. Go on from the last "
                        f"checkpoint in {args.output_dir} with a lower learning_rate (now {args.learning_rate:g}), in another folder"
                    )
            if state.is_world_process_zero:
                share = logs.get("not_scored", 0.0)
                if share > 0.5 and not self.warned:
                    self.warned = True
                    _log.warning(
                        "%.0f %% of the responses can't be scored, so they teach nothing: no rule decides them. Give the "
                        "questions options, leave such questions out, or give Reward a judge",
                        100 * share,
                    )

    return History()


def _line(said: dict[str, Any]) -> str:
    kept = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in said.items()
    }
    return json.dumps(kept) + "\n"


def plot(history: list[dict[str, Any]], path: Path, title: str) -> None:
    """Draws each logged quantity over the steps into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = {panel: [(name, *_curve(history, name)) for name in names] for panel, names in PANELS.items()}
    shown = {panel: [c for c in curves if c[1]] for panel, curves in shown.items()}
    shown = {panel: curves for panel, curves in shown.items() if curves}
    if not shown:
        return
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.8 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (panel, curves) in enumerate(shown.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        for name, steps, values in curves:
            axes.plot(steps, values, label=name, linewidth=1.3, marker="." if len(steps) < 30 else None)
        axes.set_title(panel, fontsize=10)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if len(curves) > 1:
            axes.legend(fontsize=7)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110)


def _curve(history: list[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    points = [(said["step"], said[name]) for said in history if said.get(name) is not None]
    return [step for step, _ in points], [value for _, value in points]
