"""Comparing mathematics with math-verify: what no cheaper rule decides.

math-verify needs a main thread for its alarm and can run for ever, so it runs without its alarm in a process
that can be killed: this module's functions are called there (`mmcurate.verify.worker`) and nowhere else.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import Any

from mmcurate.answers import normal
from mmcurate.verify.text import unwrap

MAX_CHARS = 2000


@functools.lru_cache(4096)
def _parsed(text: str) -> tuple[Any, ...]:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    logging.getLogger("math_verify").setLevel(logging.ERROR)
    wrapped = f"${text}$"
    configs = [LatexExtractionConfig(boxed_match_priority=-1), ExprExtractionConfig()]
    found = parse(wrapped, extraction_config=configs, fallback_mode="no_fallback", parsing_timeout=None)
    return tuple(found)


# What math-verify would read as products of letters, or read in part: words, times, one-sided limits, Chinese.
_NOT_MATHS = re.compile(
    r"[\u3000-\u9fff\uff00-\uffef]|^[A-Za-z]{2,}$|\d\s*[ap]\.?\s?m\.?\b|\^\s*\{?[+-]\}?\s*\$?$|[A-Za-z]'|\d!$|[-+*/=^]\s*$|\\int|\\oint"
    r"|\\lim|\\[pb]mod|\\prod.*\\infty|\\l?dots|\.\.\.|\bd[a-z]\b|\\(?:land|lor|wedge|vee)"
)


def _cleaned(text: str) -> str:
    text = normal(text)
    text = unwrap(text).replace("$", " ").strip()
    for plain, latex in (
        (">=", "\\geq "),
        ("<=", "\\leq "),
        ("!=", "\\neq "),
        ("≥", "\\geq "),
        ("≤", "\\leq "),
        ("≠", "\\neq "),
        ("π", "\\pi "),
    ):
        text = text.replace(plain, latex)
    text = re.sub(r"\^\s*\{?\s*\\circ\s*\}?|°|º", "", text)
    text = re.sub(
        r"\\(?:text|mathrm)\s*\{\s*(?:cm|mm|m|km|g|kg|s|min|h|hours?|inches|units?|degrees?|sq(?:uare)? ?\w*)\s*\}(?:\s*\^\s*\{?[23]\}?)?",
        "",
        text,
    )
    return text.strip()


def math_verify(answer: str, gold: str) -> bool | None:
    """Whether two texts are the same mathematics; None where one of them can't be read."""
    from math_verify import verify

    pair = [_cleaned(gold), _cleaned(answer)]
    for text in pair:
        if _NOT_MATHS.search(text):
            return None
        if len(text) > MAX_CHARS:
            return None
    parsed = [_parsed(text) for text in pair]
    if not parsed[0] or not parsed[1]:
        return None
    return bool(verify(list(parsed[0]), list(parsed[1]), float_rounding=4, timeout_seconds=None))
