"""The cascade: exact rules first, math-verify where they don't decide. Every failure of the check is an `error`."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import os
import re
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmcurate.answers import LETTERS, normal, option_text
from mmcurate.errors import Stopped
from mmcurate.schema import Grade, Verdict
from mmcurate.verify.choice import read_choice, squeeze
from mmcurate.verify.expression import TooLarge
from mmcurate.verify.extract import SEVERAL, Extracted, cut_off, extract
from mmcurate.verify.gold import Gold, read_gold
from mmcurate.verify.math import equal_math, is_all_reals, same_math
from mmcurate.verify.number import equal_numbers, is_simplified, parse_number, parse_range
from mmcurate.verify.policy import DEFAULT, Policy
from mmcurate.verify.prose import (
    RETRACTS,
    UNSURE,
    closing_number,
    closing_time,
    has_prose,
    stated,
)
from mmcurate.verify.text import is_negation, is_words, same_words, unwrap, word_list, words, yes_no
from mmcurate.verify.tokens import TooDeep, Unreadable
from mmcurate.verify.when import parse_when, same_when
from mmcurate.workers import WorkerPool

TIMEOUT_S = 3.0
"""How long one pair may take."""
MAX_ANSWER_CHARS = 10_000
"""No rule reads a longer answer."""
SECOND_OPINIONS = 50
"""Of how many pairs that the mathematics rule decides one is put to math-verify too: chosen by content, so always the same ones."""
MathVerify = Callable[[str, str], bool | None]
"""Compares an answer and a gold; None where one of them isn't mathematics to it."""


def decide(
    response: str,
    gold: str,
    options: Sequence[str],
    question: str | None,
    math_verify: MathVerify,
    finish_reason: str | None = None,
    policy: Policy = DEFAULT,
) -> Grade:
    """Grades one response by rules; `math_verify` is asked where none decides."""
    made = _decided_before if len(response) <= _SHORT else _decide
    return made(response, gold, tuple(options), question, math_verify, finish_reason, policy)


def _decide(
    response: str,
    gold: str,
    options: tuple[str, ...],
    question: str | None,
    math_verify: MathVerify,
    finish_reason: str | None,
    policy: Policy,
) -> Grade:
    known = read_gold(gold, options, question)
    if finish_reason == "length" and cut_off(response):
        return Grade(Verdict.NO_ANSWER, None, "none", "the response was cut off before its answer")
    found = extract(response)
    if found is SEVERAL:
        return Grade(Verdict.NO_ANSWER, None, "none", "the response gives several answers")
    if found is None and known.text:
        found = known.closing(response)
    if found is None:
        return Grade(Verdict.NO_ANSWER, None, "none", "the response gives no answer")
    if not known.text:
        return Grade(Verdict.UNDECIDED, found.text, "none", "there is no gold answer")
    if len(found.text) > MAX_ANSWER_CHARS and found.text.strip() != known.text:
        why = f"{found.place}: the answer has {len(found.text):,} characters"
        return Grade(Verdict.UNDECIDED, found.text[:200], "none", why)
    if known.named:
        return _grade_choice(found, known)
    return _grade_value(found, known, math_verify, policy)


_SHORT = 300
_decided_before = functools.lru_cache(8192)(_decide)
"""The same short answer to the same question comes again and again."""


_OBJECT = re.compile(
    r"^(?:the\s+)?(?:point|vertex|segment|line|side|angle|triangle|arc|ray|vector|edge|blood type|type|group|vitamin|class|grade|section"
    r"|region|team|store|bar|ball|box"
    r"|letter|object|shape|tank|city|person|player|house|road|path|circle|node|gear|block|cup|car|train|boat|plane|plant"
    r"|animal)\s+\$?\\?(?:overline\{)?",
    re.I,
)


def _letters_only(said: str, gold: str) -> bool:
    """Whether two name the same segment or the like: "\\overline{AB}" and "AB"."""
    return len(gold) > 1 and len(said) < 40 and same_math(said, gold)


