"""Comparing multiple-choice answers: letters in any anchored form, an option's text, a value equal to one option only."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

from mmcurate.answers import LETTERS, normal, option_text
from mmcurate.verify.number import equal_numbers, parse_number
from mmcurate.verify.policy import DEFAULT
from mmcurate.verify.prose import sentences
from mmcurate.verify.text import remembered, same_words, unwrap, words, yes_no

_MAX_CHARS = 2000
_OPEN, _CLOSE = r"[(\[（【{]", r"[)\]）】}]"
_LABEL = re.compile(
    rf"^(?:the\s+)?(?:(?:correct\s+)?(?:option|choice|answer|letter|picture|figure|image|diagram|group|选项?)\s*:?\s*)?"
    rf"(?:{_OPEN}\s*([A-Z])\s*{_CLOSE}\s*[.:：]?|([A-Z])\s*(?:[.):：）、,]|[-–—]\s|$|\s*[(（]))\s*(.*)$",
    re.S,
)
# "not (A)", "all except B", "(A) is wrong", "C: incorrect, so D"
_EXCLUDES = re.compile(
    r"^\W*(?:not|none|neither|all (?:but|except)|anything (?:but|except)|everything (?:but|except)|except|non)\b"
    r"|^\W*(?:option|choice|answer|letter)?\s*[(\[]?[A-Z][)\]]?\W*(?:(?:is|was|are|would be|can be|must be)\s+"
    r"(?:not\b|incorrect|wrong|false\b|impossible|eliminated|excluded|ruled out)|(?:incorrect|wrong)\s*,)"
    r"|^\W*(?:option|choice|answer|letter)?\s*[(\[]?[A-Z][)\]]?\s+(?-i:cannot be|can't be|isn't)",
    re.I,
)
_LETTER_THEN_WORDS = re.compile(
    r"^(?:option|choice|answer|letter|选项?)\s*([A-Z])(?![A-Za-z0-9])(.*)$|^([A-Z])\s+(?=[\d$£€¥]|(?:is|because|since|as|which)\b)(.*)$",
    re.S,
)
_ONLY_LETTERS = re.compile(
    r"^\W*(?:both\s+|options?\s+|choices?\s+)?[(\[]?[A-Z][)\]]?(?:\s*(?:,|、|，|;|/|&|\+|and|or|和|与|或|\s)\s*(?:options?\s+)?[(\[]?[A-Z][)\]]?)*\W*$",
    re.I,
)
_MENTION = re.compile(
    rf"{_OPEN}\s*([A-Z])\s*{_CLOSE}"
    r"|(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ll]etter|[Pp]icture|[Ff]igure|[Ii]mage|[Dd]iagram|[Cc]hoose|[Pp]ick|[Ss]elect|go with|选项?|选择)\s*"
    r"(?:is\s+|[:-]\s*)?([A-Z])(?![A-Za-z0-9_'])"
    r"|(?<![\w'])([A-Z])\s*(?:(?:is|fits|matches|would be|must be|seems|looks|works)\b|是?正确)"
)
_EMBEDDED = re.compile(r"(?<![^\s。；;])[(（]?([A-Z])\s*[.．、:：)）]\s*")


_BOLD_LETTER = re.compile(
    r"^\\(?:text|textbf|mathbf|mathrm|bf)\s*\{\s*([(\[]?[A-Z][)\]]?\.?)\s*\}\s*(?:\\[ ,;:]|~|\\quad)?\s*"
)
_LETTER_A = re.compile(r"A\s+[\d$]")  # no article
_NUMBERED = re.compile(r"\d+[).]\s+(?=[A-Za-z])")
_AND = re.compile(r"\b(?:and|or|both)\b", re.I)
_LETTER = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
_JOINED = re.compile(r"[\W_]*([A-Z]{2,8})[\W_]*")
_IS_TAIL = re.compile(r"(?:=|≈|\bis\b|\bare\b|:|：)\s*([^=≈:：]+)$")
_LATEX_SPACE = re.compile(r"^(?:\\[ ,;:]|~|\s)+")


@functools.lru_cache(4096)
def _texts(options: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(option_text(o, i) for i, o in enumerate(options))


def options_in(question: str) -> list[str]:
    """Returns the options that a question's text lists as "A. ...", "B. ...", in order; empty where it lists none."""
    marks = list(_EMBEDDED.finditer(question))
    for start in range(len(marks)):
        if marks[start][1] != "A":
            continue
        run = [marks[start]]
        for mark in marks[start + 1 :]:
            if mark[1] == LETTERS[len(run)]:
                run.append(mark)
        if len(run) >= 2:
            ends = [m.start() for m in run[1:]] + [len(question)]
            return [question[m.end() : end].strip() for m, end in zip(run, ends, strict=True)]
    return []


