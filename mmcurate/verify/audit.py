"""Auditing gold answers: a verifier must accept each row's own gold, however it is wrapped."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmcurate.answers import LETTERS, clean, gold_options, option_text, options_of
from mmcurate.errors import ColumnError, SettingsError
from mmcurate.schema import Grade, Verdict
from mmcurate.verify.grade import TIMEOUT_S, grade_tasks
from mmcurate.verify.policy import DEFAULT, Policy
from mmcurate.workers import WorkerPool

_WRAPPINGS = {
    "bare": "{}",
    "answer tag": "<think>So it is.</think>\n<answer>{}</answer>",
    "box": "So it is.\n\n\\boxed{{{}}}",
    "phrase": "So it is.\n\nThe final answer is {}",
}


@dataclass(frozen=True, slots=True)
class BadGold:
    """A row whose own gold isn't accepted.

    Attributes:
        id, question, options, answer: the row's.
        wrapping: in what form the gold was given: "bare", "answer tag", "box", "phrase", "letter", "option text", "letter and text", or
            "row" where the row itself is at fault.
        grade: the verdict that it got.
    """

    id: str
    question: str
    options: tuple[str, ...]
    answer: str
    wrapping: str
    grade: Grade


@dataclass(frozen=True, repr=False)
class Audit:
    """What an audit found.

    Attributes:
        num_rows: how many rows were read.
        num_without_gold: how many of them have no answer, so that nothing can be checked.
        failures: the rows that fail, each once, with the first wrapping that isn't accepted.
    """

    num_rows: int
    num_without_gold: int
    failures: list[BadGold]

    @property
    def share(self) -> float:
        """The share of the rows with a gold that fail, 0 to 1."""
        checked = self.num_rows - self.num_without_gold
        return len(self.failures) / checked if checked else 0.0

    def to_pandas(self) -> Any:
        """Returns the failures as a `pandas.DataFrame`: id, answer, wrapping, verdict, method, extracted, why, question, options."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "id": f.id,
                    "answer": f.answer,
                    "wrapping": f.wrapping,
                    "verdict": str(f.grade.verdict),
                    "method": f.grade.method,
                    "extracted": f.grade.extracted,
                    "why": f.grade.why,
                    "question": f.question,
                    "options": list(f.options),
                }
                for f in self.failures
            ]
        )

    def __repr__(self) -> str:
        lines = [self._headline()]
        for f in self.failures[:20]:
            lines.append(f"  {f.id}: {f.answer[:60]!r} as {f.wrapping}: {f.grade.verdict}, {f.grade.why[:120]}")
        if len(self.failures) > 20:
            lines.append(f"  and {len(self.failures) - 20:,} more: .to_pandas() has them all")
        return "\n".join(lines)

    def _headline(self) -> str:
        kinds = ", ".join(
            f"{n:,} {kind}" for kind, n in Counter(str(f.grade.verdict) for f in self.failures).most_common()
        )
        checked = self.num_rows - self.num_without_gold
        none = f"; {self.num_without_gold:,} rows have no gold" if self.num_without_gold else ""
        return (
            f"{len(self.failures):,} of {checked:,} golds fail ({self.share:.2%}){': ' + kinds if kinds else ''}{none}"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(str(value)[:200])}</td>"
                for value in (f.id, f.answer, f.wrapping, f.grade.verdict, f.grade.why)
            )
            + "</tr>"
            for f in self.failures[:50]
        )
        head = "<tr><th>id</th><th>gold</th><th>given as</th><th>verdict</th><th>why</th></tr>"
        return f"<p>{html.escape(self._headline())}</p>" + (f"<table>{head}{rows}</table>" if rows else "")


