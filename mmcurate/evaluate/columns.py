"""The columns of a table of scores: the twelve of OpenMMReasoner's, and one for each other source."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmcurate.evaluate.disciplines import discipline
from mmcurate.evaluate.items import Item
from mmcurate.evaluate.metrics import FourDimensional, four_dimensional, mean_share, share, worst_case

NUM_VARIANTS = 10
Rights = Sequence[bool]
By = Mapping[str, str | Callable[[Item], Any]]
Measure = Callable[[Sequence[Item], Rights], float | None]


def accuracy(items: Sequence[Item], rights: Rights) -> float | None:
    """The share of right answers."""
    return share(rights)


def mean_of_versions(items: Sequence[Item], rights: Rights) -> float | None:
    """The mean of the accuracies of MathVerse's versions."""
    return mean_share(rights, [item.about["problem_version"] for item in items])


def worst_of_variants(items: Sequence[Item], rights: Rights) -> float | None:
    """The share of DynaMath's seeds that are right in all ten variants."""
    return worst_case(_seeds(items, rights), NUM_VARIANTS)


def _seeds(items: Sequence[Item], rights: Rights) -> dict[str, dict[Any, bool]]:
    """Returns the variants of each seed; one that is there twice is right where it is so each time."""
    seeds: dict[str, dict[Any, bool]] = defaultdict(dict)
    for item, right in zip(items, rights, strict=True):
        mine, variant = seeds[item.about["seed"]], item.about.get("variant")
        key = item.id if variant is None else variant
        mine[key] = right and mine.get(key, True)
    return seeds


def outcomes(items: Sequence[Item], rights: Rights) -> FourDimensional:
    """We-Math's outcomes."""
    problems: dict[str, dict[str, bool]] = defaultdict(dict)
    for item, right in zip(items, rights, strict=True):
        problems[item.about["problem_id"]][item.about["key"]] = right
    return four_dimensional(problems)


def loose_score(items: Sequence[Item], rights: Rights) -> float | None:
    """We-Math's loose score."""
    return outcomes(items, rights).score(strict=False)


def _of_dynamath(items: Sequence[Item], rights: Rights) -> dict[str, Any]:
    seeds = _seeds(items, rights).values()
    complete = sum(len(variants) >= NUM_VARIANTS for variants in seeds)
    return {"average": share(rights), "num_seeds": complete, "num_incomplete": len(seeds) - complete}


def _of_wemath(items: Sequence[Item], rights: Rights) -> dict[str, Any]:
    steps: dict[str, list[bool]] = defaultdict(list)
    for item, right in zip(items, rights, strict=True):
        key = str(item.about["key"])
        steps[key[:1] if key.endswith("_multi") else "1"].append(right)
    named = {"1": "one_step", "2": "two_step", "3": "three_step"}
    return {**outcomes(items, rights).to_json(), **{name: share(steps[kind]) for kind, name in named.items()}}


def _nothing_more(items: Sequence[Item], rights: Rights) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Column:
    """One column of scores.

    Attributes:
        name, title: in files, and for people.
        source: which rows: those whose `source` this is, and
        part: whose further columns have these values.
        group: the further column that its measure goes by: a row without it isn't its.
        measure: makes the score of the items.
        in_parts: whether the parts of its tables have that measure too, besides the share of right answers.
        by: its tables: a name, and the further column that it goes by, or a function of the question; of a list each value counts.
        details: makes further figures; `num_incomplete` are groups of which questions are missing, so that they don't count.
    """

    name: str
    title: str
    source: str
    part: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""
    measure: Measure = accuracy
    in_parts: bool = False
    by: By = field(default_factory=dict)
    details: Callable[[Sequence[Item], Rights], dict[str, Any]] = _nothing_more

    def has(self, item: Item) -> bool:
        """Whether a question belongs to it."""
        grouped = not self.group or item.about.get(self.group) is not None
        return item.source == self.source and grouped and all(item.about.get(k) == v for k, v in self.part.items())


