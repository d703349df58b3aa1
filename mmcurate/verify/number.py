"""Comparing numbers: commas, fractions, mixed numbers, percent, powers of ten, number words, currencies and units."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from mmcurate.answers import normal
from mmcurate.verify.numerals import with_digits
from mmcurate.verify.policy import Policy
from mmcurate.verify.text import remembered, unwrap
from mmcurate.verify.units import Unit, parse_unit, plain_unit

_MAX_CHARS = 400
_MAX_POWER = 400
_SPACES = re.compile(r"\\[,;:! ]|~|\\q?quad\b|[\u00a0\u2009\u202f]")
_DECIMAL = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>[-+−–]?)\s*(?P<currency>(?:US|A|C|HK|NT)?\\?\$|£|€|¥|₹|USD\s|RMB\s|Rs\.?\s)?\s*(?P<sign2>[-−–]?)\s*"
    rf"(?:(?P<whole>\d+)\s*\\[dtc]?frac\s*\{{\s*(?P<wn>\d+)\s*\}}\s*\{{\s*(?P<wd>\d+)\s*\}}"
    rf"|\\[dtc]?frac\s*\{{\s*(?P<fn>-?{_DECIMAL})\s*\}}\s*\{{\s*(?P<fd>{_DECIMAL})\s*\}}"
    rf"|\\[dtc]?frac\s*(?P<sn>\d)\s*(?P<sd>\d)"
    rf"|(?P<mw>\d+)\s+(?:and\s+)?(?P<mn>\d+)\s*/\s*(?P<md>\d+)"
    rf"|\(?(?P<sign3>-?)(?P<an>{_DECIMAL})\s*/\s*(?P<ad>{_DECIMAL})\)?"
    rf"|(?P<value>{_DECIMAL}))"
    rf"(?:\s*(?:\\times|\\cdot|×|x|X|\*|·)\s*10\s*(?:\^|\*\*)\s*(?:\{{\s*(?P<ten>[-+−]?\d+)\s*\}}|\(\s*(?P<ten3>[-+−]?\d+)\s*\)"
    rf"|(?P<ten2>[-+−]?\d+))|[eE](?P<exp>[-+]?\d+))?"
)
_TEXT = re.compile(r"\\(?:text|mathrm|textrm|mbox)\s*\{([^{}]*)\}")
_PERCENT = re.compile(r"^\s*(?:\\?%|％|percent(?:age)?\b|per cent\b|pct\b|percentage points?\b)(?:\s+points?\b)?", re.I)
_FACTORS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
            "quadrillion": 10**15, "quintillion": 10**18, "lakh": 10**5, "crore": 10**7,
            "dozen": 12,
            "百": 100, "千": 1000, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8, "mil": 10**6, "bn": 10**9, "mn": 10**6}  # fmt: skip
_FACTOR = re.compile(
    r"\s*(?:(hundred|thousand|million|billion|trillion|quadrillion|quintillion|lakh|crore|dozen|mil|bn|mn)s?\b|(百万|千万|百|千|万|亿))",
    re.I,
)
_LETTER_FACTOR = {"k": 1000, "M": 10**6, "B": 10**9, "bn": 10**9}
NO_UNIT = frozenset(
    re.findall(
        r"\w+",
        "sin cos tan cot sec csc log ln lg exp sqrt mod remainder clockwise counterclockwise anticlockwise left right up down "
        "north south east west am pm noon midnight factorial squared cubed pi or and to but not if unless is are times minus "
        "plus less more than least most fewer greater at over under between from with without except either hundredth hundredths tenth "
        "tenths thousandth thousandths millionth millionths million billion thousand hundred trillion tens score gross pairs halves thirds quarters fourths "
        "fifths sixths sevenths eighths ninths century centuries bc bce ad ce ago later earlier decrease drop loss decline "
        "reduction negative positive rejected wrong incorrect is was "
        "divided multiplied by than out next cubed",
    )
)
_NAMED = re.compile(
    r"^(?:[A-Za-z]\w{0,2}|\\?[A-Za-z]+(?:_\{?\w+\}?)?|\\angle\s*\{?\w+\}?|∠\s*\w+|[A-Za-z]{1,3}\([^()]*\)|[A-Za-z]_\{?\w+\}?'?|[A-Z]{1,4}'?)\s*"
    r"(?:=|≈|\\approx)\s*"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written.

    Attributes:
        value: exact; a percentage is its hundredth.
        decimals: digits after the point, or None for an integer or fraction.
        percent: whether it was written as a percentage.
        unit: what follows it, without LaTeX, or an empty text.
    """

    value: Fraction
    decimals: int | None
    percent: bool
    unit: str


