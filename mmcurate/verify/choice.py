"""Comparing multiple-choice answers: letters in any anchored form, an option's text, a value equal to one option only."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mmcurate.answers import LETTERS, normal, option_text
from mmcurate.verify.number import equal_numbers, parse_number, parse_range
from mmcurate.verify.policy import DEFAULT
from mmcurate.verify.prose import COMPARES, CONDITION, SO, UNSURE, closing_number, closing_time, sentences, stated
from mmcurate.verify.text import remembered, same_words, unwrap, word_list, words, yes_no
from mmcurate.verify.when import parse_when, same_when

_MAX_CHARS = 2000
_OPEN, _CLOSE = r"[(\[（【{]", r"[)\]）】}]"
_LABEL = re.compile(
    rf"^(?i:(?:the\s+)?(?:(?:correct\s+)?(?:option|choice|answer|letter|picture|figure|image|diagram|group|选项?)\s*:?\s*)?)"
    rf"(?:{_OPEN}\s*([A-Z])\s*{_CLOSE}\s*[.:：]?|([A-Z])\s*(?:[.):：）、,]|[-–—→]\s*|$|\s*[(（]))\s*(.*)$",
    re.S,
)
_SMALL_LABEL = re.compile(rf"^(?:{_OPEN}\s*([a-z])\s*{_CLOSE}|([a-z])\s*[.):])\s*(.+)$", re.S)
_LETTER_THEN_WORDS = re.compile(
    r"^(?i:option|choice|answer|letter|选项?|答案)\s*([A-Z])(?![A-Za-z0-9])(.*)$|^([A-Z])\s+(?=[\d$£€¥]|(?:is|because|since|as|which|rather)\b)(.*)$"
    r"|^([A-Z])\s*(?=选?项|是?正确|对)(.*)$",
    re.S,
)
_ONLY_LETTERS = re.compile(
    r"^\W*(?:both\s+|options?\s+|choices?\s+)?[(\[]?[A-Z][)\]]?(?:\s*(?:,|、|，|;|/|&|\+|and|or|和|与|或|\s)\s*(?:options?\s+)?[(\[]?[A-Z][)\]]?)*"
    r"(?:\s+(?:are|is)\s+(?:both\s+|all\s+)?(?:correct|right|true))?\W*$",
    re.I,
)
_DENIED = re.compile(
    r"^\W*(?:选?项)?(?:(?:is|was|are|seems|looks|would be|can be|must be|could be|does|do|should be|has been|can|是)\s*)?(?:definitely "
    r"|clearly |surely |also )?"
    r"(?:not\b|no\b|incorrect|wrong|false\b|impossible|eliminated|excluded|ruled out"
    r"|(?:be )?(?:eliminated|excluded|ruled out)|too (?:small|large|big|short|long|high|low)|the least|contradicts|cannot be|can't be|isn't|doesn't|错|不)",
    re.I,
)
"""What behind a letter says that it isn't the answer."""
_OTHERWISE = re.compile(
    r"\b(?:or|but|otherwise|alternatively|maybe|possibly|perhaps|if not|however|instead|smaller|larger|so)\b|或", re.I
)
_EXPLAINS = re.compile(r"\b(?:because|since|as|due to|given that|where|which|not|rather than)\b|[.。;；]\s|\n|因为")
_NOT_OTHERS = re.compile(
    r",?\s*\b(?:and )?(?:not|rather than|instead of)\s+(?:[Oo]ption\s+)?[(]?[A-Z][)]?(?:\s*(?:or|nor|and|,)\s*[(]?[A-Z][)]?)*(?![\w'])"
)
_LISTED = re.compile(r"(?:^|[\s,;(（。])[(（]?([A-Z])\s*[.):：）]\s*(?=\S)")
_MENTION = re.compile(
    rf"{_OPEN}\s*([A-Z])\s*{_CLOSE}"
    r"|(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ll]etter|[Cc]hoose|[Pp]ick|[Ss]elect|go with|选项?|选择|答案|正确的是)\s*(?:is\s+|是"
    r"|[:：-]\s*)?([A-Z])(?![A-Za-z0-9_'])"
    r"|(?<![\w'])([A-Z])\s+(?:(?:is|seems|looks|must be|would be)\s+(?:the\s+|most\s+|clearly\s+)*(?:correct|right|answer|best|true|it)\b"
    r"|fits\b|matches\b|works\b)"
    r"|([A-Z])\s*(?:选?项)?是?正确"
)
_PICTORIAL = re.compile(
    r"(?:[Pp]icture|[Ff]igure|[Ii]mage|[Dd]iagram|[Gg]roup|[Gg]raph|[Ss]hape)\s*([A-Z])(?![A-Za-z0-9_'])"
)
_LAST_LETTER = re.compile(
    r"(?:^|.*(?:\b(?i:is|so|therefore|hence|thus|think|then|be|i\.e\.|answer|option|choice)\b|'s|[,:：→–—-]|是|选|为)\s*,?\s*)[(\[*]*([A-Z])[)\]*]*\W*$",
    re.S,
)
_NOT_YET = re.compile(
    r"\b(?:let me|let's|let us|first|start(?:ing)?|check|more information|another|others?|need|least|exclude|contradicts?|point|triangle"
    r"|line|circle|angle|vertex)\b|错",
    re.I,
)
_SEVERAL_LETTERS = re.compile(r"^((?:[(]?[A-Z][)]?\s*(?:,\s*and|,|、|and|&|和|与)\s*)+[(]?[A-Z][)]?)\s+(.*)$", re.S)
_CHINESE_LETTERS = re.compile(r"((?:[A-Z]\s*[、,，和]?\s*)+)(?:选?项)?(?:都|均|是)?(正确|错误|不正确|不对|对)")
_EMBEDDED = re.compile(r"(?<![^\s。；;])[(（]?([A-Z])\s*[.．、:：)）]\s*")
_BOLD_LETTER = re.compile(
    r"^\\(?:text|textbf|mathbf|mathrm|bf)\s*\{\s*([(\[]?[A-Z][)\]]?\.?)\s*\}\s*(?:\\[ ,;:]|~|\\quad)?\s*"
)
_ARTICLE = re.compile(r"A\s+[\w$]")
_NUMBERED = re.compile(r"\d+[).]\s+(?=[A-Za-z])")
_AND = re.compile(r"\b(?:and|or|both|are|is|all|correct|right|true)\b", re.I)
_LETTER = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
_JOINED = re.compile(r"[\W_]*([A-Z]{2,8})[\W_]*")
_IS_TAIL = re.compile(r"(?:=|≈|\bis\b|\bare\b|[:：](?!\d))\s*([^=≈:：]+)$")
_LATEX_SPACE = re.compile(r"^(?:\\[ ,;:]|~|\s)+")
_NOUN = re.compile(r"^(?:picture|figure|image|diagram|graph|group|shape|option|point|number|no\.)\s+(?=\w{1,3}$)", re.I)
_STATES_IT = re.compile(
    r"(?:[:：,]\s|\b(?:is|it's|are|was|were|be|shows?|that|as|named|called|therefore|thus|so|hence|indicates?|means|will|of|in)\b|为"
    r"|是)(?:\s+\w+){0,3}\s*$|^\s*(?:\w+\s+)?$",
    re.I,
)

