"""What is kept of a set while its rows go by: counts, lengths, and sketches of its different questions."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from mmcurate.answers import answer_type, plain, split_options
from mmcurate.dedup import text
from mmcurate.layouts import Sample
from mmcurate.prompts import clean_question, is_strict
from mmcurate.verify.extract import extract

MEASURES = ("question, characters", "pictures", "response, characters", "response, words", "response, tokens")
MOST_TEXTS = 1000
"""Different prompts and instructions that are counted; further ones are counted together."""
_OTHERS = "(further ones)"
_TEXTS_AT_ONCE = 8192


class Profile:
    """What is kept of a set: counts, lengths, and sketches of its different questions.

    Attributes:
        rows, questions: how many by source.
        prompts, formats: how many rows have each, by kind and text.
        unread: rows that can't be read, by reason.
        num_responses: rows with a response.
    """

    def __init__(self) -> None:
        self.rows, self.questions = Counter[str](), Counter[str]()
        self.prompts, self.formats = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self.unread = Counter[str]()
        self.num_responses = 0
        self.lengths = {name: array("d") for name in MEASURES}
        self.texts: dict[bytes, int] = {}  # digests of the different texts, each with its place in the sketches
        self.pictures, self.joint = set[bytes](), set[bytes]()
        self._seen = set[bytes]()
        self._waiting: list[str] = []
        self._sketches: list[text.Sketches] = []

    def take(self, rows: Iterable[Sample | str]) -> None:
        """Takes all rows of a set in."""
        for row in rows:
            if isinstance(row, str):
                self.unread[row if row in self.unread or len(self.unread) < MOST_TEXTS else _OTHERS] += 1
            else:
                self._take(row)
        self._flush()

    def sketches(self) -> text.Sketches:
        """Returns the sketches of the different texts, in the order of `texts`."""
        return text.joined(*self._sketches)

    def quantiles(self, measure: str) -> list[Any]:
        """Returns how many rows have the measure, its mean, three quantiles and the largest; None where no row has it."""
        values = np.array(self.lengths[measure])
        if not len(values):
            return [0, *[None] * 5]
        spread = np.quantile(values, [0.05, 0.5, 0.95, 1.0])
        return [len(values), round(float(values.mean()), 1), *(round(float(v), 1) for v in spread)]

    def _take(self, row: Sample) -> None:
        self.rows[row.source] += 1
        bare = row.question.replace("<image>", " ")
        cleaned = clean_question(bare)
        stem, _ = split_options(cleaned)
        key = _digest(plain(stem))
        whole = _digest(key.hex(), *row.pictures)
        if whole not in self._seen:
            self._seen.add(whole)
            self.questions[row.source] += 1
            if row.has_bytes:
                self.pictures.update(map(_digest, row.pictures))
                self.joint.add(whole)
            if key not in self.texts:
                self.texts[key] = len(self.texts)
                self._waiting.append(stem)
                if len(self._waiting) >= _TEXTS_AT_ONCE:
                    self._flush()
        self._count(self.prompts, "system prompt", row.system or "(none)")
        self._count(self.prompts, "instruction", _instruction(bare, cleaned) or "(none)")
        self._add("question, characters", len(row.question))
        self._add("pictures", len(row.pictures))
        answer = row.answer
        if row.response is not None:
            self.num_responses += 1
            found = extract(row.response)
            answer = found.text if found and found.text else None
            place = "<think><answer>" if is_strict(row.response) else found.place if found else "no answer found"
            self._count(self.formats, "format", place)
            self._add("response, characters", len(row.response))
            self._add("response, words", len(row.response.split()))
            self._add("response, tokens", row.num_tokens)
        kind = "none" if not answer or answer.strip() in ("", "None") else answer_type(answer)
        self._count(self.formats, "kind of answer", kind)
        if row.pass_rate is not None:
            band = "0" if row.pass_rate <= 0 else "1" if row.pass_rate >= 1 else "between 0 and 1"
            self._count(self.formats, "pass rate", band)

    def _add(self, measure: str, value: float | None) -> None:
        if value is not None:
            self.lengths[measure].append(value)

    @staticmethod
    def _count(counts: Counter[tuple[str, str]], kind: str, value: str) -> None:
        counts[(kind, value) if (kind, value) in counts or len(counts) < MOST_TEXTS else (kind, _OTHERS)] += 1

    def _flush(self) -> None:
        if self._waiting or not self._sketches:
            self._sketches.append(text.sketch(self._waiting))
            self._waiting = []


def _instruction(question: str, cleaned: str) -> str:
    """Returns what `clean_question` took off a question, before and after it."""
    before, found, after = question.partition(cleaned)
    return " ... ".join(part for part in (before.strip(), after.strip()) if part) if found else ""


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=12).digest()
