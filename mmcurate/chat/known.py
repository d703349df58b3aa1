"""Recognising which known question a chat request asks, by its text and its pictures together."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmcurate import pictures, prompts
from mmcurate.errors import SourceError


def read_rows(questions: str | Path | Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Returns questions as rows; of a JSONL file its rows, with the paths of pictures made whole.

    Raises:
        SourceError: the file can't be read.
    """
    if not isinstance(questions, (str, Path)):
        return questions
    try:
        lines = Path(questions).read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise SourceError(f"{questions}: can't be read as JSONL: {error}") from None
    folder = Path(questions).parent
    return [
        {**row, "images": [str(folder / p) if isinstance(p, str) else p for p in row.get("images") or ()]}
        for row in rows
    ]


class KnownQuestions:
    """Questions found again from the messages that ask them.

    Args:
        questions: rows of `question` and, where they are, `options`, `answer`, `images` and `id`: a source, a
            list of dicts, or a JSONL file. Rows whose pictures can't be read are left out.
    """

    def __init__(self, questions: str | Path | Iterable[Mapping[str, Any]]) -> None:
        self._known: dict[tuple[str, tuple[str, ...]], Mapping[str, Any]] = {}
        for row in read_rows(questions):
            try:
                structs = [pictures.as_struct(p) for p in row.get("images") or ()]
                text, order = prompts.user_text(
                    str(row.get("question") or ""), list(row.get("options") or ()), len(structs)
                )
            except (OSError, ValueError):
                continue
            shown = tuple(pictures.digest(pictures.for_model(structs[i]["bytes"])[0]) for i in order)
            self._known.setdefault((text, shown), {k: v for k, v in row.items() if k != "images"})

    def __len__(self) -> int:
        return len(self._known)

    def find(self, messages: list[dict[str, Any]]) -> Mapping[str, Any] | None:
        """Returns the row that the last user message asks, or None."""
        content = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
        if isinstance(content, str):
            return self._known.get((content, ()))
        text, shown = "", []
        for part in content:
            if part["type"] == "image_url":
                text += "<image>"
                try:
                    data = base64.b64decode(part["image_url"]["url"].partition(",")[2], validate=True)
                except binascii.Error:
                    return None
                shown.append(pictures.digest(data))
            else:
                text += part["text"]
        return self._known.get((text, tuple(shown)))
