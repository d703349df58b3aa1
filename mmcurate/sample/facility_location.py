"""A small set of questions that stands for all of them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pydantic

from mmcurate.embed import Embeddings, EncoderSetting, StaticText, question_vectors, unit
from mmcurate.step import Step, settings

MAX_PAIRS = 2**25
_PAIRS_A_ROW = 128
_EPSILON = 0.05
_BLOCK = 2**24


def facility_location(
    vectors: np.ndarray, num: int, *, seed: int = 0, max_pairs: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Picks vectors so that every vector has a similar one among the picked.

    Maximises the sum over all rows i of max(0, cos(i, j)) for the nearest picked j, by greedy picking: at least 1 - 1/e of
    the best possible sum (Nemhauser, Wolsey & Fisher 1978, section 4; the objective is monotone and submodular). Nothing
    is left out of the objective, whatever N is; similarities count in steps of 1 / 65,536.

    Gains are computed lazily (Minoux 1978), on those pairs alone whose similarity is more than what their row has already: a
    pair that isn't now never will be. Where so many pairs don't fit into memory at first, the first picks (some N^2 /
    max_pairs; 250 of 100,000) are the best of a random sample, of N / num * ln(20) but at least 64, which makes it
    1 - 1/e - 0.05 in expectation (Mirzasoleiman et al. 2015, theorem 1). Up to 5,792 rows nothing is random.

    Time: N^2 D / 2 multiplications in BLAS; 3 N^2 D where num is less than those first picks. Memory: 10 bytes a pair,
    8 D a row, and some 200 MB.

    Args:
        vectors: (N, D) float32, brought to length 1 here. A row of zeros is like nothing.
        num: how many to pick; all where there are fewer.
        seed: of the random samples.
        max_pairs: that are kept; 2^25 or 128 a row unless given, whichever is more.

    Returns:
        picked: (num,) int64, in the order they were picked; ties go to the lowest index, and what adds nothing comes last.
        gains: (num,) float64, what each added to the sum.
    """
    from mmcurate.sample import coverage  # loads numba

    vectors = unit(np.asarray(vectors, np.float32))
    number = len(vectors)
    num = min(num, number)
    limit = max(MAX_PAIRS, _PAIRS_A_ROW * number) if max_pairs is None else max_pairs
    cover = np.zeros(number, np.int32)
    with ThreadPoolExecutor(coverage.num_threads()) as pool:
        first = _sampled(pool, vectors, cover, num, np.random.default_rng(seed), limit)
        rest: tuple[Any, Any] = ([], [])
        if len(first[0]) < num:  # else the pairs may not fit
            rest = coverage.Pairs(pool, vectors, cover).pick(cover, num - len(first[0]))
    picked, gains = (np.concatenate([a, b]).astype(np.int64) for a, b in zip(first, rest, strict=True))
    useless = np.ones(number, bool)
    useless[picked] = False
    more = np.flatnonzero(useless)[: num - len(picked)]
    return np.concatenate([picked, more]), np.concatenate([gains, np.zeros(len(more))]) / coverage.UNIT


def _sampled(
    pool: ThreadPoolExecutor, vectors: np.ndarray, cover: np.ndarray, num: int, random: np.random.Generator, limit: int
) -> tuple[list[int], list[int]]:
    """Picks the best of random samples until the pairs that are left fit; brings `cover` up to date."""
    from mmcurate.sample import coverage

    number = len(vectors)
    picked: list[int] = []
    gains: list[int] = []
    left = np.ones(number, bool)
    size = max(64, math.ceil(number / max(num, 1) * math.log(1 / _EPSILON)))
    width = min(size, max(1, _BLOCK // max(number, 1)))
    buffer = np.empty((width, number) if number**2 > limit else (0, 0), np.float32)
    while number**2 > limit and len(picked) < num:
        sample = np.flatnonzero(left)
        sample = np.sort(random.choice(sample, min(size, len(sample)), replace=False))
        best, best_gain, best_row, pairs = -1, -1, np.zeros(0), 0
        for start in range(0, len(sample), width):
            some = sample[start : start + width]
            block = np.matmul(vectors[some], vectors.T, out=buffer[: len(some)])
            found, over = coverage.block_gains(pool, block, cover)
            pairs += over
            k = int(np.argmax(found))
            if found[k] > best_gain:
                best, best_gain, best_row = int(some[k]), int(found[k]), block[k].copy()
        if pairs / len(sample) * number <= limit:
            break
        np.maximum(cover, coverage.whole(best_row), out=cover)
        left[best] = False
        picked.append(best)
        gains.append(best_gain)
    return picked, gains


@settings
class FacilityLocation(Step):
    """Picks a diverse set of questions: every question has a similar one among the picked.

    Provides `diverse_rank`: 0 for the first picked, and so on, null where a question isn't picked. The first n of a larger set
    stand for the whole nearly as well as a set of n does. See `facility_location` for what is maximised and its guarantee.

    A question is its text and its pictures. Without an image encoder questions with the same text are the same here,
    whatever their pictures show: 2,000 picture puzzles may have 21 texts, and 21 of them are picked before any other.

    Time and memory: 10,000 of 100,000 take about a minute on two cores and 1 GB, 100 of them about three; time grows
    with the square of the rows. Embeddings are kept, so another `num_rows` computes none.

    Attributes:
        num_rows: how many to pick.
        encoder: of texts, with their options.
        image_encoder: of pictures, such as `ClipImages()`; text and pictures then weigh the same.
    """

    num_rows: int = pydantic.Field(gt=0)
    encoder: EncoderSetting = StaticText()
    image_encoder: EncoderSetting | None = None

    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    provides: ClassVar[pa.Schema] = pa.schema([("diverse_rank", pa.int32())])

    def signatures(self) -> Step:
        return Embeddings(self.encoder, self.image_encoder)

    def check(self) -> None:
        self.signatures().check()

    def __call__(self, table: pa.Table) -> pa.Table:
        picked, _ = facility_location(question_vectors(table), self.num_rows)
        rank: list[Any] = [None] * table.num_rows
        for place, row in enumerate(picked.tolist()):
            rank[row] = place
        return pa.table({"diverse_rank": rank}, schema=self.provides)
