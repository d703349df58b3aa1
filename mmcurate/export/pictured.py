"""A final set as rows to publish: ordered so that rows that show the same pictures lie together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmcurate.errors import RunError
from mmcurate.export import shards
from mmcurate.report.huggingface import PICTURES
from mmcurate.sources.source import chance
from mmcurate.state import lengths

HASHES = "image_sha256"
"""The column with the SHA-256 of each picture as it came from its source."""


class FinalSet:
    """A final set in memory: where its questions begin, how large they are and which pictures they show.

    Some numbers a row and the name of each picture are all that it holds; texts and pictures stay on the disk.

    Args:
        dataset: from `to_sft` or `to_rl`: rows with `images`, those of a `question_id` adjacent; without that column each
            row is a question of its own.
        images: whether the pictures are published too, or their hashes alone.
    """

    def __init__(self, dataset: Any, *, images: bool = True) -> None:
        import datasets

        self.table, self.images = dataset.data, images
        kept = {k: v for k, v in dataset.features.items() if images or k != "images"}
        self.features = datasets.Features({**kept, HASHES: datasets.List(datasets.Value("string"))})
        batches = self.table.to_batches()
        self.sizes = _joined([_text_bytes(b) for b in batches])
        name = "question_id" if "question_id" in dataset.features else "id"
        self.ids = pa.chunked_array([b[name] for b in batches], pa.string())
        self.first = _starts(self.ids)
        self.ends = np.append(self.first[1:], len(self.ids))
        shown = [b["images"] for b in batches]
        self.counts = _joined([lengths(s) for s in shown])
        paths = pa.chunked_array([s.flatten().field("path") for s in shown], pa.string())
        coded = paths.combine_chunks().dictionary_encode()
        self.codes = coded.indices.to_numpy()
        paths_ = coded.dictionary.to_pylist()
        self.names = [os.path.basename(p) for p in paths_]
        self.place = dict(zip(self.names, paths_, strict=True))
        self.picture_bytes = np.array([os.path.getsize(p) for p in paths_] if images else [0] * len(paths_), np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])

    def sources(self) -> dict[str, np.ndarray]:
        """Returns the questions of each source, in the order of their first."""
        column = pa.chunked_array([b["source"] for b in self.table.to_batches()], pa.string())
        coded = column.take(pa.array(self.first)).combine_chunks().dictionary_encode()
        codes = coded.indices.to_numpy()
        return {name: np.flatnonzero(codes == i) for i, name in enumerate(coded.dictionary.to_pylist())}

    def pictures(self, question: int) -> np.ndarray:
        """Returns the codes of a question's pictures."""
        row = self.first[question]
        return self.codes[self.starts[row] : self.starts[row + 1]]


