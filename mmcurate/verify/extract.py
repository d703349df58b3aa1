"""Reading the answer that a response gives."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from mmcurate.answers import boxes_in
from mmcurate.verify.prose import RETRACTS, closing_number, is_foreign, sentences, without_politeness

_ANSWER = re.compile(r"<(answer|conclusion|final_answer)>(.*?)(?:</\1>|\Z)", re.S | re.I)
_TAGS = re.compile(r"</?(?:answer|conclusion|final_answer)>", re.I)
_GLM_BOX = re.compile(r"<\|begin_of_box\|>(.*?)<\|end_of_box\|>", re.S)
_CUE = re.compile(
    r"answer|option|choice|statements? are|ans(?=[:.： ])|correct letter|####|【?答|选|正确选项|^a:", re.M
)
"""Where a phrase may begin, in lower case: cheap to look for."""
_PHRASE = re.compile(
    # "answer to the question is: "
    r"(?:answers?|options?|choices?|ans|correct letter|statements?)(?:\s+letter)?\s*"
    r"(?:(?:to|for|of)\s+[^.:\n]{1,60}?\s*(?=is\b|:|：))?"
    r"(?:[*_}]{1,3}\s*)?(?:is|are|would be|should be|must be|will be|equals|:|：|=|-\s|(?<=ans)\.)\s*"
    r"(?:[*_]{1,2}\s*)?(?:therefore\b|thus\b|:|：)?\s*"
    r"|answer\"\s*:\s*|answer\s*(?=\\\[|\$\$)"
    r"|【答案】\s*|答\s*[:：]\s*|答案\s*(?:是|为|选(?!项)|应为|应该是|:|：)+\s*|正确选项\s*(?:是|为|:|：)+\s*"
    r"|(?<=故)选(?:择)?\s*[:：]?\s*|(?<=[以此]应)选(?:择)?\s*[:：]?\s*|(?<=[以此])选(?:择)?\s*[:：]?\s*|(?<=故本题)选\s*|(?<=故答案)选\s*"
    r"|\#{4}\s*|A:\s*(?=[-$\d\\(])",
    re.I,
)
_HEADING = re.compile(r"[#>*_\s]{0,8}(?:the\s+)?(?:final\s+)?answer[*_ ]{0,4}\s*\n+", re.I)
"""A line of its own: "### Final answer"."""
_IS_ANSWER = re.compile(
    r"^(?:(?:thus|so|hence|therefore|then|finally)[,:]?\s+)?(.{1,120}?)\s+(?:is|as)\s+(?:the|our)\s+(?:(?:final|correct|right|best"
    r"|desired)\s+)*(?:answer|choice|option|result)\b",
    re.I,
)
_END = re.compile(
    r"\n|【|(?<=[^\s.])(?<!approx)(?<!i\.e)(?<!e\.g)[.。;；!！](?=\s|$|[*_$)\"'’”]|[A-Z\u4e00-\u9fff])|</s>|<\|"
)
_NO_ANSWER = re.compile(
    r"(?:consistent with|supported by|rounded to|given (?:above|by)|not(?! applicable)|that|as follows|in|the following|unclear|unknown|based|because"
    r"|obtained|given by|found|also|therefore|wrong)\b"
    r"|(?:correct|right|reasonable|consistent|verified|valid|unique|confirmed|plausible)\W*$",
    re.I,
)
_BETWEEN = re.compile(r"(?:\b(?:and|or|quad)\b|[,;&+、，；]|和|或|与|\+)", re.I)

_SPECIAL = re.compile(r"<\|(?:im_start|im_end|eot_id|end|endoftext|end_of_text)\|>|</s>")
_CLOSED_THINK = re.compile(r"<think>(?:(?!<think>).)*?</think>", re.S | re.I)
_FENCE = re.compile(r"^\s*```\w*\s*$", re.M)
_NOTE = re.compile(r"\n+(?:-{3,}\s*\n+)?\**(?:Note|Remark)s?\s*:?\**\s*:?.*\Z", re.S)
_THINK, _THINK_END = re.compile(r"<think>", re.I), re.compile(r"</think>", re.I)
_WORD = re.compile(r"[A-Za-z]{3,}")
_MAX_EXAMPLES = 5
"""After how many further questions a response without an answer is taken to have none before them."""
_MAX_PHRASES = 20_000
"""In how many characters of a response's end an answer is looked for."""
_REPLACES = re.compile(
    r"\b(?:no|but|wrong|instead|sorry|correct|final|finally|therefore|thus|so|hence|answer|total|then)\b", re.I
)
_STEPS = re.compile(r"[A-Za-z]{3,}")
_MATHS = re.compile(r"\$\$[^$]+\$\$|\$[^$]+\$|\\\(.+?\\\)|\\\[.+?\\\]", re.S)


