"""Whether two pictures are the same: they are aligned first, then their largest local difference decides.

Re-encoding, resizing (also to another aspect), a margin cut or added, a crop of a few per cent, and a little more or
less brightness, contrast and colour are the same picture. One other digit, point, shade or line is another picture,
as long as it is some 4 pixels large when the picture is scaled to `SIDE`. What can't be seen here: what is smaller than
that, the colour of a thin line, what lies in a margin that only one of the two has, a drawing that was stretched by under 2 %, and what a strong
blur, a reduction to a few dozen pixels or hard compression has taken out of one of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcurate import pictures
from mmcurate.dedup.align import COLOUR_BOX, align_sums, local_differences
from mmcurate.dedup.image import content_box

SIDE = 448
"""The width and height, in pixels, to which larger pictures are scaled before they are compared."""
LEVELS = (64, 128, 256)
"""Sides of the pyramid on which pictures are aligned."""
_STEPS = (8, 5, 4)
_HOPELESS = 9.0
_HOPELESS_SHARES = (0.45, 0.6, 0.7)
"""What two pictures don't share, in grey levels and, by level, as a share, over which they are different."""
MAX_SCALE, MAX_SHIFT, MAX_STRETCH = 0.065, 0.065, 0.025
"""How far an alignment may go, as shares of the picture; the last bounds the difference of the two scales."""
_GOOD = 2.0
"""Grey levels under which one alignment is good enough."""
_SAME = np.array([1.0, 1.0, 0.0, 0.0])
_DIAGONAL = np.diag_indices(6)
_FIRM = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])


class Look:
    """A picture made ready to be compared.

    Attributes:
        image: RGB, at most `SIDE` wide and high.
        width, height: as they came, in pixels.
        content: left, top, right and bottom of what lies inside its margins, as shares.
    """

    def __init__(self, image: Any, width: int, height: int) -> None:
        self.image, self.width, self.height = image, width, height
        self._grey = image.convert("L")
        left, top, right, bottom = content_box(self._grey)
        w, h = self._grey.size
        self.content = left / w, top / h, right / w, bottom / h
        self._levels: dict[int, np.ndarray] = {}

    def level(self, number: int) -> np.ndarray:
        """Returns the blurred grey of side `LEVELS[number]`, (N, N) float32; the aspect is given up."""
        import PIL.Image
        import PIL.ImageFilter

        if number not in self._levels:
            side = LEVELS[number]
            small = self._grey.resize((side, side), PIL.Image.Resampling.BILINEAR)
            self._levels[number] = np.asarray(small.filter(PIL.ImageFilter.GaussianBlur(1.2)), np.float32)
        return self._levels[number]


def look(data: bytes) -> Look:
    """Makes a picture ready to be compared.

    Raises:
        BadPicture: the bytes are no picture.
    """
    return look_at(pictures.pixels(data))


def look_at(image: Any) -> Look:
    """Makes an RGB `PIL.Image` ready to be compared."""
    import PIL.Image

    width, height = image.size
    if width > SIDE or height > SIDE:
        image = image.resize((min(width, SIDE), min(height, SIDE)), PIL.Image.Resampling.BILINEAR, reducing_gap=3.0)
    return Look(image, width, height)


def align(a: Look, b: Look) -> np.ndarray | None:
    """Returns the map (sx, sy, tx, ty) from `a`'s coordinates to `b`'s, in shares, that makes them most alike.

    It starts from no change, and from laying content on content. None where no map within the limits is found.
    """
    best: tuple[float, np.ndarray] | None = None
    for start in (_SAME, _content_map(a, b)):
        if start is None or (best is not None and best[0] < _GOOD):
            continue
        found = _descend_all(a, b, start)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    return None if best is None or not _within(a, b, best[1], 1.0) else best[1]


def _descend_all(a: Look, b: Look, p: np.ndarray) -> tuple[float, np.ndarray] | None:
    """Returns what is unexplained in the end, and the map; None where it goes astray or is hopeless."""
    left = 0.0
    for level, steps in enumerate(_STEPS):
        better = _descend(a.level(level), b.level(level), p, steps)
        if better is None:
            return None
        p = better
        left, share = unexplained(a.level(level), b.level(level), p)
        if left > _HOPELESS and share > _HOPELESS_SHARES[level]:
            return None
    return left, p


