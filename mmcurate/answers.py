"""Reading the options and the gold answer of a row: which option it names, what kind it is, and its plain text."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LABEL = re.compile(r"^\s*(?:[(\[（【]\s*([A-Za-z])\s*[)\]）】][.:：]?|([A-Za-z])\s*[.．:：)）、])\s*(?=\S)", re.S)
_SUPERSCRIPTS = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_CIRCLED = re.compile("[①-⑳]")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_FRACTIONS = re.compile("([0-9]?)([¼½¾⅐-⅞↉])")
_FULL_STOP = re.compile(r"(?<=[\w)}\]])\s*[.。]$")
_LETTERS = re.compile(r"^\W*([A-Z](?:\s*(?:,|、|，|;|&|and|\s)\s*[A-Z])*|[A-Z]{1,8})\W*$")


def clean(value: Any) -> str | None:
    """Returns a value as text that Arrow and every JSON reader take, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def options_of(value: Any) -> list[str]:
    """Returns options in whatever form a data set has them: a list, letters with texts, or a list written as text."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith(("[", "{")):
            for read in (json.loads, ast.literal_eval):
                try:
                    return options_of(read(text))
                except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                    continue
        return [value] if text else []
    if isinstance(value, Mapping):
        return [clean(value[k]) or "" for k in sorted(value, key=str) if value[k] is not None]
    if isinstance(value, (list, tuple)):
        return [clean(o) or "" for o in value]
    if hasattr(value, "tolist"):  # a numpy array
        return options_of(value.tolist())
    return []


def normal(text: str) -> str:
    """Returns the text in NFKC, which alone would read "10²" as 102 and "1½" as 11/2."""
    if text.isascii():
        return text
    text = _UNSEEN.sub("", text)
    text = _CIRCLED.sub(lambda m: f"({unicodedata.normalize('NFKC', m[0])})", text)
    text = _SUPERSCRIPTS.sub(
        lambda m: "^" + ("{%s}" if len(m[0]) > 1 else "%s") % unicodedata.normalize("NFKC", m[0]), text
    )
    text = _FRACTIONS.sub(
        lambda m: (m[1] + " " if m[1] else "") + unicodedata.normalize("NFKC", m[2]).replace("\u2044", "/"), text
    )
    return unicodedata.normalize("NFKC", text).replace("\u2044", "/").replace("\u2212", "-")


def plain(text: str) -> str:
    """Returns the text in a normal form, case-folded, with single spaces and no final full stop.

    Signs and digits stay: "0^+" and "0^-" remain different.
    """
    text = " ".join(normal(text).split()).casefold()
    return _FULL_STOP.sub("", text) if text.endswith((".", "。")) else text


def option_text(option: str, index: int) -> str:
    """Returns an option without its own label: "B. 12 cm" at index 1 gives "12 cm"."""
    match = _LABEL.match(option)
    if match and (match[1] or match[2]).upper() == LETTERS[index : index + 1]:
        return option[match.end() :].strip()
    return option.strip()


def letters_of(answer: str, num_options: int) -> tuple[int, ...]:
    """Returns the option indexes that an answer made of letters alone names.

    "C", "(C)", "$C$", "A, C", "ACD" and "A and C" are letters; "CAT" is a word when any of its letters
    is out of range or repeats. Empty where the answer isn't letters.
    """
    text = normal(answer).strip().strip("$").strip()
    text = re.sub(r"^\\(?:text|mathrm|mathbf|textbf)\s*\{(.*)\}$", r"\1", text).strip()
    match = _LETTERS.match(text)
    if not match:
        return ()
    letters = [c for c in re.sub(r"\band\b", "", match[1]) if c in LETTERS]
    indexes = [LETTERS.index(c) for c in letters]
    if len(set(indexes)) < len(indexes) or any(i >= num_options for i in indexes):
        return ()
    return tuple(sorted(indexes))


def gold_options(answer: str, options: Sequence[str]) -> tuple[int, ...]:
    """Returns the indexes of the options that a gold answer names, empty where it names none.

    The gold may be an option's text, a letter ("C", "(C)", "C. 12 cm") or several letters. An option's
    whole text comes before a letter: with the options ["B", "A"], the gold "A" is the second.
    """
    if not options:
        return ()
    given = plain(answer)
    by_text = [i for i, o in enumerate(options) if given in (plain(o), plain(option_text(o, i)))]
    if len(by_text) == 1:
        return (by_text[0],)
    letters = letters_of(answer, len(options))
    if letters:
        return letters
    match = _LABEL.match(answer)
    if match:
        index = LETTERS.find((match[1] or match[2]).upper())
        if 0 <= index < len(options) and plain(answer[match.end() :]) == plain(option_text(options[index], index)):
            return (index,)
    return tuple(by_text[:1])


def gold_text(answer: str, options: Sequence[str]) -> str:
    """Returns what a gold says, a letter read through its option, in plain form: for comparing golds."""
    named = gold_options(answer, options)
    if named:
        return " | ".join(sorted(plain(option_text(options[i], i)) for i in named))
    return plain(answer)


_BRACE = re.compile(r"\\+(?:boxed|fbox)\s*\{|\\.|[{}]", re.S)


def boxes_in(text: str) -> list[tuple[int, int, str]]:
    """Returns the balanced boxes: where each starts and ends, and what is in it. Of a box in a box the inner one."""
    out: list[tuple[int, int, str]] = []
    starts: list[tuple[int, int] | None] = []  # for each open brace, its box
    for match in _BRACE.finditer(text):
        token = match[0]
        if token == "{":
            starts.append(None)
        elif token == "}":
            box = starts.pop() if starts else None
            if box and (inside := text[box[1] : match.start()].strip()) and not (out and out[-1][0] > box[0]):
                out.append((box[0], match.end(), inside))
        elif len(token) > 2:
            starts.append((match.start(), match.end()))
    return out


_BULLET = r"(?:^|\n)[ \t]*(?:[-*•][ \t]+)?"
_STYLES = [
    r"[(（\[]\s*([A-Z])\s*[)）\]]",
    r"\*{0,2}([A-Z])[.．]\*{0,2}",
    r"([A-Z])[)）]",
    r"([A-Z])、",
    r"([A-Z])[:：]",
]
"""How the labels of one list of options look: (A), A., A), A、 and A:."""
_ON_LINES = [re.compile(rf"{_BULLET}{style}[ \t]*") for style in _STYLES]
_SMALL_ON_LINES = [
    re.compile(rf"{_BULLET}{style}[ \t]*") for style in (r"[(（]([a-z])[)）]", r"([a-z])[.．]", r"([a-z])[)）]")
]
_ANYWHERE = [re.compile(rf"(?:(?<=[\s;；,，。.])|^){style}\s*") for style in _STYLES[:4]]
_HEADER = re.compile(r"(?:^|(?<=\W))(?:answer\s+)?(?:choices?|options|选项)\s*(?:are\s*)?[:：]?\s*$", re.I)
_ENDED = re.compile(r"[.?!:：。？！)）\]_…\"”】\n]\s*$|\n[ \t]*$")
_MAX_STARTS = 8
"""How many labels "A" are tried, from the end."""
_SEPARATED = re.compile(r"\s*[;；,，]\s*$")


def split_options(text: str) -> tuple[str, list[str]]:
    """Returns a question without the options that it ends with, and the options; none unless it surely lists them.

    They are labelled in order from A, at least two, in one style, none empty, to the end of the text; they follow the
    end of a sentence, a line or a heading ("Choices:"). "Is point A. Smith's? B. Jones knows." has none. Small letters count on lines
    of their own after a question mark or a heading: else they number the parts of a task. Options that hold pictures stay where
    they are, since their `<image>` tags count.
    """
    text = text.rstrip()
    for patterns, on_lines, first in (_ON_LINES, True, "A"), (_ANYWHERE, False, "A"), (_SMALL_ON_LINES, True, "a"):
        if chr(ord(first) + 1) not in text:
            continue
        for pattern in patterns:
            marks = list(pattern.finditer(text))
            starts = [i for i, mark in enumerate(marks[:-1]) if mark[1] == first]
            for start in reversed(starts[-_MAX_STARTS:]):
                if found := _listed(text, marks[start:], on_lines):
                    return found
    return text, []


def _listed(text: str, marks: list[re.Match[str]], on_lines: bool) -> tuple[str, list[str]] | None:
    """Returns the question and the options of a run of labels that starts with A, or None where it isn't surely one."""
    run = [marks[0]]
    for mark in marks[1:]:
        if len(run) < len(LETTERS) and mark[1].upper() == LETTERS[len(run)]:
            run.append(mark)
        elif on_lines:
            return None  # "A. ..\nC. .." or two lists
    stem = text[: run[0].start()]
    bare = stem.rstrip()
    headed = _HEADER.search(bare, max(0, len(bare) - 40))
    bare = bare[: headed.start()].rstrip() if headed else bare
    if len(run) < 2 or not bare or not (on_lines or headed or _ENDED.search(stem, max(0, len(stem) - 40))):
        return None
    ends = [mark.start() for mark in run[1:]] + [len(text)]
    options = [text[mark.end() : end].strip() for mark, end in zip(run, ends, strict=True)]
    if all(_SEPARATED.search(option) for option in options[:-1]):
        options = [_SEPARATED.sub("", option) for option in options]
    last = options[-1]
    goes_on = "\n" in last and not any("\n" in option for option in options[:-1])
    if re.search(rf"(?:^|\s)[(（]?{LETTERS[len(run) : len(run) + 1] or '#'}[.．)）、:：]", last):
        return None  # "A. 1\nB. 2 C. 3": another style reads on
    asking = ["?" in option or "？" in option for option in options]
    asks = not on_lines and asking[-1] and not any(asking[:-1])
    task = run[0][1] == "a" and (any(asking) or not (headed or bare.endswith(("?", "？"))))
    if goes_on or asks or task or any(not option or "<image" in option or len(option) > 1000 for option in options):
        return None
    return bare, options


