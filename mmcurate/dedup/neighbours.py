"""Which pictures look alike enough to be compared: nearest neighbours of their thumbnails."""

from __future__ import annotations

import numpy as np

from mmcurate.dedup.align import thumbnail_gaps
from mmcurate.dedup.image import SIDE, descriptors

RADIUS = 0.6
"""How far the descriptors of one picture's variants lie apart at most; those of two photos are some 1.4 apart."""
MAX_GAP = 28.0
"""Grey levels by which thumbnails of one picture's variants differ at most in their worst place."""
NUM_NEIGHBOURS = 16
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


def alike(base: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Returns for each query its nearest base rows that may show the same, at most `NUM_NEIGHBOURS` in each view.

    Small sets are compared whole, large ones in a k-d tree of their lowest frequencies (n log n, also where all look
    alike).

    Args:
        base: (N, P, 2, 32, 32) uint8, thumbnails of P pictures a row.
        query: (M, P, 2, 32, 32) uint8.

    Returns:
        (P, 2) int64: query and base, each pair once.
    """
    search = _whole if len(base) <= 4 * _AT_ONCE else _tree
    places = views(base), views(query)
    pairs = np.unique(np.concatenate([search(b, q) for b, q in zip(*places, strict=True)]), axis=0)
    kept = []
    for start in range(0, len(pairs), _AT_ONCE):
        part = pairs[start : start + _AT_ONCE]
        far = np.zeros(len(part), np.float32)
        for picture in range(base.shape[1]):
            far = np.maximum(far, thumbnail_gaps(query[part[:, 0], picture], base[part[:, 1], picture]))
        kept.append(part[far <= MAX_GAP])
    return np.concatenate(kept) if kept else pairs


def _whole(base: np.ndarray, query: np.ndarray) -> np.ndarray:
    squares, out = (base**2).sum(1), []
    keep = min(NUM_NEIGHBOURS + 1, len(base))  # one more: a row finds itself
    for start in range(0, len(query), _AT_ONCE):
        part = query[start : start + _AT_ONCE]
        distances = (part**2).sum(1)[:, None] + squares[None, :] - 2 * part @ base.T
        nearest = np.argpartition(distances, keep - 1, axis=1)[:, :keep] if keep else np.zeros((len(part), 0), int)
        rows, places = np.nonzero(np.take_along_axis(distances, nearest, axis=1) <= RADIUS**2)
        out.append(np.stack([rows + start, nearest[rows, places]], axis=1))
    return np.concatenate(out) if out else np.zeros((0, 2), np.int64)


def _tree(base: np.ndarray, query: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    spread = base[:: max(1, len(base) // 20_000)].var(0)
    dimensions = np.sort(np.argsort(-spread, kind="stable")[:_TREE_DIMENSIONS])
    tree = cKDTree(base[:, dimensions], leafsize=32, balanced_tree=False)
    distances, nearest = tree.query(
        query[:, dimensions], k=NUM_NEIGHBOURS + 1, eps=0.5, distance_upper_bound=RADIUS / 2, workers=-1
    )
    rows, places = np.nonzero(np.isfinite(distances))
    return np.stack([rows, nearest[rows, places]], axis=1).astype(np.int64)
