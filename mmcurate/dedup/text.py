"""Near-duplicate texts: MinHash over word shingles, banded LSH, and the exact Jaccard similarity of each candidate.

Broder 1997 (resemblance), Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, chapter 3 (banding).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from mmcurate.compiled import HAS_NUMBA, compiled
from mmcurate.dedup.tokens import tokenise

SHINGLE_WORDS = 3
NUM_BANDS, BAND_ROWS = 25, 5
"""A pair of Jaccard similarity 0.7 shares a band with a probability of 0.99, one of 0.4 with 0.23."""
_WINDOW = 8
_TEXTS_AT_ONCE = 8_192


@dataclass(frozen=True)
class Sketches:
    """What is kept of N texts.

    Attributes:
        tokens, offsets, symbols: of `tokens.tokenise`.
        bands: (N, num_bands) uint32, a hash of each band's MinHashes.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    bands: np.ndarray
    symbols: np.ndarray

    def __len__(self) -> int:
        return len(self.symbols)


def sketch(
    texts: pa.Array | pa.ChunkedArray | Sequence[str],
    shingle_words: int = SHINGLE_WORDS,
    num_bands: int = NUM_BANDS,
    band_rows: int = BAND_ROWS,
) -> Sketches:
    """Returns the sketches of some texts.

    Case, spacing and the punctuation of sentences don't count; digits, letters of any script, signs and brackets do.
    Every ideograph is a word.

    Args:
        texts: N texts; null counts as empty.
        shingle_words: how many words a shingle has.
        num_bands, band_rows: of MinHashes; a pair of similarity s is proposed with probability
            1 - (1 - s ** band_rows) ** num_bands.
    """
    if not isinstance(texts, (pa.Array, pa.ChunkedArray)):
        texts = pa.array(texts, pa.large_string())
    permutations = _permutations(num_bands * band_rows)
    parts = []
    for start in range(0, max(1, len(texts)), _TEXTS_AT_ONCE):
        parts.append(_sketch(texts.slice(start, _TEXTS_AT_ONCE), shingle_words, band_rows, *permutations))
    return joined(*parts)


def joined(*parts: Sketches) -> Sketches:
    """Returns the sketches of several sets of texts as one."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([0] + [int(p.offsets[-1]) for p in parts])
    return Sketches(
        np.concatenate([p.tokens for p in parts]),
        np.concatenate([np.zeros(1, np.int64), *(p.offsets[1:] + e for p, e in zip(parts, ends[:-1], strict=True))]),
        np.concatenate([p.bands for p in parts]),
        np.concatenate([p.symbols for p in parts]),
    )


def _sketch(
    texts: pa.Array | pa.ChunkedArray, shingle_words: int, band_rows: int, factors: np.ndarray, summands: np.ndarray
) -> Sketches:
    tokens, offsets, symbols = tokenise(texts)
    minhash = _minhash_compiled if HAS_NUMBA else _minhash_numpy
    return Sketches(tokens, offsets, minhash(tokens, offsets, shingle_words, band_rows, factors, summands), symbols)


@cache
def _permutations(num: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the factors (odd) and summands of `num` permutations of 32 bits, by splitmix64 from 1."""
    state, out = 1, []
    for _ in range(2 * num):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        out.append((z ^ (z >> 31)) >> 32)
    values = np.array(out, np.uint32)
    return values[:num] | np.uint32(1), values[num:]


