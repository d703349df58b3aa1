"""Reading a known answer: which option it names, what kind of answer it is, and what a response says of that kind at its end."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from mmcurate.answers import gold_options, letters_of, normal
from mmcurate.verify.choice import closing_choice, option_of, options_in
from mmcurate.verify.extract import Extracted, extract, said_aloud
from mmcurate.verify.math import same_math
from mmcurate.verify.number import Number, parse_number
from mmcurate.verify.prose import SO, closing_number, closing_time, has_prose, sentences, stated
from mmcurate.verify.text import is_words, unwrap, word_list, words, yes_no
from mmcurate.verify.when import When, parse_when


class Gold:
    """A known answer, read once for all the responses that are compared with it.

    Attributes:
        text: the answer, without a solution around it.
        named: the indexes of the options that it names; empty where it isn't multiple choice.
        options: the options' texts; empty where only letters are known.
        num_letters: how many letters count.
        label_text: what stands behind the letter of a gold such as "(B) dog" where no options are known.
        in_order: whether the order of several parts matters.
    """

    def __init__(self, gold: str, options: Sequence[str], question: str | None) -> None:
        self.text = _without_solution(gold.strip())
        self.named: tuple[int, ...] = ()
        self.options, self.num_letters = tuple(options), len(options)
        self.label_text = ""
        asks = question or ""
        self.in_order = bool(_ORDERED.search(asks[-600:]))
        if not self.text:
            return
        if not options and asks:
            found = options_in(asks)
            if letters_of(self.text, 10) or gold_options(self.text, found):
                self.options, self.num_letters = tuple(found), len(found)
        if self.options:
            self.named = gold_options(self.text, self.options) or option_of(self.text, self.options, same_math)
            if self.named or options:
                return
        bare = unwrap(normal(self.text))
        with_text = _LETTER_AND_TEXT.match(bare)
        if with_text:  # "(B) dog", and no options are known
            self.named, self.num_letters = letters_of(with_text[1] or with_text[2], 10), 10
            self.label_text = with_text[3]
            return
        sorted_letters = re.fullmatch(r"(?!.$)A?B?C?D?E?F?G?H?", bare)
        if (
            re.fullmatch(r"\(?[A-J]\)?\.?", bare)
            or sorted_letters
            or (re.fullmatch(r"[A-H](?:\s*[,、]\s*[A-H])+", bare) and not self.in_order)
        ):
            self.named, self.options, self.num_letters = letters_of(bare, 10), (), 10

    @functools.cached_property
    def number(self) -> Number | None:
        return parse_number(self.text)

    @functools.cached_property
    def when(self) -> When | None:
        return parse_when(self.text)

    @functools.cached_property
    def words(self) -> str:
        return words(self.text)

    @functools.cached_property
    def is_words(self) -> bool:
        return is_words(self.text)

    def closing(self, response: str) -> Extracted | None:
        """Returns what a response without any marked answer says at its end."""
        body = said_aloud(response)[-4000:]
        if not body:
            return None
        if self.named:
            closing = closing_choice(body, self.options, self.num_letters)
            return Extracted(closing, "closing sentence") if closing else None
        last = sentences(body)
        if self.number is not None:
            for sentence in reversed(last[-3:]):
                number = closing_number(sentence)
                if number:
                    return Extracted(number, "closing sentence")
                if re.search(r"\d", sentence):
                    break
            bold = _BOLD.findall(body)  # the only thing that it stresses: "is highest in **week 3**"
            number = closing_number(bold[0]) if len(bold) == 1 else None
            return Extracted(number, "bold") if number else None
        if self.when is not None:
            said = closing_time(last[-1]) if last else None
            return Extracted(said, "closing sentence") if said else None
        if not last:
            return None
        if yes_no(self.text) is not None:
            for sentence in (last[-1], sentences(body[:400])[0]):
                said = SO.sub("", sentence)
                if yes_no(said) is not None:
                    return Extracted(said, "closing sentence")
            return None
        if self.is_words:
            first, _, rest = body.partition("\n")
            if rest.startswith("\n") and len(first) <= 60 and not first.endswith(":"):
                return Extracted(first.strip(), "first line")
            items = _list_items(body)
            if items and len(word_list(self.text)) > 1:
                return Extracted(", ".join(items), "closing list")
            return Extracted(last[-1], "closing sentence") if len(last[-1]) <= 300 else None
        said = stated(last[-1])
        return Extracted(said, "closing sentence") if said and not has_prose(said) else None


_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+(.+?)\s*$")


def _list_items(body: str) -> list[str]:
    """Returns the items of the list that a response ends with."""
    items: list[str] = []
    for line in reversed(body.splitlines()):
        match = _ITEM.match(line)
        if not match:
            break
        items.insert(0, match[1].strip("*. "))
    return items if len(items) > 1 else []


_LETTER_AND_TEXT = re.compile(r"^(?:\(([A-J])\)\s*|([A-D])[.):：]\s+)(\w.{0,200})$", re.S)
_ORDERED = re.compile(
    r"\b(?:in (?:the )?(?:correct |right |ascending |descending |increasing |decreasing |chronological )?order|sort|rank|arrange|sequence"
    r"|respectively"
    r"|from (?:the )?(?:least|greatest|smallest"
    r"|largest|lowest|highest|shortest|longest|left|top|bottom|first|oldest|youngest)\b.{0,40}\bto)\b|顺序|依次|排列|分别|\(1\).+\(2\)|_{2,}.+_{2,}"
    r"|\bfirst\b.+\bsecond\b|how many .+ how many|which .+ (?:in|and) which|[?？].+[?？]",
    re.I | re.S,
)


@functools.lru_cache(1024)
def read_gold(gold: str, options: tuple[str, ...], question: str | None) -> Gold:
    """Returns a known answer; the last 1,024 are remembered."""
    return Gold(gold, options, question)


def _without_solution(gold: str) -> str:
    """Returns the answer of a gold that is a whole solution: what it boxes, or what stands after "####"."""
    if "####" in gold:
        return gold.rsplit("####", 1)[1].strip()
    if "\\boxed" in gold or "<answer>" in gold or (len(gold) > 150 and re.search(r"[.!?]\s", gold)):
        found = extract(gold)
        if found:
            return found.text
    return gold


_BOLD = re.compile(r"\*\*([^*\n]{1,60}?)\*\*")
