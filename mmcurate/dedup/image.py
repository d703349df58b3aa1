"""Looking at pictures for duplicates: a small signature proposes, `confirm` decides."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mmcurate import pictures

SIDE = 32
"""Width and height of a thumbnail, in cells."""
_DRAFT = 64
_BACKGROUND = 24


def small_grey(data: bytes) -> Any:
    """Returns a picture as a small grey `PIL.Image`, at least 64 pixels wide and high where the picture is.

    A JPEG is decoded at an eighth, a quarter or half of its size, which is what makes this fast.

    Raises:
        BadPicture: the bytes are no picture.
    """
    image = pictures.opened(data)
    if image.format == "JPEG" and image.mode in ("RGB", "L") and "exif" not in image.info:
        image.draft("L", (_DRAFT, _DRAFT))
        pictures.loaded(image)
        return image if image.mode == "L" else image.convert("L")
    pictures.loaded(image)
    factor = max(1, min(image.width, image.height) // _DRAFT)
    if factor > 1 and image.mode in ("RGB", "RGBA", "L"):
        image = image.reduce(factor)  # before anything is done to every pixel
    return pictures.upright(image).convert("L")


def content_box(grey: Any) -> tuple[int, int, int, int]:
    """Returns left, top, right and bottom of what differs from the border's colour; everything where nothing does.

    Args:
        grey: a `PIL.Image` of mode "L".
    """
    width, height = grey.size
    data = grey.tobytes()
    border = data[:width] + data[-width:] + data[::width] + data[width - 1 :: width]
    background = int(np.bincount(np.frombuffer(border, np.uint8)).argmax())
    box: tuple[int, int, int, int] | None = grey.point(_other_than(background)).getbbox()
    return box or (0, 0, width, height)


@cache
def _other_than(background: int) -> list[int]:
    """Returns the table of 256 greys that makes all but those near the background white."""
    return [0 if abs(v - background) <= _BACKGROUND else 255 for v in range(256)]


def thumbnails(data: bytes) -> np.ndarray:
    """Returns two grey thumbnails of a picture, (2, 32, 32) uint8: of the whole, and of what lies inside its margins.

    The second stays the same when a margin is cut or added.

    Raises:
        BadPicture: the bytes are no picture.
    """
    import PIL.Image

    image = small_grey(data)
    box = content_box(image)
    whole = image.resize((SIDE, SIDE), PIL.Image.Resampling.BOX)
    inside = whole if box == (0, 0, *image.size) else image.resize((SIDE, SIDE), PIL.Image.Resampling.BOX, box=box)
    out = np.empty((2, SIDE, SIDE), np.uint8)
    out[0] = whole
    out[1] = out[0] if inside is whole else inside
    return out


def _dct(rows: int, size: int) -> np.ndarray:
    """Returns the first rows of the orthonormal DCT-II matrix, (rows, size) float32."""
    k, x = np.arange(rows)[:, None], np.arange(size)[None, :]
    matrix = np.cos(np.pi * k * (2 * x + 1) / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


_DCT = _dct(8, SIDE)


def descriptors(thumbs: np.ndarray) -> np.ndarray:
    """Returns vectors whose distances say how alike thumbnails look, whatever their brightness and contrast.

    Each is the thumbnail's 8 x 8 lowest frequencies without the mean, scaled to length 1; a picture that is nearly
    one colour keeps a shorter vector, so that noise isn't blown up.

    Args:
        thumbs: (N, 32, 32) uint8.

    Returns:
        (N, 63) float32.
    """
    low = (_DCT @ thumbs.astype(np.float32) @ _DCT.T).reshape(len(thumbs), 64)[:, 1:]
    return low / np.maximum(np.linalg.norm(low, axis=1, keepdims=True), 2.0 * SIDE)