_DEGREE = re.compile(r"(?:\{\})?\s*(?:\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree)")
_NUMBER = re.compile(
    r"(?:approximately|about|≈|~|\\approx)?\s*[-+±]?\s*(?:US)?[$€£¥]?\s*[-+]?"
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:\s*/\s*\d+)?(?:e[-+]?\d+)?\s*"
    r"(?:%|°\s*[CF]?|[A-Za-zµμΩ]+[²³\d]?(?:[/·*^][-\dA-Za-z²³]+)*(?:\s+[A-Za-z]+[²³]?){0,2})?",
    re.I,
)
_WORDS = re.compile(r"[^\W\d_]{2,}")
_MATHS = re.compile(
    r"\\[A-Za-z]+|[=<>≤≥≠√π∞±∠△⊥∥∪∩^_²³⁻]|\d\s*[-+*/×÷:]\s*[\dA-Za-z(]|^[\[({].*[\])}]$|[A-Za-z]\s*[-+*/]\s*\d"
)
MAX_PLAIN_WORDS = 25
"""An answer of more words is a description: no rule compares it."""


def answer_type(answer: str, options: Sequence[str] = ()) -> str:
    """Returns what kind of answer a gold is: "choice", "number", "math", "text" or "description".

    "choice" names an option, or is one letter of a list that stands in the picture or the question; "number" may have a
    unit; "description" is prose that only a judge can compare.
    """
    if gold_options(answer, options) or (not options and letters_of(answer, 10) and len(answer.strip("$(). ")) == 1):
        return "choice"
    text = " ".join(normal(answer).split()).strip("$").strip().rstrip(".。").strip()
    words = _WORDS.findall(re.sub(r"\\(?:text|mathrm)\b|\\[A-Za-z]+", " ", text))
    if len(words) > MAX_PLAIN_WORDS:
        return "description"
    number = (
        re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}|\\([%$ ,])|[$~]", r" \1\2", _DEGREE.sub("°", text))
        .replace("~", " ")
        .strip()
    )
    if _NUMBER.fullmatch(" ".join(number.split())):
        return "number"
    symbols = len(_MATHS.findall(text))
    return "math" if symbols and len(words) <= 3 + 2 * symbols else "text"
