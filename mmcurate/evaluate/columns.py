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
    return mean_share(*_known(items, rights, "problem_version"))


def worst_of_variants(items: Sequence[Item], rights: Rights) -> float | None:
    """The share of DynaMath's seeds that are right in all ten variants."""
    return worst_case(*_known(items, rights, "seed"), NUM_VARIANTS)


def _known(items: Sequence[Item], rights: Rights, key: str) -> tuple[list[bool], list[Any]]:
    """Returns what is right and its group; a row that was too bad to be read has none."""
    pairs = [(right, item.about[key]) for item, right in zip(items, rights, strict=True) if key in item.about]
    return [right for right, _ in pairs], [group for _, group in pairs]


def outcomes(items: Sequence[Item], rights: Rights) -> FourDimensional:
    """We-Math's outcomes."""
    problems: dict[str, dict[str, bool]] = defaultdict(dict)
    for item, right in zip(items, rights, strict=True):
        if "problem_id" in item.about:
            problems[item.about["problem_id"]][item.about["key"]] = right
    return four_dimensional(problems)


def loose_score(items: Sequence[Item], rights: Rights) -> float | None:
    """We-Math's loose score."""
    return outcomes(items, rights).score(strict=False)


def _of_dynamath(items: Sequence[Item], rights: Rights) -> dict[str, Any]:
    counts = Counter(_known(items, rights, "seed")[1])
    incomplete = sum(count < NUM_VARIANTS for count in counts.values())
    return {"average": share(rights), "num_seeds": len(counts), "num_incomplete": incomplete}


def _of_wemath(items: Sequence[Item], rights: Rights) -> dict[str, Any]:
    steps: dict[str, list[bool]] = defaultdict(list)
    for item, right in zip(items, rights, strict=True):
        key = str(item.about.get("key"))
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
        measure: makes the score of the items.
        in_parts: whether the parts of its tables have that measure too, besides the share of right answers.
        by: its tables: a name, and the further column that it goes by, or a function of the question; of a list each value counts.
        details: makes further figures; `num_incomplete` are groups of which questions are missing.
    """

    name: str
    title: str
    source: str
    part: Mapping[str, Any] = field(default_factory=dict)
    measure: Measure = accuracy
    in_parts: bool = False
    by: By = field(default_factory=dict)
    details: Callable[[Sequence[Item], Rights], dict[str, Any]] = _nothing_more

    def has(self, item: Item) -> bool:
        """Whether a question belongs to it."""
        return item.source == self.source and all(item.about.get(k) == v for k, v in self.part.items())


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
        measure=mean_of_versions,
        in_parts=True,
        by={"version": "problem_version", "subject": "subject"},
    ),
    Column(
        "dynamath",
        "DynaMath, worst of 10",
        "dynamath",
        measure=worst_of_variants,
        in_parts=True,
        by=_BY_SUBJECT,
        details=_of_dynamath,
    ),
    Column(
        "wemath",
        "We-Math, loose score",
        "wemath",
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


def columns_of(items: Sequence[Item]) -> list[tuple[Column, list[Item]]]:
    """Returns the columns that have items, each with its own; what belongs to none of the twelve has one by its source."""
    found: dict[str, tuple[Column, list[Item]]] = {}
    for item in items:
        column = next((c for c in COLUMNS if c.has(item)), None)
        if column is None:
            taken = item.source in (c.name for c in COLUMNS)
            name = f"{item.source}_other" if taken else item.source
            column = Column(name, name, item.source, by={"answer type": "answer_type"})
        found.setdefault(column.name, (column, []))[1].append(item)
    order = [c.name for c in COLUMNS]
    return sorted(found.values(), key=lambda pair: order.index(pair[0].name) if pair[0].name in order else len(order))
