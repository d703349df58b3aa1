"""Which pictures look alike enough to be compared: nearest neighbours of their thumbnails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmcurate.dedup.align import thumbnail_gaps
from mmcurate.dedup.image import SIDE, descriptors

RADIUS = 0.6
"""How far the descriptors of one picture's variants lie apart at most; those of two photos are some 1.4 apart."""
MAX_GAP = 28.0
"""Grey levels by which thumbnails of one picture's variants differ at most in their worst place."""
NUM_NEIGHBOURS = 16
WHOLE = 4096
"""Up to so many rows each is compared with each."""
_AT_ONCE = 1024
_TREE_DIMENSIONS = 16
_GRID = 32
"""Points of the tree's grid to a distance of 1."""
_CROWD, _OF_A_CROWD = 256, 2
"""Over so many rows in one point say nothing any more, and few of them are proposed."""


def views(thumbs: np.ndarray) -> np.ndarray:
    """Returns the descriptors of rows of pictures, of the wholes and of what lies inside the margins.

    Args:
        thumbs: (N, P, 2, 32, 32) uint8, P pictures a row.

    Returns:
        (2, N, P * 63) float32.
    """
    num, pictures = thumbs.shape[:2]
    made = descriptors(thumbs.reshape(-1, SIDE, SIDE)).reshape(num, pictures, 2, -1)
    return made.transpose(2, 0, 1, 3).reshape(2, num, -1) / np.float32(np.sqrt(max(1, pictures)))


def orientations(thumbs: np.ndarray) -> list[np.ndarray]:
    """Returns thumbnails, (..., 32, 32), in their eight orientations."""
    flipped = thumbs[..., ::-1]
    return [np.rot90(t, k, axes=(-2, -1)) for t in (thumbs, flipped) for k in range(4)]


class Lookalikes:
    """Finds pictures that may show the same as given ones.

    Small sets are compared whole, large ones in a k-d tree of their lowest frequencies. Rows that fall into one of its
    points are told apart by their thumbnails alone; of a great many with one thumbnail only the first few are found,
    so that time stays n log n where all look alike. Memory: some 200 bytes a row of one picture.

    Args:
        read: returns the thumbnails of some rows of P pictures each, (M, P, 2, 32, 32) uint8.
        num: how many rows there are.
    """

    def __init__(self, read: Callable[[np.ndarray], np.ndarray], num: int) -> None:
        self.read, self.num = read, num
        self.trees: list[_Tree] = []
        parts = [views(read(np.arange(i, min(i + _AT_ONCE, num)))) for i in range(0, min(num, WHOLE), _AT_ONCE)]
        self.base = np.concatenate(parts, axis=1) if parts else np.zeros((2, 0, 1), np.float32)
        if num > WHOLE:
            spread = self.base.var(1)
            self.dimensions = [np.sort(np.argsort(-s, kind="stable")[:_TREE_DIMENSIONS]) for s in spread]
            cells, marks = [], []
            for i in range(0, num, _AT_ONCE):
                thumbs = read(np.arange(i, min(i + _AT_ONCE, num)))
                cells.append(self._cells(thumbs))
                marks.append(_marks(thumbs))
            self.base = np.zeros((2, 0, 1), np.float32)
            both = np.concatenate(cells, axis=1), np.concatenate(marks, axis=1)
            self.trees = [_Tree(cells, marks) for cells, marks in zip(*both, strict=True)]

    def _cells(self, thumbs: np.ndarray) -> np.ndarray:
        low = [view[:, d] for view, d in zip(views(thumbs), self.dimensions, strict=True)]
        return np.round(np.stack(low) * _GRID).astype(np.int8)

    def find(self, thumbs: np.ndarray) -> np.ndarray:
        """Returns for each query the rows that may show the same, at most `NUM_NEIGHBOURS` in each view.

        Args:
            thumbs: (M, P, 2, 32, 32) uint8.

        Returns:
            (K, 2) int64: query and row, each pair once.
        """
        found = [np.zeros((0, 2), np.int64)]
        for start in range(0, len(thumbs) if self.num else 0, _AT_ONCE):
            part = thumbs[start : start + _AT_ONCE]
            if self.trees:
                cells, marks = self._cells(part), _marks(part)
                both = [tree.find(cells[view], marks[view]) for view, tree in enumerate(self.trees)]
            else:
                query = views(part)
                both = [self._whole(view, query[view]) for view in range(2)]
            pairs = np.unique(np.concatenate(both), axis=0)
            if len(pairs):
                rows, places = np.unique(pairs[:, 1], return_inverse=True)
                theirs, far = self.read(rows), np.zeros(len(pairs), np.float32)
                for picture in range(part.shape[1]):
                    gaps = thumbnail_gaps(part[pairs[:, 0], picture], theirs[places, picture])
                    far = np.maximum(far, gaps)
                pairs = pairs[far <= MAX_GAP]
            found.append(pairs + np.array([start, 0]))
        return np.concatenate(found)

    def _whole(self, view: int, query: np.ndarray) -> np.ndarray:
        base = self.base[view]
        keep = min(NUM_NEIGHBOURS + 1, len(base))  # one more: a row finds itself
        distances = (query**2).sum(1)[:, None] + (base**2).sum(1)[None, :] - 2 * query @ base.T
        nearest = np.argpartition(distances, keep - 1, axis=1)[:, :keep]
        rows, places = np.nonzero(np.take_along_axis(distances, nearest, axis=1) <= RADIUS**2)
        return np.stack([rows, nearest[rows, places]], axis=1)