def parse_number(text: str) -> Number | None:
    """Returns the number that a whole text is, with its unit, or None.

    "x = 1,234.5 cm", "-\\frac{3}{4}", "2 1/2", "45%", "3.0 \\times 10^8 m/s", "$12", "twelve", "5 ft 6 in" and "1.5M" are
    numbers; "3 or 4" is none.
    """
    return _parse(text) if len(text) <= _MAX_CHARS else None


@remembered
def _parse(text: str) -> Number | None:
    text = re.sub(r"(?<=\d),\\!\s*(?=\d{3})", ",", text).replace("\u2033", '"').replace("\u2032", "'")
    text = _SPACES.sub(" ", normal(unwrap(text))).strip()
    text = unwrap(re.sub(r"\\(?:left|right)(?![A-Za-z])", "", text).replace("{,}", ","))
    text = text.replace("\\(", "").replace("\\)", "").strip()
    text = _NAMED.sub("", text)
    text = re.sub(
        r"^(?:about|approximately|approx\.?|exactly|around|roughly|a total of|only|约|大约|≈|\\approx|=|\\sim|~)\s*",
        "",
        text,
        flags=re.I,
    )
    text = (
        re.sub(r"(?<=\d) (?=\d{3}(?:\D|$))", "", text)
        if re.fullmatch(r"-?\d{1,3}(?: \d{3})+(?:\.\d+)?", text)
        else text
    )
    if not text:
        return None
    if text[0].isalpha() or (text[0] == "-" and text[1:2].isalpha()):
        text = with_digits(text)
    below = re.fullmatch(r"(.+?)\s+below zero", text, re.I)
    if below and (number := _parse(below[1])):
        return dataclasses.replace(number, value=-abs(number.value))
    out_of = re.fullmatch(r"(\d+)\s+out of\s+(\w+)", text, re.I)
    if out_of and (whole := with_digits(out_of[2])).isdigit() and int(whole):
        return Number(Fraction(int(out_of[1]), int(whole)), None, False, "")
    inches = re.fullmatch(r"(\d[\d.,/ ]*?)\s*(\"|'|'')", text)
    if inches and (number := _parse(inches[1])):
        return dataclasses.replace(number, unit="foot" if inches[2] == "'" else "inch")
    parts = _compound(text)
    if parts:
        return parts
    match = _NUMBER.match(text)
    if not match:
        return None
    read = _value(match)
    if read is None:
        return None
    value, decimals = read
    rest = _TEXT.sub(r"\1", text[match.end() :])
    factor = _FACTOR.match(rest)
    letter = re.match(r"(k|M|B|bn)(?![\w^/])", rest)
    if factor:
        size = _FACTORS[(factor[1] or factor[2]).lower()]
        value, rest = value * size, rest[factor.end() :]
        decimals = None if decimals is None else max(0, decimals - len(str(size)) + 1)
    elif letter:
        value, rest = value * _LETTER_FACTOR[letter[1]], rest[letter.end() :]
        decimals = None
    percent = _PERCENT.match(rest)
    if percent:
        value, rest = value / 100, rest[percent.end() :]
    rest = re.sub(r"^(?:st|nd|rd|th)\b", "", rest)
    if re.fullmatch(r"\d{3,4}s", text):
        return None  # a decade
    unit = _unit(rest)
    if unit and parse_unit(unit) is None and rest[:1].isascii() and rest[:1] != "\\" and not rest[:1].isspace():
        return None  # "2xyz" is a product, "2 apples" a number
    if unit is None or (unit and percent and parse_unit(unit)):
        return None  # "5% cm"
    if match["currency"]:
        sign = match["currency"].replace("\\", "").strip().lower().rstrip(".")
        money = "dollar" if "$" in sign or "usd" in sign else {"rmb": "yuan"}.get(sign, sign)
        if unit and parse_unit(unit) != parse_unit(money):
            return None if parse_unit(unit) else Number(value, decimals, False, unit)
        unit = money
    return Number(value, decimals, bool(percent), unit)


