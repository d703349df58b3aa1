"""The final SFT set: one row a kept trace, chat messages, its pictures and where it came from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmcurate import pictures, prompts
from mmcurate.columns import ROW_NUMBER, durable_write, write_json, write_table
from mmcurate.errors import RunError, RunFolderError
from mmcurate.run import Run
from mmcurate.state import DROPS, ROWS, Entry, Ref, State
from mmcurate.step import digest
from mmcurate.verify.extract import extract

_CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string())]))
_PICTURES = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", _CHAT),
        ("completion", _CHAT),
        ("images", _PICTURES),
        ("question_id", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("answer", pa.large_string()),
        ("teacher", pa.string()),
        ("prompt_id", pa.string()),
        ("sample_index", pa.int32()),
        ("num_tokens", pa.int32()),
        ("verdict", pa.string()),
        ("method", pa.string()),
        ("pass_rate", pa.float64()),
        ("reformatted", pa.bool_()),
    ]
)
"""A row of the final set. `prompt` and `completion` are chat messages with `<image>` tags; `reformatted` says that the
trace wasn't in the `<think>`/`<answer>` format and was put into it."""
_VERSION = 1
_ABOUT = "mmcurate.json"


def to_sft(run: Run | str | Path, out: str | Path | None = None) -> Any:
    """Writes the final SFT set and returns it as a `datasets.Dataset`; does nothing where it is there already.

    A trace is exported when it is still in and its verdict, if it has one, is correct. What isn't is
    recorded: afterwards the run's funnel and `explain` know the final set.

    The set's pictures lie in `images/` beside its Arrow files, linked to the run's own, so each is on the disk once
    however many traces show it. Pictures that readers see differently (16 bits, transparency, EXIF rotation) are
    written as the upright RGB that the teacher saw.

    Args:
        run: a run, finished or not, or its folder.
        out: the folder; `final` in the run folder unless given.
    """
    run = run if isinstance(run, Run) else Run(run)
    out = Path(out).expanduser().resolve() if out else run.path / "final"
    state = run.state()
    lists = state.lists()
    key = digest([_VERSION, str(out), str(run.path), run.content()])
    if _about(out).get("key") != key or not run.exports:
        _write(run, state, lists, out, key)
    return load(out)


def load(path: str | Path) -> Any:
    """Opens a final set, wherever its folder was moved or copied to.

    Raises:
        RunFolderError: the folder holds none.
    """
    import datasets

    path = Path(path).expanduser().resolve()
    about = _about(path)
    if not about:
        raise RunFolderError(
            f"{path} holds no final set (it has no {_ABOUT}); make it with mmcurate.export.to_sft(run)"
        )
    dataset = datasets.load_from_disk(str(path))
    if about["path"] == str(path):
        return dataset
    old, new = len(about["path"]), str(path)
    parts = []
    for batch in dataset.data.table.to_batches():
        i = batch.schema.get_field_index("images")
        lists = batch.column(i)
        values = lists.values
        moved = pa.array([None if p is None else new + p[old:] for p in values.field("path").to_pylist()], pa.string())
        structs = pa.StructArray.from_arrays([values.field("bytes"), moved], fields=list(_PICTURES.value_type))
        parts.append(batch.set_column(i, batch.schema.field(i), pa.ListArray.from_arrays(lists.offsets, structs)))
    return datasets.Dataset(pa.Table.from_batches(parts, dataset.data.schema), info=dataset.info)


