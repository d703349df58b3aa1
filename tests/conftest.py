"""What the tests share: real test material where it is given, drawn questions where it isn't."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # several threads of torch on a busy machine take 15 times as long

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "recipes" / "openmmr_sft.py"


LONGEST = ("test_kill.py", "test_train_rl.py", "test_train_sft.py", "test_product.py", "test_recipes.py")


def pytest_collection_modifyitems(items):
    """The longest files first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def data():
    """The folder of real questions, answers and pictures."""
    folder = os.environ.get("MMCURATE_TEST_DATA")
    if not folder:
        pytest.skip("MMCURATE_TEST_DATA is not set: it names the folder of real test material")
    return Path(folder)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A tiny model of each family that can be trained, whose tokenizer knows the words of `toy`."""
    from tests import toy
    from tests.tiny_models import build
    from tests.training import FAMILIES

    root = tmp_path_factory.mktemp("models")
    return {f: build(f, root / f, texts=toy.TEXTS, vocab_size=330, spread=0.1) for f in FAMILIES}


def read_jsonl(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def picture(colour="red", size=(40, 30), mode="RGB", kind="PNG", **options):
    """Bytes of a one-coloured picture."""
    out = io.BytesIO()
    PIL.Image.new(mode, size, colour).save(out, kind, **options)
    return out.getvalue()


def questions(number, start=0):
    """Text questions with numbers as answers."""
    return [
        {"id": f"q{i}", "question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(start, start + number)
    ]


def recipe(*options, out, check=True, **more):
    """Runs the SFT recipe as a user does."""
    command = [sys.executable, "-W", "error", str(RECIPE), "--out", str(out), *map(str, options)]
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=240, **more)


def final_rows(folder):
    """The final set as plain rows, pictures as their content."""
    import datasets

    rows = datasets.load_from_disk(str(folder)).cast_column("images", datasets.List(datasets.Image(decode=False)))
    return [{**row, "images": [Path(p["path"]).read_bytes() for p in row["images"]]} for row in rows]