def _firsts(indexes: Sequence[int], options: Sequence[str]) -> set[int]:
    """Returns for each option the first with the same text: naming either is the same answer. Those in the picture have none."""
    texts = [option_text(o, i) for i, o in enumerate(options)]
    return {texts.index(texts[i]) if texts and texts[i] else i for i in indexes}


_LABELLED = re.compile(r"(?:(?i:option|choice|answer)\s*)?(?:\(([A-J])\)|([A-J])[.):])\s+(\S.*)", re.S)


def _abbreviates(letter: str, rest: str, options: Sequence[str]) -> bool:
    """Whether a letter and what follows may be an option's name, not a label: "E. coli" is "Escherichia coli"."""
    said, theirs = (set(re.findall(r"[^\W\d_]{3,}", t.lower())) for t in (rest, " ".join(options)))
    return bool(said & theirs) or any(word.startswith(letter.lower()) for word in theirs)


def _grade_choice(found: Extracted, gold: Gold) -> Grade:
    text, place = found.text, found.place
    read = read_choice(text, gold.options, gold.num_letters, same_math)
    want = ", ".join(LETTERS[i] for i in gold.named)
    if read is None:
        bare = unwrap(_OBJECT.sub("", unwrap(text)))
        for said in (text, bare, stated(text) or text):
            if not gold.options and (
                _letters_only(said, gold.text)
                or words(said) in (words(gold.text), words(gold.label_text) or None)
                or squeeze(said) == squeeze(gold.text)
            ):
                return Grade(Verdict.CORRECT, text, "text", f"{place}: the same text")
        label = _LABELLED.match(text) if gold.options else None
        letter = (label[1] or label[2]) if label else ""
        if label and letter not in LETTERS[: gold.num_letters] and not _abbreviates(letter, label[3], gold.options):
            return Grade(Verdict.INCORRECT, text, "choice", f"{place}: {letter} is no option; the gold is {want}")
        if gold.options and is_words(text) and any(map(is_words, gold.options)) and not UNSURE.search(text):
            return Grade(Verdict.UNDECIDED, text, "none", f"{place}: names no option in its words; the gold is {want}")
        return Grade(Verdict.INCORRECT, text, "choice", f"{place}: names no option; the gold is {want}")
    indexes, how = read
    have = ", ".join(LETTERS[i] for i in indexes)
    if _firsts(indexes, gold.options) == _firsts(gold.named, gold.options):
        return Grade(Verdict.CORRECT, text, "choice", f"{place}: {have}, by its {how}")
    return Grade(Verdict.INCORRECT, text, "choice", f"{place}: {have}, by its {how}; the gold is {want}")


_BECAUSE = re.compile(
    r"\s+\((?:as|since|because|from|where|i\.e|approximately|rounded|to the nearest|as shown|see above)\b"
    r"|,\s+(?:as|because|since|which|where|given|based)\b|\s+(?:because|since)\s"
    r"|,\s+(?:not|rather than|instead of)\s(?=\W*[-$\d])"
)