_NO_MEANING = re.compile(r"\\(?:(?:left|right|displaystyle|quad|qquad)(?![A-Za-z])|[,;!:])|[$~]")
_TEXT = re.compile(r"\\(?:text|mathrm)\{([^{}]*)\}")
_LIST_COMMA = re.compile(r"(?<=\d),\s+(?=\d)")
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9.])\s+|\s+(?![A-Za-z0-9.])")
_INDEX = re.compile(r"(?<=[A-Za-z)])_(?:\{(\d+)\}|(\d))")

EqualMath = Callable[[str, str], bool]
Reading = tuple[tuple[int, ...], str]


class _Form(NamedTuple):
    """How an option's text looks to the rules."""

    words: str
    squeezed: str
    core: tuple[str, ...]
    spaced: str


@functools.lru_cache(4096)
def _forms(texts: tuple[str, ...]) -> tuple[_Form, ...]:
    return tuple(_Form(words(t), squeeze(t), _core(t), _spaced(t)) for t in texts)


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
    answer: str, options: Sequence[str], num_letters: int, equal_math: EqualMath | None = None
) -> Reading | None:
    """Returns the indexes of the options that an answer names, and how it names them; None where it names none.

    More than one index means that the answer names several ("A or B"). An answer whose letter and text belong to
    different options names both.

    Args:
        answer: as it was extracted.
        options: texts; may be empty, then only letters count.
        num_letters: how many letters are options.
        equal_math: compares LaTeX; None leaves it out.
    """
    text = _BOLD_LETTER.sub(r"\1 ", unwrap(normal(answer))).strip()
    letters = LETTERS[:num_letters]
    texts = _texts(tuple(options))
    if text in letters and len(text) == 1 and all(text.lower() != form.words for form in _forms(texts)):
        return (letters.index(text),), "letter"
    by_text = None if _ARTICLE.match(text) and re.match(r"A\s+[\d$]", text) else _by_text(text, texts)
    if by_text is None and (numbered := _NUMBERED.match(text)):
        by_text = _by_text(text[numbered.end() :], texts)
    if by_text is not None and not (len(text) == 1 and text.isalpha() and texts[by_text] != text):
        return (by_text,), "option text"
    if by_text is None and (numbered := re.fullmatch(r"\d+[).]\s+([A-Z])\.?", text)):
        text = numbered[1]
    if chinese := _chinese(text, letters):
        return chinese
    label = _LABEL.match(text) if texts else None
    if label and (label[1] or label[2]) in letters and texts[letters.index(label[1] or label[2])] == label[3].strip():
        return (letters.index(label[1] or label[2]),), "letter and text"  # "(D) E"
    only = _only_letters(text, letters)
    if only is not None:
        return _both(only, texts, letters)
    labelled = _labelled(text, texts, letters, equal_math)
    if labelled is not None:
        return labelled if labelled[0] else None
    if texts:
        equal = _by_value(text, texts, equal_math)
        if equal:
            return equal, "value"
    named = _named(text, texts, letters)
    if named:
        return named
    if texts:
        tail = _IS_TAIL.search(text)
        said = stated(text)
        if said and said != text and (found := read_choice(said, options, num_letters, equal_math)):
            return found
        if tail and tail[1].strip() != text and not UNSURE.search(f"{text[: tail.start()]} {text[-1:]}"):
            return read_choice(tail[1], options, num_letters, equal_math)
    return None


