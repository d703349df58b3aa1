"""Semantic duplicates: questions that say the same in other words, about the same pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pydantic

from mmcurate.dedup.keep_first import keep_first, ranks
from mmcurate.dedup.near import NearSignatures, Signatures, number, rectangle, same_pictures
from mmcurate.embed import EncoderSetting, StaticText, unit_vectors
from mmcurate.errors import SettingsError
from mmcurate.prompts import clean_question
from mmcurate.step import Step, settings

_NEIGHBOURS = 16
_EXACT_ROWS = 20_000


@settings
class SemanticSignatures(Step):
    """The vector of each question's text, beside what `NearSignatures` keeps."""

    encoder: EncoderSetting = StaticText()

    requires: ClassVar[tuple[str, ...]] = NearSignatures.requires
    provides: ClassVar[pa.Schema] = pa.schema([*NearSignatures.provides, ("vector", pa.large_list(pa.float32()))])

    def check(self) -> None:
        """See `Step.check`."""
        unit_vectors(self.encoder, ["What is shown?"])

    def __call__(self, table: pa.Table) -> pa.Table:
        vectors = unit_vectors(self.encoder, [clean_question(q) for q in table["question"].to_pylist()])
        offsets = np.arange(len(vectors) + 1, dtype=np.int64) * vectors.shape[1]
        lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(vectors.ravel()))
        return NearSignatures()(table).append_column(self.provides.field("vector"), lists)


@settings
class SemanticDedup(Step):
    """Finds questions that ask the same in other words about the same pictures, and keeps the first of each.

    The cosine similarity of the texts' vectors decides, among questions with the same gold, equally many pictures that
    show the same, and, unless `same_numbers` is off, the same numbers: "a train travels 60 km in 2 hours" and "... 80 km
    in 2 hours" lie next to each other in every embedding. Where there is no gold, the signs, one-letter names and
    negations must be the same too, since nothing else tells two problems apart. Every duplicate was compared with the row that stays.

    It finds what `NearDedup` can't, and is less sure: look at a sample of pairs (the report shows some) before dropping.

    Memory: the vectors (4 bytes a dimension and row) and as much again for the index, beside what `NearDedup` takes.

    Attributes:
        encoder: of texts; any object with `encode(texts) -> (N, D)` and `fingerprint()`.
        min_similarity: the cosine from which two texts are the same; it belongs to the encoder. Changing it computes no
            vector anew.
        same_numbers: whether the numbers of both texts must be the same, in any order.
        by: "question" for texts and pictures; "text" doesn't look at pictures.
        priority: sources whose rows are kept before others', most important first.
    """

    encoder: EncoderSetting = StaticText()
    _: dataclasses.KW_ONLY
    min_similarity: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.75
    same_numbers: bool = True
    by: Literal["question", "text"] = "question"
    priority: Sequence[str] = ()

    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    requires: ClassVar[tuple[str, ...]] = ("source", "images")
    provides: ClassVar[pa.Schema] = pa.schema([("duplicate_of", pa.string()), ("similarity", pa.float32())])

    def signatures(self) -> Step:
        return SemanticSignatures(self.encoder)

    def check(self) -> None:
        """See `Step.check`."""
        SemanticSignatures(self.encoder).check()

    def __call__(self, table: pa.Table) -> pa.Table:
        order = np.argsort(ranks(table["source"].to_pylist(), self.priority))
        mine = Signatures(table)
        vectors = rectangle(table["vector"])[order]
        gold = mine.codes("gold_key")
        parts = [gold, np.where(gold < 0, mine.codes("options_key"), -1)]
        if self.same_numbers:
            parts += [mine.marked_digests(1), np.where(gold < 0, mine.marked_digests(3), 0)]
        if self.by == "question":
            parts.append(mine.num_images)
        groups = number(*parts)[order]

        def similarity(item: int, kept: int) -> float:
            near = float(vectors[item] @ vectors[kept])
            if near < self.min_similarity or groups[item] != groups[kept]:
                return 0.0
            if self.by == "question" and not same_pictures(mine, order[item], mine, order[kept]):
                return 0.0
            return min(1.0, near)

        kept, near = keep_first(len(order), near_vectors(vectors, groups, self.min_similarity), similarity)
        first = np.empty(len(order), np.int64)
        alike = np.empty(len(order))
        first[order], alike[order] = order[kept], near
        duplicate = first != np.arange(len(first))
        ids = table["id"].combine_chunks()
        return pa.table(
            {
                "duplicate_of": ids.take(pa.array(first, mask=~duplicate)),
                "similarity": pa.array(alike.astype(np.float32), mask=~duplicate),
            },
            schema=self.provides,
        )


def near_vectors(vectors: np.ndarray, groups: np.ndarray, min_similarity: float) -> np.ndarray:
    """Returns pairs of vectors of one group that are at least so similar, (P, 2) int64, at most 16 a vector.

    A group of up to 20,000 is compared whole; a larger one with an index of usearch (HNSW), which finds nearly all.

    Args:
        vectors: (N, D) float32 of length 1.
        groups: (N,) int64.
    """
    order = np.argsort(groups, kind="stable")
    found = [np.zeros((0, 2), np.int64)]
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        if len(members) < 2:
            continue
        search = _whole if len(members) <= _EXACT_ROWS else _indexed
        found.append(members[search(vectors[members], min_similarity)])
    return np.concatenate(found)


def _whole(vectors: np.ndarray, min_similarity: float) -> np.ndarray:
    out = []
    for start in range(0, len(vectors), 1024):
        similar = vectors[start : start + 1024] @ vectors.T
        similar[np.arange(len(similar)), np.arange(start, start + len(similar))] = -1
        rows, others = np.nonzero(similar >= min_similarity)
        if len(rows) > _NEIGHBOURS * len(similar):
            keep = np.argpartition(-similar, min(_NEIGHBOURS, len(vectors) - 1), axis=1)[:, :_NEIGHBOURS]
            rows, places = np.nonzero(np.take_along_axis(similar, keep, axis=1) >= min_similarity)
            others = keep[rows, places]
        out.append(np.stack([rows + start, others], axis=1))
    return np.concatenate(out)


def _indexed(vectors: np.ndarray, min_similarity: float) -> np.ndarray:
    try:
        from usearch.index import Index
    except ImportError:
        raise SettingsError(
            f"SemanticDedup of over {_EXACT_ROWS:,} alike rows needs an index: pip install 'mmcurate[embed]'"
        ) from None
    index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16")
    index.add(np.arange(len(vectors)), vectors)
    found = index.search(vectors, _NEIGHBOURS + 1)
    keys, distances = np.asarray(found.keys).astype(np.int64), np.asarray(found.distances)
    rows, columns = np.nonzero(1 - distances >= min_similarity - 0.01)  # half floats; the pairs are compared again
    pairs = np.stack([rows, keys[rows, columns]], axis=1)
    return np.asarray(pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs[:, 1] < len(vectors))])