def read_choice(
    answer: str, options: Sequence[str], num_letters: int, equal_math: Callable[[str, str], bool] | None = None
) -> tuple[tuple[int, ...], str] | None:
    """Returns the indexes of the options that an answer names, and how it names them; None where it names none.

    More than one index means that the answer names several ("A or B"). An answer whose letter and text belong to
    different options names both.

    Args:
        answer: as it was extracted.
        options: texts; may be empty, then only letters count.
        num_letters: how many letters are options.
        equal_math: compares LaTeX; None leaves it out.
    """
    text = unwrap(normal(answer))
    text = _BOLD_LETTER.sub(r"\1 ", text).strip()
    letters = LETTERS[:num_letters]
    texts = _texts(tuple(options))
    if text in letters and len(text) == 1 and text.lower() not in map(words, texts):
        return (letters.index(text),), "letter"
    by_text = None if _LETTER_A.match(text) else _by_text(text, texts)  # "A 5" is no article
    if by_text is None and (numbered := _NUMBERED.match(text)):
        by_text = _by_text(text[numbered.end() :], texts)
    if by_text is not None and not (len(text) == 1 and texts[by_text] != text):
        return (by_text,), "option text"
    if _ONLY_LETTERS.match(text) and not (text.lower() in ("a", "i") and text.islower() and num_letters == 0):
        found = _LETTER.findall(_AND.sub(" ", text))
        found = [c.upper() for c in found if c.isupper() or len(found) == 1]
        if found and all(c in letters for c in found):
            if len(found) > 2 and len(set(found)) < len(found):
                return None  # "A, A, A" chooses nothing
            return tuple(sorted({letters.index(c) for c in found})), "letter"
    joined = _JOINED.fullmatch(text)
    if joined and len(set(joined[1])) == len(joined[1]) and all(c in letters for c in joined[1]):
        return tuple(sorted(letters.index(c) for c in joined[1])), "letters"
    match = _LABEL.match(text)
    if match and texts and (match[1] or match[2]) in letters:
        index = letters.index(match[1] or match[2])
        if index < len(texts) and words(texts[index]) and words(match[3]).startswith(words(texts[index])):
            return (index,), "letter and text"  # "(D) Cannot be determined"
    if _EXCLUDES.match(text):
        return None
    if match and (match[1] or match[2]) in letters:
        index = letters.index(match[1] or match[2])
        rest = match[3].strip()
        others = {letters.index(c) for c in _mentions(rest, letters)} - {index}
        if others and re.match(r"^(?:or|and|,|/|&|和|或|与)\b", rest, re.I):
            return tuple(sorted({index, *others})), "letters"
        rest = _LATEX_SPACE.sub("", rest)
        named = _by_text(rest.strip("()（）. "), texts) if rest and texts else None
        also = (
            {named} if named is not None else set(_by_value(rest, texts, equal_math)) if rest and texts else set()
        ) - {index}
        if also:
            return tuple(sorted({index, *also})), "letter and another option's text"
        return (index,), "letter"
    match = _LETTER_THEN_WORDS.match(text)
    if match and (match[1] or match[3]).upper() in letters:
        index = letters.index((match[1] or match[3]).upper())
        others = {letters.index(c) for c in _mentions(match[2] or match[4] or "", letters)} - {index}
        return tuple(sorted({index, *others})), "letter"
    if texts:
        equal = _by_value(text, texts, equal_math)
        if equal:
            return equal, "value"
    mentioned = {letters.index(c) for c in _mentions(text, letters)}
    if mentioned:
        return tuple(sorted(mentioned)), "letter"
    if texts:
        tail = _IS_TAIL.search(text)
        if tail and tail[1].strip() != text:
            return read_choice(tail[1], options, num_letters, equal_math)
    return None


_DENIES = re.compile(
    r"\b(?:not|never|neither|nor|except|unlike|instead|rather|incorrect|wrong|false|eliminate[ds]?)\b|n't\b|不|非", re.I
)