def _about(path: Path) -> dict[str, Any]:
    try:
        return json.loads((path / _ABOUT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _write(run: Run, state: State, lists: Sequence[Ref], out: Path, key: str) -> None:
    import datasets

    temporary = out.with_name(f".{out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    shown = _Pictures(temporary, out)
    features = datasets.Features.from_arrow_schema(SCHEMA)
    features["images"] = datasets.List(datasets.Image())
    schema = SCHEMA.with_metadata(features.arrow_schema.metadata)
    drops: dict[str, list[pa.Table]] = {str(r): [] for r in lists} | {"": []}
    count = max(1, state.num_shards)
    for shard in range(state.num_shards):
        rows, dropped = _shard(run, state, lists, shard, shown)
        for name, table in dropped.items():
            drops[name].append(table)
        table = pa.Table.from_pylist(rows, SCHEMA).replace_schema_metadata(schema.metadata)

        def write(file: Any, table: pa.Table = table) -> None:
            with pa.ipc.new_stream(file, schema) as writer:
                writer.write_table(table, max_chunksize=1000)

        durable_write(temporary / f"data-{shard:05d}-of-{count:05d}.arrow", write)
    names = [p.name for p in sorted(temporary.glob("data-*.arrow"))]
    if not names:
        raise RunFolderError(f"{run.path} has no rows: there is nothing to export")
    write_json(
        temporary / "state.json",
        {
            "_data_files": [{"filename": n} for n in names],
            "_fingerprint": key[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        },
    )
    datasets.DatasetInfo(features=features).write_to_directory(str(temporary))
    write_json(temporary / _ABOUT, {"key": key, "path": str(out), "run": str(run.path)})
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    os.replace(temporary, out)
    shutil.rmtree(old, ignore_errors=True)
    _record(run, lists, drops, key)


def _record(run: Run, lists: Sequence[Ref], drops: dict[str, list[pa.Table]], key: str) -> None:
    """Writes what wasn't exported as the drops of two more steps."""
    entries = []
    for number, of in enumerate([*(str(r) for r in lists), ""]):
        name = "to_sft" if not of else f"to_sft_{of.partition('.')[0]}"
        files = [f"to_sft/{s:05d}-{number}-{key[:12]}.arrow" for s in range(len(drops[of]))]
        for file, table in zip(files, drops[of], strict=True):
            write_table(run.path / file, table)
        entries.append(Entry(name, "drops", {}, of=of, files=files))
    run.record_exports(entries)


def _shard(
    run: Run, state: State, lists: Sequence[Ref], shard: int, shown: _Pictures
) -> tuple[list[dict[str, Any]], dict[str, pa.Table]]:
    """Returns one shard's rows of the final set, and what isn't in it."""
    alive = state.alive[shard]
    refs = [(n, Ref(ROWS, n)) for n in ("id", "source", "licence", "question", "options", "answer", "images")]
    rows = state.table(refs, shard).to_pylist()
    kept_rows = np.zeros(len(alive), bool)
    out: list[list[dict[str, Any]]] = [[] for _ in rows]
    dropped: dict[str, pa.Table] = {}
    told: list[set[str]] = [set() for _ in rows]
    system: dict[str | None, str] = {None: prompts.SYSTEM_PROMPT}
    system.update(run.prompts())
    for ref in lists:
        traces = _traces(state, ref, shard)
        bad: list[tuple[int, int, str]] = []
        for i, (row, mine) in enumerate(zip(rows, traces, strict=True)):
            prompt = None
            for index, response, grade, pass_rate in mine:
                if response["trace_id"] in told[i]:
                    bad.append((int(alive[i]), index, "the same trace again"))
                    continue
                told[i].add(response["trace_id"])
                if grade is not None and grade["verdict"] != "correct":
                    bad.append((int(alive[i]), index, f"verdict: {grade['verdict']}"))
                    continue
                answer = grade["extracted"] if grade is not None else _own_answer(response)
                if answer is None:
                    bad.append((int(alive[i]), index, "not checked, and it gives no answer to put into the format"))
                    continue
                if response["prompt_id"] not in system:
                    raise RunError(
                        f"{run.path}: no step knows the system prompt {response['prompt_id']!r} of {row['id']!r}"
                    )
                if prompt is None:
                    text, order = prompts.user_text(row["question"], row["options"], len(row["images"]))
                    pictures_ = [shown.show(row["images"][j]) for j in order]
                    prompt = text
                said, changed = prompts.completion(response["text"] or "", response["reasoning"], answer)
                kept_rows[i] = True
                out[i].append(
                    {
                        "id": response["trace_id"] or f"{row['id']}#{index}",
                        "prompt": [
                            {"role": "system", "content": system[response["prompt_id"]]},
                            {"role": "user", "content": prompt},
                        ],
                        "completion": [{"role": "assistant", "content": said}],
                        "images": pictures_,
                        "question_id": row["id"],
                        "source": row["source"],
                        "licence": row["licence"],
                        "answer": row["answer"],
                        "teacher": response["teacher"],
                        "prompt_id": response["prompt_id"],
                        "sample_index": response["sample_index"],
                        "num_tokens": response["num_tokens"],
                        "verdict": grade and grade["verdict"],
                        "method": grade and grade["method"],
                        "pass_rate": pass_rate,
                        "reformatted": changed,
                    }
                )
        dropped[str(ref)] = _drops([b[0] for b in bad], [b[1] for b in bad], [b[2] for b in bad])
    gone = [int(r) for r in alive[~kept_rows]]
    dropped[""] = _drops(gone, [None] * len(gone), ["no trace of it is kept"] * len(gone))
    return [row for part in out for row in part], dropped


def _own_answer(response: dict[str, Any]) -> str | None:
    """Returns the answer that a trace gives that nobody checked; never the gold."""
    text = response["text"] or ""
    found = extract(text)
    return found.text if found else ("" if prompts.is_strict(text) else None)


def _traces(
    state: State, ref: Ref, shard: int
) -> list[list[tuple[int, dict[str, Any], dict[str, Any] | None, float | None]]]:
    """Returns, for each row still in, its traces still in: index, response, the last step's grade, pass rate."""
    responses = state.read(ref, shard).to_pylist()
    graders = [e.name for e in state.entries.values() if e.columns.get("verdicts") == str(ref)]
    grades = state.read(Ref(graders[-1], "verdicts"), shard).to_pylist() if graders else [None] * len(responses)
    rated = bool(graders) and "pass_rate" in state.entries[graders[-1]].columns
    rates = state.read(Ref(graders[-1], "pass_rate"), shard).to_pylist() if rated else [None] * len(responses)
    if not rated and ref.step == ROWS:  # a finished run that was mixed in brings its own
        rates = [json.loads(m or "{}").get("pass_rate") for m in state.read(Ref(ROWS, "metadata"), shard).to_pylist()]
    mask, position, out = state.mask(str(ref), shard), 0, []
    for mine, graded, rate in zip(responses, grades, rates, strict=True):
        kept = []
        for index, response in enumerate(mine or ()):
            if mask is None or mask[position]:
                kept.append((index, response, graded[index] if graded else None, rate))
            position += 1
        out.append(kept)
    return out


def _drops(rows: list[int], index: list[Any], reasons: list[str]) -> pa.Table:
    return pa.table(
        {
            ROW_NUMBER: pa.array(rows, pa.int32()),
            "index": pa.array(index, pa.int32()),
            "reason": pa.array(reasons, pa.string()),
        },
        schema=DROPS,
    )


class _Pictures:
    """Puts each picture into the final set once: a link to the run's file, or the pixels that the teacher saw."""

    def __init__(self, temporary: Path, out: Path) -> None:
        self._temporary, self._out = temporary, out
        self._done: dict[str, str] = {}

    def show(self, picture: dict[str, Any]) -> dict[str, Any]:
        name = self._done.get(picture["sha256"])
        if name is None:
            name = self._done[picture["sha256"]] = self._put(Path(picture["path"]))
        return {"bytes": None, "path": str(self._out / name)}

    def _put(self, path: Path) -> str:
        data = path.read_bytes()
        seen, _ = pictures.for_model(data)
        name = f"images/{path.parent.name}/{path.name if seen is data else path.stem + '.png'}"
        place = self._temporary / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if seen is not data:
            durable_write(place, lambda file: file.write(seen))
            return name
        try:
            os.link(path, place)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, place)
        return name