def _only_letters(text: str, letters: str) -> tuple[int, ...] | None:
    """Reads "B", "A, C and D", "ACD", "both A and C are correct"; empty where letters choose nothing ("A, A, A")."""
    if _ONLY_LETTERS.match(text):
        found = _LETTER.findall(_AND.sub(" ", text))
        found = [c.upper() for c in found if c.isupper() or len(found) == 1]
        if found and all(c in letters for c in found):
            if len(found) > 2 and len(set(found)) < len(found):
                return ()
            return tuple(sorted({letters.index(c) for c in found}))
    joined = _JOINED.fullmatch(text)
    if joined and len(set(joined[1])) == len(joined[1]) and all(c in letters for c in joined[1]):
        return tuple(sorted(letters.index(c) for c in joined[1]))
    return None


def _both(only: tuple[int, ...], texts: Sequence[str], letters: str) -> Reading | None:
    """Returns the letters, or the option that says them: "A and B" where D is "both A and B"."""
    if len(only) > 1:
        said = {letters[i] for i in only}
        same = [
            i for i, t in enumerate(texts) if _ONLY_LETTERS.match(t) and set(_LETTER.findall(_AND.sub(" ", t))) == said
        ]
        if len(same) == 1:
            return (same[0],), "option text"
    return (only, "letters" if len(only) > 1 else "letter") if only else None


