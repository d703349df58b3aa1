"""A rehearsal of a recipe at full size: its sources in their published layouts, a simulated teacher, kills on the way.

    python tests/benchmarks/rehearsal.py sft          # 103K questions and 291K ready traces; some 40 minutes on two quiet cores
    python tests/benchmarks/rehearsal.py rl --scale 0.1 --num-responses 2

Prints each step's time and rate, the peak memory of the recipe and its workers, what is on the disk beside the unique
pictures' bytes, and whether the funnel adds up.
"""

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
SFT = {"LLaVACoT": 99_000, "OpenVLThinker": 3_300, "WeMathSFT": 1_130, "MMR1": 220_000, "MiroMind": 110_000}
"""Rows as published, but for the ready traces: of those, a tenth more than the recipe takes."""
RL = {
    "ViRL39K": 38_870,
    "ThinkLite": 11_000,
    "TQA": 9_790,
    "WeMathStandard": 5_843,
    "MMK12": 15_616,
    "WeMathPro": 4_552,
}
RL |= {"PuzzleVQA": 2_000, "AlgoPuzzleVQA": 1_800}


def drawn(source, number):
    """Yields rows: choices, numbers and formulas; two questions a picture; one in a hundred is a copy of an earlier one."""
    from tests.layouts import mosaic

    words = [
        f"{a}{b}"
        for a in ("north", "south", "upper", "lower", "inner", "outer")
        for b in (" tile", " row", " edge", " block")
    ]
    for i in range(number):
        n = i if i % 100 != 99 else i - 50
        dice = random.Random(f"{source}-{n}")
        a, b = dice.randint(2, 9999), dice.randint(2, 99)
        text = f"The picture shows a mosaic. The {dice.choice(words)} has weight {a}, the {dice.choice(words)} has weight {b}."
        row = {"id": f"r{i}", "images": [mosaic(f"{source}-{n // 2}")]}
        if source.endswith("PuzzleVQA") or n % 3 == 0:
            options = [str(a + b + d) for d in dice.sample(range(-20, 20), 4)]
            answer = dice.choice(options)
            row |= {"question": f"{text} What do they weigh together?", "options": options, "answer": answer}
        elif n % 3 == 1:
            row |= {"question": f"{text} What is their product?", "answer": str(a * b)}
        else:
            row |= {"question": f"{text} Write their ratio as a fraction.", "answer": f"\\frac{{{a}}}{{{b}}}"}
        if source == "LLaVACoT" and n % 16 < 5:  # 31 of 99 thousand are open descriptions
            row |= {
                "question": "Describe the picture in detail.",
                "answer": f"A mosaic of 36 grey tiles, {a} of them {text} " * 3,
            }
            row.pop("options", None)
        if source == "MiroMind":
            row["images"] = []
        yield row


def write(folder, counts):
    """Writes each source in its layout; returns the folders, by the source's class."""
    from tests.layouts import WRITERS

    out = {}
    for source, number in counts.items():
        out[source] = folder / source
        if not (out[source] / "done").exists():
            shutil.rmtree(out[source], ignore_errors=True)
            out[source].mkdir(parents=True)
            begin = time.monotonic()
            WRITERS[source](out[source], drawn(source, number))
            (out[source] / "done").touch()
            print(f"wrote {number:,} rows of {source} in {time.monotonic() - begin:.0f} s", flush=True)
    return out


def serve(folders):
    """Serves a simulated teacher that knows the questions that are asked, until it is killed."""
    from mmcurate import sources
    from mmcurate.chat import SimulatedTeacher

    asked = [getattr(sources, name)(path=path) for name, path in folders.items() if name not in ("MMR1", "MiroMind")]
    with SimulatedTeacher(sources.Mix(asked)) as server:
        print(json.dumps([server.model, server.base_url]), flush=True)
        threading.Event().wait()


