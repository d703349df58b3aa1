"""Near-duplicates: questions whose texts are nearly the same and whose pictures show the same."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic

from mmcurate import pictures
from mmcurate.dedup import confirm, text, tokens
from mmcurate.dedup.image import SIDE, thumbnails
from mmcurate.dedup.keep_first import keep_first, ranks
from mmcurate.dedup.keys import KEYS, question_keys
from mmcurate.dedup.neighbours import WHOLE, Lookalikes, orientations
from mmcurate.prompts import clean_question
from mmcurate.step import Step, settings

THUMBS = pa.large_list(pa.binary(2 * SIDE * SIDE))
_LOOKS = 96


@settings
class NearSignatures(Step):
    """What `NearDedup` and `Decontaminate` keep of each question: digests, text sketches, thumbnails."""

    shingle_words: int = text.SHINGLE_WORDS
    num_bands: int = text.NUM_BANDS
    band_rows: int = text.BAND_ROWS

    requires: ClassVar[tuple[str, ...]] = ("question", "options", "answer", "images")
    provides: ClassVar[pa.Schema] = pa.schema(
        [
            *KEYS,
            ("tokens", pa.large_list(pa.uint32())),
            ("bands", pa.large_list(pa.uint32())),
            ("symbols", pa.int64()),
            ("thumbs", THUMBS),  # of each picture, two thumbnails; null where a picture can't be decoded
            ("picture_problem", pa.string()),
        ]
    )

    def __call__(self, table: pa.Table) -> pa.Table:
        questions = [clean_question(q) for q in table["question"].to_pylist()]
        sketches = text.sketch(questions, self.shingle_words, self.num_bands, self.band_rows)
        rows = [row or [] for row in table["images"].to_pylist()]
        different = {picture["sha256"]: picture for row in rows for picture in row}
        # Pillow decodes without the interpreter's lock. Its warnings are silenced for all threads at once, here.
        with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(os.cpu_count()) as pool:
            seen = dict(zip(different, pool.map(_thumbnails, different.values()), strict=True))
        thumbs: list[list[bytes] | None] = []
        problems: list[str | None] = []
        for row in rows:
            mine = [seen[picture["sha256"]] for picture in row]
            problem = next((f"picture {i}: {made}" for i, made in enumerate(mine, 1) if isinstance(made, str)), None)
            thumbs.append([made for made in mine if isinstance(made, bytes)] if problem is None else None)
            problems.append(problem)
        width = sketches.bands.shape[1]
        made: dict[str, Any] = {
            **question_keys(table),
            "tokens": pa.LargeListArray.from_arrays(pa.array(sketches.offsets), pa.array(sketches.tokens)),
            "bands": pa.LargeListArray.from_arrays(
                pa.array(np.arange(len(sketches) + 1) * width), pa.array(sketches.bands.ravel())
            ),
            "symbols": sketches.symbols,
            "thumbs": pa.array(thumbs, THUMBS),
            "picture_problem": problems,
        }
        return pa.table(made, schema=self.provides)


def _thumbnails(picture: dict[str, Any]) -> bytes | str:
    """Returns the bytes of a picture's thumbnails, or why there are none."""
    try:
        return thumbnails(pictures.read(picture)).tobytes()
    except (OSError, ValueError) as error:
        return str(error)