@dataclass(frozen=True, slots=True)
class Extracted:
    """An answer as a response gives it, and where it stood: "answer tag", "box", "phrase", "whole", "conclusion"."""

    text: str
    place: str


SEVERAL = Extracted("", "several answers")
"""What a response gives that names several answers one after another."""


def extract(response: str) -> Extracted | None:
    """Returns the answer that a response gives, or None.

    The last `<answer>` part comes first, then the last of its boxes and "the answer is ..." phrases; a short response is
    its own answer; last, a number that ends the closing sentence. Thoughts in `<think>` count only for an
    `<answer>` in them, so a response that was cut off while thinking gives none.
    """
    response = _without_tokens(response)
    if (
        "<" not in response
        and "\\" not in response
        and _is_short(response.strip())
        and not _CUE.search(response.lower())
    ):
        return Extracted(without_politeness(response.strip()), "whole")
    body = _outside_thoughts(response)
    tagged = _tagged(body) if "<" in body else []
    if not tagged and "<" in response and not _TAGS.sub("", body).strip():
        # Thoughts alone: an answer counts where they end with it ("<think>... <answer>4</answer>").
        tagged = [m for m in _tagged(response) if not re.sub(r"</?think>", "", response[m.end() :], flags=re.I).strip()]
    if _hedges(body, tagged):
        return SEVERAL
    if tagged:
        inside = tagged[-1][2].strip()
        boxes = boxes_in(inside)
        if boxes:
            return Extracted(", ".join(box[2] for box in boxes), "answer tag")
        said = _last_phrase(inside)
        if said is None and len(inside) > 200 and (found := _unmarked(inside)):
            return Extracted(found.text, "answer tag")
        return Extracted((said[1] if said else inside) or inside, "answer tag")
    body = _before_next_example(_TAGS.sub("", body).strip())
    if not body:
        return None
    boxes, phrase = boxes_in(body), _last_phrase(body)
    if boxes and (not phrase or boxes[-1][0] >= phrase[0] or not _PLAIN.search(phrase[1])):
        return _unless_retracted(body, boxes[-1][1], _last_boxes(body, boxes), "box")
    if phrase and not phrase[1]:
        return SEVERAL
    if phrase:
        return _unless_retracted(body, phrase[0] + 1, phrase[1], "phrase")
    return _unmarked(without_politeness(body))


def _without_tokens(response: str) -> str:
    """Returns a response up to the first token that ends it ("<|im_end|>", "</s>"); GLM's box tokens become a box."""
    response = response.replace("\x00", "")
    if "<|" not in response and "</s>" not in response:
        return response
    response = _GLM_BOX.sub(r"\\boxed{\1}", response)
    return next((part for part in _SPECIAL.split(response) if part.strip()), "")


def _outside_thoughts(response: str) -> str:
    if "<" not in response:
        return response
    # What was cut off while thinking gives nothing.
    return _THINK.split(_THINK_END.split(_CLOSED_THINK.sub("", response))[-1])[0]


def said_aloud(response: str) -> str:
    """Returns what a response says outside its thoughts, without the tokens and the politeness that it closes with."""
    return without_politeness(_outside_thoughts(_without_tokens(response)).strip())


_PLAIN = re.compile(r"\d|\\[a-zA-Z]|\$|^\W*[A-Z]\W*$|^\W*[A-Z][.):]|^\W*\(?[A-Z]\)")
"""An answer that may take the place of a box before it."""


