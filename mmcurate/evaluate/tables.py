"""Scores as text: a short table for the screen, all tables as Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmcurate.evaluate.scores import Part, Score, Scores

_SHOWN = 20
"""How many questions that aren't scored are named for each column."""
_REASONS = 5
"""How many kinds of reasons are told for each column."""
_OF_ROWS = ("bad row", "missing image", "bad image", "duplicate id")
"""Reasons that go on with a file or a row of their own each."""
_HEADS = ("", "score", "at most", "rows", "not scored", "tokens", "cut off", "published", "their tokens")
_PUBLISHED = (
    "published: OpenMMReasoner's final model (arXiv 2511.16334), through lmms-eval with another scorer: to compare with, "
    "not to rank by"
)


def summary(scores: Scores) -> str:
    """Returns one line a column, and what must be known to read it."""
    rows = [
        [
            s.title,
            _percent(s.accuracy),
            _percent(s.highest) if s.num_unscored else "",
            f"{s.num_rows:,}",
            f"{s.num_unscored:,}" if s.num_unscored else "",
            _tokens(s.mean_tokens),
            _percent(s.cut_off),
            _percent(s.published) if s.published is not None else "",
            _tokens(s.published_tokens) if s.published_tokens else "",
        ]
        for s in scores.columns.values()
    ]
    for title, (ours, theirs) in scores.means.items():
        rows.append([title, _percent(ours), *[""] * 5, "" if theirs is None else _percent(theirs), ""])
    wanted = [i for i, _ in enumerate(_HEADS) if i < 2 or any(row[i] for row in rows)]
    told = [text for name, s in scores.columns.items() for text in _notes(name, s)]
    told += [f"{reason}, and doesn't count: {count:,}" for reason, count in scores.left_out.items()]
    if any(s.num_unscored for s in scores.columns.values()):
        judge = "" if scores.judge else "; a judge decides what no rule does"
        told.append(f"what isn't scored counts as wrong; at most: if all of it were right{judge}")
    if not scores.complete:
        told.append("the run isn't complete: the same command asks again for what failed")
    if any(s.published is not None for s in scores.columns.values()):
        told.append(_PUBLISHED)
    table = _table([_HEADS[i] for i in wanted], [[row[i] for i in wanted] for row in rows])
    return "\n".join([table, "", *told]).rstrip()


def markdown(scores: Scores) -> str:
    """Returns everything as one Markdown document."""
    asked = ", ".join(f"{k} {v}" for k, v in scores.model.get("asked", {}).items() if isinstance(v, (int, float)))
    who = f"{scores.model.get('model', 'answers that the rows bring')}{f' ({asked})' if asked else ''}"
    told = [f"# Scores\n\n{who}; judge: {scores.judge.get('model', 'none')}\n", _lines(summary(scores))]
    for score in scores.columns.values():
        told.append(
            f"\n## {score.title}\n\n{score.measure} {score.num_correct:,} of {score.num_rows:,} rows are right."
        )
        if score.details:
            shown = [[name.replace("_", " "), _figure(name, value)] for name, value in score.details.items()]
            told.append("\n" + _table(["", "value"], shown))
        told += ["\n" + _part_table(name, parts) for name, parts in score.tables.items()]
        if score.unscored:
            named = score.unscored[:_SHOWN]
            more = f" (the first {_SHOWN})" if len(score.unscored) > _SHOWN else ""
            told.append(f"\n{len(score.unscored):,} aren't scored{more}:\n\n" + _table(["row", "why"], named))
    return "\n".join(told) + "\n"


def _notes(name: str, score: Score) -> list[str]:
    """Returns what must be known of a column: why rows aren't scored, and of which groups rows are missing."""
    out = []
    reasons: dict[str, list[str]] = defaultdict(list)
    for _, reason in score.unscored:
        kind = reason.partition(":")[0] if reason.startswith(_OF_ROWS) else ":".join(reason.split(":")[:2])
        reasons[kind].append(reason)
    kinds = sorted(reasons.values(), key=len, reverse=True)
    for mine in kinds[:_REASONS]:
        out.append(f"{name}: {len(mine):,} not scored{'' if len(mine) == 1 else ', such as'}: {mine[0][:160]}")
    if others := sum(map(len, kinds[_REASONS:])):
        out.append(f"{name}: {others:,} not scored for other reasons, which scores.json names")
    if missing := score.details.get("num_incomplete"):
        groups, parts = ("seeds", "variants") if name == "dynamath" else ("problems", "steps")
        whole = score.details[f"num_{groups}"]
        out.append(f"{name}: scored by {whole:,} {groups} that are whole; {missing:,} lack {parts}, and don't count")
    return out


def _part_table(name: str, parts: dict[str, Part]) -> str:
    heads = ["score"] if any(part.score is not None for part in parts.values()) else []
    rows = [
        [
            value,
            *([_percent(part.score)] if heads else []),
            _percent(part.accuracy),
            f"{part.num_correct:,}",
            f"{part.num_rows:,}",
            f"{part.num_unscored:,}",
            _tokens(part.mean_tokens),
        ]
        for value, part in parts.items()
    ]
    return _table([name, *heads, "right, %", "right", "rows", "not scored", "tokens"], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table that reads well as it is: first column to the left, the others to the right."""
    cells = [[_cell(text) for text in row] for row in (heads, *rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(heads))]
    lines = [
        "| "
        + " | ".join(text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths)))
        + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:160]


def _lines(text: str) -> str:
    """Returns a table and the lines behind it as Markdown: each line a paragraph of its own."""
    table, _, told = text.partition("\n\n")
    return table + "".join(f"\n\n{line}" for line in told.splitlines())


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _tokens(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else _percent(value)