_RANGE = re.compile(
    r"(?:(?:from|between)\s+)?(-?[\d.,]+)\s*%?\s*(?:-|–|—|~|to|and|至|到)\s*(-?[\d.,]+)\s*(%|[A-Za-z°\u4e00-\u9fff][\w °/^]*)?",
    re.I,
)


def parse_range(text: str) -> tuple[Fraction, Fraction, str] | None:
    """Returns the ends and the unit of "6-10", "6 to 10 cm" or "between 6 and 10"; None where a text is no range."""
    text = unwrap(text.replace("\u2013", "-").replace("\u2014", "-"))
    match = _RANGE.fullmatch(text)
    if not match or (re.search(r"\band\b", text) and not text.lower().startswith("between")):
        return None
    low, high = parse_number(match[1]), parse_number(match[2])
    if low is None or high is None or low.value >= high.value:
        return None
    return low.value, high.value, (match[3] or "").strip().lower()


_PART = re.compile(r"\s*(?:,|and)?\s*(\d+(?:\.\d+)?|\d+\s*/\s*\d+)\s*([A-Za-z'\"′″°$¢]+|[\u4e00-\u9fff]{1,2})\.?")


def _compound(text: str) -> Number | None:
    """Reads "5 ft 6 in", "1 h 30 min", "3 hours and 20 minutes": two or more units of one kind, each smaller than the one before."""
    if not re.search(r"\d\D+\d", text):
        return None
    sign = -1 if text.startswith("-") else 1
    at = 1 if sign < 0 else 0
    total, dimension, first = Fraction(0), None, ""
    sizes: list[Fraction] = []
    text = re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r"\1", text)
    if "°" in text and re.search(r"[′']", text):
        text = (
            text.replace("°", "degree ")
            .replace("″", "arcsecond")
            .replace('"', "arcsecond")
            .replace("′", "arcminute ")
            .replace("'", "arcminute ")
        )
    if not re.search(r"[′'\"″]", text):
        pass
    elif re.match(r"^\s*\d+\s*['′]\s*\d+", text):
        text = text.replace("′", "'").replace("″", '"').replace("'", " foot ").replace('"', " inch")
    while at < len(text):
        match = _PART.match(text, at)
        if not match:
            return None
        unit = {
            "arcminute": Unit((("angle", 1),), Fraction(1, 60)),
            "arcsecond": Unit((("angle", 1),), Fraction(1, 3600)),
        }.get(match[2]) or parse_unit(match[2])
        if unit is None or unit.offset or (dimension is not None and unit.dimension != dimension):
            return None
        dimension = unit.dimension
        if sizes and unit.factor >= sizes[-1]:
            return None
        first = first or match[2]
        numerator, _, denominator = match[1].partition("/")
        if denominator and not int(denominator):
            return None
        value = Fraction(numerator.strip()) / (int(denominator) if denominator else 1)
        total += value * unit.factor
        sizes.append(unit.factor)
        at = match.end()
    if len(sizes) < 2:
        return None
    return Number(sign * total / sizes[0], None, False, first)


