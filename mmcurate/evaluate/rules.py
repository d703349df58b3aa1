"""How each benchmark says that an answer is right, as far as rules can: which golds, which options, how close a number.

After the benchmarks' own evaluation code. What they let a language model extract is read by `mmcurate.verify` here; where they guess,
nothing is guessed, and nothing is right by being a part of the gold.

- MathVista: the choice's letter or text (theirs: else the choice nearest in spelling); a float rounded to its `precision`, as theirs; an
  integer exactly (theirs: what `int()` makes of it).
- MathVision: the gold's letter or text, values equal at two decimals, as theirs.
- MathVerse: rules, then the judge (theirs: a language model). A "Vision Only" row has its options from `question_for_eval`.
- DynaMath: numbers within 0.001, as theirs; the option's letter or text; other texts by rules, then the judge (theirs: whatever the gold
  contains).
- We-Math, LogicVista: the option's letter or text, the set of letters, as theirs.
- MMMU: the option's letter or text (theirs: else a random letter); open questions: numbers equal at two decimals, any of several golds
  (theirs: also a gold somewhere in the answer).
- MMMU-Pro: as MMMU; a vision row has its options from the data set.
- CharXiv: rules, then the judge (theirs: a language model with a rubric for each kind of question, which the judge here doesn't have).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmcurate.answers import gold_options, split_options
from mmcurate.sources.golds import by_letter
from mmcurate.verify import Policy

VALUE_DECIMALS = 2
"""To how many decimals MathVision and MMMU compare values."""


@dataclass(frozen=True)
class Rule:
    """What a row's answers are compared with.

    Attributes:
        question: as a judge is shown it.
        options: the texts of the options; empty where none are known.
        golds: each is right.
        policy: what counts as the same.
    """

    question: str
    options: tuple[str, ...]
    golds: tuple[str, ...]
    policy: Policy


def rule_of(row: Mapping[str, Any], policy: Policy) -> Rule:
    """Returns the rule of a row of `schema.ROW`; that of a benchmark by its `source` and `metadata`, else the plain one."""
    golds = (row["answer"],) if row["answer"] else ()
    rule = Rule(row["question"], tuple(row["options"] or ()), golds, policy)
    own = _RULES.get(row["source"] or "")
    return own(rule, json.loads(row["metadata"] or "{}")) if own and golds else rule


def _mathvista(rule: Rule, about: Mapping[str, Any]) -> Rule:
    if about.get("published_answer_type") == "list":  # "[2014, 2016]": as a tuple it keeps its order
        return dataclasses.replace(rule, golds=(*rule.golds, f"({rule.golds[0].strip('[] ')})"))
    decimals = about.get("precision")
    return rule if decimals is None else _rounded(rule, decimals)


def _mathvision(rule: Rule, about: Mapping[str, Any]) -> Rule:
    return _rounded(rule, VALUE_DECIMALS)


def _mathverse(rule: Rule, about: Mapping[str, Any]) -> Rule:
    whole = about.get("question_for_eval")
    if about.get("problem_version") != "Vision Only" or not whole:
        return rule
    asked, options = split_options(whole)
    if not gold_options(rule.golds[0], options):
        return dataclasses.replace(rule, question=whole)
    return dataclasses.replace(rule, question=asked, options=tuple(options))


def _dynamath(rule: Rule, about: Mapping[str, Any]) -> Rule:
    tolerance = about.get("tolerance")
    if tolerance is None:
        return rule
    return dataclasses.replace(rule, policy=dataclasses.replace(rule.policy, tolerance=tolerance))


def _mmmu(rule: Rule, about: Mapping[str, Any]) -> Rule:
    if about.get("question_type") != "open":
        return rule
    golds = dict.fromkeys(about.get("accepted_answers") or rule.golds)
    return _rounded(dataclasses.replace(rule, golds=tuple(golds)), VALUE_DECIMALS)


def _mmmu_pro(rule: Rule, about: Mapping[str, Any]) -> Rule:
    drawn = about.get("drawn_options")
    if rule.options or not isinstance(drawn, list):
        return rule
    gold = by_letter(rule.golds[0], drawn)  # of the options ["B", "A"], "A" is the first
    if not gold_options(gold, drawn):
        return rule
    return dataclasses.replace(rule, options=tuple(drawn), golds=(gold,))


def _rounded(rule: Rule, decimals: int) -> Rule:
    return dataclasses.replace(rule, policy=dataclasses.replace(rule.policy, decimals=int(decimals)))


_RULES: dict[str, Callable[[Rule, Mapping[str, Any]], Rule]] = {
    "mathvista": _mathvista,
    "mathvision": _mathvision,
    "mathverse": _mathverse,
    "dynamath": _dynamath,
    "mmmu": _mmmu,
    "mmmu_pro": _mmmu_pro,
}