def _grade_value(found: Extracted, known: Gold, math_verify: MathVerify, policy: Policy) -> Grade:
    text, place, gold = found.text, found.place, known.text
    if known.options and (read := read_choice(text, known.options, known.num_letters, same_math)) and len(read[0]) == 1:
        text = option_text(known.options[read[0][0]], read[0][0])
    if place in ("phrase", "answer tag") and not same_words(text, gold):  # "2, as there are two stores"
        cut = _BECAUSE.split(text)[0]
        if cut and not RETRACTS.search(text) and not re.search(r"\b(?:wrong|incorrect)\b", text[len(cut) :]):
            text = cut

    def grade(right: bool, method: str, why: str) -> Grade:
        return Grade(Verdict.CORRECT if right else Verdict.INCORRECT, text, method, f"{place}: {why}")

    if same_words(text, gold) or squeeze(text) == squeeze(gold):
        return grade(True, "text", "the same text")
    if is_negation(text, gold):
        return grade(False, "text", "the gold's negation")
    one_word = " " not in known.words
    want_yes, have_yes = yes_no(gold) if one_word else None, yes_no(text)
    if want_yes is not None:
        if have_yes is not None:
            return grade(have_yes is want_yes, "yes or no", f"{'yes' if have_yes else 'no'}; the gold is {gold}")
        if not is_words(text):
            return grade(False, "yes or no", f"neither yes nor no; the gold is {gold}")
    if known.when:
        have_when = parse_when(text) or ((said := closing_time(text)) and parse_when(said))
        if have_when:
            return grade(same_when(have_when, known.when), "time", "dates or times compared")
        if re.search(r"[A-Za-z]{3}", text):
            return Grade(Verdict.UNDECIDED, text, "none", f"{place}: no rule reads {text[:60]!r} as a date or time")
    if (numbered := _statements(gold)) and (said_numbers := _statements(text)):
        return grade(numbered == said_numbers, "list", "the numbered statements compared")
    names = [(m[1] if (m := _NAME.match(t)) else "").replace(" ", "") for t in (text, gold)]
    if all(names) and names[0] != names[1]:
        if names[0].lower() == names[1].lower():
            why = f"{place}: {names[0]} is given, and the gold is of {names[1]}"
            return Grade(Verdict.UNDECIDED, text, "none", why)
        return grade(False, "math", f"{names[0]} is given; the gold is of {names[1]}")
    if _decimal_comma(text, gold):
        return grade(True, "number", "numbers compared, a comma read as a decimal point")
    text = _one_of_two(text, policy)
    if ":" in gold and (to := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:\\text\s*\{)?\s*to\s*\}?\s*(\d+(?:\.\d+)?)", text)):
        text = f"{to[1]}:{to[2]}"
    want, have = known.number, parse_number(text)
    if want and not have:
        said = closing_number(text) if has_prose(text) or re.search(r"[\u4e00-\u9fff]", text) else None
        if said and _decimal_comma(said, gold):
            return grade(True, "number", "numbers compared, a comma read as a decimal point")
        have = parse_number(said) if said else None
    if want and have:
        equal = equal_numbers(have, want, policy)
        if equal is None:
            why = f"{place}: the same number of {have.unit!r} and of {want.unit!r}"
            return Grade(Verdict.UNDECIDED, text, "number", why)
        if equal and policy.simplified and not is_simplified(text):
            return grade(False, "number", "the same number, but not in lowest terms")
        return grade(equal, "number", "numbers compared")
    if not known.when and re.search(r"\d\s*[ap]\.?\s?m\b", text, re.I):
        return Grade(Verdict.UNDECIDED, text, "none", f"{place}: {text[:60]!r} is a time, and the gold is none")
    ranges = [parse_range(t) for t in (text, gold)]
    if ranges[0] and want and not re.search(r"[-–]\s*-", text):
        return Grade(Verdict.UNDECIDED, text, "none", f"{place}: {text[:60]!r} is a range, and the gold is none")
    if ranges[0] and ranges[1]:
        return grade(ranges[0] == ranges[1], "number", "ranges compared")
    if _REFUSES.search(text) and not _REFUSES.search(gold):
        return Grade(Verdict.NO_ANSWER, None, "none", f"{place}: it says that there is no answer")
    if known.is_words:
        return _grade_words(text, place, known)
    if want and is_words(text) and not re.search(r"\d", text):
        return Grade(Verdict.UNDECIDED, text, "none", f"{place}: no rule reads {text[:60]!r} as a number")
    return _grade_math(text, place, known, math_verify, policy)


_STATEMENT = re.compile(r"\(\s*(\d{1,2})\s*\)")


def _statements(text: str) -> frozenset[str] | None:
    """Returns the numbers of "①③④" or "(1), (3) and (4)"; None where a text isn't a list of such."""
    text = normal(text)
    found = _STATEMENT.findall(text)
    if not found or re.sub(r"and|[\s,;、，和与及.。$]", "", _STATEMENT.sub("", text)):
        return None
    return frozenset(found) if len(found) > 1 else None