def _unless_retracted(body: str, after: int, said: str | None, place: str) -> Extracted | None:
    """Returns an answer, or what takes its place where the text behind it takes it back ("Wait, that is wrong: it is 6.")."""
    if said is None:
        return SEVERAL
    tail = body[after : after + 2000]
    retracted = RETRACTS.search(tail)
    if not retracted:
        return Extracted(said, place)
    last = sentences(without_politeness(tail[retracted.start() :]))
    number = closing_number(last[-1]) if last else None
    return Extracted(number, "closing sentence") if number else None


def _hedges(body: str, tagged: list[re.Match[str]]) -> bool:
    """Whether several answer tags give several answers: <answer>A</answer><answer>B</answer>."""
    different = list(dict.fromkeys(" ".join(m[2].split()) for m in tagged))
    if len(different) < 2:
        return False
    between = body[tagged[-2].end() : tagged[-1].start()]
    corrected = RETRACTS.search(between) or _CORRECTS.search(between)
    return not corrected and (len(different) > 2 or len(between) <= 80)


_CORRECTS = re.compile(r"\b(?:wait|mistake|forgot|wrong|correct|actually|sorry|again|instead|no,)\b", re.I)


_NEXT = re.compile(
    r"\n\s*(?:\*\*|#+ ?)?(?:Question|Q|Problem|Human|User|Instruction)(?:\s*\d+)?\s*(?:\*\*)?\s*[:：]", re.I
)


def _before_next_example(body: str) -> str:
    """Returns a response without the further questions that a base model asks itself, once it has answered the first."""
    for match in itertools.islice(_NEXT.finditer(body), _MAX_EXAMPLES):
        first = body[: match.start()]
        if first.strip() and (boxes_in(first) or _last_phrase(first)):
            return first
    return body


def _is_short(text: str) -> bool:
    """Whether a text is an answer alone."""
    return 0 < len(text) <= 60 and "\n" not in text and len(_WORD.findall(text)) <= 7


def _unmarked(body: str) -> Extracted | None:
    """Returns the answer of a response that marks none: the whole of a short one, or what its last sentence comes to."""
    if "```" in body:
        body = _FENCE.sub("\n", body)
    if "Note" in body or "Remark" in body:
        body = _NOTE.sub("", body)
    body = body.strip()
    if not body:
        return None
    if _is_short(body):
        return Extracted(body, "whole")
    if len(body) <= 1000 and (_MATHS.fullmatch(body) or _is_formula(body)):
        return Extracted(body, "whole")
    last = [line for line in body[-2000:].splitlines() if line.strip()][-1].strip()
    number = closing_number(sentences(last)[-1])
    if number:
        return Extracted(number, "conclusion")
    stated = _IS_ANSWER.match(sentences(last)[-1])
    if stated:
        maths = _MATHS.findall(stated[1])
        return Extracted(maths[-1] if maths else stated[1], "phrase")
    end = body[-1000:].rstrip(" .\n*")
    maths = [m for m in _MATHS.finditer(end) if m.end() == len(end)]
    if maths and re.search(
        r"(?:\b(?:is|are|equals?|be|get|obtain|have|gives?|yields?|to|of)|[:：=为是])[\s*]*$", end[: maths[-1].start()]
    ):
        return Extracted(maths[-1][0], "conclusion")
    return None


def _is_formula(text: str) -> bool:
    """Whether a text is mathematics alone, or numbers on lines of their own."""
    if "\n\n" in text:
        return False
    prose = re.sub(r"\\(?:text|mathrm|operatorname|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+", " ", text)
    if re.search(r"[A-Za-z]{3,}|[\u4e00-\u9fff]", prose):
        return False
    return bool(re.search(r"[\d=\\^]", text)) and ("\n" not in text or "\\begin" in text or len(text) <= 120)


def _tagged(text: str) -> list[re.Match[str]]:
    return [m for m in _ANSWER.finditer(text) if m[2].strip()]


def cut_off(response: str) -> bool:
    """Whether a response that was cut off had not yet closed its answer."""
    return not re.search(r"</answer>", response.split("</think>")[-1], re.I)


