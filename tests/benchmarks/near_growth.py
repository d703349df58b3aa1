"""How `NearDedup` grows: CPU seconds a million questions times log2, and memory, on signature tables made without pictures' files.

    python tests/benchmarks/near_growth.py [--rows 10000 100000 1000000] [--kind distinct template few]

- distinct: different texts of 40 words and different soft thumbnails.
- template: different texts of one template (one word differs, no number), thumbnails all alike: hashes collapse.
- few: 20 texts, thumbnails all alike, golds of ten kinds, every picture another one.

Every row has a picture of its own with other bytes, a tiny PNG drawn from a pool, so that confirming opens a file's bytes; the rows lie
in a memory-mapped file, as in a run. Each size runs in a process of its own, which reports its largest memory beside that file.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa

from mmcurate.dedup import NearDedup
from mmcurate.dedup.near import THUMBS
from mmcurate.dedup.text import sketch
from mmcurate.schema import ROW

AT_ONCE = 10_000
POOL = 64


def texts(kind: str, start: int, count: int) -> list[str]:
    random = np.random.default_rng(start)
    if kind == "few":
        return [
            f"Which of the many shapes in the picture has corners{' really' * (i % 20)}?"
            for i in range(start, start + count)
        ]
    letters = np.array(list("bcdfghklmnprstvz"))

    def word(number: int) -> str:
        return "".join(letters[(number >> shift) & 15] for shift in range(0, 24, 4))

    if kind == "template":
        middle = (
            "is what this picture shows us, and which of the shapes that it shows us would come after it if we went on"
        )
        return [f"The thing that we call {word(i)} {middle}" for i in range(start, start + count)]
    return [" ".join(word(int(n)) for n in row) for row in random.integers(0, 1 << 18, (count, 40))]


def thumbs(kind: str, start: int, count: int) -> np.ndarray:
    if kind != "distinct":
        return np.full((count, 2, 32, 32), 250, np.uint8)
    random = np.random.default_rng(start + 1)
    coarse = random.integers(0, 256, (count, 4, 4)).astype(np.uint8)
    return np.repeat(np.kron(coarse, np.ones((8, 8), np.uint8))[:, None], 2, axis=1)


def pool() -> list[bytes]:
    out = []
    for seed in range(POOL):
        values = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)
        file = io.BytesIO()
        PIL.Image.fromarray(values).save(file, "PNG")
        out.append(file.getvalue())
    return out


def part(kind: str, start: int, count: int, files: list[bytes]) -> pa.Table:
    questions = texts(kind, start, count)
    sketches = sketch(questions)
    at = range(start, start + count)
    width = sketches.bands.shape[1]
    pictures = [
        [{"sha256": f"{i:064x}", "path": None, "bytes": files[i % POOL], "width": 24, "height": 24}] for i in at
    ]
    keys = [f"{hash(q) & (1 << 64) - 1:032x}" for q in questions]
    golds = [f"{i % 10 if kind == 'few' else 0:032x}" for i in at]
    shown = thumbs(kind, start, count).reshape(count, -1)
    values = pa.FixedSizeBinaryArray.from_buffers(THUMBS.value_type, count, [None, pa.py_buffer(shown.tobytes())])
    made = {
        "id": [f"row-{i}" for i in at],
        "source": ["s"] * count,
        "images": pa.array(pictures, ROW.field("images").type),
        "text_key": keys,
        "images_key": [f"{i:032x}" for i in at],
        "gold_key": golds,
        "options_key": [""] * count,
        "tokens": pa.LargeListArray.from_arrays(pa.array(sketches.offsets), pa.array(sketches.tokens)),
        "bands": pa.LargeListArray.from_arrays(
            pa.array(np.arange(count + 1) * width), pa.array(sketches.bands.ravel())
        ),
        "symbols": sketches.symbols,
        "thumbs": pa.LargeListArray.from_arrays(pa.array(np.arange(count + 1)), values),
        "picture_problem": pa.nulls(count, pa.string()),
    }
    return pa.table(made)


def memory() -> float:
    """Returns the GB of this process that belong to no file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1e6
    return 0.0


def one(kind: str, number: int) -> None:
    """Makes a table, runs the step on it, and prints what it took."""
    import threading

    files = pool()
    with tempfile.NamedTemporaryFile(suffix=".arrow") as file:
        writer = None
        for start in range(0, number, AT_ONCE):
            made = part(kind, start, min(AT_ONCE, number - start), files)
            writer = writer or pa.ipc.new_file(file.name, made.schema)
            writer.write_table(made)
        assert writer is not None
        writer.close()
        del made
        table = pa.ipc.open_file(pa.memory_map(file.name)).read_all()
        step, before, most, done = NearDedup(), memory(), [0.0], threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                most[0] = max(most[0], memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        begin, wall = time.process_time(), time.perf_counter()
        out = step(table)
        spent, passed = time.process_time() - begin, time.perf_counter() - wall
        done.set()
        watcher.join()
    kept = out["duplicate_of"].null_count
    print(json.dumps([spent, passed, most[0] - before, kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--kind", nargs="+", default=["distinct", "template", "few"])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return one(options.kind[0], options.rows[0])
    print(
        f"{'kind':10} {'rows':>10} {'CPU s':>9} {'wall s':>9} {'us/(n log2 n)':>14} {'GB of its own':>14} {'kept':>10}"
    )
    for kind in options.kind:
        for number in options.rows:
            command = [sys.executable, __file__, "--one", "--kind", kind, "--rows", str(number)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            spent, passed, own, kept, _ = json.loads(said.splitlines()[-1])
            each = spent / (number * np.log2(number)) * 1e6
            print(f"{kind:10} {number:10,} {spent:9.1f} {passed:9.1f} {each:14.3f} {own:14.2f} {kept:10,}", flush=True)
    return None


if __name__ == "__main__":
    main()
