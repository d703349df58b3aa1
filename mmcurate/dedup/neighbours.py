"""Which pictures look alike enough to be compared: nearest neighbours of their thumbnails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

    Small sets are compared whole, large ones in a k-d tree of their lowest frequencies: n log n, also where all look
    alike. Memory: some 250 bytes a row of one picture.

    Args:
        read: returns the thumbnails of some rows of P pictures each, (M, P, 2, 32, 32) uint8.
        num: how many rows there are.
    """

    def __init__(self, read: Callable[[np.ndarray], np.ndarray], num: int) -> None:
        self.read, self.num = read, num
        self.dimensions: list[Any] = [slice(None)] * 2
        parts = [views(read(np.arange(i, min(i + _AT_ONCE, num)))) for i in range(0, min(num, WHOLE), _AT_ONCE)]
        if num > WHOLE:
            spread = np.concatenate(parts, axis=1).var(1)
            self.dimensions = [np.sort(np.argsort(-s, kind="stable")[:_TREE_DIMENSIONS]) for s in spread]
            parts = [self._low(p) for p in parts]
            for i in range(WHOLE, num, _AT_ONCE):
                parts.append(self._low(views(read(np.arange(i, min(i + _AT_ONCE, num))))))
        self.base = np.concatenate(parts, axis=1) if parts else np.zeros((2, 0, 1), np.float32)
        self.trees: list[Any] = []
        if num > WHOLE:
            from scipy.spatial import cKDTree

            self.trees = [cKDTree(view, leafsize=32, balanced_tree=False) for view in self.base]

    def _low(self, made: np.ndarray) -> np.ndarray:
        return np.stack([view[:, d] for view, d in zip(made, self.dimensions, strict=True)])

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
            query = self._low(views(part))
            search = self._tree if self.trees else self._whole
            pairs = np.unique(np.concatenate([search(view, query[view]) for view in range(2)]), axis=0)
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

    def _tree(self, view: int, query: np.ndarray) -> np.ndarray:
        distances, nearest = self.trees[view].query(
            query, k=NUM_NEIGHBOURS + 1, eps=0.5, distance_upper_bound=RADIUS / 2, workers=-1
        )
        rows, places = np.nonzero(np.isfinite(distances))
        return np.stack([rows, nearest[rows, places]], axis=1).astype(np.int64)
