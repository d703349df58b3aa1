"""The one command that checks everything: a fresh virtual environment, lint, layers, types, tests.

    python tests/check.py [pytest options]

Needs Python 3.11 or newer and pip, nothing else. `--keep` uses the environment of the last time.
"""

import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv-check"


def main() -> None:
    """Runs each check and stops at the first that fails."""
    options = sys.argv[1:]
    keep = "--keep" in options
    options = [o for o in options if o != "--keep"]
    if not (keep and PLACE.exists()):
        shutil.rmtree(PLACE, ignore_errors=True)
        venv.create(PLACE, with_pip=True)
    python = str(PLACE / "bin" / "python")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for command in (
        # Modules are compiled when they are imported: of torch and transformers that is a few.
        [python, "-m", "pip", "install", "--quiet", "--no-compile", "-e", ".[dev]"],
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "--quiet", "."],
        [str(PLACE / "bin" / "lint-imports")],
        [python, "-m", "mypy"],
        [
            python,
            "-m",
            "pytest",
            "-n",
            "auto",
            "--dist",
            "loadfile",
            "--no-loadscope-reorder",
            "--durations=20",
            *options,
        ],
    ):
        begin = time.monotonic()
        print(f"$ {' '.join(command).replace(str(ROOT) + os.sep, '')}", flush=True)
        done = subprocess.run(command, cwd=ROOT, env=environment)
        print(f"  {time.monotonic() - begin:.0f} s", flush=True)
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
