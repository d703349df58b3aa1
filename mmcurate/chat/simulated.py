"""A teacher that knows the key: an OpenAI-compatible server that answers right and wrong by stated rates."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mmcurate.answers import LETTERS, gold_options, option_text
from mmcurate.chat.known import KnownQuestions
from mmcurate.chat.server import ChatServer, Faults

_THOUGHTS = [
    "I look at the picture first. {clue} Reading the values one by one, I compare them with what is asked. "
    "That leaves {answer}.",
    "Step 1: find what the question is about. {clue}\nStep 2: read it off the picture.\nStep 3: check the result "
    "against the other values. It comes to {answer}.",
    "The question asks for one thing only. {clue} My first guess would be too quick, so let me verify: going "
    "through the picture again gives {answer}, the same as before.",
    "Let me work backwards. If the result were different from {answer}, the picture would have to look different. "
    "{clue} So {answer} is consistent.",
    "{clue} Hence {answer}.",
]
_CLUES = [
    "The labels tell which part belongs to which name.",
    "The picture shows all that is needed.",
    "Each element can be read on its own.",
    "The relevant part is clearly marked.",
]
_SLIPS = [
    "{thoughts}\n\nThe final answer is \\boxed{{{answer}}}.",
    "<think>{thoughts}</think>\n\nAnswer: {answer}",
    "<think>{thoughts}\n<answer>{answer}</answer>",
    "{thoughts}\n**Final answer:** {answer}",
]


class SimulatedTeacher(ChatServer):
    """Serves right and wrong answers over real HTTP; the same request always gets the same answer.

    `with SimulatedTeacher(questions) as teacher: OpenAIChat(teacher.model, teacher.base_url)`

    Args:
        questions: a source, a JSONL file, or dicts with `question`, `answer` and, where they are, `options` and `images`.
        accuracy: the share of right answers. Each question gets a difficulty of its own around it.
        slips: the share of answers that aren't in the asked-for format, but still say their answer.
        cut_off: the share that ends before its answer, with the finish reason "length".
        reasoning_field: put the thoughts into this field of the message instead of `<think>`.
        seed: another seed gives other answers.
        model, root, port, api_key, faults: as for `ChatServer`.
    """

    def __init__(
        self,
        questions: str | Path | Iterable[Mapping[str, Any]],
        *,
        accuracy: float = 0.7,
        slips: float = 0.05,
        cut_off: float = 0.03,
        reasoning_field: Literal["", "reasoning", "reasoning_content"] = "",
        seed: int = 0,
        model: str = "simulated-teacher",
        root: str = "",
        port: int = 0,
        api_key: str = "",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(model=model, root=root, port=port, api_key=api_key, faults=faults)
        self._known = KnownQuestions(questions)
        self._accuracy, self._slips, self._cut_off = accuracy, slips, cut_off
        self._reasoning_field, self._seed = reasoning_field, seed

    def reply(self, messages: list[dict[str, Any]], seed: int) -> tuple[dict[str, Any], str]:
        row = self._known.find(messages)
        if row is None:
            return {"role": "assistant", "content": "I don't know this question."}, "stop"
        question = hashlib.sha256(f"{self._seed}\n{row.get('question')}\n{row.get('answer')}".encode()).hexdigest()
        dice = random.Random(f"{question}-{seed}")
        # A question's own difficulty: the accuracies of all questions average to the one that was asked for.
        spread = min(self._accuracy, 1 - self._accuracy)
        own = self._accuracy + random.Random(question).uniform(-spread, spread)
        options = list(row.get("options") or ())
        right = dice.random() < own
        answer = _right(row, options) if right else _wrong(row, options, dice)
        thoughts = dice.choice(_THOUGHTS).format(clue=dice.choice(_CLUES), answer=answer)
        draw = dice.random()
        if draw < self._cut_off:
            return self._message("<think>" + thoughts[: len(thoughts) * 2 // 3], ""), "length"
        if draw < self._cut_off + self._slips:
            return self._message(dice.choice(_SLIPS).format(thoughts=thoughts, answer=answer), ""), "stop"
        if self._reasoning_field:
            return self._message(f"<answer>{answer}</answer>", thoughts), "stop"
        return self._message(f"<think>{thoughts}</think><answer>{answer}</answer>", ""), "stop"

    def _message(self, content: str, reasoning: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": content}
        return {**message, self._reasoning_field: reasoning} if reasoning else message


def _right(row: Mapping[str, Any], options: Sequence[str]) -> str:
    named = gold_options(str(row["answer"]), options)
    return ", ".join(LETTERS[i] for i in named) if named and len(options) <= 26 else str(row["answer"])


def _wrong(row: Mapping[str, Any], options: Sequence[str], dice: random.Random) -> str:
    answer = str(row["answer"])
    named = gold_options(answer, options)
    others = [i for i in range(min(len(options), 26)) if i not in named]
    if named and others:
        i = dice.choice(others)
        return LETTERS[i] if dice.random() < 0.8 else option_text(options[i], i)
    digits = [i for i, c in enumerate(answer) if c.isdigit()]
    if digits:
        # Another first digit: no rounding, unit or tolerance makes that right again.
        i = digits[0]
        return answer[:i] + str(1 + (int(answer[i]) + dice.randint(1, 7)) % 9) + answer[i + 1 :]
    if answer.strip().upper() in ("A", "B", "C", "D", "E"):
        return dice.choice([c for c in "ABCDE" if c != answer.strip().upper()])
    swaps = {"yes": "no", "no": "yes", "true": "false", "false": "true"}
    return swaps.get(answer.strip().lower(), f"not {answer}")
