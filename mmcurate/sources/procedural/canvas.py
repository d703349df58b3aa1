"""A small palette picture to draw on, and the question that belongs to it."""

from __future__ import annotations

import functools
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WHITE, BLACK, GREY, LIGHT = 0, 1, 2, 3
COLOURS = {
    "red": (4, (214, 45, 32)),
    "blue": (5, (38, 84, 201)),
    "green": (6, (30, 142, 62)),
    "orange": (7, (240, 134, 0)),
    "purple": (8, (130, 60, 170)),
    "teal": (9, (0, 140, 150)),
    "pink": (10, (236, 100, 160)),
    "brown": (11, (121, 78, 45)),
}
_PALETTE = bytes([255, 255, 255, 0, 0, 0, 130, 130, 130, 222, 222, 222]) + b"".join(
    bytes(c) for _, c in COLOURS.values()
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One question with its picture.

    Attributes:
        png: the picture's bytes.
        question, options, answer: as in a row; the answer of a multiple choice is the option's text.
        caption: says all that the picture shows, for models that read only text.
    """

    png: bytes
    question: str
    options: Sequence[str]
    answer: str
    caption: str


@functools.cache
def font(size: int) -> Any:
    """Returns Pillow's own font."""
    import PIL.ImageFont

    return PIL.ImageFont.load_default(size)


@functools.lru_cache(8192)
def stamp(text: str, size: int, anchor: str) -> tuple[Any, int, int]:
    """Returns a text as a one-bit mask, and where its corner lies from the anchor: rendering costs ten times a paste."""
    import PIL.Image
    import PIL.ImageDraw

    left, top, right, bottom = (round(v) for v in font(size).getbbox(text, mode="1", anchor=anchor))
    mask = PIL.Image.new("1", (max(1, right - left), max(1, bottom - top)))
    PIL.ImageDraw.Draw(mask).text((-left, -top), text, fill=1, font=font(size), anchor=anchor)
    return mask, left, top


class Canvas:
    """A white picture of 320 x 240 pixels; colours are names of `COLOURS` or palette indexes."""

    def __init__(self, width: int = 320, height: int = 240) -> None:
        import PIL.Image
        import PIL.ImageDraw

        self.width, self.height = width, height
        self.image = PIL.Image.new("P", (width, height), WHITE)
        self.image.putpalette(_PALETTE)
        self.draw = PIL.ImageDraw.Draw(self.image)

    def text(
        self, x: float, y: float, text: str, *, size: int = 13, anchor: str = "mm", colour: int | str = BLACK
    ) -> None:
        """Writes text with its anchor (Pillow's two letters) at a point."""
        mask, left, top = stamp(text, size, anchor)
        self.image.paste(ink(colour), (round(x) + left, round(y) + top), mask)

    def png(self) -> bytes:
        """Returns the picture as a PNG, compressed lightly, since that takes a fifth of the time."""
        out = io.BytesIO()
        self.image.save(out, "PNG", compress_level=1)
        return out.getvalue()


def ink(colour: int | str) -> int:
    """Returns a colour's palette index."""
    return COLOURS[colour][0] if isinstance(colour, str) else colour


def choices(dice: random.Random, right: str, wrong: Sequence[str], num_options: int = 4) -> list[str]:
    """Returns the right option among different wrong ones, shuffled."""
    others = [w for w in dict.fromkeys(wrong) if w != right]
    dice.shuffle(others)
    options = [right, *others[: num_options - 1]]
    dice.shuffle(options)
    return options


def number_choices(dice: random.Random, right: int, level: int) -> list[str]:
    """Returns options of numbers near the right one; the higher the level, the nearer."""
    steps = (1, 2, 3, 4, 5, 6) if level > 1 else (2, 5, 10, 15)
    near = [right + sign * step for step in steps for sign in (1, -1) if right + sign * step > 0]
    return choices(dice, str(right), [str(n) for n in near])