class Signatures:
    """The columns of `NearSignatures` of some rows, as arrays, with a reader of their pictures.

    Args:
        table: those columns, and `images`.

    Attributes:
        problems: why a row's picture couldn't be looked at, of those that were.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.num_images = pc.fill_null(pc.list_value_length(table["images"]), 0).to_numpy().astype(np.int64)
        self._tokens, self._thumbs = Chunks(table["tokens"]), Chunks(table["thumbs"])
        self.bands = rectangle(table["bands"])
        self.symbols = table["symbols"].to_numpy()
        self.num_words = pc.list_value_length(table["tokens"]).to_numpy()
        self.usable = pc.is_valid(table["thumbs"]).to_numpy()
        self.problems: dict[int, str] = {}
        self.look = lru_cache(_LOOKS)(self._look)
        self.turned = lru_cache(_LOOKS // 8)(self._turned)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def codes(self, name: str) -> np.ndarray:
        """Returns a column's values as numbers, equal where they are equal, -1 for null, (N,) int64."""
        column = self.table[name].combine_chunks()  # chunks would each carry the dictionary of all before
        encoded = pc.dictionary_encode(column)
        encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) and encoded.num_chunks else encoded
        indices = encoded.indices if isinstance(encoded, pa.DictionaryArray) else pa.array([], pa.int32())
        return np.asarray(indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)

    def sketches(self, rows: np.ndarray) -> text.Sketches:
        """Returns the text sketches of some rows."""
        lists = self._tokens.take(rows)
        offsets = np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False))])
        return text.Sketches(
            lists.flatten().to_numpy(),
            offsets.astype(np.int64),
            self.bands[rows],
            self.symbols[rows],
        )

    def marked_digests(self, mask: int) -> np.ndarray:
        """Returns `tokens.marked_digests` of the rows, (N,) int64."""
        chunks = self.table["tokens"].chunks
        return np.concatenate([np.zeros(0, np.int64), *(tokens.marked_digests(c, mask) for c in chunks)])

    def picture_problems(self) -> pa.Array:
        """Returns why a row's pictures can't be compared, or null."""
        known = self.table["picture_problem"].to_pylist()
        for row, problem in self.problems.items():
            known[row] = known[row] or problem
        return pa.array(known, pa.large_string())

    def thumbs(self, rows: np.ndarray) -> np.ndarray:
        """Returns the thumbnails of rows with equally many pictures, (N, P, 2, 32, 32) uint8."""
        lists = self._thumbs.take(rows)
        values = lists.flatten()
        data = np.frombuffer(values.buffers()[1], np.uint8)[values.offset * 2 * SIDE * SIDE :]
        each = len(values) // max(1, len(rows))
        return data[: len(values) * 2 * SIDE * SIDE].reshape(len(rows), each, 2, SIDE, SIDE)

    def thumbs_of(self, rows: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """Returns the thumbnails of one picture of each of some rows, (N, 2, 32, 32) uint8."""
        lists = self._thumbs.take(rows)
        counts = lists.value_lengths().to_numpy(zero_copy_only=False)
        values = lists.flatten().take(pa.array(np.cumsum(counts) - counts + picture))
        data = np.frombuffer(values.buffers()[1], np.uint8) if len(values) else np.zeros(0, np.uint8)
        return data[: len(rows) * 2 * SIDE * SIDE].reshape(len(rows), 2, SIDE, SIDE)

    def _look(self, row: int, picture: int) -> confirm.Look | None:
        try:
            return confirm.look(pictures.read(self.table["images"][row].as_py()[picture]))
        except pictures.BadPicture as error:  # its thumbnail could be made, its pixels can't
            self.problems[row] = f"picture {picture + 1}: {error}"
            return None

    def _turned(self, row: int, picture: int) -> list[confirm.Look]:
        seen = self.look(row, picture)
        return [] if seen is None else confirm.turned(seen)

    def shas(self, row: int) -> list[str]:
        """Returns the hashes of a row's pictures."""
        return [p["sha256"] for p in self.table["images"][row].as_py() or ()]


class Chunks:
    """A chunked column of which a few rows can be taken; Arrow's own `take` copies all of a chunked list each time.

    Args:
        column: the column.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._type = column.type
        self._chunks = [c for c in column.chunks if len(c)]
        self._begins = np.cumsum([0, *(len(c) for c in self._chunks)])

    def take(self, rows: np.ndarray) -> pa.Array:
        """Returns some rows, in that order."""
        chunk = np.searchsorted(self._begins, rows, side="right") - 1
        order = np.argsort(chunk, kind="stable")
        used, begins = np.unique(chunk[order], return_index=True)
        parts = [
            self._chunks[c].take(pa.array(rows[places] - self._begins[c]))
            for c, places in zip(used.tolist(), np.split(order, begins[1:]), strict=len(used) > 0)
        ]
        if len(parts) < 2:
            return parts[0] if parts else pa.array([], self._type)
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_arrays(parts).take(pa.array(back))


def rectangle(column: pa.ChunkedArray) -> np.ndarray:
    """Returns lists of equal length as (N, length)."""
    parts = [c.flatten().to_numpy().reshape(len(c), -1) for c in column.chunks if len(c)]
    return np.concatenate(parts) if parts else np.zeros((0, 1), column.type.value_type.to_pandas_dtype())


def same_picture(a: Signatures, i: int, k: int, b: Signatures, j: int, m: int) -> bool:
    """Whether picture `k` of row `i` shows what picture `m` of row `j` shows. One that can't be read shows nothing."""
    ours, theirs = a.look(i, k), b.look(j, m)
    return ours is not None and theirs is not None and confirm.same_picture(theirs, ours)


def same_pictures(a: Signatures, i: int, b: Signatures, j: int, *, turns: bool = False) -> bool:
    """Whether two rows have the same pictures in the same order, by their bytes or by looking at them."""
    ours, theirs = a.shas(i), b.shas(j)
    if len(ours) != len(theirs):
        return False
    for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if one == other:
            continue
        if same_picture(a, i, k, b, j, k):
            continue
        seen = a.look(i, k)
        if not turns or seen is None or not any(confirm.same_picture(t, seen) for t in b.turned(j, k)):
            return False
    return True


def text_pairs(
    mine: Signatures, rows: np.ndarray, groups: np.ndarray, shingle_words: int, min_jaccard: float
) -> np.ndarray:
    """Returns the pairs of some rows, by their places in `rows`, whose texts are near and whose groups are equal."""
    pairs = text.candidates(mine.bands[rows], groups)
    if not len(pairs):
        return pairs
    pairs = pairs[groups[pairs[:, 0]] == groups[pairs[:, 1]]]
    return pairs[_jaccard(mine, rows, pairs, shingle_words) >= min_jaccard]


def _jaccard(mine: Signatures, rows: np.ndarray, pairs: np.ndarray, shingle_words: int) -> np.ndarray:
    used, places = np.unique(pairs, return_inverse=True)
    return text.jaccard(mine.sketches(rows[used]), places.reshape(pairs.shape), shingle_words)


def joined(num: int, pairs: np.ndarray) -> np.ndarray:
    """Returns the number of the group of each item that pairs join, (num,) int64: where to look, not what is alike."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(num, num))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def number(*columns: np.ndarray) -> np.ndarray:
    """Returns one number for each different row of some columns of integers, (N,) int64."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, inverse = np.unique(column, return_inverse=True)
        code = code * (int(inverse.max(initial=0)) + 1) + inverse
        _, code = np.unique(code, return_inverse=True)
    return code


@settings
class NearDedup(Step):
    """Finds questions whose texts are nearly the same and whose pictures show the same, and keeps the first of each.

    Texts: MinHash over word shingles with banded LSH proposes, the exact Jaccard similarity of the shingles decides.
    Two texts whose numbers, signs, one-letter names or words such as "not" and "maximum" differ are never near. A text
    of fewer words than a shingle must be the same, but for case, spacing and the punctuation of sentences.

    Pictures: thumbnails propose; then the two are aligned, and their largest local difference decides: see
    `mmcurate.dedup.confirm` for what counts as the same and what can't be seen. Rows must have equally many
    pictures, in the same order.

    A pair whose golds differ (letters read through their options) is never a near-duplicate, nor is one of which
    only one has a gold. Every duplicate was compared with the row that stays, so nothing goes by a chain of small steps.
    A picture that can't be decoded is the row's `picture_problem`, and the row is compared with none.

    Time grows as n log n with the different texts and pictures. Memory: some 1.5 KB a row, half of it mapped from disk.

    Attributes:
        min_jaccard: of two texts' shingles. Changing it computes no signature anew.
        by: "question" for both. "text" doesn't look at pictures: of questions that share a template it leaves one for
            each gold. "images" doesn't look at texts: of several questions about one picture with one gold it leaves one.
        turned: whether a picture that is rotated by quarters or mirrored shows the same.
        priority: sources whose rows are kept before others', most important first.
        shingle_words: how many words a shingle has.
        num_bands, band_rows: of MinHashes. A pair of Jaccard similarity s is proposed with probability
            1 - (1 - s ** band_rows) ** num_bands: 0.99 at 0.7.
    """

    _: dataclasses.KW_ONLY
    min_jaccard: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.7
    by: Literal["question", "text", "images"] = "question"
    turned: bool = False
    priority: Sequence[str] = ()
    shingle_words: Annotated[int, pydantic.Field(ge=1)] = text.SHINGLE_WORDS
    num_bands: Annotated[int, pydantic.Field(ge=1)] = text.NUM_BANDS
    band_rows: Annotated[int, pydantic.Field(ge=1)] = text.BAND_ROWS

    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    requires: ClassVar[tuple[str, ...]] = ("source", "images")
    provides: ClassVar[pa.Schema] = pa.schema(
        [("duplicate_of", pa.string()), ("similarity", pa.float32()), ("picture_problem", pa.string())]
    )

    def signatures(self) -> Step:
        return NearSignatures(self.shingle_words, self.num_bands, self.band_rows)

    def __call__(self, table: pa.Table) -> pa.Table:
        order = np.argsort(ranks(table["source"].to_pylist(), self.priority))
        mine = Signatures(table)
        first, near = self._find(mine, order)
        ids = table["id"].combine_chunks()
        duplicate = first != np.arange(len(first))
        return pa.table(
            {
                "duplicate_of": ids.take(pa.array(first, mask=~duplicate)),
                "similarity": pa.array(near.astype(np.float32), mask=~duplicate),
                "picture_problem": mine.picture_problems(),
            },
            schema=self.provides,
        )

    def _find(self, mine: Signatures, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the row that stays for each row, and how similar their texts are.

        Args:
            mine: the rows.
            order: the rows in the order in which they are kept, (N,).
        """
        texts = number(mine.codes("text_key"))
        gold = mine.codes("gold_key")
        gold = number(gold, np.where(gold < 0, mine.codes("options_key"), -1))
        images = number(mine.codes("images_key")) if self.by != "text" else np.zeros(len(mine), np.int64)
        if self.by == "images":
            texts = np.where(mine.num_images > 0, 0, np.arange(1, len(mine) + 1))
        # Rows that are equal in all that counts are one question, and its first row stands for it.
        questions = number(texts, gold, images)
        _, places = np.unique(questions[order], return_index=True)
        places = np.sort(places)
        rows = order[places]  # one a question, in the order in which they are kept
        stands = np.empty(len(rows), np.int64)
        stands[questions[rows]] = np.arange(len(rows))
        of = stands[questions]  # the place in `rows` of each row's question

        texts, gold = texts[rows], gold[rows]
        if self.by == "images":
            near_texts = number(gold, texts)
            text_of = near_texts
        else:
            symbols = mine.symbols[rows]
            distinct, first_of, text_of = np.unique(number(texts, gold), return_index=True, return_inverse=True)
            groups = number(gold, symbols)[first_of]
            linked = text_pairs(mine, rows[first_of], groups, self.shingle_words, self.min_jaccard)
            near_texts = joined(len(distinct), linked)[text_of]
        pairs = [np.zeros((0, 2), np.int64)]
        shown = (mine.num_images[rows] > 0) & (self.by != "text")
        if self.by != "images" and not shown.all():
            plain = np.flatnonzero(~shown)  # a text with one gold is one question here
            at = np.full(len(distinct), -1)
            at[text_of[plain]] = plain
            found = at[linked]
            pairs.append(found[(found >= 0).all(1)])
        blocks = number(near_texts, mine.num_images[rows])
        for block in _groups(np.flatnonzero(shown & mine.usable[rows]), blocks):
            pairs.append(block[self._alike(mine, rows[block])])

        known: dict[tuple[int, int], float] = {}

        def similarity(item: int, kept: int) -> float:
            near = 1.0
            if text_of[item] != text_of[kept] and self.by != "images":
                pair = int(text_of[item]), int(text_of[kept])
                if pair not in known:
                    known[pair] = float(_jaccard(mine, rows, np.array([[item, kept]]), self.shingle_words)[0])
                near = known[pair]
                if near < self.min_jaccard:
                    return 0.0
            if shown[item] and not same_pictures(mine, rows[item], mine, rows[kept], turns=self.turned):
                return 0.0
            return near

        kept, near = keep_first(len(rows), np.concatenate(pairs), similarity)
        return rows[kept[of]], np.asarray(near[of])

    def _alike(self, mine: Signatures, rows: np.ndarray) -> np.ndarray:
        lookalikes, found = Lookalikes(lambda some: mine.thumbs(rows[some]), len(rows)), []
        for start in range(0, len(rows), WHOLE):
            thumbs = mine.thumbs(rows[start : start + WHOLE])
            for turn in orientations(thumbs) if self.turned else [thumbs]:
                found.append(lookalikes.find(turn) + np.array([start, 0]))
        pairs = np.concatenate(found)
        return pairs[pairs[:, 0] != pairs[:, 1]]


def _groups(items: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Returns the items of each label that has several."""
    order = items[np.argsort(labels[items], kind="stable")]
    begins = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sizes = np.diff(begins, append=len(order))
    return [order[i : i + n] for i, n in zip(begins[sizes > 1], sizes[sizes > 1], strict=True)]
