"""Units of measurement: what they measure, and how many base units they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from mmcurate.verify.text import remembered, words

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: powers of base dimensions, its size in base units, and where its zero lies (temperatures alone)."""

    dimension: Dimension
    factor: Fraction
    offset: Fraction = Fraction(0)


_SYMBOLS: dict[str, Unit] = {}  # case matters: mW and MW
_NAMES: dict[str, Unit] = {}


def _dim(text: str) -> Dimension:
    powers: dict[str, int] = {}
    for part in text.split():
        name, _, power = part.partition("^")
        powers[name] = powers.get(name, 0) + int(power or 1)
    return tuple(sorted((n, p) for n, p in powers.items() if p))


_PREFIXES = {"n": (-9, "nano"), "μ": (-6, "micro"), "u": (-6, "micro"), "m": (-3, "milli"), "c": (-2, "centi"), "d": (-1, "deci"),
             "k": (3, "kilo"), "M": (6, "mega"), "G": (9, "giga"), "p": (-12, "pico")}  # fmt: skip
# symbol, names, dimension, size
_METRIC = """m metre meter|length|1
g gram|mass|1/1000
s second sec|time|1
N newton|mass length time^-2|1
J joule|mass length^2 time^-2|1
W watt|mass length^2 time^-3|1
Pa pascal|mass length^-1 time^-2|1
V volt|mass length^2 time^-3 current^-1|1
A ampere amp|current|1
Ω ohm|mass length^2 time^-3 current^-2|1
C coulomb|current time|1
F farad|mass^-1 length^-2 time^4 current^2|1
T tesla|mass time^-2 current^-1|1
H henry|mass length^2 time^-2 current^-2|1
Wb weber|mass length^2 time^-2 current^-1|1
Hz hertz|time^-1|1
L litre liter|length^3|1/1000
l|length^3|1/1000
mol mole|amount|1
eV electronvolt|mass length^2 time^-2|1602176634/10000000000000000000000000000
cal calorie|mass length^2 time^-2|4184/1000
rad radian|radian|1
B byte|data|1"""
_OTHER = """inch in|length|127/5000
foot feet ft|length|381/1250
yard yd|length|1143/1250
mile mi|length|201168/125
hectare ha|length^2|10000
acre|length^2|40468564224/10000000
gallon gal|length^3|3785411784/1000000000000
quart qt|length^3|946352946/1000000000000
pint pt|length^3|473176473/1000000000000
cup|length^3|2365882365/10000000000000
cc|length^3|1/1000000
tonne ton t|mass|1000
pound lb lbs|mass|45359237/100000000
ounce oz|mass|45359237/1600000000
minute min mins|time|60
hour h hr hrs|time|3600
day d|time|86400
week wk|time|604800
month|month|1
year yr yrs|month|12
decade|month|120
kgs|mass|1
bar|mass length^-1 time^-2|100000
atm|mass length^-1 time^-2|101325
mmHg|mass length^-1 time^-2|101325/760
kWh|mass length^2 time^-2|3600000
mph|length time^-1|1397/3125
kph kmh|length time^-1|5/18
knot|length time^-1|1852/3600
dollar dollars usd $ us$ bucks|money|1
cent ¢|money|1/100
€ euro eur|euro|1
£ sterling gbp|sterling|1
¥ yen jpy|yen|1
₹ rs rupee inr|rupee|1
元 yuan rmb cny|yuan|1
角|yuan|1/10
分|fen|1
° degree deg º|angle|1
rev revolution|revolution|1
pair|pair|1
厘米 公分|length|1/100
毫米|length|1/1000
分米|length|1/10
米|length|1
千米 公里|length|1000
平方厘米|length^2|1/10000
平方米|length^2|1
平方分米|length^2|1/100
平方千米|length^2|1000000
立方厘米|length^3|1/1000000
立方米|length^3|1
立方分米|length^3|1/1000
升|length^3|1/1000
毫升|length^3|1/1000000
克|mass|1/1000
千克 公斤|mass|1
吨|mass|1000
秒|time|1
分钟|time|60
小时|time|3600
天 日|time|86400
周 星期|time|604800
年|month|12
月|month|1
度|angle|1
米/秒|length time^-1|1
千米/时 千米/小时|length time^-1|5/18
牛 牛顿|mass length time^-2|1
焦 焦耳|mass length^2 time^-2|1
瓦|mass length^2 time^-3|1
伏 伏特|mass length^2 time^-3 current^-1|1
安 安培|current|1
欧 欧姆|mass length^2 time^-3 current^-2|1
帕|mass length^-1 time^-2|1
摄氏度|temperature|1"""
for _line in _METRIC.splitlines():
    _called, _dimension, _size = _line.split("|")
    _symbol, *_aliases = _called.split()
    _unit = Unit(_dim(_dimension), Fraction(_size))
    _SYMBOLS[_symbol] = _unit
    for _name in _aliases:
        _NAMES[_name] = _unit
    for _prefix, (_exponent, _full) in _PREFIXES.items():
        _scaled = Unit(_unit.dimension, _unit.factor * Fraction(10) ** _exponent)
        _SYMBOLS.setdefault(_prefix + _symbol, _scaled)
        for _name in _aliases:
            _NAMES[_full + _name] = _scaled
