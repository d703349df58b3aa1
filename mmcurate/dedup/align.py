"""The arithmetic of comparing two pictures: sums for an alignment, and their largest local differences.

Each function is compiled with numba where it is installed; else the same is done with numpy and scipy.
"""

from __future__ import annotations

import numpy as np

from mmcurate.dedup.compiled import HAS_NUMBA, compiled

BOXES = (3, 7, 15, 31)
"""Sides of the squares, in pixels, over which differences are averaged."""


Sums = tuple[np.ndarray, np.ndarray, float]


def align_sums(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> Sums:
    """Returns the normal equations of one Gauss-Newton step that lays picture `b` on picture `a`.

    The model is a(x, y) = gain * b(sx * x + tx, sy * y + ty) + offset with x and y in shares of the picture (Lucas &
    Kanade 1981; Baker & Matthews 2004, section 2).

    Args:
        a, b: (N, N) float32 greys.
        p: (4,) float64: sx, sy, tx, ty.

    Returns:
        (6, 6) and (6,) float64, of the unknowns gain * (dsx, dsy, dtx, dty), gain, offset; and the sum of a's squares.
        The last diagonal item is the number of pixels that both show.
    """
    return _align_compiled(a, b, p) if HAS_NUMBA else _align_numpy(a, b, p)


def _align_numpy(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> Sums:
    from scipy.ndimage import map_coordinates

    n = len(a)
    at = (np.arange(n) + 0.5) / n
    u, v = (p[0] * at + p[2]) * n - 0.5, (p[1] * at + p[3]) * n - 0.5
    x, y = (u >= 1) & (u < n - 2), (v >= 1) & (v < n - 2)
    rows, columns = np.meshgrid(v[y], u[x], indexing="ij")

    def sample(dy: int, dx: int) -> np.ndarray:
        return np.asarray(map_coordinates(b, (rows + dy, columns + dx), order=1, mode="nearest"), np.float64)

    bx, by = (sample(0, 1) - sample(0, -1)) * (n / 2), (sample(1, 0) - sample(-1, 0)) * (n / 2)
    j = np.stack([bx * at[x][None, :], by * at[y][:, None], bx, by, sample(0, 0), np.ones_like(bx)], axis=-1).reshape(
        -1, 6
    )
    values = a[np.ix_(y, x)].astype(np.float64).ravel()
    return j.T @ j, j.T @ values, float(values @ values)


@compiled
def _align_compiled(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> Sums:
    n = a.shape[0]
    h, r, j = np.zeros((6, 6)), np.zeros(6), np.zeros(6)
    energy = 0.0
    for row in range(n):
        y = (row + 0.5) / n
        v = (p[1] * y + p[3]) * n - 0.5
        if v < 1 or v >= n - 2:
            continue
        v0 = int(v)
        fv = np.float32(v - v0)
        for column in range(n):
            x = (column + 0.5) / n
            u = (p[0] * x + p[2]) * n - 0.5
            if u < 1 or u >= n - 2:
                continue
            u0 = int(u)
            fu = np.float32(u - u0)
            left = (1 - fv) * b[v0, u0 - 1] + fv * b[v0 + 1, u0 - 1]
            here = (1 - fv) * b[v0, u0] + fv * b[v0 + 1, u0]
            right = (1 - fv) * b[v0, u0 + 1] + fv * b[v0 + 1, u0 + 1]
            beyond = (1 - fv) * b[v0, u0 + 2] + fv * b[v0 + 1, u0 + 2]
            above = (1 - fu) * b[v0 - 1, u0] + fu * b[v0 - 1, u0 + 1]
            mid = (1 - fu) * b[v0, u0] + fu * b[v0, u0 + 1]
            below = (1 - fu) * b[v0 + 1, u0] + fu * b[v0 + 1, u0 + 1]
            under = (1 - fu) * b[v0 + 2, u0] + fu * b[v0 + 2, u0 + 1]
            bx = ((1 - fu) * (right - left) + fu * (beyond - here)) * (n / 2)
            by = ((1 - fv) * (below - above) + fv * (under - mid)) * (n / 2)
            j[0], j[1], j[2], j[3], j[4], j[5] = bx * x, by * y, bx, by, (1 - fu) * here + fu * right, 1.0
            value = a[row, column]
            energy += value * value
            for k in range(6):
                r[k] += j[k] * value
                for m in range(k, 6):
                    h[k, m] += j[k] * j[m]
    for k in range(6):
        for m in range(k):
            h[k, m] = h[m, k]
    return h, r, energy


def local_differences(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far two aligned pictures differ in their worst places, for each square of `BOXES`.

    First the mean excess: how far, inside the worst square, a pixel's luma lies outside of what the other picture shows
    within one pixel of it, either way round; so sub-pixel shifts and soft edges cost nothing, and a line or digit
    that only one has costs all it can. Second the largest difference of the squares' mean colours, any of the three.

    Args:
        a, b: (H, W, 3) float32, luma first, 0 to 255.

    Returns:
        Two (4,) float64, in grey levels.
    """
    return _differences_compiled(a, b) if HAS_NUMBA else _differences_numpy(a, b)


def _differences_numpy(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.ndimage import maximum_filter, minimum_filter

    x, y = a[:, :, 0], b[:, :, 0]
    excess = np.zeros(x.shape, np.float32)
    for one, other in ((x, y), (y, x)):
        excess = np.maximum(excess, one - maximum_filter(other, 3, mode="nearest"))
        excess = np.maximum(excess, minimum_filter(other, 3, mode="nearest") - one)
    out, means = np.zeros(len(BOXES)), np.zeros(len(BOXES))
    for i, box in enumerate(BOXES):
        out[i] = _squares(excess, box).max()
        means[i] = max(float(np.abs(_squares(a[:, :, c] - b[:, :, c], box)).max()) for c in range(3))
    return out, means


def _squares(values: np.ndarray, box: int) -> np.ndarray:
    """Returns the mean of every square that lies inside, of side `box` or the picture's where that is smaller."""
    height, width = min(box, values.shape[0]), min(box, values.shape[1])
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.astype(np.float64).cumsum(0).cumsum(1)
    squares = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    return np.asarray(squares / (height * width))


@compiled
def _differences_compiled(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = a.shape[:2]
    sums = np.zeros((4, height + 1, width + 1))
    row = np.zeros(4)
    for y in range(height):
        row[:] = 0
        for x in range(width):
            low_a = high_a = a[y, x, 0]
            low_b = high_b = b[y, x, 0]
            for v in range(max(0, y - 1), min(height, y + 2)):
                for u in range(max(0, x - 1), min(width, x + 2)):
                    low_a, high_a = min(low_a, a[v, u, 0]), max(high_a, a[v, u, 0])
                    low_b, high_b = min(low_b, b[v, u, 0]), max(high_b, b[v, u, 0])
            here, there = a[y, x, 0], b[y, x, 0]
            row[3] += max(max(here - high_b, low_b - here), max(there - high_a, low_a - there))
            for c in range(3):
                row[c] += a[y, x, c] - b[y, x, c]
            for c in range(4):
                sums[c, y + 1, x + 1] = sums[c, y, x + 1] + row[c]
    excess, means = np.zeros(4), np.zeros(4)
    boxes = (3, 7, 15, 31)
    for i in range(4):
        h, w = min(boxes[i], height), min(boxes[i], width)
        for y in range(height - h + 1):
            for x in range(width - w + 1):
                for c in range(4):
                    s = sums[c, y + h, x + w] - sums[c, y, x + w] - sums[c, y + h, x] + sums[c, y, x]
                    s /= h * w
                    if c == 3:
                        excess[i] = max(excess[i], s)
                    else:
                        means[i] = max(means[i], abs(s))
    return excess, means


def thumbnail_gaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns how far pairs of thumbnails differ in their worst place, at least, (P,) float32 in grey levels.

    That is the mean excess (`local_differences`) of the worst 3 x 3 cells, in the view where it is smaller. One cell of
    play covers a crop of 3 %, so a large gap means two pictures, and a small one means nothing yet.

    Args:
        a, b: (P, 2, N, N) uint8.
    """
    return _gaps_compiled(a, b) if HAS_NUMBA else _gaps_numpy(a, b)


def _gaps_numpy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.ndimage import maximum_filter, minimum_filter

    size = (1, 1, 3, 3)
    x, y = a.astype(np.float32), b.astype(np.float32)
    excess = np.zeros(x.shape, np.float32)
    for one, other in ((x, y), (y, x)):
        excess = np.maximum(excess, one - maximum_filter(other, size, mode="nearest"))
        excess = np.maximum(excess, minimum_filter(other, size, mode="nearest") - one)
    n = a.shape[-1]
    sums = sum(excess[:, :, dy : n - 2 + dy, dx : n - 2 + dx] for dy in range(3) for dx in range(3))
    return np.asarray((sums / np.float32(9)).max((2, 3)).min(1), np.float32)


@compiled
def _gaps_compiled(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    num, _, n, _ = a.shape
    out = np.empty(num, np.float32)
    excess = np.empty((n, n), np.float32)
    for pair in range(num):
        least = np.float32(1e9)
        for view in range(2):
            x, y = a[pair, view], b[pair, view]
            for row in range(n):
                for column in range(n):
                    low_x = high_x = np.float32(x[row, column])
                    low_y = high_y = np.float32(y[row, column])
                    for v in range(max(0, row - 1), min(n, row + 2)):
                        for u in range(max(0, column - 1), min(n, column + 2)):
                            low_x, high_x = min(low_x, np.float32(x[v, u])), max(high_x, np.float32(x[v, u]))
                            low_y, high_y = min(low_y, np.float32(y[v, u])), max(high_y, np.float32(y[v, u]))
                    here, there = np.float32(x[row, column]), np.float32(y[row, column])
                    excess[row, column] = max(
                        max(max(here - high_y, low_y - here), max(there - high_x, low_x - there)), np.float32(0)
                    )
            worst = np.float32(0)
            for row in range(n - 2):
                for column in range(n - 2):
                    total = np.float32(0)
                    for v in range(3):
                        for u in range(3):
                            total += excess[row + v, column + u]
                    worst = max(worst, total / np.float32(9))
            least = min(least, worst)
        out[pair] = least
    return out