def _one_of_two(text: str, policy: Policy) -> str:
    """Returns one of two equal values: "3/4, or 0.75" and "75% (3/4)" give the first."""
    match = _TWICE.match(text)
    if match:
        first, second = (closing_number(p) or p for p in (match[1].strip(), (match[2] or match[3]).strip()))
        numbers = [parse_number(p) for p in (first, second)]
        if (
            numbers[0]
            and numbers[1]
            and (equal_numbers(numbers[0], numbers[1], policy) or equal_numbers(numbers[1], numbers[0], policy))
        ):
            return first
    return text


_TWICE = re.compile(
    r"^(.{1,80}?\S)\s*(?:,?\s*\bor\s+([^()]{1,40})|\(\s*(?:or|i\.e\.,?|=|about|approximately)?\s*([^()]{1,40})\s*\))\s*[.。]?$",
    re.S,
)


def _grade_words(text: str, place: str, known: Gold) -> Grade:
    """Grades words: the same list, or a sentence that ends with them ("The city is Tokyo."). What differs is left open."""
    gold = known.text
    stating = stated(text) if len(re.findall(r"\b(?:is|are|was|were)\b", text)) <= 1 else None
    bare = re.sub(r"\s*[(（][^()（）]*[)）]\s*$", "", text)
    for said in (stating, bare):
        if said and same_words(said, gold):
            return Grade(Verdict.CORRECT, said, "text", f"{place}: the sentence says the same")
    theirs = word_list(gold)
    repeats = len(set(theirs)) < len(theirs) or any(yes_no(part) is not None for part in theirs)
    in_order = known.in_order or repeats or bool(re.search(r"->|→|<|>|;", gold))
    for said in (text, stating):
        ours = word_list(said) if said and len(theirs) > 1 else []
        if ours == theirs or (sorted(ours) == sorted(theirs) and not in_order):
            return Grade(Verdict.CORRECT, said, "list", f"{place}: every part is the same")
        if sorted(ours) == sorted(theirs):
            return Grade(Verdict.INCORRECT, said, "list", f"{place}: the same parts in another order")
    why = f"{place}: no rule compares the gold {gold[:60]!r} with another text"
    return Grade(Verdict.UNDECIDED, text, "none", why)


def _grade_math(text: str, place: str, known: Gold, math_verify: MathVerify, policy: Policy) -> Grade:
    gold = known.text
    equal: bool | None = None
    why = ""
    said = text
    if has_prose(text) and not has_prose(gold) and not is_all_reals(text):
        said = stated(text) or ""
        if not said or has_prose(said):
            return Grade(Verdict.UNDECIDED, text, "none", f"{place}: no rule reads the sentence {text[:60]!r}")
    try:
        equal = equal_math(said, gold, policy, ordered=known.in_order)
    except TooDeep as error:
        return Grade(Verdict.UNDECIDED, text, "none", f"{place}: {error}")
    except Unreadable as error:
        why = str(error)
    except TooLarge as error:
        return Grade(Verdict.UNDECIDED, text, "none", f"{place}: {error}, so nothing is compared")

    def grade(right: bool, method: str, because: str) -> Grade:
        return Grade(Verdict.CORRECT if right else Verdict.INCORRECT, said, method, f"{place}: {because}")

    if equal is not None:
        made = grade(equal, "math", "mathematics compared")
        if _is_second_asked(said, gold):
            try:
                second = math_verify(said, gold)
            except CheckFailed:
                return made
            if second is not None and second is not equal:
                return dataclasses.replace(made, disagreement=f"math-verify: {'correct' if second else 'incorrect'}")
        return made
    second = None if _WORD.search(_LATEX_WORD.sub(" ", f"{said} {gold}")) else math_verify(said, gold)
    if second is not None:
        return grade(second, "math-verify", "compared by math-verify")
    return Grade(Verdict.UNDECIDED, text, "none", f"{place}: {why or 'no rule compares the two'}")


