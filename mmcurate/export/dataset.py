"""An export: a folder that is there whole or not at all, its pictures once, and what it left out in the run's funnel."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmcurate import pictures
from mmcurate.columns import ROW_NUMBER, durable_write, write_json, write_table
from mmcurate.errors import RunError, RunFolderError
from mmcurate.prompts import user_text
from mmcurate.run import Run
from mmcurate.state import DROPS, Entry, State
from mmcurate.step import digest

CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string())]))
"""Messages with an `<image>` tag where each picture stands."""
PICTURES = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
ABOUT = "mmcurate.json"
MAX_RATIO = 200

Check = Callable[[dict[str, Any]], str | None]
"""Says why a row can't be in an export, or None."""
Read = Callable[[Run, State, int, Check], tuple[list[dict[str, Any]], dict[str, pa.Table]]]
"""Returns one shard's rows, their `images` as picture structs in the order of the tags, and what isn't among them: a
table of drops for each list of responses, and under "" one for questions."""
Write = Callable[[Path, Iterable[list[dict[str, Any]]]], None]
"""Writes an export's files into a folder, from each shard's rows."""

_MEDIA = re.compile(r"<(?:video|audio)>|<\|(?:(?:image|video|audio)_pad|vision_(?:start|end))\|>")


def anything(row: dict[str, Any]) -> None:
    """The check that every row passes."""


def media_problem(row: dict[str, Any]) -> str | None:
    """Returns why trainers would misread a row, or None: they take every literal `<image>` for a picture."""
    texts = [m["content"] for m in (*row["prompt"], *row.get("completion", ()))]
    if any(_MEDIA.search(text) for text in texts):
        return "a literal <video>, <audio> or media token in its texts"
    if sum(text.count("<image>") for text in texts) != len(row["images"]):
        return "another number of <image> tags in its texts than pictures"
    if any(max(p["width"], p["height"]) > MAX_RATIO * min(p["width"], p["height"]) for p in row["images"]):
        return f"a picture with one side over {MAX_RATIO} times the other, which Qwen's processors refuse"
    return None


def drops(rows: list[int], index: list[int | None], reasons: list[str]) -> pa.Table:
    """Returns a table of what was left out (`state.DROPS`)."""
    columns = [pa.array(rows, pa.int32()), pa.array(index, pa.int32()), pa.array(reasons, pa.string())]
    return pa.table(dict(zip((ROW_NUMBER, "index", "reason"), columns, strict=True)), schema=DROPS)


