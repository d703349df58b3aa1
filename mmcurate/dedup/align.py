"""The arithmetic of comparing two pictures: sums for an alignment, and their largest local differences.

Each function is compiled with numba where it is installed; else the same is done with numpy and scipy.
"""

from __future__ import annotations

import numpy as np

from mmcurate.compiled import HAS_NUMBA, compiled

EXCESS_BOX, COLOUR_BOX = 3, 15
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


def local_differences(a: np.ndarray, b: np.ndarray, colour_box: int = COLOUR_BOX) -> tuple[float, float]:
    """Returns how far two aligned pictures differ in their worst places, in grey levels.

    First the mean excess: how far, inside the worst square of 3 pixels, a pixel's luma lies outside of what the other
    picture shows within one pixel of it, either way round; so sub-pixel shifts and soft edges cost nothing, and a line
    or digit that only one has costs all it can. Second the largest distance of the mean colours of a larger square.

    Args:
        a, b: (H, W, 3) float32, luma first, 0 to 255.
        colour_box: the larger square's side, in pixels.
    """
    return _differences_compiled(a, b, colour_box) if HAS_NUMBA else _differences_numpy(a, b, colour_box)


def _differences_numpy(a: np.ndarray, b: np.ndarray, colour_box: int) -> tuple[float, float]:
    from scipy.ndimage import maximum_filter, minimum_filter

    x, y = a[:, :, 0], b[:, :, 0]
    excess = np.zeros(x.shape, np.float32)
    for one, other in ((x, y), (y, x)):
        excess = np.maximum(excess, one - maximum_filter(other, 3, mode="nearest"))
        excess = np.maximum(excess, minimum_filter(other, 3, mode="nearest") - one)
    squares = sum(_squares(a[:, :, c] - b[:, :, c], colour_box) ** 2 for c in range(3))
    return float(_squares(excess, EXCESS_BOX).max()), float(np.max(squares) ** 0.5)


def _squares(values: np.ndarray, box: int) -> np.ndarray:
    """Returns the mean of every square that lies inside, of side `box` or the picture's where that is smaller."""
    height, width = min(box, values.shape[0]), min(box, values.shape[1])
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.astype(np.float64).cumsum(0).cumsum(1)
    squares = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    return np.asarray(squares / (height * width))


@compiled
def _differences_compiled(a: np.ndarray, b: np.ndarray, colour_box: int) -> tuple[float, float]:
    height, width = a.shape[:2]
    # Smallest and largest of three neighbours in a row, then of three such rows.
    low_a, high_a = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    low_b, high_b = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            left, right = max(0, x - 1), min(width - 1, x + 1)
            low_a[y, x] = min(a[y, x, 0], min(a[y, left, 0], a[y, right, 0]))
            high_a[y, x] = max(a[y, x, 0], max(a[y, left, 0], a[y, right, 0]))
            low_b[y, x] = min(b[y, x, 0], min(b[y, left, 0], b[y, right, 0]))
            high_b[y, x] = max(b[y, x, 0], max(b[y, left, 0], b[y, right, 0]))
    excess = np.empty((height, width), np.float32)
    for y in range(height):
        up, down = max(0, y - 1), min(height - 1, y + 1)
        for x in range(width):
            least_a = min(low_a[y, x], min(low_a[up, x], low_a[down, x]))
            most_a = max(high_a[y, x], max(high_a[up, x], high_a[down, x]))
            least_b = min(low_b[y, x], min(low_b[up, x], low_b[down, x]))
            most_b = max(high_b[y, x], max(high_b[up, x], high_b[down, x]))
            here, there = a[y, x, 0], b[y, x, 0]
            excess[y, x] = max(max(here - most_b, least_b - here), max(there - most_a, least_a - there))
    worst, colour = 0.0, 0.0
    h, w = min(EXCESS_BOX, height), min(EXCESS_BOX, width)
    for y in range(height - h + 1):
        for x in range(width - w + 1):
            total = 0.0
            for v in range(h):
                for u in range(w):
                    total += max(excess[y + v, x + u], np.float32(0))
            worst = max(worst, total / (h * w))
    h, w = min(colour_box, height), min(colour_box, width)
    columns = np.zeros((width, 3))
    for y in range(height):
        for x in range(width):
            for c in range(3):
                columns[x, c] += a[y, x, c] - b[y, x, c]
                if y >= h:
                    columns[x, c] -= a[y - h, x, c] - b[y - h, x, c]
        if y >= h - 1:
            sums = np.zeros(3)
            for x in range(width):
                square = 0.0
                for c in range(3):
                    sums[c] += columns[x, c] - (columns[x - w, c] if x >= w else 0.0)
                    square += sums[c] ** 2
                if x >= w - 1:
                    colour = max(colour, square)
    return worst, colour**0.5 / (h * w)


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
    framed = np.empty((2, n + 2, n + 2), np.int16)  # the edges repeated, so that the loops have no branches
    low, high = np.empty((2, n + 2, n), np.int16), np.empty((2, n + 2, n), np.int16)
    excess = np.empty((n, n), np.int16)
    for pair in range(num):
        least = np.int64(1 << 30)
        for view in range(2):
            for side in range(2):
                thumb = a[pair, view] if side == 0 else b[pair, view]
                for y in range(n):
                    for x in range(n):
                        framed[side, y + 1, x + 1] = thumb[y, x]
                    framed[side, y + 1, 0], framed[side, y + 1, n + 1] = thumb[y, 0], thumb[y, n - 1]
                framed[side, 0] = framed[side, 1]
                framed[side, n + 1] = framed[side, n]
                for y in range(n + 2):
                    for x in range(n):
                        p, q, r = framed[side, y, x], framed[side, y, x + 1], framed[side, y, x + 2]
                        low[side, y, x], high[side, y, x] = min(p, min(q, r)), max(p, max(q, r))
            for y in range(n):
                for x in range(n):
                    here, there = framed[0, y + 1, x + 1], framed[1, y + 1, x + 1]
                    least_here = min(low[0, y, x], min(low[0, y + 1, x], low[0, y + 2, x]))
                    most_here = max(high[0, y, x], max(high[0, y + 1, x], high[0, y + 2, x]))
                    least_there = min(low[1, y, x], min(low[1, y + 1, x], low[1, y + 2, x]))
                    most_there = max(high[1, y, x], max(high[1, y + 1, x], high[1, y + 2, x]))
                    over = max(max(here - most_there, least_there - here), max(there - most_here, least_here - there))
                    excess[y, x] = max(over, 0)
            worst = np.int64(0)
            for y in range(n - 2):
                for x in range(n - 2):
                    total = np.int64(0)
                    for v in range(3):
                        total += excess[y + v, x] + excess[y + v, x + 1] + excess[y + v, x + 2]
                    worst = max(worst, total)
            least = min(least, worst)
            if least == 0:
                break
        out[pair] = np.float32(least) / np.float32(9)
    return out
