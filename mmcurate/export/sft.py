"""The final SFT set: one row a kept trace, chat messages, its pictures and where it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmcurate import prompts
from mmcurate.errors import RunError
from mmcurate.export.arrow import to_dataset
from mmcurate.export.dataset import CHAT, PICTURES, Check, as_run, chat, drops, question
from mmcurate.run import Run
from mmcurate.state import ROWS, Ref, State
from mmcurate.verify.extract import extract

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", CHAT),
        ("completion", CHAT),
        ("images", PICTURES),
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

    Raises:
        RunFolderError: `out` holds something else.
    """
    run = as_run(run)
    return to_dataset(run, Path(out) if out else run.path / "final", "to_sft", read_sft, SCHEMA, _VERSION)


def read_sft(run: Run, state: State, shard: int, check: Check) -> tuple[list[dict[str, Any]], dict[str, pa.Table]]:
    """Returns one shard's rows of the SFT set, and what isn't in it; see `dataset.Read`."""
    alive = state.alive[shard]
    refs = [(n, Ref(ROWS, n)) for n in ("id", "source", "licence", "question", "options", "answer", "images")]
    rows = state.table(refs, shard).to_pylist()
    kept_rows = np.zeros(len(alive), bool)
    out: list[list[dict[str, Any]]] = [[] for _ in rows]
    dropped: dict[str, pa.Table] = {}
    told: list[set[str]] = [set() for _ in rows]
    system: dict[str | None, str] = {None: prompts.SYSTEM_PROMPT}
    system.update(run.prompts())
    for ref in state.lists():
        traces = _traces(state, ref, shard)
        bad: list[tuple[int, int, str]] = []
        for i, (row, mine) in enumerate(zip(rows, traces, strict=True)):
            text, images = question(row) if mine else ("", [])
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
                said, changed = prompts.completion(response["text"] or "", response["reasoning"], answer)
                made = {
                    "id": response["trace_id"] or f"{row['id']}#{index}",
                    "prompt": chat(system[response["prompt_id"]], text),
                    "completion": [{"role": "assistant", "content": said}],
                    "images": images,
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
                problem = check(made)
                if problem:
                    bad.append((int(alive[i]), index, problem))
                    continue
                kept_rows[i] = True
                out[i].append(made)
        dropped[str(ref)] = drops([b[0] for b in bad], [b[1] for b in bad], [b[2] for b in bad])
    gone = [int(r) for r in alive[~kept_rows]]
    dropped[""] = drops(gone, [None] * len(gone), ["no trace of it is kept"] * len(gone))
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
