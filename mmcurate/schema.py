"""The row, the response and the verdict: the types that every step shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

PICTURE = pa.struct(
    [
        ("sha256", pa.string()),  # of the bytes as they came
        ("path", pa.string()),  # where the bytes lie; in a run's files relative to the run folder
        ("bytes", pa.large_binary()),  # the bytes themselves, only where there is no run folder
        ("width", pa.int32()),  # pixels, as stored (before any EXIF rotation)
        ("height", pa.int32()),
    ]
)
"""One picture of a question."""

RESPONSE = pa.struct(
    [
        ("trace_id", pa.string()),  # "<question id>#<sample index>-<digest of the request>"
        ("teacher", pa.string()),
        ("prompt_id", pa.string()),  # digest of the system prompt and the template
        ("sample_index", pa.int32()),
        ("text", pa.large_string()),  # the message's content, as it came
        ("reasoning", pa.large_string()),  # the message's separate reasoning, where the server sends one
        ("finish_reason", pa.string()),  # "stop", "length", ...
        ("prompt_tokens", pa.int32()),
        ("num_tokens", pa.int32()),  # of the completion, by the server's count
    ]
)
"""One answer of a teacher."""

RESPONSES = pa.large_list(RESPONSE)

GRADE = pa.struct(
    [
        ("verdict", pa.string()),
        ("method", pa.string()),
        ("extracted", pa.large_string()),
        ("why", pa.large_string()),
        ("disagreement", pa.large_string()),  # what another method said, where it said something else; else null
    ]
)
"""One verdict on one response."""

GRADES = pa.large_list(GRADE)

ROW = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("question", pa.large_string()),
        ("options", pa.large_list(pa.large_string())),
        ("answer", pa.large_string()),
        ("images", pa.large_list(PICTURE)),
        ("licence", pa.string()),
        ("metadata", pa.large_string()),  # JSON object of every other column of the source
        ("responses", RESPONSES),  # answers that the source itself brings; mostly null
        ("verdicts", GRADES),  # their verdicts, where the source is a finished run
        ("problem", pa.large_string()),  # why this row can't be used, or null
    ]
)
"""What a source's rows become. Written once, in shards; steps add columns and never change these."""


class Verdict(StrEnum):
    """What a check says of a response. A failed check is never a wrong answer."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"  # none was given, or the response was cut off
    UNDECIDED = "undecided"  # no rule decides, and there is no judge
    ERROR = "error"  # the check itself failed


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict with its reasons.

    Attributes:
        verdict: one of the five.
        extracted: the answer that was read from the response, or None.
        method: the rule that decided, such as "choice", "number", "math" or "judge".
        why: a short sentence for people.
        disagreement: another method's verdict where one was asked and says something else, such as "math-verify: correct".
    """

    verdict: Verdict
    extracted: str | None
    method: str
    why: str = ""
    disagreement: str | None = None


class Grader(Protocol):
    """Anything that can grade a response against a gold answer."""

    def __call__(self, response: str, gold: str, *, options: Sequence[str] = (), question: str | None = None) -> Grade:
        """Returns the grade of one response."""
        ...
