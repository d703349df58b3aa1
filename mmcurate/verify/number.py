"""Comparing numbers: commas, fractions, mixed numbers, percent, powers of ten, currencies and units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from mmcurate.answers import normal
from mmcurate.verify.text import unwrap

_MAX_CHARS = 200
_MAX_POWER = 400
_SPACES = re.compile(r"\\[,;:! ]|~|\\q?quad\b|\u00a0|\u2009|\u202f")
_DECIMAL = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>[-+−–]?)\s*(?P<currency>\\?\$|£|€|¥|US\$|USD\s|Rs\.?\s)?\s*(?P<sign2>[-−–]?)\s*"
    rf"(?:(?P<whole>\d+)\s*\\[dt]?frac\s*\{{\s*(?P<wn>\d+)\s*\}}\s*\{{\s*(?P<wd>\d+)\s*\}}"
    rf"|\\[dt]?frac\s*\{{\s*(?P<fn>-?{_DECIMAL})\s*\}}\s*\{{\s*(?P<fd>{_DECIMAL})\s*\}}"
    rf"|\\[dt]?frac\s*(?P<sn>\d)\s*(?P<sd>\d)"
    rf"|(?P<mw>\d+)\s+(?P<mn>\d+)\s*/\s*(?P<md>\d+)"
    rf"|\(?(?P<sign3>-?)(?P<an>{_DECIMAL})\s*/\s*(?P<ad>{_DECIMAL})\)?"
    rf"|(?P<value>{_DECIMAL}))"
    rf"(?:\s*(?:\\times|\\cdot|×|x|\*|·)\s*10\s*(?:\^|\*\*)\s*\{{?\s*(?P<ten>[-+−]?\d+)\s*\}}?|[eE](?P<exp>[-+]?\d+))?"
)
_PERCENT = re.compile(r"^\s*(?:\\?%|％|percent\b|per cent\b|percentage points?\b)")
# Each unit: its dimension, and how many base units it is. Areas and volumes are powers of lengths.
_UNITS: dict[str, tuple[str, Fraction]] = {}
for _dimension, _table in {
    "length": "mm 1/1000|cm 1/100|dm 1/10|m 1|km 1000|inch 127/5000|foot 381/1250|yard 1143/1250|mile 201168/125",
    "length^2": "hectare 10000",
    "length^3": "ml 1/1000000|l 1/1000",
    "mass": "mg 1/1000000|g 1/1000|kg 1|tonne 1000|pound 45359237/100000000|ounce 45359237/1600000000",
    "time": "ms 1/1000|s 1|min 60|h 3600|day 86400|week 604800",
    "money": "cent 1/100|dollar 1",
    "euro": "€ 1",
    "pounds sterling": "£ 1",
    "yen": "¥ 1",
    "rupees": "rs 1",
    "yuan": "yuan 1",
    "angle": "degree 1",
    "celsius": "°c 1",
    "fahrenheit": "°f 1",
    "kelvin": "k 1",
    "speed": "m/s 1|km/h 5/18|mph 1397/3125",
    "force": "n 1|kn 1000",
    "energy": "j 1|kj 1000|mega-j 1000000",
    "power": "w 1|kw 1000|mw 1/1000|mega-w 1000000",
    "voltage": "v 1|mv 1/1000|kv 1000",
    "current": "a 1|ma 1/1000",
    "resistance": "ohm 1|kohm 1000",
    "pressure": "pa 1|kpa 1000|mega-pa 1000000",
    "frequency": "hz 1|khz 1000|mega-hz 1000000",
}.items():
    for _entry in _table.split("|"):
        _name, _factor = _entry.split()
        _UNITS[_name] = (_dimension, Fraction(_factor))
_FACTORS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_NO_UNIT = frozenset(
    re.findall(
        r"\w+",
        "sin cos tan cot sec csc log ln lg exp sqrt mod remainder clockwise counterclockwise anticlockwise left right up down "
        "north south east west am pm noon midnight factorial squared cubed pi or and to but not if unless is are times minus "
        "plus less more than least most fewer greater at over under between from with without except either",
    )
)
_ALIASES = {
    "millimeter": "mm",
    "millimetre": "mm",
    "centimeter": "cm",
    "centimetre": "cm",
    "meter": "m",
    "metre": "m",
    "kilometer": "km",
    "kilometre": "km",
    "in": "inch",
    "inche": "inch",
    "ft": "foot",
    "feet": "foot",
    "yd": "yard",
    "mi": "mile",
    "gram": "g",
    "kilogram": "kg",
    "kgs": "kg",
    "ton": "tonne",
    "t": "tonne",
    "lb": "pound",
    "oz": "ounce",
    "second": "s",
    "sec": "s",
    "minute": "min",
    "mins": "min",
    "hour": "h",
    "hr": "h",
    "d": "day",
    "°": "degree",
    "deg": "degree",
    "\\circ": "degree",
    "^\\circ": "degree",
    "º": "degree",
    "dollar": "dollar",
    "usd": "dollar",
    "liter": "l",
    "litre": "l",
    "milliliter": "ml",
    "newton": "n",
    "joule": "j",
    "watt": "w",
    "volt": "v",
    "ampere": "a",
    "amp": "a",
    "ω": "ohm",
    "\\omega": "ohm",
    "pascal": "pa",
    "kph": "km/h",
    "°f": "°f",
    "°c": "°c",
    "℃": "°c",
    "miles per hour": "mph",
    "mi/h": "mph",
    "euro": "€",
    "eur": "€",
    "rs.": "rs",
    "rupee": "rs",
    "hertz": "hz",
    "km/hr": "km/h",
    "km/hour": "km/h",
    "kilometers per hour": "km/h",
    "meters per second": "m/s",
    "厘米": "cm",
    "毫米": "mm",
    "米": "m",
    "千米": "km",
    "公里": "km",
    "克": "g",
    "千克": "kg",
    "秒": "s",
    "分钟": "min",
    "小时": "h",
    "度": "degree",
    "元": "yuan",
    "平方厘米": "cm^2",
    "平方米": "m^2",
    "立方厘米": "cm^3",
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written.

    Attributes:
        value: exact; a percentage is its hundredth.
        decimals: digits after the point, or None for an integer or fraction.
        percent: whether it was written as a percentage.
        unit: what follows it, in a standard form, or an empty text.
        digits: how many significant digits it was written with.
    """

    value: Fraction
    decimals: int | None
    percent: bool
    unit: str
    digits: int


