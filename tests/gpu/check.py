"""The whole of training on one card, in under ten minutes; with --small on a CPU, in a few.

    python tests/gpu/check.py [--small] [--out DIR]

It makes random Qwen2.5-VL and Qwen3-VL models, trains them in bfloat16 with activation checkpointing, and prints a table, which
is in DIR/gpu.json too (DIR is $OUT unless given). It ends with 1 where something isn't as it must be. Sections:

    learning     SFT of a tiny model; then GSPO on it, with ratios that leave 1
    resume       stopped and gone on, whole and LoRA: the losses beside those of the same training done twice
    parity       loss and gradient in float32, CPU with eager attention against the card with SDPA; bfloat16 beside them
    ratio        how far bfloat16 alone moves GSPO's ratio: unchanged weights, other micro-batches, more padding
    speed        tokens a second and peak memory of SFT, 0.3B and 2-3B, whole and LoRA, and with checkpointing off

It needs no network, nothing of the Hub and no test data. A card's machine that has torch, transformers, accelerate, peft, pyarrow, pandas,
scipy and matplotlib, but no network, lacks nine small wheels (4.7 MB). Where there is a network, fetch them for its Python:

    mkdir -p .wheels && echo /.wheels/ >> .git/info/exclude
    pip download --no-deps -d .wheels --python-version 3.12 --only-binary=:all: --platform manylinux2014_x86_64 \\
        trl==1.16.0 datasets==5.2.0 dill==0.4.1 multiprocess==0.70.19 pydantic==2.14.3 pydantic-core==2.50.4 \\
        annotated-types==0.8.0 typing-inspection==0.4.5 typing-extensions==4.16.0

carry the project and .wheels there, and in the project's folder:

    python3 -m pip install --no-index --no-deps .wheels/*.whl && python3 tests/gpu/check.py --out "$OUT"

Training doesn't import duckdb, numba, aiohttp or math-verify (some 90 MB), so they can stay behind.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS isn't deterministic
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.gpu.card import device, freed
from tests.gpu.models import SIZES
from tests.gpu.numerics import parity, ratio
from tests.gpu.speed import speed
from tests.gpu.tiny import learning, resume


class Table:
    """What was measured: rows of section, family, what, value, and the bounds it must keep."""

    def __init__(self):
        self.rows = []
        self.place = ("", "")
        self.shown = sys.stdout  # what trainers print goes to a file

    def add(self, what, value, unit="", *, least=-math.inf, most=math.inf):
        ok = least <= value <= most  # NaN is never ok
        bounds = {name: bound for name, bound in (("least", least), ("most", most)) if math.isfinite(bound)}
        section, family = self.place
        row = {"section": section, "family": family, "what": what, "value": value, "unit": unit, **bounds, "ok": ok}
        self.rows.append(row)
        print(_line(row), file=self.shown, flush=True)


def _line(row):
    bounds = "".join(f"  {name} {row[name]:.3g}" for name in ("least", "most") if name in row)
    return f"{row['section']:9}{row['family']:12}{row['what']:52}{row['value']:>12.6g} {row['unit']:9}{bounds}{'' if row['ok'] else '  NOT OK'}"


SECTIONS = (learning, resume, parity, ratio, speed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="tiny models only, for a CPU")
    parser.add_argument("--out", type=Path, default=os.environ.get("OUT"), help="where gpu.json and gpu.log go; $OUT")
    said = parser.parse_args()
    if said.out is None:
        parser.error("say --out DIR, or set OUT")
    if not said.small and device() != "cuda":
        parser.error("torch sees no GPU here: --small checks the same ways on the CPU")
    said.out.mkdir(parents=True, exist_ok=True)
    table, errors, began = Table(), [], time.perf_counter()
    with (said.out / "gpu.log").open("w") as log:
        for section in SECTIONS:
            for family in SIZES:
                table.place = (section.__name__, family)
                begin = time.perf_counter()
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        with contextlib.redirect_stderr(log), contextlib.redirect_stdout(log):
                            section(table, family, Path(folder), said.small)
                    except Exception:  # the others are still worth running
                        errors.append(
                            {**dict(zip(("section", "family"), table.place)), "error": traceback.format_exc()}
                        )
                        print(traceback.format_exc(), flush=True)
                freed()
                table.add("the section took", time.perf_counter() - begin, "s")
                _written(said, table, errors)  # each time: a run that is cut off keeps what it measured
    table.place = ("all", "")
    table.add("everything took", time.perf_counter() - began, "s", most=600)
    made = _written(said, table, errors)
    print(f"{len(made['problems'])} problems; {said.out / 'gpu.json'}")
    return 1 if made["problems"] else 0


def _written(said, table, errors):
    problems = [*errors, *(row for row in table.rows if not row["ok"])]
    made = {"small": said.small, **_machine(), "rows": table.rows, "problems": problems}
    (said.out / "gpu.json").write_text(json.dumps(made, indent=1) + "\n")
    return made


def _machine():
    import importlib.metadata

    import torch

    packages = ("torch", "transformers", "trl", "accelerate", "peft", "datasets", "torchvision")
    versions = {}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30 if card else None
    return {
        "device": card or f"CPU, {os.cpu_count()} cores, {platform.machine()}",
        "memory_gib": memory,
        "versions": versions,
    }


if __name__ == "__main__":
    sys.exit(main())
