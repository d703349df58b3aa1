"""Reading a JSON array element by element, however long it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
_MAX_ELEMENT = 1 << 26
"""How many characters one element may have: beyond it a bracket is missing, and the search would end with the file."""
_SPACE = re.compile(r"[ \t\r\n]*")


def read_array(path: Path) -> Iterator[Any]:
    """Yields the elements of the JSON array that a file holds, or its one value where it isn't an array.

    Memory stays at a few megabytes and the largest element.

    Raises:
        ValueError: the text isn't whole JSON; says at which element and character.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        text = _Text(file)
        if text.peek() != "[":
            yield json.loads(text.rest())
            return
        text.at += 1
        number = 0
        while text.peek() != "]" or number:
            yield text.element(number)
            number += 1
            mark = text.peek()
            if mark == "]":
                break
            if mark != ",":
                raise ValueError(
                    f"after element {number - 1}, at character {text.place():,}, "
                    + (f"stands {mark!r} where a comma belongs" if mark else "the file ends: it was cut off")
                )
            text.at += 1
        text.at += 1
        if text.peek():
            raise ValueError(f"something follows the array's end at character {text.place():,}")


class _Text:
    """A window on a file's text, with a place in it."""

    def __init__(self, file: Any) -> None:
        self.file, self.text, self.at, self.before = file, file.read(_CHUNK), 0, 0
        self.scan = json.JSONDecoder(strict=False).raw_decode

    def place(self) -> int:
        return self.before + self.at

    def rest(self) -> str:
        return self.text[self.at :] + str(self.file.read())

    def more(self) -> bool:
        """Reads on, and drops what lies behind; as much again as is waiting, so that a long element isn't scanned too often."""
        read = self.file.read(max(_CHUNK, len(self.text) - self.at))
        self.text, self.at, self.before = self.text[self.at :] + read, 0, self.before + self.at
        return bool(read)

    def peek(self) -> str:
        """Returns the next character that isn't space, and goes there; empty at the end."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def element(self, number: int) -> Any:
        self.peek()
        while True:
            try:
                value, end = self.scan(self.text, self.at)
                if end < len(self.text) or not self.more():  # at the window's end a number may go on
                    self.at = end if end <= len(self.text) else len(self.text)
                    return value
            except json.JSONDecodeError as error:
                # A mistake before the window's end is one; at the end the element merely goes on.
                wrong = error.pos < len(self.text) - 16 and not error.msg.startswith("Unterminated")
                at = self.before + error.pos
                if wrong or len(self.text) - self.at > _MAX_ELEMENT or not self.more():
                    raise ValueError(f"element {number} isn't whole JSON: {error.msg}, at character {at:,}") from None
