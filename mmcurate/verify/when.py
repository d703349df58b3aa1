"""Dates and times of day."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmcurate.answers import normal
from mmcurate.verify.numerals import with_digits
from mmcurate.verify.text import unwrap

_MONTHS = {
    m[:3]: i
    for i, m in enumerate(
        re.findall(r"\w+", "january february march april may june july august september october november december"), 1
    )
}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAYS = {d[:3]: i for i, d in enumerate(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])}
_TIME = re.compile(
    r"(?P<h>\d{1,2})\s*(?::\s*(?P<m>[0-5]\d)(?:\s*:\s*(?P<s>[0-5]\d))?|\s*(?P<clock>o'?clock)"
    r"|(?=\s*[ap]\.?\s?m\b))\s*(?P<half>[ap]\.?\s?m\.?|noon|midnight)?"
    r"(?:\s*(?:in the (?:morning|afternoon|evening)|at night))?",
    re.I,
)
_PAST = re.compile(
    r"(?:(?P<part>a quarter|quarter|half|\d{1,2}(?:\s*minutes?)?)\s+(?P<way>past|after|to|before|till)\s+)"
    r"(?P<h>\d{1,2})(?:\s*o'?clock)?\s*(?P<half>[ap]\.?m\.?)?",
    re.I,
)
_DATES = [
    re.compile(
        rf"(?:(?P<weekday>mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?,?\s+)?(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd"
        rf"|th)?\s+(?:of\s+)?{_MONTH}(?:,?\s+(?P<year>\d{{4}}))?",
        re.I,
    ),
    re.compile(
        rf"(?:(?P<weekday>mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?,?\s+)?{_MONTH}\s+(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd"
        rf"|th)?(?:,?\s+(?P<year>\d{{4}}))?",
        re.I,
    ),
    re.compile(rf"{_MONTH},?\s+(?P<year>\d{{4}})(?P<day>)", re.I),
    re.compile(r"(?P<year>\d{4})[-/.年]\s*(?P<month>\d{1,2})[-/.月]\s*(?P<day>\d{1,2})[日号]?"),
    re.compile(r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>)"),
    re.compile(r"(?P<year>)(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号]"),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})"),
]


@dataclass(frozen=True, slots=True)
class When:
    """A time of day in seconds, a date, a month or a day of the week. What was not said is None."""

    kind: str
    seconds: int | None = None
    afternoon: bool | None = None
    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None


def parse_when(text: str) -> When | None:
    """Returns the date or time that a whole text is, or None: "6:30 PM", "half past six", "July 4, 2020", "2020年7月4日", "Monday"."""
    if len(text) > 60:
        return None
    text = (
        re.sub(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}", r"\1", unwrap(normal(text)))
        .replace("\\", "")
        .strip()
        .rstrip(".")
    )
    text = re.sub(r"\s+", " ", re.sub(r"^(?:at|on|in|it is|it's)\s+", "", text, flags=re.I))
    if not text or not re.search(r"\d|clock|past|to|day|[a-z]{3}|noon|midnight|点|时|月", text, re.I):
        return None
    low = text.lower()
    if low in ("noon", "midnight"):
        return When("time", 0, low == "noon")
    for names, kind in ((_DAYS, "weekday"), (_MONTHS, "month")):
        if re.fullmatch(r"[a-z]{3,9}\.?", low) and low[:3] in names:
            full = (
                "monday tuesday wednesday thursday friday saturday sunday"
                if kind == "weekday"
                else ("january february march april may june july august september october november december sept")
            )
            if any(low.rstrip(".") in (word, word[:3], word[:4]) for word in full.split()):
                return When(kind, day=names[low[:3]]) if kind == "weekday" else When(kind, month=names[low[:3]])
    if "点" in low:
        low = re.sub(r"[零一二三四五六七八九十两]+", lambda m: with_digits(m[0]), low)
    chinese = re.fullmatch(r"(上午|下午|早上|晚上)?\s*(\d{1,2})\s*[点时](?:\s*(\d{1,2})\s*分?|(半)|整)?", low)
    if chinese:
        half = None if not chinese[1] else chinese[1] in ("下午", "晚上")
        return _time(int(chinese[2]), 30 if chinese[4] else int(chinese[3] or 0), 0, half)
    spoken = re.sub(
        r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty)(?:-\w+)?\b",
        lambda m: with_digits(m[0]),
        low,
    )
    spoken = re.sub(r"\ba quarter\b", "quarter", spoken)
    past = _PAST.fullmatch(spoken)
    if past:
        part = past["part"].split()[0]
        minutes = {"quarter": 15, "half": 30}.get(part) or int(part)
        hour = int(past["h"])
        if past["way"] in ("to", "before", "till"):
            hour, minutes = (hour - 1) or 12, 60 - minutes
        return _time(hour, minutes, 0, _half(past["half"]))
    match = _TIME.fullmatch(spoken)
    if match and (match["m"] or match["clock"] or match["half"]):
        return _time(int(match["h"]), int(match["m"] or 0), int(match["s"] or 0), _half(match["half"]))
    for pattern in _DATES:
        match = pattern.fullmatch(low)
        if match:
            month = match["month"]
            number = int(month) if month.isdigit() else _MONTHS[month[:3]]
            day = int(match["day"]) if match["day"] else None
            if number > 12 and day and day <= 12:
                number, day = day, number
            if not 1 <= number <= 12 or (day is not None and not 1 <= day <= 31):
                return None
            weekday = match.groupdict().get("weekday")
            year = int(match["year"]) if match["year"] else None
            return When("date", year=year, month=number, day=day, weekday=_DAYS[weekday[:3]] if weekday else None)
    return None


def _half(text: str | None) -> bool | None:
    if not text:
        return None
    return text[0].lower() == "p" or text.lower() == "noon"


def _time(hour: int, minute: int, second: int, afternoon: bool | None) -> When | None:
    if hour > 24 or minute > 59:
        return None
    if hour > 12 or (hour == 0 and afternoon is None):
        afternoon = hour >= 12 and hour != 24
    return When("time", (hour % 12) * 3600 + minute * 60 + second, afternoon)


def same_when(answer: When, gold: When) -> bool:
    """Whether two are the same. An answer may say more than the gold (a year, a.m.), never less of a date."""
    if answer.kind != gold.kind:
        return False
    if gold.kind == "time":
        known = answer.afternoon is not None and gold.afternoon is not None
        return answer.seconds == gold.seconds and (not known or answer.afternoon == gold.afternoon)
    if answer.weekday is not None and gold.weekday is not None and answer.weekday != gold.weekday:
        return False
    return all(
        want is None or have == want
        for have, want in ((answer.year, gold.year), (answer.month, gold.month), (answer.day, gold.day))
    )
