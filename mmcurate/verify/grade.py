"""The cascade: exact rules first, math-verify where they don't decide. Every failure of the check is an `error`."""

from __future__ import annotations

import atexit
import re
import threading
from collections.abc import Callable, Sequence

from mmcurate.answers import LETTERS, gold_options, letters_of, normal
from mmcurate.errors import Stopped
from mmcurate.schema import Grade, Verdict
from mmcurate.verify.choice import options_in, read_choice, squeeze
from mmcurate.verify.extract import Extracted, cut_off, extract
from mmcurate.verify.math import NotMathematics
from mmcurate.verify.number import Number, equal_numbers, parse_number
from mmcurate.verify.text import is_negation, is_words, same_words, unwrap, words, yes_no
from mmcurate.workers import WorkerPool

TIMEOUT_S = 3.0
"""How long one pair may take."""
EqualMath = Callable[[str, str], bool]


def decide(
    response: str,
    gold: str,
    options: Sequence[str],
    question: str | None,
    equal_math: EqualMath,
    finish_reason: str | None = None,
) -> Grade:
    """Grades one response by rules; `equal_math` is asked where none decides."""
    gold = gold.strip()
    if "\\boxed" in gold and (boxed := extract(gold)):
        gold = boxed.text
    if finish_reason == "length" and cut_off(response):
        return Grade(Verdict.NO_ANSWER, None, "none", "the response was cut off before its answer")
    found = extract(response)
    choice = _choice_gold(gold, options, question) if gold else None
    if found is None and choice:
        closing = _closing_choice(response, choice[1], choice[2])
        found = Extracted(closing, "closing sentence") if closing else None
    if found is None:
        return Grade(Verdict.NO_ANSWER, None, "none", "the response gives no answer")
    if not gold:
        return Grade(Verdict.UNDECIDED, found.text, "none", "there is no gold answer")
    if choice:
        return _grade_choice(found.text, found.place, *choice, gold, equal_math)
    return _grade_value(found.text, found.place, gold, equal_math)


def _choice_gold(
    gold: str, options: Sequence[str], question: str | None
) -> tuple[tuple[int, ...], Sequence[str], int] | None:
    """Returns the gold's option indexes, the options and how many letters count; None where it isn't multiple choice."""
    if not options and question and letters_of(gold, 10):
        options = options_in(question)
    if options:
        named = gold_options(gold, options)
        return (named, options, len(options)) if named else None
    bare = unwrap(normal(gold))
    if re.fullmatch(r"\(?[A-J]\)?\.?|[A-H](?:\s*[,、]\s*[A-H])+|(?!.$)A?B?C?D?E?F?G?H?", bare):
        named = letters_of(bare, 10)
        if named:
            return named, (), 10
    return None


def _closing_choice(response: str, options: Sequence[str], num_letters: int) -> str:
    """Returns the option that a response names in its closing sentence, or begins with ("Yes, there are ..."), or nothing."""
    body = re.sub(r"</s>\s*$", "", response.split("</think>")[-1]).strip()
    if not body or ("<think>" in response and "</think>" not in response):
        return ""
    lines = [line for line in body.splitlines() if line.strip()]
    last = re.split(r"(?<=[.。!！])\s+(?=\S)", lines[-1].strip())[-1]
    said = set(re.findall(r"[(（]\s*([A-Z])\s*[)）]|\b(?:option|choice|answer|group|figure|picture)\s+([A-Z])\b", last))
    letters = {a or b for a, b in said if (a or b) in LETTERS[:num_letters]}
    if len(letters) == 1:
        return letters.pop()
    if options and all(yes_no(o) is not None for o in options):
        begin = yes_no(lines[0])
        if begin is not None:
            return next((o for o in options if yes_no(o) is begin), "")
    return ""


def _grade_choice(
    text: str,
    place: str,
    named: tuple[int, ...],
    options: Sequence[str],
    num_letters: int,
    gold: str,
    equal_math: EqualMath,
) -> Grade:
    def same(a: str, b: str) -> bool:
        try:
            return equal_math(a, b)
        except NotMathematics:
            return False

    read = read_choice(text, options, num_letters, same)
    want = ", ".join(LETTERS[i] for i in named)
    if read is None:
        if not options and words(text) == words(gold):
            return Grade(Verdict.CORRECT, text, "text", f"{place}: the same text")
        return Grade(Verdict.INCORRECT, text, "choice", f"{place}: names no option; the gold is {want}")
    indexes, how = read
    have = ", ".join(LETTERS[i] for i in indexes)
    if set(indexes) == set(named):
        return Grade(Verdict.CORRECT, text, "choice", f"{place}: {have}, by its {how}")
    return Grade(Verdict.INCORRECT, text, "choice", f"{place}: {have}, by its {how}; the gold is {want}")


