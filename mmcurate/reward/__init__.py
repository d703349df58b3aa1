"""Rewards for reinforcement learning, from the verifier's verdicts."""

from mmcurate.reward.length import Overlong
from mmcurate.reward.reward import Reward, Score

__all__ = ["Overlong", "Reward", "Score"]