for _line in _OTHER.splitlines():
    _called, _dimension, _size = _line.split("|")
    for _name in _called.split():
        _unit = Unit(_dim(_dimension), Fraction(_size))
        (_SYMBOLS if _name != _name.lower() else _NAMES)[_name] = _unit
        if len(_name) <= 3:
            _SYMBOLS[_name] = _unit
_CELSIUS = Unit(_dim("temperature"), Fraction(1), Fraction(27315, 100))
_FAHRENHEIT = Unit(_dim("temperature"), Fraction(5, 9), Fraction(45967, 180))
_KELVIN = Unit(_dim("temperature"), Fraction(1))
for _name in ("°c", "℃", "degree celsius", "degree c", "celsius", "摄氏度", "centigrade", "degree centigrade", "degc"):
    _NAMES[_name] = _CELSIUS
for _name in ("°f", "℉", "degree fahrenheit", "degree f", "fahrenheit", "degf"):
    _NAMES[_name] = _FAHRENHEIT
for _name in ("kelvin", "degree kelvin"):
    _NAMES[_name] = _KELVIN
_SYMBOLS["K"] = _KELVIN
_NAMES["ohm"] = _SYMBOLS["Ω"]
for _name, _dimension in (
    ("Nm", "mass length^2 time^-2"),
    ("Ns", "mass length time^-1"),
    ("Ws", "mass length^2 time^-2"),
):
    _SYMBOLS[_name] = Unit(_dim(_dimension), Fraction(1))
del _SYMBOLS["pm"]  # in the afternoon
_NAMES["kmph"] = _NAMES["kph"]
# Letters that a table of units would take from mathematics: "5 d" is no five days where d is a symbol, but after a number it is.


@remembered
def parse_unit(text: str) -> Unit | None:
    r"""Returns a known unit: "cm", "m/s^2", "kg·m^2", "square feet", "\mathrm{km}", "miles per hour"; None for other words."""
    text = plain_unit(text)
    if not text or len(text) > 60:
        return None
    whole = _one(text)
    if whole:
        return whole
    text = re.sub(r"\bper\b", "/", text)
    text = re.sub(r"^(k?m|c?m|k?g)(s|h|m)(\^-\d)$", r"\1 \2\3", text)  # ms^-1
    squared = re.fullmatch(r"(?:square|sq\.?|squared)\s+(.+)", text, re.I)
    cubed = re.fullmatch(r"(?:cubic|cu\.?)\s+(.+)", text, re.I)
    if squared or cubed:
        inner = parse_unit((squared or cubed)[1])  # type: ignore[index]
        return _power(inner, 2 if squared else 3) if inner and not inner.offset else None
    dimension: dict[str, int] = {}
    factor = Fraction(1)
    sign = 1
    parts = re.findall(r"[/*·]|[^/*·\s]+", text)
    if len(parts) < 2 and not re.search(r"\d", text):
        return None
    for part in parts:
        if part in "*·":
            continue
        if part == "/":
            sign = -1
            continue
        match = re.fullmatch(r"(.*?[^\d^-])(?:\^?\(?(-?\d)\)?)?", part.strip("()"))
        unit = _one(match[1]) if match else None
        if match is None or unit is None or unit.offset:
            return None
        power = int(match[2] or 1) * sign
        for name, p in unit.dimension:
            dimension[name] = dimension.get(name, 0) + p * power
        factor *= unit.factor**power
    return Unit(tuple(sorted((n, p) for n, p in dimension.items() if p)), factor)


def plain_unit(text: str) -> str:
    """Returns a unit's text without LaTeX."""
    text = re.sub(r"\\(?:text|mathrm|mathbf|operatorname|rm|textrm|mbox|textbf)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\^?\s*\{?\s*\\circ\s*\}?|\\degree", "°", text)
    text = (
        text.replace("\\Omega", "Ω")
        .replace("\u03a9", "Ω")
        .replace("\\mu", "μ")
        .replace("µ", "μ")
        .replace("\\cdot", "·")
        .replace("\\times", "·")
    )
    text = re.sub(r"\\[,;:! ]|~", " ", text)
    text = re.sub(r"[{}$]", "", text).replace("²", "^2").replace("³", "^3").replace("⁻¹", "^-1")
    return re.sub(r"\s+", " ", text).strip().rstrip(".").strip()


def _one(name: str) -> Unit | None:
    name = name.strip()
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    low = name.lower()
    for said in (
        low,
        low.removesuffix("s"),
        low.removesuffix("es"),
        re.sub(r"\bdegrees\b", "degree", low),
        low.replace("° ", "°"),
        low.replace(".", ""),
    ):
        if said in _NAMES:
            return _NAMES[said]
        if said in _SYMBOLS and len(said) > 1:
            return _SYMBOLS[said]
    return None


def _power(unit: Unit, power: int) -> Unit:
    return Unit(tuple((n, p * power) for n, p in unit.dimension), unit.factor**power)


def same_unit(answer: str, gold: str) -> Fraction | None:
    """Returns what turns a number of the answer's unit into one of the gold's; None where they don't measure the same."""
    if _words(answer) == _words(gold):
        return Fraction(1)
    ours, theirs = parse_unit(answer), parse_unit(gold)
    if ours and theirs and ours.dimension == theirs.dimension and ours.offset == theirs.offset:
        return ours.factor / theirs.factor
    return None


def _words(unit: str) -> str:
    return words(plain_unit(unit)).removesuffix("s")
