"""Scores as text: a short table for the screen, all tables as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmcurate.evaluate.scores import Part, Score, Scores

_SHOWN = 20
"""How many questions that aren't scored are named for each column."""
_ALIKE = ("request failed", "error")
"""Reasons that are mostly the same one for all: it is shown."""
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
    who = f"{scores.model.get('model', 'unknown model')} ({asked})" if asked else scores.model.get("model", "")
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
            named = [[id, why] for id, why in list(score.unscored.items())[:_SHOWN]]
            more = f" (the first {_SHOWN})" if len(score.unscored) > _SHOWN else ""
            told.append(f"\n{len(score.unscored):,} aren't scored{more}:\n\n" + _table(["row", "why"], named))
    return "\n".join(told) + "\n"


def _notes(name: str, score: Score) -> list[str]:
    """Returns what must be known of a column: why rows aren't scored, and of which groups rows are missing."""
    out = []
    kinds = Counter(reason.partition(":")[0] for reason in score.unscored.values())
    for kind, count in kinds.most_common():
        first = next(reason for reason in score.unscored.values() if reason.startswith(kind))
        out.append(f"{name}: {count:,} not scored: {first[:120] if count == 1 or kind in _ALIKE else kind}")
    if missing := score.details.get("num_incomplete"):
        groups = (
            "seeds that lack variants, and aren't right"
            if name == "dynamath"
            else "problems that lack steps, and don't count"
        )
        out.append(f"{name}: {groups}: {missing:,}")
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