def audit(
    rows: Iterable[Mapping[str, Any]],
    *,
    columns: Mapping[str, str] | None = None,
    policy: Policy = DEFAULT,
    workers: int | None = None,
) -> Audit:
    """Grades each row's own gold as a response, bare, in an answer tag, in a box and after "The final answer is".

    A row fails where its gold is bad (it names no option, it can't be read) or where the verifier has a hole. Both should be
    known before a teacher is paid. Pictures are not looked at.

    Args:
        rows: a source, a `datasets.Dataset`, a finished run, or any dicts with `question`, `answer` and, where they are, `options` and `id`.
        columns: where our columns are to be found, such as `{"answer": "gt"}`.
        policy: what counts as the same answer.
        workers: processes that grade; as many as there are processors unless given.

    Raises:
        ColumnError: the rows have no `answer`.
    """
    names = {name: (columns or {}).get(name, name) for name in ("id", "question", "options", "answer")}
    unknown = set(columns or {}) - set(names)
    if unknown:
        raise SettingsError(f"audit: columns names {sorted(unknown)[0]!r}, and reads only {', '.join(names)}")
    if hasattr(rows, "select_columns") and hasattr(
        rows, "column_names"
    ):  # a datasets.Dataset: don't decode its pictures
        wanted = [names[n] for n in names if names[n] in rows.column_names]
        if names["answer"] not in wanted:
            raise ColumnError(_no_answer(names["answer"], rows.column_names))
        rows = rows.select_columns(wanted)
    num_rows = num_without = 0
    kept: list[Golden] = []
    for number, raw in enumerate(rows):
        if number == 0 and names["answer"] not in raw:
            raise ColumnError(_no_answer(names["answer"], list(raw)))
        num_rows += 1
        gold = (clean(raw.get(names["answer"])) or "").strip()
        if not gold:
            num_without += 1
            continue
        kept.append(
            Golden(
                clean(raw.get(names["id"])) or f"row-{number:06d}",
                clean(raw.get(names["question"])) or "",
                tuple(options_of(raw.get(names["options"]))),
                gold,
            )
        )
    pool = WorkerPool("mmcurate.verify.worker", min(workers or os.cpu_count() or 1, 1 + len(kept) // 20), TIMEOUT_S)
    try:
        failures = bad_golds(kept, pool, policy)
    finally:
        pool.close()
    return Audit(num_rows, num_without, [failures[i] for i in sorted(failures)])


class Golden(NamedTuple):
    """A question with the gold that is to be checked."""

    id: str
    question: str
    options: tuple[str, ...]
    answer: str


def bad_golds(rows: Sequence[Golden], pool: WorkerPool, policy: Policy) -> dict[int, BadGold]:
    """Returns the rows whose own gold isn't accepted in some form, by their places; each with the first such form."""
    failures: dict[int, BadGold] = {}
    tasks, of = [], []
    for i, row in enumerate(rows):
        if row.options and not gold_options(row.answer, row.options):
            why = f"the gold is none of the options: {str(list(row.options))[:120]}"
            failures[i] = BadGold(*row, "row", Grade(Verdict.UNDECIDED, row.answer, "choice", why))
            continue
        for name, form in _forms(row.options, row.answer):
            tasks.append({"response": form, "gold": row.answer, "options": list(row.options), "question": row.question})
            of.append((i, name))
    for (i, name), grade in zip(of, grade_tasks(pool, tasks, policy) if tasks else (), strict=True):
        if grade.verdict is not Verdict.CORRECT and i not in failures:
            failures[i] = BadGold(*rows[i], name, grade)
    return failures


def _no_answer(name: str, have: Iterable[str]) -> str:
    return f"audit needs the column {name!r}; the rows have {', '.join(have)}: name it with columns={{'answer': ...}}"


def _forms(options: tuple[str, ...], gold: str) -> list[tuple[str, str]]:
    natural = {"bare", "answer tag", "box"} if "\n" in gold or len(gold) > 200 else set(_WRAPPINGS)
    forms = [
        (name, wrapping.format(gold))
        for name, wrapping in _WRAPPINGS.items()
        if name in natural and (name != "box" or gold.count("{") == gold.count("}"))
    ]
    named = gold_options(gold, options)
    if len(named) == 1:
        letter, text = LETTERS[named[0]], option_text(options[named[0]], named[0])
        forms += [("letter", f"<answer>{letter}</answer>"), ("letter and text", f"<answer>({letter}) {text}</answer>")]
        if [option_text(o, i) for i, o in enumerate(options)].count(text) == 1:
            forms.append(("option text", f"<answer>{text}</answer>"))
    return forms