_BY_SUBJECT: By = {"level": "level", "subject": "subject"}
_BY_DISCIPLINE: By = {"discipline": discipline, "subject": "subject"}
_TEST, _TESTMINI = {"split": "test"}, {"split": "testmini"}
_STANDARD, _VISION = {"config": "standard10"}, {"config": "vision"}
_REASONING, _DESCRIPTIVE = {"question_type": "reasoning"}, {"question_type": "descriptive"}

COLUMNS = (
    Column("mathvista", "MathVista", "mathvista", by={"task": "task", "skill": "skills", "source": "inner_source"}),
    Column("mathvision", "MathVision test", "mathvision", _TEST, by=_BY_SUBJECT),
    Column("mathvision_testmini", "MathVision testmini", "mathvision", _TESTMINI, by=_BY_SUBJECT),
    Column(
        "mathverse",
        "MathVerse, mean of versions",
        "mathverse",
        group="problem_version",
        measure=mean_of_versions,
        in_parts=True,
        by={"version": "problem_version", "subject": "subject"},
    ),
    Column(
        "dynamath",
        "DynaMath, worst of 10",
        "dynamath",
        group="seed",
        measure=worst_of_variants,
        in_parts=True,
        by=_BY_SUBJECT,
        details=_of_dynamath,
    ),
    Column(
        "wemath",
        "We-Math, loose score",
        "wemath",
        group="problem_id",
        measure=loose_score,
        by={"key": "key", "knowledge concept": "knowledge_concept"},
        details=_of_wemath,
    ),
    Column("logicvista", "LogicVista", "logicvista", by={"skill": "skill"}),
    Column("mmmu", "MMMU", "mmmu", by=_BY_DISCIPLINE),
    Column("mmmu_pro_standard", "MMMU-Pro standard", "mmmu_pro", _STANDARD, by=_BY_DISCIPLINE),
    Column("mmmu_pro_vision", "MMMU-Pro vision", "mmmu_pro", _VISION, by=_BY_DISCIPLINE),
    Column(
        "charxiv_reasoning",
        "CharXiv reasoning",
        "charxiv",
        _REASONING,
        by={"answer type": "reasoning_a_type", "category": "category"},
    ),
    Column(
        "charxiv_descriptive",
        "CharXiv descriptive",
        "charxiv",
        _DESCRIPTIVE,
        by={"template": "template", "category": "category"},
    ),
)
"""The columns of the paper's table, in its order (arXiv 2511.16334)."""

MMMU_PRO = ("mmmu_pro_standard", "mmmu_pro_vision")
"""Whose mean is MMMU-Pro's score."""
OTHER = "_other"
"""The end of a column's name: of rows with a benchmark's source that belong to none of its columns. It is in no mean."""


def columns_of(items: Sequence[Item]) -> tuple[list[tuple[Column, list[Item]]], Counter[str]]:
    """Returns the columns that have items, each with its own; what belongs to none of the twelve has one by its source.

    And how many rows of a benchmark are in no column, by the reason: of one that couldn't be read nobody knows the column.
    """
    found: dict[str, tuple[Column, list[Item]]] = {}
    nowhere: Counter[str] = Counter()
    for item in items:
        column = next((c for c in COLUMNS if c.has(item)), None)
        if column is None:
            taken = next((c for c in COLUMNS if c.source == item.source), None)
            if taken and item.unreadable:
                what = (taken.group or next(iter(taken.part))).replace("_", " ")
                nowhere[f"{item.source}: a row that can't be read belongs to no {what}"] += 1
                continue
            name = f"{item.source}{OTHER}" if taken else item.source
            column = Column(name, name, item.source, by={"answer type": "answer_type"})
        found.setdefault(column.name, (column, []))[1].append(item)
    order = [c.name for c in COLUMNS]
    placed = sorted(found.values(), key=lambda pair: order.index(pair[0].name) if pair[0].name in order else len(order))
    return placed, nowhere
