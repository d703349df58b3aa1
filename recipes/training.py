"""What the two training recipes share: their options, TRL's settings as text, what is shown at the end."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mmcurate.errors import SettingsError
from mmcurate.train.folder import Trained


def parser(text: str) -> argparse.ArgumentParser:
    """Returns a parser whose help is the recipe's own text."""
    made = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = made.add_argument
    add("data", nargs="?", metavar="DIR", help="a run's folder, or a final set's")
    add("--model", metavar="ID-OR-FOLDER", help="a Qwen2.5-VL or Qwen3-VL, of the Hub or local")
    add("--out", metavar="OUT", help="for checkpoints, curves and the model; the same command again goes on")
    add("--preset", default="paper", metavar="NAME", help="paper or openmmreasoner (default: paper)")
    add("--lora", action="store_true", help="train an adapter, which is merged at the end, instead of all weights")
    add("--max-pixels", type=int, metavar="N", help="of a picture (default: the checkpoint's; the paper's: 4194304)")
    add("--steps", type=int, metavar="N", help="stop after so many updates")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any setting of TRL: --set learning_rate=1e-5 --set report_to=wandb; may be repeated",
    )
    return made


def chosen(options: argparse.Namespace, train: Callable[..., Any]) -> dict[str, Any]:
    """Returns what both recipes hand to a training, TRL's settings with it.

    Raises:
        SettingsError: something is missing, or --set names what isn't TRL's.
    """
    given = {"DIR": options.data, "--model": options.model, "--out": options.out}
    if missing := [name for name, value in given.items() if not value]:
        raise SettingsError(
            f"{' and '.join(missing)} missing: give DIR (such as runs/openmmr_sft, which the other recipes make), "
            "--model (such as Qwen/Qwen2.5-VL-7B-Instruct) and --out (such as models/mine)"
        )
    own = {"data", "model", "out", "preset", "lora", "max_pixels"}
    made = {name: getattr(options, name) for name in own} | {"lora": options.lora or None}
    if options.steps:
        made["max_steps"] = options.steps
    for text in options.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--set {text}: must be NAME=VALUE, such as learning_rate=1e-5")
        if name in inspect.signature(train).parameters:
            raise SettingsError(f"--set {text}: {name} is no setting of TRL; see --help for the option")
        try:
            made[name] = json.loads(value)
        except ValueError:
            made[name] = value
    return made


def finish(done: Trained, told: Iterable[tuple[str, str]], *commands: str) -> None:
    """Prints what was trained on, what was left out, and what comes next; one process of many does."""
    if os.environ.get("RANK", "0") != "0":
        return
    lines = [("rows trained on", f"{done.num_rows:,}")]
    lines += [(f"  left out: {reason}", f"{number:,}") for reason, number in done.left_out.items()]
    lines += told
    width = max(len(name) for name, _ in lines)
    print("\n".join(f"{name:<{width}}  {value}" for name, value in lines))
    print(f"\nmodel     {done.model}\ncurves    {done.plot}\nhistory   {done.path / 'history.jsonl'}\n")
    print("next:\n" + "\n".join(commands))


def run_of(data: str) -> str:
    """Returns the run's folder behind a final set, where there is one."""
    folder = Path(data).expanduser()
    found = next((f for f in (folder, folder.parent) if (f / "run.json").exists()), Path("runs/openmmr_rl"))
    return shlex.quote(str(found))