def _value(match: re.Match[str]) -> tuple[Fraction, int | None] | None:
    g = match.groupdict()
    negative = sum((g[s] or "") in ("-", "−", "–") for s in ("sign", "sign2", "sign3")) % 2
    decimals: int | None = None
    try:
        if g["whole"]:
            value = int(g["whole"]) + Fraction(int(g["wn"]), int(g["wd"]))
        elif g["fn"]:
            value = _decimal(g["fn"]) / _decimal(g["fd"])
        elif g["sn"]:
            value = Fraction(int(g["sn"]), int(g["sd"]))
        elif g["mw"]:
            value = int(g["mw"]) + Fraction(int(g["mn"]), int(g["md"]))
        elif g["an"]:
            value = _decimal(g["an"]) / _decimal(g["ad"])
        else:
            value = _decimal(g["value"])
            plain = g["value"].replace(",", "")
            if "." in plain:
                decimals = len(plain) - plain.index(".") - 1
        power = int((g["ten"] or g["ten2"] or g["ten3"] or g["exp"] or "0").replace("−", "-"))
    except (ZeroDivisionError, InvalidOperation, ValueError):
        return None
    if abs(power) > _MAX_POWER:
        return None
    if power:
        value, decimals = value * Fraction(10) ** power, (decimals or 0) - power
    return -value if negative else value, decimals


def _decimal(text: str) -> Fraction:
    return Fraction(Decimal(text.replace(",", "")))


@remembered
def _unit(text: str) -> str | None:
    """Returns what follows a number as a unit, an empty text where nothing does, or None where it is no unit."""
    text = plain_unit(text.replace("\\%", "%"))
    if not text:
        return ""
    if re.search(r"\\[A-Za-z]", text) or len(text) > 60:
        return None
    if re.fullmatch(r"\(.*\)", text):
        text = text[1:-1].strip()
    if parse_unit(text):
        return text
    low = text.lower().rstrip(".")
    plain = re.fullmatch(r"[a-z]{3,}(?:[ -][a-z]+){0,3}(?: ?/ ?[a-z]+)?|[\u4e00-\u9fff]{1,4}", low)
    if not plain or NO_UNIT & set(re.split(r"[ /-]", low)) or re.search("[或和与且到不无分点折成余多以上下]", low):
        return None
    return low.removesuffix("s")


def equal_numbers(answer: Number, gold: Number, policy: Policy) -> bool | None:
    """Whether an answer is the gold: exactly for integers and fractions, to the precision given for decimals.

    A missing unit is forgiven and a different known unit converted; a percentage equals its fraction and its bare
    number ("45%", "0.45", "45"). None where the values agree and the units are two words that may or may not mean the same.
    """
    a, g = answer.value, gold.value
    ours, theirs = parse_unit(answer.unit), parse_unit(gold.unit)
    celsius = {"C": "°C", "F": "°F"}
    if {answer.unit, gold.unit} & {"°C", "°F", "℃"}:
        answer, gold = (dataclasses.replace(n, unit=celsius.get(n.unit, n.unit)) for n in (answer, gold))
        ours, theirs = parse_unit(answer.unit), parse_unit(gold.unit)
    if "¥" in (answer.unit, gold.unit) and {"元", "yuan"} & {answer.unit, gold.unit}:
        return a == g or near(answer, gold, policy)
    if answer.unit and gold.unit and ours and theirs:
        if ours != theirs:
            if ours.dimension != theirs.dimension:
                return False
            return _equal_converted(answer, gold, ours, theirs, policy)
        return a == g or near(answer, gold, policy)
    if answer.unit and gold.unit:
        if _alike(answer.unit, gold.unit):
            return a == g or near(answer, gold, policy)
        return None if near(answer, gold, policy) else False
    one_sided = bool(answer.unit) != bool(gold.unit)
    if one_sided and not policy.missing_units and not (answer.percent or gold.percent):
        return False
    if a == g or near(answer, gold, policy):
        return True
    if one_sided and policy.cents_as_dollars and {"dollar", "cent", "$"} & {answer.unit, gold.unit}:
        return a == g * 100 or a * 100 == g
    if "K" in (answer.unit, gold.unit) and one_sided:  # "5K" for 5,000
        return a * 1000 == g if answer.unit else a == g * 1000
    if (
        answer.percent != gold.percent
        and policy.percent_as_number
        and not (answer.unit and not answer.percent)
        and not (gold.unit and not gold.percent)
    ):
        bare = [Number(n.value * 100, n.decimals, False, "") if n.percent else n for n in (answer, gold)]
        return bare[0].value == bare[1].value or near(bare[0], bare[1], policy)
    return False