def parse_number(text: str) -> Number | None:
    """Returns the number that a whole text is, with its unit, or None.

    "x = 1,234.5 cm", "-\\frac{3}{4}", "2 1/2", "45%", "3.0 \\times 10^8 m/s" and "$12" are numbers; "3 or 4" is none.
    """
    text = _SPACES.sub(" ", normal(unwrap(text))).strip()
    text = unwrap(text.replace("\\left", "").replace("\\right", "").replace("{,}", ",").replace("\\!", ""))
    text = re.sub(
        r"^(?:[A-Za-z]\w{0,2}|\\?[A-Za-z]+(?:_\{?\w+\}?)?|\\angle\s*\w+|∠\s*\w+|[A-Za-z]\([^()]*\))\s*(?:=|≈|\\approx)\s*",
        "",
        text,
    )
    text = re.sub(r"^(?:about|approximately|approx\.?|exactly|around|≈|\\approx|=)\s*", "", text, flags=re.I)
    text = (
        re.sub(r"(?<=\d) (?=\d{3}(?:\D|$))", "", text)
        if re.fullmatch(r"-?\d{1,3}(?: \d{3})+(?:\.\d+)?", text)
        else text
    )
    if not text or len(text) > _MAX_CHARS:
        return None
    match = _NUMBER.match(text)
    if not match:
        return None
    number = _value(match)
    if number is None:
        return None
    value, decimals, digits = number
    rest = text[match.end() :]
    factor = re.match(r"\s*(hundred|thousand|million|billion|trillion|dozen)\b", rest, re.I)
    if factor:
        value, rest = value * _FACTORS[factor[1].lower()], rest[factor.end() :]
        decimals = None if decimals is None else decimals - len(str(_FACTORS[factor[1].lower()])) + 1
    percent = _PERCENT.match(rest)
    if percent:
        value, rest = value / 100, rest[percent.end() :]
    unit = _unit(rest)
    if unit and _standard(unit) is None and rest[:1].isascii() and not rest[:1].isspace():
        return None  # "2xyz" is a product, "2 apples" a number
    if unit is None or (unit and percent):
        return None
    if match["currency"] and not unit:
        sign = match["currency"].strip().lower().rstrip(".")
        unit = "dollar" if "$" in sign or "usd" in sign else sign
    return Number(value, decimals, bool(percent), unit, digits)


def _value(match: re.Match[str]) -> tuple[Fraction, int | None, int] | None:
    g = match.groupdict()
    negative = sum((g[s] or "") in ("-", "−", "–") for s in ("sign", "sign2", "sign3")) % 2
    decimals: int | None = None
    digits = 99
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
            digits = len(plain.replace(".", "").lstrip("0")) or 1
            if "." in plain:
                decimals = len(plain) - plain.index(".") - 1
        power = int((g["ten"] or g["exp"] or "0").replace("−", "-"))
    except (ZeroDivisionError, InvalidOperation, ValueError):
        return None
    if abs(power) > _MAX_POWER:
        return None
    if power:
        value, decimals = value * Fraction(10) ** power, (decimals or 0) - power
    return -value if negative else value, decimals, digits