def _marks(thumbs: np.ndarray) -> np.ndarray:
    """Returns a digest of each row's thumbnails in each view, (2, N) uint64."""
    words = np.ascontiguousarray(thumbs.transpose(2, 0, 1, 3, 4)).reshape(2, len(thumbs), -1).view(np.uint64)
    factors = np.random.default_rng(0).integers(0, 1 << 63, words.shape[2], np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = (words ^ (words >> np.uint64(29))) * factors
    return np.asarray((mixed ^ (mixed >> np.uint64(32))).sum(2, dtype=np.uint64))


class _Tree:
    """Rows in the points of a grid, these in a k-d tree: many equal points would make it slow.

    Args:
        cells: (N, D) int8, of the grid.
        marks: (N,) uint64, digests of the rows' thumbnails, by which the rows of one cell are ordered.
    """

    def __init__(self, cells: np.ndarray, marks: np.ndarray) -> None:
        from scipy.spatial import cKDTree

        points, cell_of = _different(cells)
        self.order = np.lexsort((marks, cell_of))
        self.marks, self.cell_of = marks[self.order], cell_of[self.order]
        self.begins = np.searchsorted(self.cell_of, np.arange(len(points) + 1))
        self.tree = cKDTree(points.astype(np.float32) / _GRID, leafsize=32, balanced_tree=False)

    def find(self, cells: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Returns pairs of a query and a row near it, (K, 2) int64."""
        points, cell_of = _different(cells)
        distances, nearest = self.tree.query(
            points.astype(np.float32) / _GRID,
            k=NUM_NEIGHBOURS + 1,
            eps=0.5,
            distance_upper_bound=RADIUS / 2,
            workers=-1,
        )
        pairs = []
        for query, (cell, mark) in enumerate(zip(cell_of.tolist(), marks, strict=True)):
            room = NUM_NEIGHBOURS + 1
            for place in nearest[cell, np.isfinite(distances[cell])].tolist():
                begin, end = int(self.begins[place]), int(self.begins[place + 1])
                take = min(end - begin, room, room if end - begin <= _CROWD else _OF_A_CROWD)
                if take < end - begin:
                    first = begin + int(np.searchsorted(self.marks[begin:end], mark))
                    begin = min(first, end - take)
                pairs.append((query, begin, take))
                room -= take
                if room <= 0:
                    break
        if not pairs:
            return np.zeros((0, 2), np.int64)
        queries, begins, counts = np.array(pairs, np.int64).T
        at = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))
        return np.stack([np.repeat(queries, counts), self.order[at]], axis=1)


def _different(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the different rows, and which of them each row is."""
    packed = np.ascontiguousarray(cells).view(f"V{cells.shape[1]}").ravel()
    _, first, of = np.unique(packed, return_index=True, return_inverse=True)
    return cells[first], of
