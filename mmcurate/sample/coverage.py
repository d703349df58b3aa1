"""The loops of `FacilityLocation`: compiled by numba where it can be imported, else numpy, with equal results.

Similarities are whole numbers here, 65,536 to one, so sums don't depend on their order or the number of threads.
"""

from __future__ import annotations

import heapq
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from mmcurate.compiled import HAS_NUMBA, jit

UNIT = 65_536
"""A similarity of one. The largest is one below, so that it fits into 16 bits."""
_TILE = 4096


def whole(similarities: np.ndarray) -> np.ndarray:
    """Returns similarities in whole units, rounded towards zero, as int32."""
    return np.minimum((similarities * np.float32(UNIT)).astype(np.int32), UNIT - 1)


def floors(cover: np.ndarray) -> np.ndarray:
    """Returns the least float32 similarity that is more than each row's cover."""
    return ((cover + 1) / UNIT).astype(np.float32)


def _loops_gains(block: np.ndarray, cover: np.ndarray) -> tuple[np.ndarray, int]:
    gains, pairs = np.zeros(block.shape[0], np.int64), 0
    for c in range(block.shape[0]):
        total = 0
        for i in range(block.shape[1]):
            more = min(np.int32(block[c, i] * np.float32(65536)), np.int32(65535)) - cover[i]
            if more > 0:
                total += more
                pairs += 1
        gains[c] = total
    return gains, pairs


def _numpy_gains(block: np.ndarray, cover: np.ndarray) -> tuple[np.ndarray, int]:
    more = np.maximum(whole(block) - cover, 0)
    return more.sum(axis=1, dtype=np.int64), int((more > 0).sum())