def _equal_converted(answer: Number, gold: Number, ours: Unit, theirs: Unit, policy: Policy) -> bool:
    """Compares in either unit: exactly, or a decimal with the other number rounded."""
    in_theirs = (answer.value * ours.factor + ours.offset - theirs.offset) / theirs.factor
    if in_theirs == gold.value:
        return True
    stated = within(in_theirs, gold.value, policy)
    if stated is not None:
        return stated
    in_ours = (gold.value * theirs.factor + theirs.offset - ours.offset) / ours.factor
    if answer.decimals is not None and rounds_to(in_ours, answer.value, answer.decimals, policy):
        return True
    return gold.decimals is not None and rounds_to(in_theirs, gold.value, gold.decimals, policy, coarse_gold=True)


_OVER = re.compile(r"(\d+)\s*/\s*(\d+)|\\[dtc]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}|\\[dtc]?frac\s*(\d)\s*(\d)")


def is_simplified(text: str) -> bool:
    """Whether the fractions of integers in a text are in lowest terms."""
    for match in _OVER.finditer(text):
        top, bottom = (int(n) for n in match.groups() if n is not None)
        if bottom == 1 or math.gcd(top, bottom) != 1:
            return False
    return True


def _alike(a: str, b: str) -> bool:
    """Whether two unknown units are the same words, one of them perhaps with more: "apple", "red apple"; "children", "child"."""
    a, b = a.lower().removesuffix("s"), b.lower().removesuffix("s")
    return (
        a == b
        or a.removesuffix("e") == b.removesuffix("e")
        or {a, b} in ({"people", "person"}, {"child", "children"}, {"unit", "square unit"})
    )


def near(answer: Number, gold: Number, policy: Policy) -> bool:
    """Whether one of two decimals is the other one rounded."""
    if answer.value == gold.value:
        return True
    scale = 100 if gold.percent else 1  # decimals are those that are written
    stated = within(answer.value * scale, gold.value * scale, policy)
    if stated is not None:
        return stated
    if policy.rounding is None or (gold.decimals is None and gold.value.denominator == 1):
        return False
    pairs = [(n, _places(n)) for n in (answer, gold) if n.decimals is not None]
    if not pairs:
        return False
    coarse, places = min(pairs, key=lambda item: item[1])
    return rounds_to(
        (gold if coarse is answer else answer).value, coarse.value, places, policy, coarse_gold=coarse is gold
    )


def within(answer: Fraction, gold: Fraction, policy: Policy) -> bool | None:
    """Whether two numbers are as close as the policy states; None where it states no distance."""
    if policy.tolerance is not None:
        return abs(answer - gold) <= Fraction(str(policy.tolerance))
    if policy.decimals is not None:
        return round(answer, policy.decimals) == round(gold, policy.decimals)
    return None


def rounds_to(value: Fraction, coarse: Fraction, places: int, policy: Policy, *, coarse_gold: bool = False) -> bool:
    """Whether a coarse decimal is a value rounded, or cut, at its last digit, and close enough to it.

    Args:
        value: the finer number.
        coarse: the decimal.
        places: how many digits it has after its point; negative for 1.2e3.
        policy: says how close.
        coarse_gold: whether the decimal is the gold; then the answer must round to it.
    """
    if policy.rounding is None:
        return value == coarse
    if not value or not coarse or (value < 0) != (coarse < 0):
        return False
    scale = Fraction(10) ** places
    low, high = abs(value) * scale, abs(coarse) * scale
    if high < 10 ** (policy.rounding - 1 - coarse_gold):
        return False  # too few digits
    if not (abs(low - high) <= Fraction(1, 2) or (not coarse_gold and int(low) == high)):
        return False
    return abs(low - high) <= Fraction(1 + coarse_gold, 2 * 10 ** (policy.rounding - 1)) * high


def _places(number: Number) -> int:
    """Returns how many decimals of the value are meant."""
    return (number.decimals or 0) + (2 if number.percent else 0)
