"""What a response's length costs: the punishment near the limit, and the reward for short answers among a group's."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pydantic

from mmcurate.errors import SettingsError
from mmcurate.step import settings


@settings
class Overlong:
    """DAPO's soft punishment of responses that come near the limit (arXiv 2503.14476, equation 13).

    Attributes:
        max_length: tokens that a response may have: the trainer's limit.
        buffer: tokens before the limit over which the punishment grows from 0 to `factor`.
        factor: of a response at the limit.
    """

    max_length: int = pydantic.Field(default=28_696, gt=0)
    buffer: int = pydantic.Field(default=4_096, gt=0)
    factor: float = pydantic.Field(default=1.0, gt=0)

    def __post_init__(self) -> None:
        if self.buffer > self.max_length:
            raise SettingsError(f"Overlong: buffer = {self.buffer:,} must be at most max_length = {self.max_length:,}")

    def __call__(self, num_tokens: int) -> float:
        """Returns the term of a response of so many tokens: 0 down to -`factor`."""
        over = (num_tokens - (self.max_length - self.buffer)) / self.buffer
        return max(-self.factor, min(-over * self.factor, 0.0))


def conciseness(lengths: Sequence[int], accuracies: Sequence[float | None], groups: Sequence[Hashable]) -> list[float]:
    """Returns Kimi k1.5's length reward of each response (arXiv 2501.12599, section 2.3.3).

    lambda = 0.5 - (length - shortest) / (longest - shortest) over the scored responses of a group; a right one gets lambda, a wrong
    one min(0, lambda). All 0 where a group's lengths are equal; 0 for what isn't scored.

    Args:
        lengths: in tokens.
        accuracies: 1, 0, or None for what isn't scored.
        groups: equal for the responses to one prompt.
    """
    known: dict[Hashable, list[int]] = {}
    for length, accuracy, group in zip(lengths, accuracies, groups, strict=True):
        if accuracy is not None:
            known.setdefault(group, []).append(length)
    out = []
    for length, accuracy, group in zip(lengths, accuracies, groups, strict=True):
        if accuracy is None or (shortest := min(known[group])) == (longest := max(known[group])):
            out.append(0.0)
            continue
        term = 0.5 - (length - shortest) / (longest - shortest)
        out.append(term if accuracy else min(0.0, term))
    return out