def closing_choice(body: str, options: Sequence[str], num_letters: int) -> str:
    """Returns the option that a response names in its closing sentence, on a line of its own, or begins with; or nothing."""
    letters = LETTERS[:num_letters]
    parts = sentences(body)
    if not parts:
        return ""
    said = [
        a or b
        for a, b in re.findall(
            r"[(（]\s*([A-Z])\s*[)）]|\b(?:option|choice|answer|group|figure|picture)\s+([A-Z])\b", parts[-1]
        )
    ]
    named = {c for c in said if c in letters}
    if len(named) == 1 and not _DENIES.search(parts[-1]):
        return named.pop()
    labelled = [
        m[1]
        for line in body.splitlines()
        if (m := re.fullmatch(r"\W*[(（]?([A-Z])[)）.:：]\s*.{0,120}", line.strip())) and m[1] in letters
    ]
    if len(labelled) == 1:
        return labelled[0]
    texts = [option_text(o, i) for i, o in enumerate(options)]
    if texts and all(yes_no(o) is not None for o in texts):
        begin = yes_no(parts[0])
        return next((o for o in texts if yes_no(o) is begin), "") if begin is not None else ""
    for sentence in dict.fromkeys((parts[-1], sentences(body[:2000])[0])):
        if re.match(r"(?:\d+[.)]|[-*•])\s", sentence):
            continue  # an item of a list of several
        index = _mentioned(sentence, texts)
        if index is not None:
            return LETTERS[index]
    return ""


def _mentioned(sentence: str, texts: Sequence[str]) -> int | None:
    """Returns the one option whose whole text stands in a sentence, as words and not denied."""
    if _DENIES.search(sentence):
        return None
    said = f" {_spaced(sentence)} "
    found = [
        i for i, t in enumerate(texts) if re.search(r"[a-z\u4e00-\u9fff]{3}", _spaced(t)) and f" {_spaced(t)} " in said
    ]
    longest = [
        i for i in found if not any(j != i and f" {_spaced(texts[i])} " in f" {_spaced(texts[j])} " for j in found)
    ]
    return longest[0] if len(longest) == 1 else None


def _spaced(text: str) -> str:
    return re.sub(r"[^\w'%°.-]+", " ", words(text)).replace(". ", " ").strip(" .'")


def _mentions(text: str, letters: str) -> list[str]:
    found = [(m[1] or m[2] or m[3]) for m in _MENTION.finditer(text)]
    return [c for c in found if c in letters]


def _by_text(text: str, texts: Sequence[str]) -> int | None:
    """Returns the one option whose words a text is."""
    said = words(text)
    if not said or len(text) > _MAX_CHARS:
        return None
    squeezed = squeeze(text)
    same = [
        i
        for i, option in enumerate(texts)
        if (words(option) == said and same_words(option, text)) or squeeze(option) == squeezed
    ]
    return same[0] if len(same) == 1 else None


@remembered
def squeeze(text: str) -> str:
    """Returns LaTeX without what doesn't change its meaning."""
    text = re.sub(r"\\(?:(?:left|right|displaystyle|quad|qquad)(?![A-Za-z])|[,;!:])|[$~]", " ", unwrap(text))
    text = re.sub(r"(?<![A-Za-z0-9.])\s+|\s+(?![A-Za-z0-9.])", "", text)
    text = re.sub(r"\\[dt]frac", r"\\frac", text)
    text = re.sub(r"(?<=[A-Za-z)])_(?:\{(\d+)\}|(\d))", r"\1\2", text)  # H_2O
    return re.sub(r"\\(?:text|mathrm)\{([^{}]*)\}", r"\1", text).replace("^{\\circ}", "°").replace("^\\circ", "°")


def _by_value(text: str, texts: Sequence[str], equal_math: Callable[[str, str], bool] | None) -> tuple[int, ...]:
    """Returns the options that a text's value equals, where it equals one only; none or several tell nothing."""
    number = parse_number(text)
    if number:
        same = [
            i for i, option in enumerate(texts) if (n := parse_number(option)) and equal_numbers(number, n, DEFAULT)
        ]
        exact = [i for i in same if (n := parse_number(texts[i])) and n.value == number.value]
        return tuple(exact if len(exact) == 1 else same if len(same) == 1 else ())
    if equal_math and re.search(r"[\d\\^_=+]", text) and len(text) <= 200:
        same = [i for i, option in enumerate(texts) if equal_math(text, option)]
        return tuple(same) if len(same) == 1 else ()
    return ()
