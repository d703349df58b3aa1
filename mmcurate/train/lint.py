"""A settings check: before anything loads, it says what undoes what was asked.

An *error* makes the loss another algorithm's, or the training break or do nothing: it is refused. A *warning* is a value that undoes
a part, and that somebody may still want.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mmcurate.errors import SettingsError
from mmcurate.train.facts import Facts
from mmcurate.train.finding import Case, Finding, Settings
from mmcurate.train.presets import LOSSES, check_known
from mmcurate.train.rules import RL_RULES, SFT_RULES

_log = logging.getLogger("mmcurate")


def lint_rl(
    config: Any,
    algorithm: str | None = "gspo",
    *,
    reward: Any = None,
    data: Facts | None = None,
    sft: Facts | None = None,
    curriculum: bool = False,
) -> list[Finding]:
    """Returns what is wrong with the settings of reinforcement learning, errors first.

    Args:
        config: a `GRPOConfig`, or a dict of its fields.
        algorithm: the one that was asked for, or None where it is nobody's in particular.
        reward: a `mmcurate.reward.Reward`; of other rewards nothing is known.
        data: of the RL set, after its rows were chosen.
        sft: of the set that the model was fine-tuned on.
        curriculum: whether the rows have an order that is to be kept.

    Raises:
        SettingsError: there is no such algorithm.
    """
    if algorithm is not None:
        check_known("rl: algorithm", algorithm, LOSSES)
    return _found(RL_RULES, Case(Settings(config), algorithm, reward, data, sft, curriculum))


def lint_sft(config: Any, *, data: Facts | None = None) -> list[Finding]:
    """Returns what is wrong with the settings of supervised fine-tuning, errors first.

    Args:
        config: an `SFTConfig`, or a dict of its fields.
        data: of the SFT set; one with pictures unless given.
    """
    if isinstance(config, Mapping):
        config = {"remove_unused_columns": True, **config}  # transformers' default; GRPOConfig has another
    return _found(SFT_RULES, Case(Settings(config), None, None, data, None, False))


def tell(findings: Iterable[Finding]) -> None:
    """Logs the warnings, one line each, and refuses errors.

    Raises:
        SettingsError: there are errors.
    """
    findings = list(findings)
    for finding in findings:
        if finding.level == "warning":
            _log.warning("%s", finding)
    if errors := [str(f) for f in findings if f.level == "error"]:
        raise SettingsError(" | ".join(errors))


def _found(rules: Iterable[Callable[[Case], Iterator[Finding]]], case: Case) -> list[Finding]:
    return sorted((finding for rule in rules for finding in rule(case)), key=lambda finding: finding.level)