def _content_map(a: Look, b: Look) -> np.ndarray | None:
    ca, cb = a.content, b.content
    if min(ca[2] - ca[0], ca[3] - ca[1], cb[2] - cb[0], cb[3] - cb[1]) < 0.1:
        return None
    sx, sy = (cb[2] - cb[0]) / (ca[2] - ca[0]), (cb[3] - cb[1]) / (ca[3] - ca[1])
    p = np.array([sx, sy, cb[0] - sx * ca[0], cb[1] - sy * ca[1]])
    if np.abs(p - _SAME).max() < 0.004 or not _within(a, b, p, 1.2):
        return None
    return p


def _within(a: Look, b: Look, p: np.ndarray, slack: float) -> bool:
    centre = p[:2] * 0.5 + p[2:] - 0.5
    if np.abs(p[:2] - 1).max() > MAX_SCALE * slack or np.abs(centre).max() > MAX_SHIFT * slack:
        return False
    stretch = p[0] / p[1]
    in_pixels = stretch * (b.width / a.width) / (b.height / a.height)
    return bool(min(abs(stretch - 1), abs(in_pixels - 1)) <= MAX_STRETCH * slack)


def _descend(a: np.ndarray, b: np.ndarray, p: np.ndarray, steps: int) -> np.ndarray | None:
    """Returns a better map after some Gauss-Newton steps, None where it goes astray."""
    for _ in range(steps):
        h, r, _ = align_sums(a, b, p)
        h[_DIAGONAL] += 1e-3 * h[_DIAGONAL] * _FIRM + 1e-3 + _FIRM
        solved = np.linalg.solve(h, r)
        gain = solved[4] if abs(solved[4]) > 0.3 else 1.0
        step = np.clip(solved[:4] / gain, -0.04, 0.04)
        p = p + step
        if np.abs(p - _SAME).max() > 2 * MAX_SHIFT:
            return None
        if np.abs(step).max() < 0.04 / len(a):
            break
    return p


