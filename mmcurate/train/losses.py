"""The losses of GSPO, GRPO and DAPO as their papers write them: what a trainer's loss must equal.

All are functions of `log_probs` (B, T), the policy's log-probability of each sampled token, float, with its gradient; `old_log_probs` (B, T),
by the policy that sampled them; `advantages` (B,); and `mask` (B, T), 1 or True for a response's tokens, 0 for padding. B counts
responses, T tokens of the longest. They return a scalar to be minimised, the negative of the papers' objectives, without a KL term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def group_advantages(rewards: Tensor, num_responses: int, eps: float = 1e-4) -> Tensor:
    """Returns each response's reward, standardised within its group (GRPO, arXiv 2402.03300, section 4.1.2; GSPO, eq. 6).

    The deviation has the correction for a sample (n - 1), as TRL and verl have it; the papers don't say. A reward that is NaN, not
    scored, stays out of its group's mean and deviation and has the advantage 0.

    Args:
        rewards: (B,), those of a group one after another.
        num_responses: in a group.
        eps: added to the deviation; TRL's is 1e-4, verl's 1e-6.
    """
    groups = rewards.view(-1, num_responses)
    count = (~groups.isnan()).sum(1, keepdim=True)
    centred = groups - groups.nanmean(1, keepdim=True)
    deviation = ((centred**2).nansum(1, keepdim=True) / (count - 1)).sqrt()
    return (centred / (deviation + eps)).nan_to_num(0.0).view(-1)


def sequence_ratio(log_probs: Tensor, old_log_probs: Tensor, mask: Tensor) -> Tensor:
    """Returns s (B,), the ratio of a whole response, by its length (GSPO, arXiv 2507.18071, eq. 7); 1 where all is masked."""
    return (((log_probs - old_log_probs) * mask).sum(1) / mask.sum(1).clamp(min=1)).exp()


def gspo_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, mask: Tensor, clip_low: float, clip_high: float
) -> Tensor:
    """Returns GSPO's loss (arXiv 2507.18071, eq. 5): the mean over responses of -min(s A, clip(s, 1 - clip_low, 1 + clip_high) A).

    A response that is masked as a whole counts in the mean, with 0, as TRL has it; verl leaves it out.
    """
    ratio = sequence_ratio(log_probs, old_log_probs, mask)
    return (_clipped(ratio, advantages, clip_low, clip_high) * mask.any(1)).mean()


def grpo_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, mask: Tensor, clip_low: float, clip_high: float
) -> Tensor:
    """Returns GRPO's loss (arXiv 2402.03300, eq. 3): the mean over responses of the mean over their tokens of -min(r A, clip(r) A).

    The paper has one clip range: clip_low = clip_high. A response that is masked as a whole counts in the mean, with 0.
    """
    losses = _clipped((log_probs - old_log_probs).exp(), advantages[:, None], clip_low, clip_high)
    return ((losses * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()


def dapo_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    clip_low: float,
    clip_high: float,
    num_tokens: float | None = None,
) -> Tensor:
    """Returns DAPO's loss (arXiv 2503.14476, eq. 8): the mean of -min(r A, clip(r) A) over all tokens, so that long responses weigh more.

    Args:
        log_probs, old_log_probs, advantages, mask, clip_low, clip_high: as for the others.
        num_tokens: that the mean is over, where this is a part of a larger batch; those of `mask` unless given.
    """
    losses = _clipped((log_probs - old_log_probs).exp(), advantages[:, None], clip_low, clip_high)
    return (losses * mask).sum() / (mask.sum().clamp(min=1) if num_tokens is None else num_tokens)


def _clipped(ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float) -> Tensor:
    """Returns -min(r A, clip(r, 1 - clip_low, 1 + clip_high) A): no gain from a ratio beyond the clip."""
    return -(ratio * advantages).minimum(ratio.clamp(1 - clip_low, 1 + clip_high) * advantages)