def _labelled(text: str, texts: Sequence[str], letters: str, equal_math: EqualMath | None) -> Reading | None:
    """Reads "B. 12 cm", "Option B because ...": the letter, and whatever else the rest names.

    None where no letter begins the text; no index where the rest denies it.
    """
    small = _SMALL_LABEL.match(text)
    if small and texts and (small[1] or small[2]).upper() in letters:
        index = letters.index((small[1] or small[2]).upper())
        return ((index,), "letter and text") if _by_text(small[3], texts) == index else None
    match = _LABEL.match(text)
    letter, rest = ((match[1] or match[2]), match[3]) if match else ("", "")
    if not match and (match := _LETTER_THEN_WORDS.match(text)):
        letter, rest = match[1] or match[3] or match[5], match[2] or match[4] or match[6] or ""
    if (
        not letter
        or letter not in letters
        or (re.match(r"(?:the\s+)?(?:picture|figure|image|diagram|group)\s", text, re.I) and not _pictorial(texts))
    ):
        return None
    index = letters.index(letter)
    several = _SEVERAL_LETTERS.match(text)
    if several and _DENIED.match(several[2]):  # "A, C and D are wrong, leaving B"
        left = re.search(r"(?:leav(?:es|ing)|so|is)\s*[(]?([A-Z])[)]?\W*$", several[2])
        return ((letters.index(left[1]),), "letter") if left and left[1] in letters else ((), "denied")
    if letter == "I" and re.match(r"I\s*[,(]\s*[a-z]", text):
        return None
    rest = _NOT_OTHERS.sub("", _LATEX_SPACE.sub("", rest.strip()))
    if not rest.strip(" .,;。"):
        return (index,), "letter"
    if texts and _by_text(rest.strip("()（）. "), texts) == index:
        return (index,), "letter and text"
    own = words(texts[index]) if texts else ""
    if own and words(rest).startswith(own):
        rest = " ".join(rest.split()[len(own.split()) :])
    elif _DENIED.match(rest) and (texts or re.match(r"\W*(?:is\s+)?(?:incorrect|wrong|not\b|false\b)", rest, re.I)):
        return (), "denied"
    others = {letters.index(c) for c in _LISTED.findall(rest) if c in letters} - {index}
    alone = {letters.index(c) for c in re.findall(r"(?<![A-Za-z0-9'])[A-Z](?![A-Za-z0-9'])", rest) if c in letters} - {
        index
    }
    if alone and (
        _OTHERWISE.search(rest) or re.match(r"\s*(?:and|,|/|&|和|与)", rest) or re.fullmatch(r"\W*[A-Z]\W*", rest)
    ):
        others |= alone
    if others and not (re.search(r"\b(?:because|since|rather than|not)\b", rest) and not _OTHERWISE.search(rest)):
        return tuple(sorted({index, *others})), "letters"
    if texts:
        said = _EXPLAINS.split(rest)[0].strip("()（）., ")
        also = _by_text(said, texts) if said else None
        named = {also} if also is not None else set(_by_value(said, texts, equal_math)) if said else set()
        number = closing_number(said) if not named and said else None
        named |= set(_by_value(number, texts, None)) if number else set()
        if named - {index}:
            return tuple(sorted({index, *named})), "letter and another option's text"
    return (index,), "letter"


def _pictorial(texts: Sequence[str]) -> bool:
    """Whether the options are pictures: none has words of its own."""
    return all(len(words(t)) <= 1 or _NOUN.match(t) for t in texts)


def _chinese(sentence: str, letters: str) -> Reading | None:
    """Reads "A、B、D错误，C正确"."""
    said = _CHINESE_LETTERS.findall(sentence)
    right = {c for some, verdict in said if verdict in ("正确", "对") for c in re.findall("[A-Z]", some)}
    return (tuple(sorted(letters.index(c) for c in right)), "letter") if right and right <= set(letters) else None