def question(row: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Returns what the user says, as the teacher saw it, and the pictures in the order of its tags."""
    text, order = user_text(row["question"], row["options"] or [], len(row["images"]))
    return text, [row["images"][i] for i in order]


def chat(system: str, text: str) -> list[dict[str, str]]:
    """Returns a prompt as messages."""
    return [{"role": "system", "content": system}, {"role": "user", "content": text}]


def as_run(run: Run | str | Path) -> Run:
    """Returns a run, or the run of a folder."""
    return run if isinstance(run, Run) else Run(run)


def export(
    run: Run, out: str | Path, name: str, read: Read, write: Write, *, check: Check = anything, settings: Any = None
) -> Path:
    """Makes an export's folder, or finds that it is there already, and returns it.

    Args:
        run: the run.
        out: the folder. It may hold an earlier export of the same name, and nothing else.
        name: the export's line in the funnel, such as "to_sft".
        read: gives the rows of a shard.
        write: writes them.
        check: which rows can't be in it, and why.
        settings: all else that the files depend on, with a number that rises when the format changes.

    Raises:
        RunFolderError: the folder holds something else.
        RunError: there is nothing to export (`to_sft` and `to_rl` return an empty set instead).
    """
    out = Path(out).expanduser().resolve()
    key = digest([name, settings, str(out), str(run.path), run.content()])
    about = read_about(out)
    if about.get("key") == key and any(e.export == name for e in run.exports):
        return out
    if about.get("export", name) != name:
        raise RunFolderError(f"{out} holds the set of {about['export']}: choose another folder for {name}")
    if not about and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunFolderError(f"{out} is no export and not empty: choose another folder for {name}")
    state = run.state()
    if not state.num_shards:
        raise RunFolderError(f"{run.path} has no rows: there is nothing to export")
    temporary = out.with_name(f".{out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    left_out: dict[str, list[pa.Table]] = {}
    num_rows = 0

    def shards() -> Iterator[list[dict[str, Any]]]:
        nonlocal num_rows
        for shard in range(state.num_shards):
            rows, dropped = read(run, state, shard, check)
            num_rows += len(rows)
            for of, table in dropped.items():
                left_out.setdefault(of, []).append(table)
            yield rows

    write(temporary, shards())
    if not num_rows and name not in ("to_sft", "to_rl"):
        shutil.rmtree(temporary)
        raise RunError(f"{name}: nothing of {run.path} is left to export: {_why_empty(run, name, left_out)}")
    write_json(
        temporary / ABOUT,
        {"export": name, "key": key, "path": str(out), "run": str(run.path), "verifiers": _verifiers(run)},
    )
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    os.replace(temporary, out)
    shutil.rmtree(old, ignore_errors=True)
    _record(run, name, left_out, key)
    return out


def read_about(path: Path) -> dict[str, Any]:
    """Returns what an export's folder says of itself; empty where it is none."""
    try:
        return json.loads((path / ABOUT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _verifiers(run: Run) -> dict[str, int]:
    """Returns the version of the `Verify` behind each step's verdicts, by its name: trainers tell when theirs is another.

    That of a `Verify` with rules of its own is in the hundreds of its number; what another grader's means nobody knows.
    """
    made = [e for e in run.entries if e.columns.get("verdicts") and isinstance(e.settings, dict)]
    known = [e for e in made if e.settings.get("class") == "Verify" or e.version >= 100]
    return {entry.name: entry.version // 100 or entry.version for entry in known}


def _why_empty(run: Run, name: str, left_out: dict[str, list[pa.Table]]) -> str:
    lines = [line for line in run.funnel().rows if not any(line.step == e.name for e in run.exports)]
    said = [f"{line.step} dropped {n:,}: {why}" for line in lines for why, n in line.dropped.items()]
    counts = Counter(why for tables in left_out.values() for t in tables for why in t["reason"].to_pylist())
    said += [f"{name} left out {n:,}: {why}" for why, n in counts.most_common()]
    return f"of {lines[0].num_in:,} questions, " + "; ".join(said)


def _record(run: Run, name: str, left_out: dict[str, list[pa.Table]], key: str) -> None:
    """Writes what an export left out as the drops of a branch of the funnel, traces before questions."""
    entries = []
    for number, of in enumerate(sorted(left_out, key=lambda of: (not of, of))):
        files = [f"exports/{name}/{s:05d}-{number}-{key[:12]}.arrow" for s in range(len(left_out[of]))]
        for file, table in zip(files, left_out[of], strict=True):
            write_table(run.path / file, table)
        step = f"{name}_{of.partition('.')[0]}" if of else name
        entries.append(Entry(step, "drops", {}, of=of, files=files, export=name))
    run.record_export(name, entries)
    for old in (run.path / "exports" / name).glob("*.arrow"):
        if key[:12] not in old.name:
            old.unlink(missing_ok=True)


class Pictures:
    """Puts each picture into an export once: a link to the run's file, or the pixels that the teacher saw."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done: dict[str, str] = {}

    def put(self, picture: dict[str, Any]) -> str:
        """Returns the picture's path, relative to the folder."""
        name = self._done.get(picture["sha256"])
        if name is None:
            name = self._done[picture["sha256"]] = self._put(Path(picture["path"]))
        return name

    def _put(self, path: Path) -> str:
        data = path.read_bytes()
        seen, _ = pictures.for_model(data)
        name = f"images/{path.parent.name}/{path.name if seen is data else path.stem + '.png'}"
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if seen is not data:
            durable_write(place, lambda file: file.write(seen))
            return name
        try:
            os.link(path, place)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, place)
        return name