_TOWER = re.compile(r"\^[^+\-=,\0]*\^")


def _is_second_asked(said: str, gold: str) -> bool:
    """Whether a pair is put to math-verify too: one in `SECOND_OPINIONS` of the simple ones, which it decides soon."""
    pair = f"{said}\0{gold}"
    simple = len(pair) <= 80 and pair.count("(") + pair.count("{") <= 8 and "!" not in pair and not _TOWER.search(pair)
    return simple and zlib.crc32(pair.encode("utf-8", "replace")) % SECOND_OPINIONS == 0


_LATEX_WORD = re.compile(
    r"\\(?:begin|end)\s*\{\w+\*?\}|\\[A-Za-z]+|\b(?:sin|cos|tan|cot|sec|csc|log|exp|sqrt|max|min|and|pi|theta|alpha|beta)\b"
)
_WORD = re.compile(r"(?<![A-Za-z])(?:[a-z]{3,}|[A-Z][a-z]{2,})(?![A-Za-z])")
_NAME = re.compile(
    r"^\s*\$?\s*((?:\\angle\s*)?[A-Za-z]{1,3}(?:_\{?\w{1,3}\}?)?'?(?:\([a-z0-9]\))?)\s*=\s*[-+\d.,/\s]+(?:\\circ|[\^{}°])*\$?\s*$"
)

_REFUSES = re.compile(
    r"\b(?:cannot|can't|can not|could not|unable to|impossible to|not possible to|not enough information|insufficient)\b"
    r"|\b(?:i don't know|i do not know|unknown|unanswerable)\b|无法|不能确定|不知道",
    re.I,
)


_COMMA = re.compile(r"-?(?:0[.,]\d+|\d+[.,]\d{2}|\d{4,}[.,]\d{1,2}|\d+[.,]\d{4,})")


def _decimal_comma(text: str, gold: str) -> bool:
    """Whether two differ only in a comma for the decimal point: "1000,99" and "1000.99"; "1,234" is no 1.234."""
    a, g = (re.sub(r"[$\s]|\\[()\[\]]", "", t) for t in (text, gold))
    return a != g and "." in a + g and bool(_COMMA.fullmatch(a)) and a.replace(",", ".") == g.replace(",", ".")


_pools: dict[tuple[int, int], WorkerPool] = {}
_pools_guard = threading.Lock()


def kept_pool(num_workers: int = 1) -> WorkerPool:
    """Returns this process's pool of so many workers, started when it is first needed and kept until the process ends."""
    with _pools_guard:
        key = (os.getpid(), num_workers)  # a fork has none of its parent's threads
        if key not in _pools:
            _pools[key] = WorkerPool("mmcurate.verify.worker", num_workers, TIMEOUT_S)
            atexit.register(_pools[key].close)
        return _pools[key]


class CheckFailed(Exception):
    """The check itself failed: it crashed or took too long."""


def _math_verify_in_pool(answer: str, gold: str) -> bool | None:
    result = kept_pool().run([{"math": [answer, gold]}])[0]
    if "failed" in result:
        raise CheckFailed(result["failed"])
    equal: bool | None = result["equal"]
    return equal


def grade(
    response: str,
    gold: str,
    *,
    options: Sequence[str] = (),
    question: str | None = None,
    policy: Policy = DEFAULT,
) -> Grade:
    """Grades a response against the gold answer. Callable from any thread or process.

    Args:
        response: the whole text of a model, or an answer alone.
        gold: the known answer: a value, a letter, several letters, an option's text, or a solution that boxes its answer.
        options: the options' texts, with or without their letters. A gold that is both an option's text and
            a letter is read as the text.
        question: helps where it lists the options, or asks for an order.
        policy: what counts as the same: units, percent, rounding.

    Returns:
        The verdict, what was extracted, the method that decided, and why. A response is never `incorrect`
        because a check failed: that is `error`.
    """
    check_arguments(response, gold, options)
    return grade_here({"response": response, "gold": str(gold), "options": options, "question": question}, policy)


