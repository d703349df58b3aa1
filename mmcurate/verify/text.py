"""Comparing words."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TypeVar

from mmcurate.answers import plain

T = TypeVar("T")
_WRAP = re.compile(r"^\\(?:text|textbf|textit|mathrm|mathbf|mathit|operatorname|rm|bf|emph)\s*\{(.*)\}$", re.S)
_YES = {
    "yes": True,
    "true": True,
    "correct": True,
    "no": False,
    "false": False,
    "incorrect": False,
    "是": True,
    "否": False,
    "对": True,
    "错": False,
    "正确": True,
    "错误": False,
    "不是": False,
}
_NEGATION = re.compile(r"^(?:not|no|non-?|isn't|is not|never|不|非)\s*(?:an?\s+|the\s+)?")


_REMEMBERED_CHARS = 300


def remembered(function: Callable[[str], T]) -> Callable[[str], T]:
    """Keeps a function's results for short texts: options, golds and answers come again and again, long texts don't."""
    cached = functools.lru_cache(16_384)(function)

    @functools.wraps(function)
    def call(text: str) -> T:
        return cached(text) if len(text) <= _REMEMBERED_CHARS else function(text)

    call.cache_clear = cached.cache_clear  # type: ignore[attr-defined]
    return call


_MARKS: dict[str, tuple[tuple[str, str], ...]] = {
    "$": (("$$", "$$"), ("$", "$")),
    "\\": (("\\(", "\\)"), ("\\[", "\\]"), ("\\boxed{", "}"), ('\\"', '\\"')),
    "*": (("**", "**"), ("*", "*")),
    "_": (("__", "__"),),
    '"': (('"', '"'),),
    "'": (("'", "'"),),
    "“": (("“", "”"),),
    "‘": (("‘", "’"),),
    "「": (("「", "」"),),
    "`": (("`", "`"),),
}
_FINAL = re.compile(r"(?<=[\w)\]}°%$])[.。,，;；]+$")


@remembered
def unwrap(text: str) -> str:
    """Returns a text without the marks around it: `$...$`, `\\text{...}`, `**...**`, quotes, outer brackets of a word."""
    before = None
    while before != text:
        before = text = text.strip()
        for left, right in _MARKS.get(text[:1], ()):
            if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
                inner = text[len(left) : len(text) - len(right)]
                if left not in inner or left == "\\boxed{":
                    text = inner
        if text.startswith("\\"):
            match = _WRAP.match(text)
            if match and match[1].count("{") == match[1].count("}") and "}" not in match[1].partition("{")[0]:
                text = match[1]
        if text and text[-1] in ".。,，;；":
            text = _FINAL.sub("", text)
    return text


_IT_IS = re.compile(r"^(?:it is|it's|this is|they are|there are|there is)\s+")
_ARTICLE = re.compile(r"\b(?:the|an?)\s+")
_LETTERS = re.compile(r"[a-z\u4e00-\u9fff]{3}")
_BRACKETED = re.compile(r"[(\[（][^\d,，()\[\]（）]*[)\]）]")


@remembered
def words(text: str) -> str:
    """Returns a text for comparing as words: plain, without articles, marks around it and final punctuation."""
    text = plain(unwrap(text).replace("\\ ", " ").replace("~", " "))
    if " " in text:
        text = _ARTICLE.sub("", _IT_IS.sub("", text))
    text = text.strip().rstrip(".,;:?。，；：？").lstrip(",;:，；：")
    if _LETTERS.search(text):
        text = text.strip("\"'`*!！ ")
    if text[:1] in "([（" and _BRACKETED.fullmatch(text):
        text = text[1:-1]
    return " ".join(text.split())


_SYMBOL = re.compile(r"[A-Za-z](?:_?\w)?\s*=")  # m = 5 and M = 5
_FORMULA = re.compile(r"(?=.*[a-z\d])(?:[A-Z][a-z]?\d*){2,}")  # NaCl
_SAME = [
    frozenset(
        {
            "no solution",
            "no solutions",
            "no real solution",
            "no real solutions",
            "empty set",
            "\\emptyset",
            "\\varnothing",
            "∅",
            "无解",
            "空集",
        }
    ),
    frozenset({"dne", "does not exist", "doesn't exist", "undefined", "不存在"}),
    frozenset(
        {
            "none of these",
            "none of above",
            "none of them",
            "none of options",
            "none of given options",
            "none of above options",
        }
    ),
    frozenset({"all of these", "all of above", "all of them"}),
]


def same_words(a: str, b: str) -> bool:
    """Whether two texts are the same words. Case matters where it may be all that differs in meaning: Co and CO."""
    if words(a) != words(b):
        return any(words(a) in same and words(b) in same for same in _SAME)
    first, second = unwrap(a), unwrap(b)
    if first != second and any(_SYMBOL.match(t) or _FORMULA.fullmatch(t) for t in (first, second)):
        return first.replace(" ", "") == second.replace(" ", "")
    symbols = re.compile(r"(?=.*[A-Z])[A-Za-z]{1,3}\d*|[\d.\s]+[A-Za-z]{1,3}")
    if symbols.fullmatch(first) and symbols.fullmatch(second) and words(a) not in _YES:
        return first.replace(" ", "") == second.replace(" ", "") or len(words(a)) == 1
    return True


def yes_no(text: str) -> bool | None:
    """Returns what "Yes" or "Yes, because ..." says, or None: "No answer can be given" is no no, nor is "yes and no"."""
    said = words(text)
    match = re.match(
        r"(yes|no|true|false|correct|incorrect|正确|错误|不是|是|否|对|错)(?=$|\s*[,.;:!，。；：！(（-])", said
    )
    if not match:
        return None
    rest = said[match.end() :]
    opposite = r"\b(?:no|false|incorrect)\b" if _YES[match[1]] else r"\b(?:yes|true|correct)\b"
    if (
        re.search(opposite, rest)
        or re.match(r"\.?\s*\d", rest)
        or re.search(r"\bactually\b|\bwait\b|that's wrong", rest)
    ):
        return None
    return _YES[match[1]]


def is_negation(answer: str, gold: str) -> bool:
    """Whether one of two texts is the other with a "not" before it."""
    a, g = words(answer), words(gold)
    return a != g and (_NEGATION.sub("", a) == g or _NEGATION.sub("", g) == a)


def is_words(text: str) -> bool:
    """Whether a text is prose: letters of some language that aren't mathematics or one unit."""
    text = unwrap(text)
    if re.search(r"\\(?!text|mathrm|mathbf|textbf|ldots|%|\$)[a-zA-Z]+|[=^_{}<>≤≥±√∞]", text):
        return False
    return bool(re.search(r"[A-Za-z]{3,}|[\u4e00-\u9fff]{2,}", text)) and not re.match(r"^[\s$£€]*[-+]?\d", text)


def word_list(text: str) -> list[str]:
    """Returns the parts of "red, green and blue" or "1) red; 2) green", each as plain words."""
    text = re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r"\1", unwrap(text).replace("\\ ", " "))
    text = re.sub(r"^\s*(?:\d+[.)]|[-*•])\s+", "", text, flags=re.M)
    parts = re.split(r"\s*(?:,\s*and\s|[,;，；、]|\band\b|&|和|与|\n|->|→|<|>)\s*", text.strip("()[]{} "))
    return [words(part) for part in parts if part.strip()]
