"""A training's folder: what it was asked, its checkpoints, its history, and at the end the model."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmcurate.columns import write_json
from mmcurate.errors import RunFolderError, SettingsError
from mmcurate.train.facts import Facts

ABOUT = "training.json"
HISTORY = "history.jsonl"
LEFT_OUT = "left_out.jsonl"
PLOT = "training.png"
MODEL = "model"
TAUGHT = "mmcurate_sft.json"
ADAPTER = "adapter"
MEASURED = "measured.npz"
FREE = {
    "output_dir", "logging_dir", "logging_steps", "logging_strategy", "report_to", "run_name", "save_total_limit", "save_steps",
    "dataloader_num_workers", "dataloader_prefetch_factor", "dataloader_persistent_workers", "dataloader_pin_memory", "disable_tqdm",
    "log_level", "log_completions", "num_completions_to_print", "push_to_hub", "hub_model_id", "hub_token", "hub_private_repo",
    "ddp_timeout", "ddp_find_unused_parameters", "vllm_server_host", "vllm_server_port", "vllm_server_base_url",
    "vllm_server_timeout", "vllm_gpu_memory_utilization", "trackio_space_id", "trackio_bucket_id", "project", "accelerator_config",
}  # fmt: skip
"""Settings that may differ when a training goes on."""


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        path: its folder.
        model: the folder of the trained model and its processor, which transformers and vLLM open.
        history: what was logged, in order: dicts of `step`, `loss` and more.
        left_out: how many rows were left out, by reason.
        num_rows: how many fit, and were shown; of a pass, RL leaves out those that don't fill a rollout.
        plot: the curves as a PNG.
    """

    path: Path
    model: Path
    history: list[dict[str, Any]] = dataclasses.field(repr=False)
    left_out: dict[str, int]
    num_rows: int
    plot: Path

    def _repr_png_(self) -> bytes | None:
        return self.plot.read_bytes() if self.plot.exists() else None


def finished(out: Path) -> Trained | None:
    """Returns the finished training of a folder, or None."""
    about = read(out)
    if not about.get("complete"):
        return None
    return Trained(out, out / MODEL, history(out), about["left_out"], about["num_rows"], out / PLOT)


def read(out: Path) -> dict[str, Any]:
    """Returns what a folder's training was asked; empty where there is none.

    Raises:
        RunFolderError: the folder holds something else.
    """
    try:
        return json.loads((out / ABOUT).read_text("utf-8"))
    except FileNotFoundError:
        if out.exists() and (not out.is_dir() or any(MEASURED not in p.name for p in out.iterdir())):
            raise RunFolderError(f"{out} is no training and not empty: choose another folder") from None
        return {}
    except ValueError:
        raise RunFolderError(f"{out / ABOUT} is damaged: delete {out}, or choose another folder") from None


def begin(
    out: Path, asked: dict[str, Any], left_out: list[dict[str, Any]], counts: dict[str, int], num_rows: int
) -> None:
    """Writes what a training was asked, or checks that it is the same as before.

    Raises:
        SettingsError: the folder's training was asked something else.
    """
    asked = json.loads(json.dumps(asked, default=lambda value: sorted(value) if isinstance(value, set) else str(value)))
    before = read(out).get("asked")
    if before is not None and (checkpoint(out) or read(out)["complete"]):
        for name in sorted({*before, *asked}):
            if before.get(name) != asked.get(name):
                raise SettingsError(
                    f"{out} holds a training with {name} = {before.get(name)!r}, and this one has {asked.get(name)!r}: "
                    "give it another folder, or delete this one"
                )
        return
    out.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in left_out)
    (out / LEFT_OUT).write_text(lines, "utf-8")
    write_json(out / ABOUT, {"asked": asked, "left_out": counts, "num_rows": num_rows, "complete": False})


def complete(out: Path) -> None:
    """Marks a training as done; the last thing that is written."""
    write_json(out / ABOUT, read(out) | {"complete": True})


def checkpoint(out: Path) -> Path | None:
    """Returns the last whole checkpoint, or None."""
    found = sorted(out.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]), reverse=True)
    return next((p for p in found if _whole(p)), None)


def _whole(checkpoint: Path) -> bool:
    """Whether a checkpoint's last file is there and can be read."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return True


def settings_of(args: Any) -> dict[str, Any]:
    """Returns a trainer's settings that decide what comes out, as JSON."""
    said = json.loads(json.dumps(args.to_dict(), default=str))
    return {name: value for name, value in said.items() if name not in FREE}


def history(out: Path) -> list[dict[str, Any]]:
    """Returns what was logged, in order."""
    path = out / HISTORY
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def teach(model: Path, facts: Facts | None) -> None:
    """Writes beside a model what it was fine-tuned on, so that reinforcement learning can compare."""
    if facts is not None:
        write_json(model / TAUGHT, dataclasses.asdict(facts))


def taught(model: str | Path) -> Facts | None:
    """Returns what a model was fine-tuned on, where it says so."""
    path = Path(model) / TAUGHT
    return Facts(**json.loads(path.read_text("utf-8"))) if path.exists() else None