def _named(sentence: str, texts: Sequence[str], letters: str) -> Reading | None:
    """Returns the option that a sentence names: by letter, by text or by value."""
    if len(sentence) > 600:
        return None
    if chinese := _chinese(sentence, letters):
        return chinese
    if texts and all(yes_no(t) is not None for t in texts) and (agrees := yes_no(SO.sub("", sentence))) is not None:
        return tuple(i for i, t in enumerate(texts) if yes_no(t) is agrees)[:1], "option text"
    if any(_PICTORIAL.match(t) for t in texts) and (mentioned := _mentioned(sentence, texts)) is not None:
        return (mentioned,), "option text"
    sentence = _NOT_OTHERS.sub("", sentence)
    if not UNSURE.search(sentence) and not _NOT_YET.search(sentence):
        found = [next(c for c in m.groups() if c) for m in _MENTION.finditer(sentence)]
        if _pictorial(texts):
            found += _PICTORIAL.findall(sentence)
        indexes = {letters.index(c) for c in found if c in letters}
        if indexes:
            return tuple(sorted(indexes)), "letter"
        last = _LAST_LETTER.match(sentence)
        if last and last[1] in letters and len(re.findall(r"(?<![A-Za-z0-9'])[B-HJ-Z](?![A-Za-z0-9'])", sentence)) <= 1:
            return (letters.index(last[1]),), "letter"
    mentioned = _mentioned(sentence, texts)
    if mentioned is not None:
        return (mentioned,), "option text"
    number = closing_number(sentence) if texts else None
    if number and (same := _by_value(number, texts, None)):
        return same, "value"
    if texts and (said := closing_time(sentence)) and (at := parse_when(said)):
        times = [i for i, t in enumerate(texts) if (option := parse_when(t)) and same_when(at, option)]
        if len(times) == 1:
            return (times[0],), "value"
    return None


def closing_choice(body: str, options: Sequence[str], num_letters: int) -> str:
    """Returns the option that a response names in its closing sentence, on a line of its own, or begins with; or nothing."""
    letters = LETTERS[:num_letters]
    texts = _texts(tuple(options))
    parts = sentences(body)
    if not parts:
        return ""
    lines = [_LABEL.match(re.sub(r"[*_]", "", line).strip()) for line in body.splitlines() if len(line) < 160]
    labelled = [
        m[1] or m[2]
        for m in lines
        if m
        and (m[1] or m[2]) in letters
        and (not m[3].strip(" .*") or _core(m[3]) == _core(texts[letters.index(m[1] or m[2])] if texts else ""))
    ]
    listed = [m for m in lines if m and (m[1] or m[2]) in letters]
    last = re.sub(r"\*\*|`", "", parts[-1])
    item = re.match(r"(?:\d+[.)]|[-*•])\s", last)  # an item of a list of several names nothing
    if not item and (len(listed) < 2 or not _LABEL.match(last)):
        named = _named(last, texts, letters) or (
            (only, "letter") if (only := _only_letters(SO.sub("", last), letters)) else None
        )
        if named and len(named[0]) == 1:
            return LETTERS[named[0][0]]
    if len(labelled) == 1 and len(listed) == 1:
        return labelled[0]
    if texts and all(yes_no(o) is not None for o in texts):
        for sentence in (parts[-1], sentences(body[:400])[0]):
            said = yes_no(SO.sub("", sentence))
            if said is None and (
                tail := re.search(r"\b(?:is|are)\s+(true|false|correct|incorrect)\W*$", sentence, re.I)
            ):
                said = yes_no(tail[1])
            if said is not None:
                return next((o for o in texts if yes_no(o) is said), "")
        return ""
    if not item and not UNSURE.search(last):
        first = sentences(body[:2000])[0]
        named = _named(first, texts, letters) if first != parts[-1] else None
        if named and len(named[0]) == 1:
            return LETTERS[named[0][0]]
    return ""


def _mentioned(sentence: str, texts: Sequence[str]) -> int | None:
    """Returns the one option whose whole text a sentence states, as words: not denied, compared, asked or supposed."""
    sentence = CONDITION.sub("", sentence)
    said = f" {_spaced(sentence)} "
    found = []
    for i, (_, _, _, spaced) in enumerate(_forms(tuple(texts))):
        if not re.search(r"[a-z]{3}|[\u4e00-\u9fff]{2}", spaced):
            continue
        at = said.find(f" {spaced} ") + 1
        if at == 0 and re.search(r"[\u4e00-\u9fff]", spaced):
            at = said.find(spaced)
        if at > 0:
            found.append((i, at, spaced))
    longest = [f for f in found if not any(o is not f and f[2] in o[2] and f[2] != o[2] for o in found)]
    if len(longest) != 1:
        return None
    index, at, spaced = longest[0]
    before, after = said[:at], said[at + len(spaced) :].rstrip(" .。")
    if re.match(r"\s*(?:and|or)\b", after):
        return None
    if UNSURE.search(before) or UNSURE.search(after) or re.search(r"[?？]", sentence) or COMPARES.search(before):
        return None
    if re.search(r"\b(?:would|could|lacks|let|need)\b", said):
        return None
    return index if not after.strip() or _STATES_IT.search(before) else None


