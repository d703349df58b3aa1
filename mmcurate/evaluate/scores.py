"""`score`: from a run's verdicts to a table of scores."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcurate.columns import durable_write, write_json
from mmcurate.errors import RunError
from mmcurate.evaluate.columns import MMMU_PRO, OTHER, Column, columns_of
from mmcurate.evaluate.items import Item, read_items
from mmcurate.evaluate.metrics import share
from mmcurate.evaluate.published import SCORES, TOKENS
from mmcurate.evaluate.tables import markdown, summary
from mmcurate.run import Run
from mmcurate.state import ROWS

_UNKNOWN = "unknown"
"""The part of a table whose questions don't say where they belong."""
_TOLD = ("model", "asked", "prompts")
"""What is kept of what the run says of a model."""


@dataclass(frozen=True)
class Part:
    """How some of a column's questions were answered.

    Attributes:
        accuracy: the share of right answers among all rows: what isn't scored counts as wrong.
        score: the column's own measure, where that is another and a part has it.
        num_rows, num_correct, num_unscored: counts.
        mean_tokens: of an answer, over the answers that there are.
        cut_off: the share of the answers that end at the limit of tokens.
    """

    accuracy: float
    score: float | None
    num_rows: int
    num_correct: int
    num_unscored: int
    mean_tokens: float | None
    cut_off: float | None


@dataclass(frozen=True)
class Score:
    """One column of scores.

    Attributes:
        title: for people.
        measure: what `accuracy` is, in words.
        accuracy: by the benchmark's own measure, 0 to 1, over all rows: what isn't scored counts as wrong. None where the measure
            needs rows that aren't there.
        highest: the same if all that isn't scored were right: the truth lies between the two.
        share_correct: the share of right answers, which is `accuracy` where that is the measure.
        num_rows, num_correct, num_unscored, mean_tokens, cut_off: as of a `Part`.
        published, published_tokens: score and mean tokens of OpenMMReasoner's final model, by another scorer; 0 to 1.
        details: further figures of the benchmark.
        tables: for each table's name its parts.
        unscored: id and reason of each question that isn't scored.
    """

    title: str
    measure: str
    accuracy: float | None
    highest: float | None
    share_correct: float
    num_rows: int
    num_correct: int
    num_unscored: int
    mean_tokens: float | None
    cut_off: float | None
    published: float | None
    published_tokens: int | None
    details: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Part]] = field(default_factory=dict)
    unscored: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Scores:
    """The scores of a run; shown, a short table.

    Attributes:
        columns: by name: "mathvista", "mathvision", "mathvision_testmini", "mathverse", "dynamath", "wemath", "logicvista", "mmmu",
            "mmmu_pro_standard", "mmmu_pro_vision", "charxiv_reasoning", "charxiv_descriptive", and one for each other source.
        model: what answered: name, sampling settings, system prompts; empty where the rows brought their answers.
        judge: what decided where no rule did; empty where there was none.
        left_out: how many questions don't count, by source and reason: those without a gold answer, those that a `Filter` dropped, and
            those that couldn't be read, where nobody knows which column, version, seed or problem they are of.
        complete: whether the run is: else the same pipeline asks again for what failed.
    """

    columns: dict[str, Score]
    model: dict[str, Any]
    judge: dict[str, Any]
    left_out: dict[str, int]
    complete: bool

    @property
    def means(self) -> dict[str, tuple[float, float | None]]:
        """The mean of several columns, and of what is published of them: of MMMU-Pro's two, which is its score, and of all with a score."""
        scored = [name for name, s in self.columns.items() if s.accuracy is not None and not name.endswith(OTHER)]
        every = "mean of all" if len(scored) == len(self.columns) else f"mean of {len(scored)} columns"
        out = {}
        for title, names in {"MMMU-Pro, mean": MMMU_PRO, every: tuple(scored)}.items():
            ours = [s.accuracy for name in names if (s := self.columns.get(name)) and s.accuracy is not None]
            theirs = [SCORES[name] / 100 for name in names if name in SCORES]
            if len(ours) == len(names) > 1:
                out[title] = (sum(ours) / len(ours), sum(theirs) / len(theirs) if len(theirs) == len(names) else None)
        return out

    def to_json(self) -> dict[str, Any]:
        """Returns all of it as JSON."""
        return {"means": {title: ours for title, (ours, _) in self.means.items()}, **dataclasses.asdict(self)}

    def save(self, folder: str | Path) -> None:
        """Writes `scores.json`, with everything, and `scores.md`, with every table."""
        write_json(Path(folder) / "scores.json", self.to_json())
        durable_write(Path(folder) / "scores.md", lambda file: file.write(markdown(self).encode()))

    def __repr__(self) -> str:
        return summary(self)


