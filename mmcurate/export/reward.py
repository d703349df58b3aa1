"""The reward for verl: R = 0.9 * accuracy + 0.1 * format, as OpenMMReasoner's (arXiv 2511.16334, section 3).

The answer is checked by mmcurate.verify.grade, which needs `pip install mmcurate` where rewards are computed. The format counts
only when a response is one <think> part and one <answer> part and nothing else.

A response that no rule can grade, or whose check failed, is not wrong, but verl has no way to leave one out of its
group: it gets no accuracy here, since a policy would learn to give answers that can't be checked. `scored` says which
they are; where its mean is low, take such questions out of the set.
"""

from __future__ import annotations

from typing import Any

from mmcurate.prompts import is_strict
from mmcurate.verify import Verdict, grade

FORMAT_WEIGHT = 0.1


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None, **kwargs: Any
) -> dict[str, float]:
    """Returns the reward of one response as `score`, and what it is made of."""
    extra = extra_info or {}
    options = extra.get("options")
    made = grade(
        solution_str,
        ground_truth,
        options=[] if options is None else [str(o) for o in options],
        question=extra.get("question"),
    )
    accuracy, formatted = float(made.verdict is Verdict.CORRECT), float(is_strict(solution_str))
    return {
        "score": (1 - FORMAT_WEIGHT) * accuracy + FORMAT_WEIGHT * formatted,
        "acc": accuracy,
        "format": formatted,
        "scored": float(made.verdict in (Verdict.CORRECT, Verdict.INCORRECT, Verdict.NO_ANSWER)),
    }
