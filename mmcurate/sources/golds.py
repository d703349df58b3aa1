"""Known answers as published data sets have them: where they hide in a response, and what is wrapped around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mmcurate.answers import LETTERS, boxes_in, gold_options, letters_of, option_text, plain

NO_GOLD = "neither <answer>, <CONCLUSION>, \\boxed nor 'the answer is'"
"""What a response lacks when `gold_of` finds nothing, for messages."""

_TAGGED = re.compile(r"<(answer|conclusion)>(.*?)</\1>", re.S | re.I)
_JOINS = re.compile(
    r"[\s$]*(?:,|;|\\quad|and|or|\\text\{\s*(?:and|or)\s*\})+[\s$]*(?:[A-Za-z]\w{0,2}\s*=)?[\s$]*", re.I
)
_PHRASE = re.compile(
    r"\b(?:the|final|correct)\s+(?:final\s+|correct\s+)*answer\s*(?:is|:|：)(?:\s*:)?[\s*]*([^\n]+?)[\s*]*(?=[.!。](?:[\s*]|$)|\n|$)",
    re.I,
)
_NOT_SAID = re.compile(
    r"(?:not|unclear|unknown|given|obtained|found|based|correct|the following|as follows|in)\b", re.I
)
_WRAPS = [
    re.compile(p, re.S)
    for p in (
        r"\$\$((?:(?!\$\$).)*)\$\$",
        r"\$([^$]*)\$",
        r"\\\(((?:(?!\\\)).)*)\\\)",
        r"\\\[((?:(?!\\\]).)*)\\\]",
        r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}",
        r"\*\*([^*]*)\*\*",
    )
]
_STOP = re.compile(r"(?<=[^\s.])(?<!\\right)(?<!\\left)\s*[.。]$")
_ABBREVIATED = re.compile(r"(?:\b[A-Za-z]\.){2,}$")
_LABELLED = re.compile(r"^\s*[(（]?([A-Z])\s*[)）.:：、．]\s*\S")
_SMALL_LETTER = re.compile(r"\(?([a-z])[).]?")
_PARTS = [
    re.compile(p, re.S)
    for p in (
        r"[（(]\s*1\s*[)）](?!\s*(?:and|or|&|,|，|、|;|和|与|[（(]|$)).*[（(]\s*2\s*[)）]",
        r"①(?!\s*(?:and|,|，|、|和|与)?\s*[②-⑳])[^②]*\w[^②]*②",
        r"^\s*1[.、]\s*[^\d\s].*\s2[.、]\s*\S",
        r"\S\s*\n\s*\S",
        r"\$\$[^$]+\$\$\s+\$\$",
        r"[（(]\s*or\b",
    )
]


class Gold(NamedTuple):
    """A known answer, and in what form it stood: "<answer>", "<conclusion>", "\\boxed", "the answer is"."""

    text: str
    form: str


def gold_of(response: str) -> Gold | None:
    """Returns the known answer that a published response holds, or None: it is never guessed.

    Looked for after the thoughts: the last `<answer>` or `<CONCLUSION>`, the last balanced box (with those that
    it is joined to, as in "[1] and [2]"), a short "the answer is ...".
    """
    said = response.rsplit("</think>", 1)[-1]
    tagged = [m for m in _TAGGED.finditer(said) if m[2].strip()]
    if tagged:
        inside = tagged[-1][2].strip()
        form = f"<{tagged[-1][1].lower()}>"
        return None if inside == "None" else Gold(_boxed(inside) or _said(inside) or inside, form)
    said = said.split("<think>", 1)[0]  # cut off while thinking
    if boxed := _boxed(said):
        return Gold(boxed, "\\boxed")
    phrase = _said(said)
    return Gold(phrase, "the answer is") if phrase else None


def _boxed(text: str) -> str | None:
    found = boxes_in(text)
    if not found:
        return None
    start, _, last = found[-1]
    kept = [last]
    for begin, end, inside in reversed(found[:-1]):
        if start - end > 40 or not _JOINS.fullmatch(text[end:start]):
            break
        kept.insert(0, inside)
        start = begin
    return ", ".join(dict.fromkeys(kept))


def _said(text: str) -> str | None:
    """Returns what the last "the answer is ..." says, where it is short."""
    said = [m[1].strip() for m in _PHRASE.finditer(text)]
    if not said or len(said[-1]) > 60 or len(said[-1].split()) > 8 or _NOT_SAID.match(said[-1]):
        return None
    return said[-1]


def unboxed(text: str) -> str:
    """Returns what is in the box that is the whole text; where none is balanced, what follows its opening, less a closing brace."""
    text = text.strip()
    if not re.match(r"\\+(?:boxed|fbox)\s*\{", text):
        return text
    if found := boxes_in(text):
        return found[-1][2] if found[-1][0] == 0 and found[-1][1] == len(text) else text
    return re.sub(r"^\\+(?:boxed|fbox)\s*\{", "", text).removesuffix("}").strip()


def clean_gold(answer: str) -> str:
    """Returns a gold without what is wrapped around the whole of it: `$$6$$` gives 6, `18.` 18, `\\text{red}` red. Units stay."""
    text = answer.strip()
    while True:
        bare = unboxed(text)
        for wrap in _WRAPS:
            if match := wrap.fullmatch(bare):
                bare = match[1].strip()
        if not _ABBREVIATED.search(bare):
            bare = _STOP.sub("", bare)
        if not bare:
            return text
        if bare == text:
            return text.replace("$$", "$")
        text = bare


def settled(answer: str, options: Sequence[str]) -> str:
    """Returns a gold in plain form: an option's exact text where the gold gives its text, letters where it gives letters.

    "B. 40" gives B, also where its text differs in spacing from option B's and is no other option's; so does "b".
    """
    text = clean_gold(answer)
    if not options:
        return text
    for said in (answer.strip(), text, _said(text)):
        named = gold_options(said, options) if said else ()
        if len(named) == 1 and plain(said or "") in (
            plain(options[named[0]]),
            plain(option_text(options[named[0]], named[0])),
        ):
            exact = options[named[0]]
            return exact if gold_options(exact, options) == named else LETTERS[named[0]]
        if named:
            return ", ".join(LETTERS[i] for i in named)
    if (small := _SMALL_LETTER.fullmatch(text)) and (named := letters_of(small[1].upper(), len(options))):
        return LETTERS[named[0]]
    if (label := _LABELLED.match(text)) and (named := letters_of(label[1], len(options))):
        option = options[named[0]]
        if _bare(text[label.end() - 1 :]) == _bare(option_text(option, named[0])):
            return LETTERS[named[0]]
    return text


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", plain(text))


def by_letter(letter: str, options: Sequence[str]) -> str:
    """Returns a gold for the option of a letter, also where that letter is another option's text: of ["B", "A"], A is "B".

    What isn't one letter of the options stays as it is.
    """
    bare = clean_gold(letter).strip("()")
    if len(bare) != 1 or bare not in LETTERS[: len(options)] or gold_options(bare, options) == (LETTERS.index(bare),):
        return letter
    return options[LETTERS.index(bare)]


def is_multipart(answer: str) -> bool:
    """Whether a gold answers several questions, or gives alternatives: "(1) 3; (2) 5", lines of values, "x > 2 (or x >= 2)".

    A list of statements, such as "(1)(3)" or "①③", is one answer.
    """
    return any(pattern.search(answer.strip()) for pattern in _PARTS)