def score(run: Run) -> Scores:
    """Returns the scores of a run whose answers a `BenchmarkVerify` (or a `Verify`) graded; of several such steps the last.

    Each benchmark is scored by its own measure (see `mmcurate.evaluate.columns`), questions of any other source by accuracy.

    Raises:
        RunError: nothing was verified, no question has an answer, none has a gold, or one has several answers.
    """
    items, left_out = read_items(run)
    if not items:
        raise RunError(
            f"{run.path}: no question has a gold answer, so nothing can be measured; give rows with an `answer`"
        )
    if all(item.cut_off is None for item in items):
        again = "mend that and run into another folder" if run.complete else "run the same again, which asks again"
        raise RunError(
            f"{run.path}: none of {len(items):,} questions has an answer, so nothing can be measured: {items[0].unscored}; {again}"
        )
    made, nowhere = score_items(items)
    grader = [e for e in run.entries if e.columns.get("verdicts") and e.name != ROWS][-1]
    asker = grader.columns["verdicts"].partition(".")[0]
    told = {e.name: {k: e.about[k] for k in _TOLD if k in e.about} for e in run.entries}
    return Scores(made, told.get(asker, {}), told[grader.name], dict(left_out + nowhere), run.complete)


def score_items(items: Sequence[Item]) -> tuple[dict[str, Score], Counter[str]]:
    """Returns the scores of questions whose answers are graded, by column, and how many are in none, by the reason."""
    placed, nowhere = columns_of(items)
    return {column.name: _score(column, mine) for column, mine in placed}, nowhere


def _score(column: Column, items: Sequence[Item]) -> Score:
    rights = [item.right for item in items]
    part = _part(column, items)
    groups: dict[str, dict[str, list[Item]]] = {name: defaultdict(list) for name in column.by}
    for item in items:
        for name, value in _places(column, item):
            groups[name][value].append(item)
    name = column.name
    return Score(
        title=column.title,
        measure=(column.measure.__doc__ or "").strip(),
        accuracy=column.measure(items, rights),
        highest=column.measure(items, [item.right or bool(item.unscored) for item in items]),
        share_correct=part.accuracy,
        num_rows=part.num_rows,
        num_correct=part.num_correct,
        num_unscored=part.num_unscored,
        mean_tokens=part.mean_tokens,
        cut_off=part.cut_off,
        published=SCORES[name] / 100 if name in SCORES else None,
        published_tokens=TOKENS.get(name),
        details=column.details(items, rights),
        tables={
            name: {
                value: _part(column, mine) for value, mine in sorted(found.items(), key=lambda pair: _order(pair[0]))
            }
            for name, found in groups.items()
            if set(found) - {_UNKNOWN}
        },
        unscored=[(item.id, item.unscored) for item in items if item.unscored],
    )


def _part(column: Column, items: Sequence[Item]) -> Part:
    rights = [item.right for item in items]
    tokens = [item.num_tokens for item in items if item.num_tokens is not None]
    return Part(
        accuracy=share(rights) or 0.0,
        score=column.measure(items, rights) if column.in_parts else None,
        num_rows=len(items),
        num_correct=sum(rights),
        num_unscored=sum(bool(item.unscored) for item in items),
        mean_tokens=sum(tokens) / len(tokens) if tokens else None,
        cut_off=share(item.cut_off for item in items if item.cut_off is not None),
    )


def _places(column: Column, item: Item) -> Iterator[tuple[str, str]]:
    """Yields in which parts of which tables a question counts."""
    for name, key in column.by.items():
        value = key(item) if callable(key) else item.about.get(key)
        for one in value if isinstance(value, list) and value else [value]:
            yield name, _UNKNOWN if one in (None, "", []) else str(one)


def _order(value: str) -> tuple[bool, int, str]:
    """Numbers first, by their size."""
    return not value.isdecimal(), int(value) if value.isdecimal() else 0, value
