"""Numbers in words: "twenty-five", "two and a half", "three quarters", "三百二十", "三分之一"."""

from __future__ import annotations

import re
from fractions import Fraction

_ONES = {
    word: i
    for i, word in enumerate(
        re.findall(
            r"\w+",
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen",
        )
    )
}
_TENS = {
    word: 10 * i
    for i, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_ORDINALS = {
    word: i
    for i, word in enumerate(re.findall(r"\w+", "first second third fourth fifth sixth seventh eighth ninth tenth"), 1)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
_PARTS |= {word + "s": n for word, n in _PARTS.items() if n > 2}
_WORD = "|".join([*_ONES, *_TENS, *_SCALES])
_RUN = re.compile(
    rf"(?:(?:{_WORD}|a(?=\s+(?:hundred|thousand|million|billion|dozen)))(?:\s+and\s+(?=(?:{_WORD})\b)|[\s-]+|$|(?=[^\w]))){{1,12}}",
    re.I,
)
_FRACTION = re.compile(
    rf"(?:(?P<whole>{'|'.join(_ONES)})\s+and\s+)?(?P<top>an?|one|two|three|four|five|six|seven|eight|nine)?[\s-]*(?P<part>{'|'.join(_PARTS)})(?![\w-])",
    re.I,
)
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_CHINESE = "零〇一二三四五六七八九两十百千万亿"


def with_digits(text: str) -> str:
    """Returns a text whose leading number in words is written in digits: "Five apples" gives "5 apples"."""
    if not text or not (text[0].isalpha() or text[0] in "-−"):
        return text
    minus = re.match(r"(?:minus|negative|负)\s*", text, re.I)
    if minus:
        rest = with_digits(text[minus.end() :])
        return "-" + rest if rest[:1].isdigit() else text
    if text[0].isascii():
        if text.lower().rstrip(".") in _ORDINALS:
            return f"{_ORDINALS[text.lower().rstrip('.')]}"
        fraction = _FRACTION.match(text)
        if fraction and (fraction["top"] or fraction["part"].lower() in ("half",)):
            value = Fraction(_small(fraction["top"] or "one"), _PARTS[fraction["part"].lower()])
            if fraction["whole"]:
                value += _ONES[fraction["whole"].lower()]
            rest = re.sub(r"^\s+(?:of\s+)?(?:an?\s+)?(?=\w)", " ", text[fraction.end() :])
            if not re.match(r"\s*(?:past|to)\b", rest):
                return f"{value.numerator}/{value.denominator}" + rest
        run = _RUN.match(text)
        if not run or (run.end() < len(text) and text[run.end() - 1].isalnum() and text[run.end()].isalnum()):
            return text
        number = _english(re.findall(r"[a-z]+", run[0].lower()))
        if number is None:
            return text
        rest = text[run.end() :]
        point = re.match(rf"point\s+((?:(?:{'|'.join(_ONES)})\b[\s-]*)+)", rest, re.I)
        if point:
            digits = "".join(str(_ONES[word]) for word in re.findall(r"[a-z]+", point[1].lower()))
            return f"{number}.{digits}" + (" " + rest[point.end() :] if rest[point.end() :].strip() else "")
        if rest.lower().startswith("dozen"):
            return f"{number * 12}{rest[5:]}"
        return f"{number}" + (" " + rest.lstrip() if rest.strip() else "")
    percent = re.match(rf"百分之([{_CHINESE}]+|\d+(?:\.\d+)?)", text)
    if percent:
        share = percent[1] if percent[1][0].isdigit() else _chinese(percent[1])
        return f"{share}%" + text[percent.end() :]
    part = re.match(rf"([{_CHINESE}]+|\d+)分之([{_CHINESE}]+|\d+)", text)
    if part:
        bottom, top = (int(p) if p.isdigit() else _chinese(p) for p in part.groups())
        return f"{top}/{bottom}" + text[part.end() :]
    run = re.match(rf"[{_CHINESE}]+", text)
    if run and not (len(run[0]) == 1 and run[0] in "十百千万亿零") | (run[0] == "十"):
        whole = _chinese(run[0])
        return text if whole is None else f"{whole}" + text[run.end() :]
    if text == "十":
        return "10"
    return text


def _small(word: str) -> int:
    return 1 if word.lower() in ("a", "an") else _ONES[word.lower()]


def _english(names: list[str]) -> int | None:
    total = current = 0
    last = 10**15
    used = False
    for name in names:
        if name == "and":
            continue
        if name == "a":
            current, used = 1, True
            last = 1
        elif name in _ONES or name in _TENS:
            value = _ONES.get(name, _TENS.get(name, 0))
            if used and last < 100 and not (last in _TENS.values() and 0 < value < 10):
                return None  # "five six" are two numbers
            current, used, last = current + value, True, value
        else:
            scale = _SCALES[name]
            if not used:
                return None
            if scale == 100:
                current, last = max(1, current) * 100, 100
            else:
                total, current, last = total + max(1, current) * scale, 0, scale
    return total + current if used else None


def _chinese(text: str) -> int | None:
    if all(c in _DIGITS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    total = section = digit = 0
    for c in text:
        if c in _DIGITS:
            digit = _DIGITS[c]
        elif c in _UNITS:
            section += (digit or 1) * _UNITS[c]
            digit = 0
        else:
            total = (total + section + digit) * (10**4 if c == "万" else 10**8)
            section = digit = 0
    return total + section + digit