def grade_here(task: Mapping[str, Any], policy: Policy) -> Grade:
    """Grades one task of `grade_tasks` in this process, for as long as it takes."""
    response, gold, options, question = (task[name] for name in ("response", "gold", "options", "question"))
    reason = task.get("finish_reason")
    try:
        return decide(response, gold, options, question, _math_verify_in_pool, reason, task.get("policy", policy))
    except Stopped:
        raise
    except Exception as error:  # a check that fails is an error, never a verdict on the answer
        return Grade(Verdict.ERROR, None, "check", f"{type(error).__name__}: {error}")


def grade_all(
    responses: Sequence[str],
    golds: Sequence[str],
    *,
    options: Sequence[Sequence[str]] | None = None,
    questions: Sequence[str | None] | None = None,
    policy: Policy = DEFAULT,
    workers: int | None = None,
) -> list[Grade]:
    """Grades many responses, each against its own gold, in worker processes that can be killed one by one.

    Args:
        responses, golds: as many of each.
        options, questions: as many, or None.
        policy: what counts as the same.
        workers: processes; as many as there are processors unless given. The verdicts don't depend on it.

    Returns:
        One grade for each response. Equal pairs are graded once. A pair that takes longer than 3 s, or ends its worker twice, is an
        `error`; the others are not harmed.
    """
    lengths = {len(part) for part in (responses, golds, options, questions) if part is not None}
    if len(lengths) > 1:
        raise ValueError(
            f"grade_all: {len(responses)} responses and {len(golds)} golds; options and questions must be as many too"
        )
    tasks = []
    for i, (response, gold) in enumerate(zip(responses, golds, strict=True)):
        mine = options[i] if options is not None else ()
        check_arguments(response, gold, mine)
        question = questions[i] if questions is not None else None
        tasks.append({"response": response, "gold": str(gold), "options": list(mine), "question": question})
    if not tasks:
        return []
    workers = min(workers or os.cpu_count() or 1, max(1, len(tasks) // 50))
    made = WorkerPool("mmcurate.verify.worker", workers, TIMEOUT_S)
    try:
        return grade_tasks(made, tasks, policy)
    finally:
        made.close()


def grade_tasks(workers: WorkerPool, tasks: Sequence[dict[str, Any]], policy: Policy) -> list[Grade]:
    """Grades in a pool: dicts with `response`, `gold`, `options`, `question` and perhaps `finish_reason` and a `policy` of their own.

    Equal ones are graded once.
    """
    keys = [
        (t["response"], t["gold"], tuple(t["options"]), t["question"], t.get("finish_reason"), t.get("policy", policy))
        for t in tasks
    ]
    once = dict(zip(keys, tasks, strict=True))
    results = workers.run([{**task, "policy": _changed(task.get("policy", policy))} for task in once.values()])
    made = dict(zip(once, map(_read_grade, results), strict=True))
    return [made[key] for key in keys]


@functools.lru_cache(64)
def _changed(policy: Policy) -> dict[str, Any]:
    """Returns the settings of a policy that aren't the usual ones."""
    fields = dataclasses.fields(policy)
    return {f.name: value for f in fields if (value := getattr(policy, f.name)) != getattr(DEFAULT, f.name)}


def _read_grade(result: dict[str, Any]) -> Grade:
    if "failed" in result:
        return Grade(Verdict.ERROR, None, "worker", result["failed"])
    return Grade(**{**result, "verdict": Verdict(result["verdict"])})


def check_arguments(response: object, gold: object, options: Sequence[str]) -> None:
    """Refuses what isn't text."""
    if not isinstance(response, str):
        raise TypeError(f"grade: response is a {type(response).__name__}, and must be a text")
    if isinstance(gold, bool) or not isinstance(gold, (str, int, float)):
        raise TypeError(f"grade: gold is a {type(gold).__name__}, and must be a text")
    if isinstance(options, str) or not all(isinstance(o, str) for o in options):
        raise TypeError("grade: options must be a list of texts")
