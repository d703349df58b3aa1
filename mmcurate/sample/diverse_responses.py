"""The most different among the responses to one question."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic

from mmcurate.embed import EncoderSetting, unit_vectors
from mmcurate.step import Step, settings

_TAGS = re.compile(r"</?(?:think|answer)>")
_UNSPACED = re.compile(r"([\u2e80-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af])")


def farthest_first(distances: np.ndarray) -> np.ndarray:
    """Returns the order that takes, each time, the item farthest from all that were taken before: (N,) int64.

    The first is the most typical: least in its sum of distances to the others. Ties go to the lowest index. For every k,
    where the distances are a metric, the least distance among the first k is at least half of the largest that any k
    items have (Gonzalez 1985; Ravi, Rosenkrantz & Tayi 1994, MAX-MIN; any first item will do).

    Args:
        distances: (N, N) float64, symmetric.
    """
    number = len(distances)
    order = np.zeros(number, np.int64)
    if not number:
        return order
    order[0] = np.argmin(distances.sum(axis=1).round(9))  # rounded: a sum depends on its order in the last bits
    nearest = distances[order[0]].copy()
    nearest[order[0]] = -1
    for k in range(1, number):
        order[k] = np.argmax(nearest)
        np.minimum(nearest, distances[order[k]], out=nearest)
        nearest[order[k]] = -1
    return order


def jaccard_distances(texts: Sequence[str], shingle_words: int = 3) -> np.ndarray:
    """Returns 1 - |A and B| / |A or B| between the texts' sets of so many words in a row: (N, N) float64, a metric.

    Case, spacing and the tags of the answer format don't count; a Chinese character is a word. A text with fewer words is one
    shingle. Two texts without words are at 0.
    """
    codes, text_of = _shingles(texts, shingle_words)
    has = np.zeros((len(texts), int(codes.max(initial=-1)) + 1), np.float32)
    has[text_of, codes] = 1
    both = (has @ has.T).astype(np.float64)  # exact: counts below 2**24
    sizes = np.diagonal(both)
    either = sizes[:, None] + sizes - both
    return 1 - np.where(either > 0, both / np.maximum(either, 1), 1)


def _shingles(texts: Sequence[str], shingle_words: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of each shingle of the texts, one after the other, equal where all words are, and its text."""
    numbers: defaultdict[str, int] = defaultdict(itertools.count(1).__next__)
    parts = []
    for text in texts:
        text = _TAGS.sub(" ", text).casefold()
        words = (text if text.isascii() else _UNSPACED.sub(r" \1 ", text)).split()
        part = [numbers[w] for w in words]
        parts.append(part + [0] * (shingle_words - len(part)) if part else part)
    text_of = np.repeat(np.arange(len(texts)), [len(p) for p in parts])
    words_ = np.fromiter(itertools.chain.from_iterable(parts), np.int64, len(text_of))
    codes = words_
    for k in range(1, shingle_words):
        if (int(codes.max(initial=0)) + 1) * (len(numbers) + 1) >= 2**63:
            codes = np.unique(codes, return_inverse=True)[1]
        codes = codes[:-1] * (len(numbers) + 1) + words_[k:]
    last = len(text_of) - shingle_words + 1
    whole = text_of[: max(last, 0)] == text_of[shingle_words - 1 :]
    return np.unique(codes[whole], return_inverse=True)[1], text_of[: len(whole)][whole]


@settings
class DiverseResponses(Step):
    """Says in which order to take a question's responses so that the first few are the most different reasoning paths.

    Provides `diverse`, 0 for the first: `AtMost(4, of="responses", order="diverse")` keeps four. See `farthest_first` for the
    order and its guarantee. A response that says the same as another comes after all that differ.

    Attributes:
        encoder: compares meanings, by the distance of the responses' vectors; without one, `jaccard_distances`.
        shingle_words: how many words in a row are compared, without an encoder.
    """

    encoder: EncoderSetting | None = None
    shingle_words: int = pydantic.Field(default=3, ge=1, le=8)

    requires: ClassVar[tuple[str, ...]] = ("responses",)
    provides: ClassVar[pa.Schema] = pa.schema(
        [pa.field("diverse", pa.large_list(pa.int32()), metadata={"of": "responses"})]
    )

    def check(self) -> None:
        if self.encoder is not None:
            unit_vectors(self.encoder, ["x = 2"])

    def __call__(self, table: pa.Table) -> pa.Table:
        responses = table["responses"].combine_chunks()
        counts = pc.fill_null(pc.list_value_length(responses), 0).to_numpy(zero_copy_only=False)
        ends = np.cumsum(counts, dtype=np.int64)
        flat = responses.flatten()
        fields = [pc.fill_null(pc.struct_field(flat, f), "").to_pylist() for f in ("reasoning", "text")]
        texts = [f"{reasoning} {text}" if reasoning else text for reasoning, text in zip(*fields, strict=True)]
        vectors = None
        if self.encoder is not None and texts:
            vectors = unit_vectors(self.encoder, [_TAGS.sub(" ", t).strip() for t in texts])
        rank = np.zeros(len(texts), np.int32)
        for start, end in zip(ends - counts, ends, strict=True):
            if end - start > 1:
                if vectors is None:
                    distances = jaccard_distances(texts[start:end], self.shingle_words)
                else:
                    distances = _euclidean(vectors[start:end])
                rank[start + farthest_first(distances)] = np.arange(end - start, dtype=np.int32)
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int64))
        return pa.table([pa.LargeListArray.from_arrays(offsets, pa.array(rank))], schema=self.provides)


def _euclidean(vectors: np.ndarray) -> np.ndarray:
    """Returns the distances between vectors of length 1 (or 0), a metric that orders pairs as their cosine does."""
    wide = vectors.astype(np.float64)
    squares = (wide * wide).sum(axis=1)
    squared = squares[:, None] + squares - 2 * wide @ wide.T
    return np.sqrt(np.maximum(squared, 0).round(12))
