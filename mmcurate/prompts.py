"""The one prompt that teacher, student, RL and evaluation see, and the one answer format.

The format is OpenMMReasoner's (arXiv 2511.16334, appendix): the reasoning in `<think>`, then a short final answer in
`<answer>`. Instruction suffixes that fight with it are cleaned here, so what is sent and what is stored
are the same text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from mmcurate.answers import LETTERS, option_text, plain

SYSTEM_PROMPT = (
    "You answer questions about images. First reason step by step inside <think> and </think>. "
    "Then give a clear, concise final answer inside <answer> and </answer>: for multiple choice the option's letter, "
    "otherwise the value with its unit, or a short phrase. Write nothing outside these two parts:\n"
    "<think>your reasoning</think><answer>your final answer</answer>"
)

_TAG = re.compile(r"<image[ _-]?(\d*)>", re.I)
_SUFFIXES = [
    r"answer the question (?:using|with) (?:only )?a single (?:word|number)(?: or phrase)?",
    r"answer (?:the question )?with (?:the|only the) (?:correct )?(?:option'?s?|choice'?s?) letter"
    r"(?: (?:and|or) (?:text|content))?(?: from the (?:given )?(?:choices|options))?(?: directly)?",
    r"answer with the letter of the correct (?:option|choice)",
    r"(?:please )?(?:select|choose) the correct (?:answer|option) from the (?:given |following )?(?:options|choices)"
    r"(?: (?:by|and) (?:answering|responding|answer) with (?:its|the) letter)?(?: directly)?",
    r"(?:please )?answer (?:directly|briefly|concisely)(?: with (?:a )?(?:single )?(?:word|letter|number|phrase))?",
    r"give (?:a |the )?(?:very )?(?:brief|short) answer",
    r"(?:please )?(?:only )?(?:provide|give) only the final answer",
    r"do not (?:include|give|provide|write) any (?:explanation|reasoning)s?",
    r"(?:please )?(?:think|reason) step by step(?:,? and (?:put|place) your final answer (?:in|within) \\boxed\{\})?",
    r"(?:please )?put your (?:final )?answer (?:in|within|inside) \\boxed\{\}",
]
_SUFFIX = re.compile(r"(?:(?<=[.?!:)\]\n。？！）])|(?<=^))\s*(?:" + "|".join(_SUFFIXES) + r")\s*[.!。]?\s*$", re.I)
_CONTEXT = re.compile(
    r"^\s*(?:context|hint)\s*:\s*n/?a\s*[.\n]?\s*|(?<=\n)[ \t]*(?:context|hint)\s*:\s*n/?a[ \t]*\.?[ \t]*(?:\n|$)", re.I
)
_PREFIX = re.compile(
    r"^\s*(?:hint\s*:\s*)?please (?:directly )?(?:answer the question|solve the problem)[^\n]{0,40}? and (?:provide the (?:correct option letter"
    r"|final (?:answer|value))|put your (?:final )?answer (?:in|within|inside)(?: one)? \"?\\boxed\{\})[^\n]{0,120}(?:\n\s*|(?<=[.\"]) )"
    r"(?:question\s*:\s*)?(?=\S)",
    re.I,
)
_STRICT = re.compile(r"\s*<think>(.+?)</think>\s*<answer>(.+?)</answer>\s*", re.S)


def clean_question(text: str) -> str:
    """Returns a question without the instructions and empty contexts that data sets put around it.

    "What is shown? Answer the question using a single word or phrase." gives "What is shown?".
    """
    text = _PREFIX.sub("", _CONTEXT.sub("", text.strip()))
    while True:
        shorter = _SUFFIX.sub("", text).rstrip()
        if shorter == text or not shorter:
            return text
        text = shorter


_PLACE = re.compile(r"<image>|^(?:\s*<image[ _-]?\d*>)+", re.I)


def compared_text(question: str) -> str:
    """Returns the text by which questions are compared: without instructions, and without `<image>` tags that only mark a place.

    Some data sets put a tag before each question, others none. A numbered tag inside a sentence ("Is <image2> larger?") is a word
    of it and stays.
    """
    return _PLACE.sub(" ", clean_question(question)).strip()


def has_options(question: str, options: Sequence[str]) -> bool:
    """Whether a question's text already lists its options, in order."""
    text, position = plain(question), 0
    for i, option in enumerate(options):
        told = plain(option_text(option, i))
        if told not in text:
            return False
        label = re.compile(rf"(?:^|\W)[(\[]?{LETTERS[i % 26].lower()}\s*[.):\]、]\s*{re.escape(told)}")
        match = label.search(text, position)
        if not match:
            return False
        position = match.end()
    return bool(options)


def user_text(question: str, options: Sequence[str], num_images: int) -> tuple[str, list[int]]:
    """Returns what the user says, with one `<image>` tag a picture, and the order the pictures appear in.

    Tags keep their places. A numbered tag (`<image2>`) stands for that picture where it is first named and
    becomes the words "image 2" after that; pictures without a tag come first. Options that the text doesn't
    list are appended as "A. ..." lines, and may hold tags too.

    Raises:
        ValueError: there are more `<image>` tags than pictures.
    """
    order: list[int] = []
    unplaced = 0

    def place(match: re.Match[str]) -> str:
        nonlocal unplaced
        if match[1]:
            index = int(match[1]) - 1
            if index in order or not 0 <= index < num_images:
                if num_images == 0:
                    unplaced += 1
                return f"image {match[1]}"
        else:
            index = next((i for i in range(num_images) if i not in order), -1)
            if index < 0:
                unplaced += 1
                return ""
        order.append(index)
        return "<image>"

    text = clean_question(question)
    if options and not has_options(text, options):
        text += "".join(f"\n{LETTERS[i % 26]}. {option_text(o, i)}" for i, o in enumerate(options))
    text = _TAG.sub(place, text)
    if unplaced:
        tags = len(order) + unplaced
        raise ValueError(f"the question has {tags} <image> tag{'s' * (tags > 1)}, but {num_images} picture(s)")
    first = [i for i in range(num_images) if i not in order]
    return "<image>" * len(first) + ("\n" if first else "") + text, first + order


def prompt_id(system_prompt: str) -> str:
    """Returns a short digest of a system prompt, which every response carries."""
    return hashlib.sha256(system_prompt.encode()).hexdigest()[:12]


def is_strict(text: str) -> bool:
    """Whether a text is one `<think>` part and one `<answer>` part, both non-empty, and nothing else."""
    match = _STRICT.fullmatch(text)
    if not match or any(text.count(tag) != 1 for tag in ("<think>", "</think>", "<answer>", "</answer>")):
        return False
    return bool(match[1].strip() and match[2].strip())


def completion(text: str, reasoning: str | None, answer: str) -> tuple[str, bool]:
    """Returns a trace in the strict format, and whether it had to be put into it.

    A text that is in the format stays as it is, to the byte. Otherwise the thoughts are the server's separate
    reasoning followed by the text without its tags, and the answer is the one that the verifier read.
    """
    if not reasoning and is_strict(text):
        return text, False
    thoughts = re.sub(r"<answer>.*?</answer>\s*$", "", text, flags=re.S)
    thoughts = re.sub(r"</?(?:think|answer)>", "", f"{reasoning}\n\n{thoughts}" if reasoning else thoughts).strip()
    return f"<think>{thoughts or answer}</think><answer>{answer.strip()}</answer>", True