@compiled
def _minhash_compiled(
    tokens: np.ndarray, offsets: np.ndarray, words: int, rows: int, factors: np.ndarray, summands: np.ndarray
) -> np.ndarray:
    num, num_hashes = len(offsets) - 1, len(factors)
    longest = 1
    for text in range(num):
        longest = max(longest, offsets[text + 1] - offsets[text])
    shingles = np.empty(longest, np.uint32)
    out = np.empty((num, num_hashes // rows), np.uint32)
    low = np.empty(num_hashes, np.uint32)
    for text in range(num):
        start, count = offsets[text], offsets[text + 1] - offsets[text]
        width, used = min(words, count), max(1, count - words + 1)
        for i in range(used):
            h = np.uint32(width)
            for k in range(width):
                h = np.uint32((h ^ (tokens[start + i + k] >> np.uint32(2))) * np.uint32(0x9E3779B1))
                h = np.uint32(h ^ (h >> np.uint32(15)))
            h = np.uint32(h * np.uint32(0x85EBCA6B))
            shingles[i] = np.uint32(h ^ (h >> np.uint32(13)))
        low[:] = np.uint32(0xFFFFFFFF)
        s = 0
        while s + 4 <= used:  # four at a time: a quarter of the reads and writes of `low`
            h0, h1, h2, h3 = shingles[s], shingles[s + 1], shingles[s + 2], shingles[s + 3]
            for p in range(num_hashes):
                f, d = factors[p], summands[p]
                first = min(np.uint32(f * h0 + d), np.uint32(f * h1 + d))
                second = min(np.uint32(f * h2 + d), np.uint32(f * h3 + d))
                low[p] = min(low[p], min(first, second))
            s += 4
        while s < used:
            h0 = shingles[s]
            for p in range(num_hashes):
                low[p] = min(low[p], np.uint32(factors[p] * h0 + summands[p]))
            s += 1
        for band in range(num_hashes // rows):
            h = np.uint32(band)
            for k in range(rows):
                h = np.uint32((h ^ low[band * rows + k]) * np.uint32(0x9E3779B1))
                h = np.uint32(h ^ (h >> np.uint32(15)))
            out[text, band] = h
    return out


def _minhash_numpy(
    tokens: np.ndarray, offsets: np.ndarray, words: int, rows: int, factors: np.ndarray, summands: np.ndarray
) -> np.ndarray:
    lows = np.empty((len(offsets) - 1, len(factors)), np.uint32)
    for text in range(len(lows)):
        h = shingles(tokens[offsets[text] : offsets[text + 1]], words)
        lows[text] = (factors[:, None] * h[None, :] + summands[:, None]).min(1)
    low = lows.reshape(len(lows), -1, rows)
    bands = np.broadcast_to(np.arange(low.shape[1], dtype=np.uint32), low.shape[:2]).copy()
    for k in range(rows):
        bands = (bands ^ low[:, :, k]) * np.uint32(0x9E3779B1)
        bands ^= bands >> np.uint32(15)
    return bands


def shingles(tokens: np.ndarray, words: int) -> np.ndarray:
    """Returns a hash of every run of so many tokens of one text, (S,) uint32; of a shorter text, one of the whole."""
    width = min(words, len(tokens))
    h = np.full(max(1, len(tokens) - words + 1), width, np.uint32)
    for k in range(width):
        h = (h ^ (tokens[k : k + len(h)] >> np.uint32(2))) * np.uint32(0x9E3779B1)
        h ^= h >> np.uint32(15)
    h = h * np.uint32(0x85EBCA6B)
    return np.asarray(h ^ (h >> np.uint32(13)))


def candidates(bands: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """Returns pairs of texts that share a band, each once, (P, 2) int64 with the smaller index first.

    In a band shared by many, each is paired with the few before it and with the first, so that the number of pairs
    grows with the number of texts, not with its square.

    Args:
        bands: (N, B) uint32, of `Sketches`.
        groups: (N,) integers; only texts of one group are paired.

    Raises:
        ValueError: more than 16.7 million texts.
    """
    num = len(bands)
    if num >= 1 << 24:
        raise ValueError(f"{num:,} texts are over the limit of {1 << 24:,} at once: split them by source or language")
    found: list[np.ndarray] = []
    held = 0
    index = np.arange(num, dtype=np.uint64)
    mask = np.uint64((1 << 24) - 1)
    start = np.zeros(num, np.uint64) if groups is None else groups.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
    for band in np.ascontiguousarray(bands.T):
        key = (start ^ band) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
        key *= np.uint64(0xBF58476D1CE4E5B9)
        key = np.sort((key & ~mask) | index)  # 40 bits of the key, then the index: one plain sort
        who, same = (key & mask).astype(np.int64), key >> np.uint64(24)
        for back in range(1, _WINDOW + 1):
            hit = np.flatnonzero(same[back:] == same[:-back])
            if not len(hit):
                break
            found.append(who[hit] * num + who[hit + back])
            held += len(hit)
        begins = np.flatnonzero(np.concatenate([[True], same[1:] != same[:-1]])) if num else np.zeros(0, np.int64)
        sizes = np.diff(np.append(begins, num))
        for begin, size in zip(begins[sizes > _WINDOW + 1], sizes[sizes > _WINDOW + 1], strict=True):
            found.append(who[begin] * num + who[begin + _WINDOW + 1 : begin + size])
        if held > 4 * num + 1_000_000:
            found, held = [_different(found)], 0
    pairs = _different(found) if found else np.zeros(0, np.int64)
    return np.stack([pairs // max(1, num), pairs % max(1, num)], axis=1)


def _different(parts: list[np.ndarray]) -> np.ndarray:
    """Returns what `np.unique` does of all parts; that hashes, which takes thirty times as long."""
    values = np.sort(np.concatenate(parts))
    keep = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=keep[1:])
    return values[keep]


def jaccard(sketches: Sketches, pairs: np.ndarray, shingle_words: int = SHINGLE_WORDS) -> np.ndarray:
    """Returns the exact Jaccard similarity of the shingle sets of each pair, (P,) float32.

    Args:
        sketches: of the texts.
        pairs: (P, 2) int64.
        shingle_words: how many words a shingle has; 1 compares the words, whatever their order.
    """
    shared, ours, theirs = overlap(sketches, pairs, shingle_words)
    return np.asarray(shared / (ours + theirs - shared), np.float32)


def overlap(sketches: Sketches, pairs: np.ndarray, shingle_words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns how many different shingles each pair shares, and how many each of the two has; three (P,) int64."""
    if HAS_NUMBA:
        out = _overlap_compiled(sketches.tokens, sketches.offsets, pairs, shingle_words)
        return out[0], out[1], out[2]
    out = np.empty((3, len(pairs)), np.int64)
    for k, pair in enumerate(pairs):
        a, b = (
            np.unique(shingles(sketches.tokens[sketches.offsets[t] : sketches.offsets[t + 1]], shingle_words))
            for t in pair
        )
        out[:, k] = len(np.intersect1d(a, b, assume_unique=True)), len(a), len(b)
    return out[0], out[1], out[2]


@compiled
def _overlap_compiled(tokens: np.ndarray, offsets: np.ndarray, pairs: np.ndarray, words: int) -> np.ndarray:
    out = np.empty((3, len(pairs)), np.int64)
    size = 1024
    keys, stamps, sides = np.zeros(size, np.uint32), np.zeros(size, np.int64), np.zeros(size, np.uint8)
    for pair in range(len(pairs)):
        total = 0
        for side in range(2):
            total += max(1, offsets[pairs[pair, side] + 1] - offsets[pairs[pair, side]])
        if 2 * total > size:
            while size < 2 * total:
                size *= 2
            keys, stamps, sides = np.zeros(size, np.uint32), np.zeros(size, np.int64), np.zeros(size, np.uint8)
        stamp, both = pair + 1, 0
        for side in range(2):
            bit, mine = np.uint8(1 + side), 0
            start, end = offsets[pairs[pair, side]], offsets[pairs[pair, side] + 1]
            width = min(words, end - start)
            for i in range(max(1, end - start - words + 1)):
                h = np.uint32(width)
                for k in range(width):
                    h = np.uint32((h ^ (tokens[start + i + k] >> np.uint32(2))) * np.uint32(0x9E3779B1))
                    h = np.uint32(h ^ (h >> np.uint32(15)))
                h = np.uint32(h * np.uint32(0x85EBCA6B))
                h = np.uint32(h ^ (h >> np.uint32(13)))
                slot = np.int64(h ^ (h >> np.uint32(16))) & (size - 1)
                while stamps[slot] == stamp and keys[slot] != h:
                    slot = (slot + 1) & (size - 1)
                if stamps[slot] != stamp:
                    stamps[slot], keys[slot], sides[slot] = stamp, h, bit
                    mine += 1
                elif not sides[slot] & bit:
                    sides[slot] |= bit
                    both += 1
                    mine += 1
            out[1 + side, pair] = mine
        out[0, pair] = both
    return out


def crossing(bands: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns pairs of a text and one of another set that share a band, each once, (P, 2) int64.

    Of many others in one band each text is paired with a few, so that the number of pairs stays linear.

    Args:
        bands, others: (N, B) and (M, B) uint32, of `Sketches`.
    """
    found = [np.zeros((0, 2), np.int64)]
    for column in range(bands.shape[1]):
        order = np.argsort(others[:, column], kind="stable")
        keys = others[order, column]
        begin = np.searchsorted(keys, bands[:, column])
        for step in range(_WINDOW):
            at = begin + step
            hit = np.flatnonzero(at < len(keys))
            hit = hit[keys[at[hit]] == bands[hit, column]]
            if not len(hit):
                break
            found.append(np.stack([hit, order[at[hit]]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def sharing(sketches: Sketches, others: Sketches, words: int, most: int) -> np.ndarray:
    """Returns pairs of a text and one of another set that share a run of so many words, each once, (P, 2) int64.

    Args:
        sketches, others: of the texts.
        words: of a run.
        most: runs that more of the others have are stock phrases, and propose nothing.
    """
    grams, owners = _runs(others, words)
    order = np.lexsort((owners, grams))
    grams, owners = grams[order], owners[order]
    new = np.ones(len(grams), bool)
    new[1:] = (grams[1:] != grams[:-1]) | (owners[1:] != owners[:-1])
    grams, owners = grams[new], owners[new]
    mine, rows = _runs(sketches, words)
    begin, end = np.searchsorted(grams, mine), np.searchsorted(grams, mine, side="right")
    hit = np.flatnonzero((end > begin) & (end - begin <= most))
    counts = (end - begin)[hit]
    at = np.repeat(begin[hit] - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))
    return np.unique(np.stack([np.repeat(rows[hit], counts), owners[at]], axis=1), axis=0)


def _runs(sketches: Sketches, words: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a hash of every run of so many words, and the text it is of; shorter texts have none."""
    tokens, counts = sketches.tokens, np.diff(sketches.offsets)
    if len(tokens) < words:
        return np.zeros(0, np.uint32), np.zeros(0, np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    inside = owner[: len(tokens) - words + 1] == owner[words - 1 :]
    return shingles(tokens, words)[inside], owner[: len(inside)][inside]


def number_relations(sketches: Sketches, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns whether the first text of each pair has all numbers of the second, and whether it has just these.

    Returns:
        Two (P,) bool.
    """
    numbers = [Counter(t[t % 2 == 1].tolist()) for t in np.split(sketches.tokens, sketches.offsets[1:-1])]
    more = np.array([numbers[b] <= numbers[a] for a, b in pairs], bool)
    return more, np.array([numbers[b] == numbers[a] for a, b in pairs], bool)


def near_pairs(
    texts: pa.Array | pa.ChunkedArray | Sequence[str], min_jaccard: float = 0.7
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pairs of texts at least so similar, and how similar they are.

    Returns:
        (P, 2) int64, the smaller index first, and (P,) float32.
    """
    sketches = sketch(texts)
    pairs = candidates(sketches.bands)
    similarity = jaccard(sketches, pairs)
    keep = similarity >= min_jaccard
    return pairs[keep], similarity[keep]