def _spaced(text: str) -> str:
    text = re.sub(r"(?<=[a-z] )A\b", "Aα", text)  # "Figure A": no article
    text = re.sub(r"\bcan't\b|\bcan not\b", "cannot", words(text))
    return re.sub(r"[^\w'%°.-]+", " ", text).replace(". ", " ").strip(" .'")


def _by_text(text: str, texts: Sequence[str]) -> int | None:
    """Returns the one option whose words a text is; of options that repeat a text the first."""
    said = words(text)
    if not said or len(text) > _MAX_CHARS:
        return None
    squeezed = squeeze(text)
    forms = _forms(tuple(texts))
    same = [
        i
        for i, form in enumerate(forms)
        if form.squeezed == squeezed or (form.words == said and same_words(texts[i], text))
    ]
    if not same:
        core = _core(text)
        same = [i for i, form in enumerate(forms) if form.core == core]
    return same[0] if same and len({texts[i] for i in same}) == 1 else None


@remembered
def _core(text: str) -> tuple[str, ...]:
    """Returns what two ways of saying an option share: "Picture 2" and "2", "only I" and "I only", "red and blue" and "blue, red"."""
    said = re.sub(r"\bcan't\b|\bcan not\b", "cannot", _NOUN.sub("", words(text)))
    said = re.sub(r"^only (.+)$", r"\1 only", said)
    parts = word_list(said)
    return tuple(sorted(parts)) if len(parts) > 1 else (said,)


@remembered
def squeeze(text: str) -> str:
    """Returns LaTeX without what doesn't change its meaning."""
    text = unwrap(text)
    if "\\" in text or "$" in text or "~" in text:
        text = _TEXT.sub(r"\1", _NO_MEANING.sub(" ", text))
        text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    text = _LIST_COMMA.sub("、", text)  # "1, 234" is a list, "1,234" a number
    if " " in text or "\n" in text:
        text = _LOOSE_SPACE.sub("", text)
    if "_" in text:
        text = _INDEX.sub(r"\1\2", text)  # H_2O
    return text.replace("^{\\circ}", "°").replace("^\\circ", "°")


def _by_value(text: str, texts: Sequence[str], equal_math: EqualMath | None) -> tuple[int, ...]:
    """Returns the options that a text's value equals, where it equals one only; none or several tell nothing."""
    number = parse_number(text)
    if number:
        same = [
            i for i, option in enumerate(texts) if (n := parse_number(option)) and equal_numbers(number, n, DEFAULT)
        ]
        exact = [i for i in same if (n := parse_number(texts[i])) and n.value == number.value]
        return tuple(exact if len(exact) == 1 else same if len(same) == 1 else ())
    ends = parse_range(text)
    if ends and (same := [i for i, option in enumerate(texts) if parse_range(option) == ends]):
        return tuple(same) if len(same) == 1 else ()
    at = parse_when(text)
    if at:
        same = [i for i, option in enumerate(texts) if (w := parse_when(option)) and same_when(at, w)]
        if same:
            return tuple(same) if len(same) == 1 else ()
    if equal_math and re.search(r"[\d\\^_=+]", text) and len(text) <= 200:
        same = [i for i, option in enumerate(texts) if equal_math(text, option)]
        return tuple(same) if len(same) == 1 else ()
    return ()


def option_of(gold: str, options: Sequence[str], equal_math: EqualMath) -> tuple[int, ...]:
    """Returns the option that a gold is by its words or its value, where no exact reading finds one: "45" for "45°"."""
    texts = _texts(tuple(options))
    by_text = _by_text(unwrap(normal(gold)), texts)
    return (by_text,) if by_text is not None else _by_value(unwrap(normal(gold)), texts, equal_math)