def _grade_value(text: str, place: str, gold: str, equal_math: EqualMath) -> Grade:
    if place in ("phrase", "answer tag"):  # "2, as there are two stores"
        text = re.split(r",\s+(?:as|because|since|which|where|given|based)\b|\s+(?:because|since)\s", text)[0] or text

    def grade(right: bool, method: str, why: str) -> Grade:
        return Grade(Verdict.CORRECT if right else Verdict.INCORRECT, text, method, f"{place}: {why}")

    if same_words(text, gold) or squeeze(text) == squeeze(gold):
        return grade(True, "text", "the same text")
    if is_negation(text, gold):
        return grade(False, "text", "the gold's negation")
    want_yes, have_yes = yes_no(gold) if len(words(gold).split()) == 1 else None, yes_no(text)
    if want_yes is not None:
        if have_yes is not None:
            return grade(have_yes is want_yes, "yes or no", f"{'yes' if have_yes else 'no'}; the gold is {gold}")
        if not is_words(text):
            return grade(False, "yes or no", f"neither yes nor no; the gold is {gold}")
    want, have = parse_number(gold), parse_number(text) or _number_in(text)
    if want and have:
        equal = equal_numbers(have, want)
        if equal is None:
            why = f"{place}: the same number of {have.unit!r} and of {want.unit!r}"
            return Grade(Verdict.UNDECIDED, text, "number", why)
        return grade(equal, "number", "numbers compared")
    if _REFUSES.search(text) and not _REFUSES.search(gold):
        return Grade(Verdict.NO_ANSWER, None, "none", f"{place}: it says that there is no answer")
    if want and is_words(text) and not re.search(r"\d", text):
        return Grade(Verdict.UNDECIDED, text, "none", f"{place}: no rule reads {text[:60]!r} as a number")
    if is_words(gold):
        return Grade(
            Verdict.UNDECIDED, text, "none", f"{place}: no rule compares the gold {gold[:60]!r} with another text"
        )
    try:
        return grade(equal_math(text, gold), "math", "compared by math-verify")
    except NotMathematics as error:
        if "gold" in str(error):
            return Grade(Verdict.UNDECIDED, text, "none", f"{place}: {error}")
        return grade(False, "math", str(error))


_REFUSES = re.compile(
    r"\b(?:cannot|can't|can not|could not|unable to|impossible to|not possible to|not enough information|insufficient)\b.*"
    r"|\b(?:i don't know|i do not know|unknown|unanswerable)\b|无法|不能确定|不知道",
    re.I,
)
_COMPARES = re.compile(
    r"\b(?:less|more|fewer|greater|larger|smaller|higher|lower|better|worse)\b.*\bthan\b|\b(?:at least|at most|up to|half|twice|double|third|quarter"
    r"|between|except|without|nearly|almost|over|under|above|below|multiples?)\b",
    re.I,
)


def _number_in(text: str) -> Number | None:
    """Returns the one number of a sentence such as "She has 5 apples", or after its last "=" or "is"."""
    if _COMPARES.search(text):
        return None
    tail = re.search(r"(?:=|≈|\\approx|\bis\b|\bare\b|\bequals?\b|\bto\b|\bhas\b|\bhave\b|为|是)\s*([^=≈]*)$", text)
    if tail and (number := parse_number(tail[1].strip().rstrip("."))):
        return number
    if re.search(r"\bor\b|\bnot\b|\band\b|\\|[\^{}=]", text):
        return None
    numbers = re.findall(r"(?<![\w.])[-−]?[$£€]?\d[\d,]*(?:\.\d+)?%?(?![\w^/])", text)
    return (
        parse_number(numbers[0])
        if len(numbers) == 1 and is_words(re.sub(r"^[\s$£€]*[-+]?\d[\d,.]*", "", text))
        else None
    )


_pool: WorkerPool | None = None
_pool_guard = threading.Lock()


def pool() -> WorkerPool:
    """Returns the process's one worker for mathematics, started when it is first needed."""
    global _pool
    with _pool_guard:
        if _pool is None:
            _pool = WorkerPool("mmcurate.verify.worker", 1, TIMEOUT_S)
            atexit.register(_pool.close)
        return _pool


class CheckFailed(Exception):
    """The check itself failed: it crashed or took too long."""


def _equal_in_pool(answer: str, gold: str) -> bool:
    result = pool().run([{"math": [answer, gold]}])[0]
    if "failed" in result:
        raise CheckFailed(result["failed"])
    if "not_math" in result:
        raise NotMathematics(result["not_math"])
    return bool(result["equal"])


def grade(response: str, gold: str, *, options: Sequence[str] = (), question: str | None = None) -> Grade:
    """Grades a response against the gold answer. Callable from any thread or process.

    Args:
        response: the whole text of a model, or an answer alone.
        gold: the known answer: a value, a letter, several letters, or an option's text.
        options: the options' texts, with or without their letters. A gold that is both an option's text and
            a letter is read as the text.
        question: helps where it lists the options on lines of their own.

    Integers and fractions must be equal; a decimal may be rounded or cut at its last digit where it has two or more
    decimals' worth of digits (24.94 for 24.9356). A missing unit is forgiven, a known one converted.

    Returns:
        The verdict, what was extracted, the method that decided, and why. A response is never `incorrect`
        because a check failed: that is `error`.
    """
    if isinstance(gold, (int, float)) and not isinstance(gold, bool):
        gold = str(gold)
    for name, value in (("response", response), ("gold", gold)):
        if not isinstance(value, str):
            raise TypeError(f"grade: {name} is a {type(value).__name__}, and must be a text")
    if isinstance(options, str) or not all(isinstance(o, str) for o in options):
        raise TypeError("grade: options must be a list of texts")
    try:
        return decide(response, gold, list(options), question, _equal_in_pool)
    except Stopped:
        raise
    except Exception as error:  # a check that fails is an error, never a verdict on the answer
        return Grade(Verdict.ERROR, None, "check", f"{type(error).__name__}: {error}")
