"""The reward as the file that verl loads."""

from __future__ import annotations

from mmcurate.errors import SettingsError
from mmcurate.reward import Reward

_VERL = '''"""verl's reward, written by mmcurate. It needs `pip install mmcurate` where rewards are computed.

A response that no rule can grade, or whose check failed, isn't wrong, but verl has no way to leave one out of its group: it
gets no accuracy here, since a policy would learn to give answers that can't be checked. `scored` says which they are; where
its mean is low, take such questions out of the set.
"""

{code}


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
    """Returns the reward of one response as `score`, and what it is made of."""
    extra = extra_info or {{}}
    made = REWARD.score(
        solution_str, ground_truth, options=extra.get("options"), question=extra.get("question")
    )
    scored = made.reward is not None
    return {{
        "score": made.without_none,
        "acc": made.accuracy if scored else 0.0,
        "format": made.format,
        "scored": float(scored),
    }}
'''


def verl_reward(reward: Reward) -> str:
    """Returns verl's reward file: a `compute_score` with the settings of a reward, whose code it imports.

    A response that isn't scored, which verl can't leave out of its group, gets no accuracy there and has `scored` 0.

    Raises:
        SettingsError: a setting needs what verl doesn't tell a reward file: a length, the group, a judge's key.
    """
    if reward.overlong:
        raise SettingsError(
            "verl_reward: overlong is on, and verl tells a reward file no lengths; its reward manager `dapo` has the term, and "
            "to_verl(..., reward=...) turns it on: set overlong=None here"
        )
    if reward.conciseness:
        raise SettingsError(
            f"verl_reward: conciseness = {reward.conciseness} compares the responses to one prompt, and verl scores one at a "
            "time: set conciseness=0"
        )
    return _VERL.format(code=reward_code(reward))


def reward_code(reward: Reward) -> str:
    """Returns lines of Python that make a reward, as `REWARD`.

    Raises:
        SettingsError: it has a judge, whose address and key don't belong in a file.
    """
    if reward.judge is not None:
        raise SettingsError(
            "Reward: a judge, with its address and its key, isn't written into files: set judge=None, or call Reward.score in "
            "a reward file of your own"
        )
    return f"from mmcurate.reward import Overlong, Reward\nfrom mmcurate.verify import Policy\n\nREWARD = {reward!r}"