def _loops_over(
    tile: np.ndarray, row_floors: np.ndarray, column_floors: np.ndarray, mirrored: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    num = 0
    in_row = np.zeros(tile.shape[0], np.int64)
    for i in range(tile.shape[0]):
        n = 0
        floor = row_floors[i]
        for j in range(tile.shape[1]):
            n += tile[i, j] >= floor
        if mirrored:
            for j in range(tile.shape[1]):
                n += tile[i, j] >= column_floors[j]
        in_row[i] = n
        num += n
    rows, candidates, values = np.empty(num, np.int32), np.empty(num, np.int32), np.empty(num, np.uint16)
    at = 0
    for i in range(tile.shape[0]):
        if not in_row[i]:
            continue
        floor = row_floors[i]
        for j in range(tile.shape[1]):
            s = tile[i, j]
            own, other = s >= floor, mirrored and s >= column_floors[j]
            if own or other:
                value = min(np.int32(s * np.float32(65536)), np.int32(65535))
                if own:
                    rows[at], candidates[at], values[at] = i, j, value
                    at += 1
                if other:
                    rows[at], candidates[at], values[at] = -1 - j, i, value
                    at += 1
    return rows, candidates, values


def _numpy_over(
    tile: np.ndarray, row_floors: np.ndarray, column_floors: np.ndarray, mirrored: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    i, j = np.nonzero(tile >= row_floors[:, None])
    values = [tile[i, j]]
    rows, candidates = [i], [j]
    if mirrored:
        i, j = np.nonzero(tile >= column_floors)
        rows.append(-1 - j)
        candidates.append(i)
        values.append(tile[i, j])
    return (
        np.concatenate(rows).astype(np.int32),
        np.concatenate(candidates).astype(np.int32),
        whole(np.concatenate(values)).astype(np.uint16),
    )


def _loops_sort(candidates: np.ndarray, rows: np.ndarray, values: np.ndarray, at: np.ndarray, to: Any) -> None:
    for k in range(len(candidates)):
        place = at[candidates[k]]
        at[candidates[k]] = place + 1
        to[0][place], to[1][place] = rows[k], values[k]


def _numpy_sort(candidates: np.ndarray, rows: np.ndarray, values: np.ndarray, at: np.ndarray, to: Any) -> None:
    order = np.argsort(candidates, kind="stable")
    counts = np.bincount(candidates, minlength=len(at))
    sorted_ = candidates[order]
    places = at[sorted_] + np.arange(len(order)) - (np.cumsum(counts) - counts)[sorted_]
    to[0][places], to[1][places] = rows[order], values[order]
    at += counts


def _loops_gain(rows: np.ndarray, values: np.ndarray, start: int, end: int, cover: np.ndarray) -> tuple[int, int]:
    """Returns what a candidate would add, and where its pairs end now that those that add nothing are left out."""
    gain: Any = 0
    kept = start
    for k in range(start, end):
        more = np.int64(values[k]) - cover[rows[k]]
        if more > 0:
            gain += more
            rows[kept], values[kept] = rows[k], values[k]
            kept += 1
    return gain, kept


def _numpy_gain(rows: np.ndarray, values: np.ndarray, start: int, end: int, cover: np.ndarray) -> tuple[int, int]:
    more = values[start:end].astype(np.int64) - cover[rows[start:end]]
    over = more > 0
    kept = start + int(over.sum())
    rows[start:kept], values[start:kept] = rows[start:end][over], values[start:end][over]
    return int(more[over].sum()), kept


def _fast(loops: Any, otherwise: Any) -> Any:
    return jit(loops) if HAS_NUMBA else otherwise


_gain = _fast(_loops_gain, _numpy_gain)


def _loops_lazy(
    rows: np.ndarray, values: np.ndarray, starts: np.ndarray, ends: np.ndarray, cover: np.ndarray, num: int
) -> tuple[np.ndarray, np.ndarray]:
    picked, gains = np.empty(num, np.int64), np.empty(num, np.int64)
    heap = [(np.int64(0), np.int64(0)) for _ in range(0)]
    for j in range(len(starts)):
        gain, ends[j] = _gain(rows, values, starts[j], ends[j], cover)
        if gain > 0:
            heap.append((np.int64(-gain), np.int64(j)))
    heapq.heapify(heap)
    done = 0
    while done < num and heap:
        _, top = heapq.heappop(heap)
        gain, ends[top] = _gain(rows, values, starts[top], ends[top], cover)
        if not gain:
            continue
        again = (np.int64(-gain), np.int64(top))
        if heap and again > heap[0]:
            heapq.heappush(heap, again)
            continue
        for k in range(starts[top], ends[top]):
            cover[rows[k]] = values[k]
        picked[done], gains[done] = top, gain
        done += 1
    return picked[:done], gains[:done]


_gains, _over = _fast(_loops_gains, _numpy_gains), _fast(_loops_over, _numpy_over)
_sort, _lazy = _fast(_loops_sort, _numpy_sort), _fast(_loops_lazy, _loops_lazy)


def num_threads() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def block_gains(pool: ThreadPoolExecutor, block: np.ndarray, cover: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns what each candidate would add to the cover, and how many (row, candidate) pairs add anything.

    Args:
        block: (B, N) float32, the similarities of B candidates.
        cover: (N,) int32, each row's similarity to the nearest picked one.
    """
    parts = np.array_split(block, num_threads())
    made = list(pool.map(lambda part: _gains(part, cover), parts))
    return np.concatenate([m[0] for m in made]), sum(m[1] for m in made)


class Pairs:
    """Every (row, candidate) whose similarity is more than the row's cover, by candidate: exactly those that can matter later.

    Memory: 16 bytes a pair while they are found, 6 after that, and 64 MB.
    """

    def __init__(self, pool: ThreadPoolExecutor, vectors: np.ndarray, cover: np.ndarray) -> None:
        number, least = len(vectors), floors(cover)
        found = []
        buffer = np.empty(min(_TILE, number) ** 2, np.float32)
        for a in range(0, number, _TILE):
            for b in range(a, number, _TILE):
                left, right = vectors[a : a + _TILE], vectors[b : b + _TILE]
                tile = buffer[: len(left) * len(right)].reshape(len(left), len(right))
                np.matmul(left, right.T, out=tile)
                cuts = np.linspace(0, len(left), num_threads() + 1).astype(int)
                jobs = [
                    pool.submit(_over, tile[s:e], least[a + s : a + e], least[b : b + _TILE], a != b)
                    for s, e in itertools.pairwise(cuts)
                ]
                for s, job in zip(cuts, jobs, strict=False):
                    rows, candidates, values = job.result()
                    mirrored = rows < 0
                    candidates += np.where(mirrored, a + s, b).astype(np.int32)
                    rows[:] = np.where(mirrored, b - 1 - rows, a + s + rows)
                    found.append((candidates, rows, values))
        counts = np.zeros(number, np.int64)
        for candidates, _, _ in found:
            np.add.at(counts, candidates, 1)
        self.ends = np.cumsum(counts)
        self.starts = self.ends - counts
        total = int(self.ends[-1]) if number else 0
        self.rows, self.values = np.empty(total, np.int32), np.empty(total, np.uint16)
        at = self.starts.copy()
        while found:
            _sort(*found.pop(), at, (self.rows, self.values))

    def pick(self, cover: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Picks greedily, lazily: returns the picked, and what each added.

        Ends early where nothing adds anything. `cover` is brought up to date.
        """
        return _lazy(self.rows, self.values, self.starts, self.ends, cover, num)
