"""What the benchmarks make of right and wrong answers: shares, worst cases, We-Math's four outcomes."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass


def share(rights: Iterable[bool]) -> float | None:
    """Returns the share that is right, 0 to 1; None of nothing."""
    listed = list(rights)
    return sum(listed) / len(listed) if listed else None


def mean_share(rights: Sequence[bool], groups: Sequence[Hashable]) -> float | None:
    """Returns the mean of the groups' shares: each group counts once, however large it is."""
    shares = [share(mine) for mine in _grouped(rights, groups).values()]
    return sum(s for s in shares if s is not None) / len(shares) if shares else None


def worst_case(seeds: Mapping[str, Mapping[Hashable, bool]], num_variants: int = 10) -> float | None:
    """Returns the share of seeds of which every variant is right (Zou et al. 2024, arXiv 2411.00836, section 4).

    Args:
        seeds: for each seed its variants, each right or not.
        num_variants: a seed that has fewer doesn't count; None where no seed has as many.
    """
    return share(all(mine.values()) for mine in seeds.values() if len(mine) >= num_variants)


@dataclass(frozen=True)
class FourDimensional:
    """We-Math's outcomes, counted over its problems (Qiao et al. 2024, arXiv 2407.01284, section 3).

    Attributes:
        num_problems: those of which the whole problem and every step are there.
        num_incomplete: the others, which aren't counted.
        insufficient_knowledge: the whole problem is wrong, and a step too.
        inadequate_generalization: the whole problem is wrong, although every step is right.
        rote_loose, rote_strict: the whole problem is right although every step is wrong (loose), or any is (strict).
        mastery_loose, mastery_strict: the other problems that are right as a whole.
    """

    num_problems: int
    num_incomplete: int
    insufficient_knowledge: int
    inadequate_generalization: int
    rote_loose: int
    rote_strict: int
    mastery_loose: int
    mastery_strict: int

    def score(self, *, strict: bool) -> float | None:
        """Returns 1 - (IK + IG / 2 + RM) / problems: of 525 problems the published score. None without problems."""
        if not self.num_problems:
            return None
        rote = self.rote_strict if strict else self.rote_loose
        lost = self.insufficient_knowledge + self.inadequate_generalization / 2 + rote
        return (self.num_problems - lost) / self.num_problems

    def to_json(self) -> dict[str, float | None]:
        """Returns counts and both scores."""
        scores = {"score_loose": self.score(strict=False), "score_strict": self.score(strict=True)}
        return {**scores, **dataclasses.asdict(self)}


def four_dimensional(problems: Mapping[str, Mapping[str, bool]]) -> FourDimensional:
    """Returns the outcomes of We-Math's problems.

    Args:
        problems: for each problem its keys, such as "2steps_1", "2steps_2" and "2steps_multi" for the whole, each right or not.
    """
    counts: dict[str, int] = dict.fromkeys((f.name for f in dataclasses.fields(FourDimensional)), 0)
    for rights in problems.values():
        whole = next((key for key in rights if key.endswith("_multi")), "")
        kind = whole.removesuffix("_multi")  # "2steps"
        steps = [rights.get(f"{kind}_{i}") for i in range(1, int(kind[:1] or 0) + 1)]
        if not steps or None in steps:
            counts["num_incomplete"] += 1
            continue
        counts["num_problems"] += 1
        if rights[whole]:
            counts["mastery_loose" if any(steps) else "rote_loose"] += 1
            counts["mastery_strict" if all(steps) else "rote_strict"] += 1
        else:
            counts["inadequate_generalization" if all(steps) else "insufficient_knowledge"] += 1
    return FourDimensional(**counts)


def _grouped(rights: Sequence[bool], groups: Sequence[Hashable]) -> dict[Hashable, list[bool]]:
    out: dict[Hashable, list[bool]] = defaultdict(list)
    for right, group in zip(rights, groups, strict=True):
        out[group].append(right)
    return out