def _last_boxes(text: str, boxes: list[tuple[int, int, str]]) -> str | None:
    """Returns the last box, or all the boxes of one answer: "x = [1] and y = [2]" gives "1, 2".

    None where different boxes stand one after another without a word that joins or corrects them.
    """
    start, _, last = boxes[-1]
    kept = [last]
    for box_start, end, inside in reversed(boxes[:-1]):
        between = text[end:start]
        if len(between) > 80 or RETRACTS.search(between) or _REPLACES.search(between):
            break
        joined = _BETWEEN.search(between) or not re.search(r"[^\s$.\\\[\]()]", between)
        if not joined or "\n\n" in between.strip("$ .") or ". " in between:
            if inside == last:
                continue
            if len(_STEPS.findall(between)) > 2 or len(between) > 40:
                break  # "First [1]. Then [2]"
            return None
        kept.insert(0, inside)
        start = box_start
    return ", ".join(dict.fromkeys(kept))


_MARKS = re.compile(r"^(?:[\s*_`}]|\n\s*>)+")


def _last_phrase(text: str) -> tuple[int, str] | None:
    """Returns where the last "the answer is ..." starts, and what it says."""
    offset = max(0, len(text) - _MAX_PHRASES)
    lower = text.lower()
    if len(lower) != len(text):  # some capital letters are two when small
        lower = text
    found: list[tuple[int, str]] = []
    weak: tuple[int, str] | None = None
    for cue in reversed(list(_CUE.finditer(lower, offset))):
        if found and (len(found) == 3 or found[-1][0] - cue.start() > 60):
            break
        start = cue.start()
        match = _PHRASE.match(text, start)
        if not match and cue[0] == "answer":
            start = text.rfind("\n", 0, start) + 1
            match = _HEADING.match(text, start)
        if not match or is_foreign(text[max(0, start - 120) : start]):
            continue
        rest = text[match.end() : match.end() + 4000]
        if "\n" in match[0]:
            rest = rest.lstrip(" >\n")  # a quoted line
        rest = _MARKS.sub("", rest)
        if not rest:
            continue
        said = _content(rest)
        if said and not _NO_ANSWER.match(said):
            behind = rest[len(said) : len(said) + 200].split("\n")[0]
            if said.endswith(("?", "？")) or RETRACTS.search(said) or re.match(r"[^.]*\bbut (?:that|it)\b", behind):
                continue
            if not _PLAIN.search(said) and " " in said and weak is None and "is" in match[0].lower():
                # "the answer is rounded to the nearest integer": perhaps a comment on an answer before it
                weak = (start, said)
                continue
            found.append((start, said))
    if len(found) == 3 and len({said for _, said in found}) == 3:
        return found[0][0], ""  # "The answer is A. The answer is B. The answer is C."
    if weak and not (found and (_PLAIN.search(found[0][1]) or " " not in found[0][1])):
        return weak
    return found[0] if found else None


def _content(rest: str) -> str:
    """Returns what stands after "the answer is": one formula, one quoted text, or the rest of the sentence."""
    for left, right in (("$$", "$$"), ("$", "$"), ("\\[", "\\]"), ("\\(", "\\)")):
        if rest.startswith(left):
            end = rest.find(right, len(left))
            if end < 0:
                break
            after = rest[end + len(right) :]
            if not re.match(r"[ \t]*(?:[^\s.,;:!。，*_`)]|[,;、]\s*[$\\\d])", after):
                return rest[: end + len(right)].strip()
            return (rest[: end + len(right)] + after[: _sentence_end(after)]).strip().strip("*_").strip()
    if rest.startswith('"'):
        quoted = re.match(r'"((?:[^"\\\n]|\\.)*)"', rest)
        if quoted:
            return quoted[1].strip()
    return rest[: _sentence_end(rest)].strip().strip("*_`").strip()


def _sentence_end(text: str) -> int:
    """Returns where the first sentence ends; a point in a number, in mathematics or in brackets ends none."""
    for match in _END.finditer(text):
        before = text[: match.start()]
        if before.count("{") > before.count("}"):
            continue
        if match[0] in ";；" and re.match(r"\s*[-$\d\\(]", text[match.end() :]):
            continue  # "5; 6"
        if match[0] != "\n" and before.count("$") % 2 and text[match.end() : match.end() + 1] != "$":
            continue
        if (
            match[0] == "."
            and re.fullmatch(r"\W*(?:[A-Za-z]|\d+)", before)
            and re.match(r"\s*\S", text[match.end() :])
            and re.fullmatch(r"\W*[A-J]", before)
        ):
            continue  # "B. 12 cm"
        return match.start()
    return len(text)