class Pictured:
    """Some questions of a final set; see `shards.Rows`.

    Args:
        final: the set.
        questions: which.
    """

    def __init__(self, final: FinalSet, questions: np.ndarray) -> None:
        self.final, self.features = final, final.features
        self.order = questions[_together([final.pictures(q) for q in questions])]

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        final = self.final
        ids = final.ids.take(pa.array(final.first[self.order])).to_pylist()
        chances = np.array([chance(0, 0, {"id": i}) for i in ids], np.uint64)
        totals = np.concatenate([[0], np.cumsum(final.sizes)])
        sizes = totals[final.ends[self.order]] - totals[final.first[self.order]]
        seen: set[int] = set()
        for i, question in enumerate(self.order if final.images else ()):
            new = set(final.pictures(question).tolist()) - seen
            sizes[i] += final.picture_bytes[list(new)].sum()
            seen |= new
        return chances, sizes

    def tables(self, start: int, stop: int) -> Iterator[pa.Table]:
        final, size = self.final, 0
        spans: list[list[int]] = []
        for question in self.order[start:stop]:
            shown = int(final.picture_bytes[final.pictures(question)].sum()) if final.images else 0
            for row in range(final.first[question], final.ends[question]):
                size += int(final.sizes[row]) + shown
                if size > shards.ROW_GROUP_BYTES and spans:
                    yield self._table(spans)
                    spans, size = [], int(final.sizes[row]) + shown
                if spans and spans[-1][1] == row:
                    spans[-1][1] += 1
                else:
                    spans.append([row, row + 1])
        if spans:
            yield self._table(spans)

    def _table(self, spans: list[list[int]]) -> pa.Table:
        """Returns some ranges of rows, their pictures by name."""
        final = self.final
        table = pa.concat_tables([final.table.fast_slice(a, b - a) for a, b in spans]).combine_chunks()
        counts = np.concatenate([final.counts[a:b] for a, b in spans])
        codes = np.concatenate([final.codes[final.starts[a] : final.starts[b]] for a, b in spans])
        names = pa.array([final.names[c] for c in codes], pa.string())
        hashes = pc.list_element(pc.split_pattern(names, ".", max_splits=1), 0)
        table = table.drop_columns(["images"]).append_column(HASHES, _lists(hashes, counts))
        if final.images:
            structs = _structs(pa.nulls(len(names), pa.binary()), names)
            table = table.append_column("images", _lists(structs, counts))
        return table.select(list(self.features))

    def with_pictures(self, table: pa.Table) -> pa.Table:
        if not self.final.images:
            return table
        lists = table["images"].combine_chunks()
        names = lists.flatten().field("path")
        coded = names.dictionary_encode()
        data = pa.array([_read(self.final.place[n]) for n in coded.dictionary.to_pylist()], pa.binary())
        images = _lists(_structs(data.take(coded.indices), names), lengths(lists))
        return table.set_column(table.column_names.index("images"), "images", images)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([*parts, np.zeros(0, np.int64)])


def _structs(data: pa.Array, names: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([data, names], fields=list(PICTURES.value_type))


def _lists(values: pa.Array, counts: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)), values)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise RunError(
            f"{path}: this picture of the final set is gone; remove the folder of the set, and the same command makes it anew"
        ) from None


def _starts(ids: pa.ChunkedArray) -> np.ndarray:
    """Returns where a new value begins, (Q,)."""
    if not len(ids):
        return np.zeros(0, np.int64)
    changes = pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1)).to_numpy()
    return np.concatenate([[0], np.flatnonzero(changes) + 1])


def _text_bytes(batch: pa.RecordBatch) -> np.ndarray:
    """Returns how many bytes each row takes, about, without its pictures: (N,) int64."""
    total = np.zeros(len(batch), np.int64)
    for name in batch.schema.names:
        if name != "images":
            total += _value_bytes(batch[name])
    return total


def _value_bytes(array: pa.Array) -> np.ndarray:
    """Returns how many bytes each value takes, about, (N,) int64."""
    kind = array.type
    if pa.types.is_struct(kind):
        return sum((_value_bytes(array.field(i)) for i in range(kind.num_fields)), np.zeros(len(array), np.int64))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        totals = np.concatenate([[0], np.cumsum(_value_bytes(array.flatten()))])
        counts = lengths(array)
        ends = np.cumsum(counts)
        return totals[ends] - totals[ends - counts]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.asarray(pc.binary_length(array).fill_null(0).to_numpy(zero_copy_only=False), np.int64)
    return np.full(len(array), 8, np.int64)


def _together(shown: list[np.ndarray]) -> np.ndarray:
    """Returns an order in which questions that share a picture, directly or through others, follow one another.

    Args:
        shown: for each question, the codes of its pictures. Otherwise the order stays: (Q,) positions.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(shown)
    place = np.arange(count)
    codes = np.concatenate([*shown, np.zeros(0, np.int64)]).astype(np.int64)
    if not len(codes):
        return place
    of = np.repeat(place, [len(s) for s in shown])
    total = count + int(codes.max()) + 1
    graph = coo_array((np.ones(len(of), bool), (of, count + codes)), shape=(total, total))
    group = connected_components(graph, directed=False)[1][:count]
    begin = np.full(group.max() + 1, count)
    np.minimum.at(begin, group, place)
    # Within a group, those with the same first picture: a picture that all show (a logo) must not hide the others.
    first = np.array([s[0] if len(s) else -1 for s in shown])
    leader = np.full(int(first.max()) + 2, count)
    np.minimum.at(leader, first, place)
    return np.lexsort((place, leader[first], begin[group]))