class Watch(threading.Thread):
    """Samples the memory of a process and its children, shared pages counted once."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.peak, self.peak_main = process, 0, 0
        self.start()

    def run(self):
        while self.process.poll() is None:
            sizes = [_memory(pid) for pid in _tree(self.process.pid)]
            self.peak, self.peak_main = max(self.peak, sum(sizes)), max(self.peak_main, sizes[0] if sizes else 0)
            time.sleep(1)


def _tree(pid):
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid, *(p for child in children for p in _tree(int(child)))]


def _memory(pid):
    """The process's own and its share of shared anonymous memory, in bytes; files that are only mapped don't count."""
    try:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        return int(lines["Pss_Anon"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 0


def size(folder, pattern="*"):
    """Returns the bytes of the files under a folder, hard links once."""
    files = {(s.st_dev, s.st_ino): s.st_size for s in (p.stat() for p in Path(folder).rglob(pattern) if p.is_file())}
    return sum(files.values())


def steps(run):
    """Prints each step's time, by the times its files were written."""
    before = None
    for entry in run.entries:
        times = [(run.path / file).stat().st_mtime for file in entry.files]
        if before is None:
            before = min(p.stat().st_mtime for p in (run.path / "rows").iterdir())
        took = max(0.0, max(times) - before)
        before = max(before, max(times))
        print(f"{entry.name:<28}{took:>9.0f} s", flush=True)


def main():
    """Runs the rehearsal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=("sft", "rl"))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--num-responses", type=int, default=8)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("rehearsal"))
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = {name: max(20, round(n * options.scale)) for name, n in (SFT if options.recipe == "sft" else RL).items()}
    folders = write(options.out / "sources", counts)
    if options.serve:
        return serve(folders)

    from mmcurate import sources

    command = [
        sys.executable,
        __file__,
        options.recipe,
        "--scale",
        str(options.scale),
        "--out",
        str(options.out),
        "--serve",
        "yes",
    ]
    teacher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    model, url = json.loads(teacher.stdout.readline())
    out = options.out / options.recipe
    command = [
        sys.executable,
        str(ROOT / "recipes" / f"openmmr_{options.recipe}.py"),
        "--out",
        str(out),
        "--without",
        "benchmarks",
    ]
    command += ["--teacher", f"{model}={url}", "--num-responses", str(options.num_responses)]
    for name, path in folders.items():
        command += ["--source", f"{getattr(sources, name).name}={path}"]
    begin, dice, peaks = time.monotonic(), random.Random(0), []
    for kill in range(options.kills + 1):
        with open(options.out / f"{options.recipe}.log", "a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            watch = Watch(process)
            try:
                process.wait(dice.uniform(60, 360) * max(options.scale, 0.05) if kill < options.kills else None)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                print(f"killed after {time.monotonic() - begin:.0f} s", flush=True)
            watch.join()
            peaks.append((watch.peak, watch.peak_main))
    took = time.monotonic() - begin
    teacher.kill()
    teacher.wait()
    if process.returncode:
        sys.exit(f"the recipe failed: see {options.out / options.recipe}.log")
    tell(out, took, peaks)


def tell(out, took, peaks):
    """Prints what was seen."""
    import mmcurate

    run = mmcurate.open(out)
    steps(run)
    funnel = run.funnel()
    for lines in (funnel.rows, *funnel.traces.values()):
        assert all(line.num_in == line.num_out + sum(line.dropped.values()) for line in lines)
    print(funnel)
    pictures = size(out / "images")
    names = {p.name for p in (out / "images").rglob("*") if p.is_file()}
    assert all(
        hashlib.sha256(p.read_bytes()).hexdigest() == p.stem for p in list((out / "images").rglob("*.png"))[:500]
    )
    everything = size(out) + size(out.parent / "answers")
    links = size(out / "final" / "images")
    print(
        f"unique pictures {len(names):,}, {pictures / 1e6:,.1f} MB; linked by the final set {links / 1e6:,.1f} MB (the same files)"
    )
    print(f"picture bytes on the disk over unique picture bytes: {size(out, '*.png') / max(1, pictures):.3f}")
    print(
        f"on the disk {everything / 1e6:,.0f} MB, of them the answer store {size(out.parent / 'answers') / 1e6:,.0f} MB"
    )
    print(
        f"peak memory {max(p for p, _ in peaks) / 1e9:.2f} GB with workers, {max(p for _, p in peaks) / 1e9:.2f} GB without"
    )
    print(f"all in all {took:,.0f} s")


if __name__ == "__main__":
    main()