def unexplained(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Returns what two aligned greys don't share after the best gain and offset: its standard deviation in grey
    levels, and its share of the first one's."""
    h, r, energy = align_sums(a, b, p)
    num = max(1.0, float(h[5, 5]))
    solved = np.linalg.solve(h[4:, 4:] + np.eye(2) * 1e-3, r[4:])
    left = max(0.0, (energy - float(solved @ r[4:])) / num) ** 0.5
    spread = max(0.0, energy / num - (float(r[5]) / num) ** 2) ** 0.5
    return left, left / max(spread, 1.0)


def boxes(p: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the boxes of the two pictures (left, top, right, bottom in shares) that show the same."""
    low = np.maximum(0.0, -p[2:] / p[:2])
    high = np.minimum(1.0, (1 - p[2:]) / p[:2])
    other = np.clip(np.concatenate([p[:2] * low + p[2:], p[:2] * high + p[2:]]), 0, 1)
    return (*low, *high), tuple(other)


def differences(a: Look, b: Look, p: np.ndarray) -> tuple[float, float]:
    """Returns `local_differences` of two pictures, aligned and evened out in brightness, contrast and colour."""
    import PIL.Image

    # At the larger size, so that what is small on one of them still counts, but not blown up beyond use.
    sizes = list(zip(a.image.size, b.image.size, strict=True))
    size = tuple(min(max(pair), 2 * min(pair)) for pair in sizes)
    enlarged = max(new / min(pair) for new, pair in zip(size, sizes, strict=True))
    parts = []
    for one, box in zip((a, b), boxes(p), strict=True):
        w, h = one.image.size
        part = one.image.resize(
            size, PIL.Image.Resampling.BILINEAR, box=(box[0] * w, box[1] * h, box[2] * w, box[3] * h)
        )
        parts.append(part)
    return local_differences(*_evened(*parts), round(COLOUR_BOX * enlarged))


def _evened(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns two RGB pictures as (H, W, 3) float32 YCbCr, the second with the first's brightness, contrast and
    saturation where a little change does it."""
    across, down = max(1, a.width // 64), max(1, a.height // 64)
    gain, offset = _fit(*(np.asarray(i)[::down, ::across].ravel().astype(np.float64) for i in (b, a)))
    if (gain, offset) != (1.0, 0.0):
        b = b.point([min(255, max(0, round(gain * v + offset))) for v in range(256)] * 3)
    a, b = _equally_sharp(a, b)
    x, y = (np.asarray(i.convert("YCbCr"), np.float32) for i in (a, b))
    ours, theirs = (i[::down, ::across, 1:].astype(np.float64).ravel() - 128 for i in (x, y))
    firm = 25.0 * len(ours)  # pulls towards no change where there is little colour
    saturation = min(1.5, max(0.6, (_dot(theirs, ours) + firm) / (_dot(theirs, theirs) + firm)))
    y[:, :, 1:] = (y[:, :, 1:] - 128) * np.float32(saturation) + 128
    return x, y


_BLURS = (0.35, 0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0, 2.6)
"""Standard deviations, in pixels, of what makes a picture as soft as one that was enlarged or re-encoded."""


def _equally_sharp(a: Any, b: Any) -> tuple[Any, Any]:
    """Returns two pictures, in each direction the sharper one blurred until it is as soft as the other."""
    for axis in range(2):
        ours, theirs = _edges(a, axis), _edges(b, axis)
        wanted = 1.06 * min(ours, theirs)
        if ours > 1.15 * wanted:
            a = _softened(a, axis, wanted)
        elif theirs > 1.15 * wanted:
            b = _softened(b, axis, wanted)
    return a, b


def _softened(image: Any, axis: int, wanted: float) -> Any:
    import PIL.ImageFilter

    grey = image.convert("L")
    for sigma in _BLURS:
        blur = PIL.ImageFilter.GaussianBlur((sigma, 0) if axis == 0 else (0, sigma))
        if _edges(grey.filter(blur), axis) <= wanted:
            break
    return image.filter(blur)


def _edges(image: Any, axis: int) -> float:
    """Returns the mean square of the steps from pixel to pixel, across or down."""
    values = np.asarray(image.convert("L"), np.float32)
    steps = values[:, 1:] - values[:, :-1] if axis == 0 else values[1:] - values[:-1]
    return float(np.square(steps).mean()) if steps.size else 0.0


def _dot(x: np.ndarray, y: np.ndarray) -> float:
    return float((x * y).sum())  # x @ y starts threads


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Returns the gain and offset, kept small, that make values `x` most like `y`, whatever is cut off at 0 and 255."""
    best = (float("inf"), 1.0, 0.0)
    inner = (x > 3) & (x < 252) & (y > 3) & (y < 252)
    for keep in (np.ones(len(x), bool), inner):
        if keep.sum() < 32:
            continue
        for _ in range(2):
            xs, ys = x[keep], y[keep]
            mx, my = xs.mean(), ys.mean()
            gain = (_dot(xs - mx, ys - my) + 100.0 * len(xs)) / (_dot(xs - mx, xs - mx) + 100.0 * len(xs))
            gain = min(1.35, max(0.74, gain))
            offset = min(40.0, max(-40.0, my - gain * mx))
            error = np.abs(np.clip(gain * x + offset, 0, 255) - y)
            keep = keep & (error <= max(6.0, float(np.percentile(error[keep], 85))))
            if keep.sum() < 32:
                break
        total = float(np.minimum(error, 40).mean())
        if total < best[0]:
            best = (total, gain, offset)
    return best[1], best[2]


MAX_EXCESS, MAX_COLOUR = 42.0, 28.0
"""What the same picture may differ by, in grey levels: the mean excess of the worst 3 x 3 pixels, and the mean colour of
the worst 15 x 15 (`local_differences`). Of 50 real pictures in 19 variants, all but two stay under 28 and 25 (one is
344 x 35 pixels, reduced to a quarter); one other digit has an excess from 45, and one disc of puzzlevqa in orange for yellow is
32 away."""


def same_picture(a: Look, b: Look) -> bool:
    """Whether two pictures are the same but for their encoding, size, margins and light."""
    p = align(a, b)
    if p is None:
        return False
    excess, colour = differences(a, b, p)
    return excess <= MAX_EXCESS and colour <= MAX_COLOUR


def turned(a: Look) -> list[Look]:
    """Returns the seven other orientations of a picture."""
    from PIL.Image import Transpose

    return [look_at(a.image.transpose(way)) for way in Transpose]
