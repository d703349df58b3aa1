"""A source's row as `schema.ROW` has it, with what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from mmcurate import pictures
from mmcurate.answers import clean, gold_options, options_of
from mmcurate.prompts import clean_question, user_text
from mmcurate.schema import GRADES, RESPONSE, RESPONSES, ROW

_KNOWN = frozenset(ROW.names) - {"problem", "metadata", "responses", "verdicts"} | {"_problem"}


_FIELDS = [f.name for f in RESPONSE]


def given_answers(extra: dict[str, Any]) -> tuple[list[dict[str, Any]] | None, list[Any] | None]:
    """Takes the answers that a source brings, and their verdicts, out of a row's further columns.

    `responses` may be texts, or structs with a `text`; anything else under that name stays metadata.
    """
    responses = extra.get("responses")
    if isinstance(responses, str):
        responses = [responses]
    if not isinstance(responses, list) or not all(
        isinstance(r, str) or (isinstance(r, dict) and "text" in r) for r in responses
    ):
        return None, None
    del extra["responses"]
    out = [
        {"text": clean(r), "sample_index": i} if isinstance(r, str) else {k: r.get(k) for k in _FIELDS}
        for i, r in enumerate(responses)
    ]
    verdicts = extra.get("verdicts")
    if (
        isinstance(verdicts, list)
        and len(verdicts) == len(out)
        and all(v is None or (isinstance(v, dict) and "verdict" in v) for v in verdicts)
    ):
        del extra["verdicts"]
        return out, verdicts
    return out, [None] * len(out)


def canonical(
    raw: Mapping[str, Any], number: int, seen: dict[str, int]
) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
    """Returns a raw row as `schema.ROW` has it, and its pictures as (path in the run folder, bytes).

    What is wrong with it, if anything, is in `problem`.

    Args:
        raw: a row of a source.
        number: its place in the source.
        seen: the ids so far, each with its row's number; this row's is added.
    """
    row: dict[str, Any] = {
        "id": clean(raw.get("id")) or f"row-{number:06d}",
        "source": clean(raw.get("source")) or "",
        "question": clean(raw.get("question")) or "",
        "answer": clean(raw.get("answer")),
        "licence": clean(raw.get("licence")),
        "options": options_of(raw.get("options")),
        "images": [],
        "problem": clean(raw.get("_problem")),
    }
    extra = {k: v for k, v in raw.items() if k not in _KNOWN and v is not None}
    row["responses"], row["verdicts"] = given_answers(extra)
    for i, response in enumerate(row["responses"] or ()):
        response["trace_id"] = response.get("trace_id") or f"{row['id']}#{i}"
    row["metadata"] = (
        json.dumps(extra, ensure_ascii=False, default=_readable, sort_keys=True).encode("utf-8", "replace").decode()
        if extra
        else None
    )
    problem, files = row["problem"], []
    for i, picture in enumerate(raw.get("images") or ()):
        try:
            struct = pictures.as_struct(picture)
            data, name = struct["bytes"], struct["sha256"]
            path = f"images/{name[:2]}/{name}{pictures.extension(data)}"
            row["images"].append({**struct, "path": path, "bytes": None})
            files.append((path, data))
        except FileNotFoundError as error:
            problem = problem or f"missing image: {error.filename}"
        except (OSError, ValueError) as error:
            where = picture if isinstance(picture, str) else f"picture {i + 1}"
            problem = problem or f"bad image: {where}: {error}"
    first = seen.setdefault(row["id"], number)
    if first != number:
        problem = problem or f"duplicate id: {row['id']!r}, row {first} has it too"
    row["problem"] = clean(problem or _wrong(row))
    return row, files


def _wrong(row: Mapping[str, Any]) -> str | None:
    if not clean_question(row["question"]).strip():
        return "empty question"
    try:
        user_text(row["question"], row["options"], len(row["images"]))
    except ValueError as error:
        return f"image tags: {error}"
    if len(row["options"]) > 26:
        return f"too many options: {len(row['options'])}, and there are 26 letters"
    if row["options"] and row["answer"] is not None and not gold_options(row["answer"], row["options"]):
        return f"answer not among the options: {row['answer'][:80]!r}, the options are {str(row['options'])[:200]}"
    return None


def _readable(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return f"({len(value)} bytes)"
    return str(value)


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Returns canonical rows as a table of `schema.ROW`."""
    types = {"responses": RESPONSES, "verdicts": GRADES}
    return pa.table({f.name: pa.array([r[f.name] for r in rows], types.get(f.name, f.type)) for f in ROW}, schema=ROW)