def _decimal(text: str) -> Fraction:
    return Fraction(Decimal(text.replace(",", "")))


def _unit(text: str) -> str | None:
    """Returns what follows a number as a unit, an empty text where nothing does, or None where it is no unit."""
    text = re.sub(r"\\(?:text|mathrm|mathbf|operatorname|rm|textrm)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\^?\s*\{?\s*\\circ\s*\}?", "°", text)
    if re.search(r"\\[A-Za-z]", text):
        return None
    text = re.sub(r"[{}\\]", "", text).replace("$", " ").strip().removesuffix(".").strip()
    if not text or len(text) > 40:
        return None if text else ""
    mega = re.fullmatch(r"M(W|J|Pa|Hz)", text)
    if mega:
        return f"mega-{mega[1].lower()}"
    text = re.sub(r"\s+", " ", text.lower())
    squared = re.match(r"^(?:sq(?:uare|\.)?|平方)\s*(.+)$", text)
    cubed = re.match(r"^(?:cubic|cu\.?|立方)\s*(.+)$", text)
    base, power = (squared[1], "2") if squared else (cubed[1], "3") if cubed else (text, "")
    match = re.match(r"^([a-z]+)\s*\^?\s*([23])$", base)
    if match and not power:
        base, power = match[1], match[2]
    base = base.strip(" .")
    for name in (base, base.removesuffix("s"), base.removesuffix("es")):
        name = _ALIASES.get(name, name)
        if name in _UNITS:
            return f"{name}^{power}" if power else name
    plain = re.fullmatch(r"[a-z]{3,}(?:[ -][a-z]+){0,2}(?: ?/ ?[a-z]+)?|[\u4e00-\u9fff]{1,3}", base)
    if not plain or _NO_UNIT & set(re.split(r"[ /-]", base)) or re.search("[或和与且到不无]", base):
        return None
    return base.removesuffix("s") + (f"^{power}" if power else "")


def _standard(unit: str) -> tuple[str, Fraction] | None:
    """Returns a known unit's dimension and factor."""
    name, _, power = unit.partition("^")
    if name not in _UNITS:
        return None
    dimension, factor = _UNITS[name]
    return (f"{dimension}^{power}", factor ** int(power)) if power else (dimension, factor)


def equal_numbers(answer: Number, gold: Number) -> bool | None:
    """Whether an answer is the gold: exactly for integers and fractions, to the precision given for decimals.

    A missing unit is forgiven and a different known unit converted; a percentage equals its fraction and its bare
    number ("45%", "0.45", "45"). A decimal may be rounded to three or more significant digits. None where the
    values agree and the units are two words that may or may not mean the same.
    """
    a, g = answer.value, gold.value
    differ = bool(answer.unit and gold.unit and answer.unit != gold.unit)
    if differ:
        ours, theirs = _standard(answer.unit), _standard(gold.unit)
        if ours and theirs:
            if ours[0] != theirs[0]:
                return False
            a, g = a * ours[1], g * theirs[1]
            decimal = answer.decimals is not None or gold.decimals is not None
            return a == g or (decimal and _close(a, g, 3e-3))
    if _near(a, answer, g, gold):
        return None if differ else True
    if answer.percent != gold.percent:
        bare_a, bare_g = (a * 100, g) if answer.percent else (a, g * 100)
        return bare_a == bare_g or _near(bare_a, answer, bare_g, gold)
    return False


def _near(a: Fraction, answer: Number, g: Fraction, gold: Number) -> bool:
    """Whether the number with fewer digits is the other one rounded, or cut, at its last digit."""
    if a == g:
        return True
    if (a < 0) != (g < 0) or not a or not g:
        return False
    rounded = [(n, v) for n, v in ((answer, a), (gold, g)) if n.digits < 99]
    if not rounded or all(n.decimals is None for n, _ in rounded):
        return False  # fractions and integers are exact
    if gold.decimals is None and gold.digits < 99:
        return False  # the gold is an integer
    coarse, value = min(rounded, key=lambda item: _places(item[0]))
    other = g if coarse is answer else a
    if coarse.digits < (3 if coarse.decimals is None else 2):
        return False
    scale = Fraction(10) ** _places(coarse)
    low, high = abs(other) * scale, abs(value) * scale
    return (int(low) == high or abs(low - high) <= Fraction(1, 2)) and _close(a, g, 5e-3)


def _places(number: Number) -> int:
    """Returns how many decimals of the value are meant."""
    return (number.decimals or 0) + (2 if number.percent else 0)


def _close(a: Fraction, g: Fraction, relative: float) -> bool:
    return abs(a - g) <= Fraction(relative) * abs(g)
