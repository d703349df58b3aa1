"""The final RL set: one row a question with a known answer, its prompt, and how often the teacher got it right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmcurate.answers import answer_type
from mmcurate.errors import RunError
from mmcurate.export.arrow import to_dataset
from mmcurate.export.dataset import CHAT, PICTURES, Check, as_run, chat, drops, question
from mmcurate.prompts import SYSTEM_PROMPT, prompt_id
from mmcurate.run import Run
from mmcurate.state import ROWS, Ref, State, lengths

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", CHAT),
        ("images", PICTURES),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("question", pa.large_string()),
        ("options", pa.list_(pa.large_string())),
        ("answer", pa.large_string()),
        ("answer_type", pa.string()),
        ("pass_rate", pa.float64()),
        ("num_scored", pa.int32()),
        ("prompt_id", pa.string()),
    ]
)
"""A row of the RL set. `prompt` is what the teacher saw; `question`, `options` and `answer` are the source's own, which
`verify.grade` takes; `answer_type` is "choice", "number", "math" or "text"; `pass_rate` and `num_scored` are null
where no step measured them."""
KINDS = ("choice", "number", "math", "text", "description")
_VERSION = 1
_OWN = ("id", "source", "licence", "question", "options", "answer", "images", "metadata")


def to_rl(run: Run | str | Path, out: str | Path | None = None) -> Any:
    """Writes the final RL set and returns it as a `datasets.Dataset`; does nothing where it is there already.

    A question is exported when it is still in and a rule may check its answer: one without a gold answer, or with a
    description for one, is recorded as left out. All else is for filters before it, such as
    `Filter("length(answer) <= 50 and pass_rate > 0 and pass_rate < 1")`. Traces don't matter here, but those that are
    dropped still count in the pass rate, which is that of the last `Verify`.

    Args:
        run: a run, finished or not, or its folder.
        out: the folder; `final_rl` in the run folder unless given. Pictures lie in it as in that of `to_sft`.

    Raises:
        RunFolderError: `out` holds something else.
    """
    run = as_run(run)
    return to_dataset(run, Path(out) if out else run.path / "final_rl", "to_rl", read_rl, SCHEMA, _VERSION)


def read_rl(run: Run, state: State, shard: int, check: Check) -> tuple[list[dict[str, Any]], dict[str, pa.Table]]:
    """Returns one shard's rows of the RL set, and what isn't in it; see `dataset.Read`."""
    alive = state.alive[shard]
    rows = state.table([(n, Ref(ROWS, n)) for n in _OWN], shard).to_pylist()
    metadata = [json.loads(row["metadata"] or "{}") for row in rows]
    rates, counts = _rates(state, shard, metadata)
    asked = _prompt_ids(run, state, shard)
    system = {**run.prompts(), prompt_id(SYSTEM_PROMPT): SYSTEM_PROMPT}
    out, bad = [], []
    for number, row, more, rate, count, asked_with in zip(alive, rows, metadata, rates, counts, asked, strict=True):
        if not (row["answer"] or "").strip():
            bad.append((int(number), "no gold answer"))
            continue
        kind = more.get("answer_type")  # a source may know
        if kind not in KINDS:
            kind = answer_type(row["answer"], row["options"] or [])
        if kind == "description":
            bad.append((int(number), "its answer is a description, which no rule checks"))
            continue
        if asked_with not in system:
            raise RunError(f"{run.path}: no step knows the system prompt {asked_with!r} of {row['id']!r}")
        text, images = question(row)
        made = {
            "prompt": chat(system[asked_with], text),
            "images": images,
            "options": row["options"] or [],
            "answer_type": kind,
            "pass_rate": rate,
            "num_scored": count,
            "prompt_id": asked_with,
            **{name: row[name] for name in ("id", "source", "licence", "question", "answer")},
        }
        problem = check(made)
        if problem:
            bad.append((int(number), problem))
        else:
            out.append(made)
    return out, {"": drops([n for n, _ in bad], [None] * len(bad), [why for _, why in bad])}


def _rates(state: State, shard: int, metadata: list[dict[str, Any]]) -> tuple[list[float | None], list[int | None]]:
    """Returns each row's pass rate by the last step that measured one, or the one that a finished run brought."""
    measured = [e.name for e in state.entries.values() if {"pass_rate", "num_scored"} <= e.columns.keys()]
    if measured:
        rates, counts = (state.read(Ref(measured[-1], c), shard).to_pylist() for c in ("pass_rate", "num_scored"))
        return rates, counts
    return [more.get("pass_rate") for more in metadata], [more.get("num_scored") for more in metadata]


def _prompt_ids(run: Run, state: State, shard: int) -> list[str]:
    """Returns the id of the system prompt under which each row was asked last.

    Where it never was, that is the one prompt of the run, or the usual one.
    """
    known = list(run.prompts())
    out: list[str | None] = [None] * len(state.alive[shard])
    for ref in reversed(state.lists()):
        lists = state.read(ref, shard)
        counts = lengths(lists)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        ids = lists.flatten().field("prompt_id")
        first = ids.take(pa.array(starts, mask=counts == 0)).to_pylist() if len(counts) else []
        out = [have or new for have, new in zip(out, first, strict=True)]
    usual = known[0] if len(known) == 1 else prompt_id(SYSTEM_PROMPT)
    return [asked_with or usual for asked_with in out]
