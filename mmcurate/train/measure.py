"""How many tokens each row takes, exactly and without decoding a picture, and which rows don't fit."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcurate.train.facts import about_of
from mmcurate.train.rows import BLANK, parts, text_of, undecoded, with_picture

MAX_RATIO = 200
"""Of a picture's sides: Qwen's processors refuse more."""
_BATCH_ROWS = 500


@dataclass(frozen=True)
class Measured:
    """What each row of a set takes.

    Attributes:
        prompt_tokens: (N,) int64: of the prompt as the model sees it, pictures included; -1 where the row can't be used.
        completion_tokens: (N,) int64: of the answer with its end; zeros in a set without answers.
        problems: why a row can't be used, by its number.
        fingerprint: a digest of all texts and picture sizes.
    """

    prompt_tokens: np.ndarray
    completion_tokens: np.ndarray
    problems: dict[int, str]
    fingerprint: str


def measure(dataset: Any, processor: Any, *, blank: bool = False) -> Measured:
    """Counts every row's tokens without decoding a picture: a picture's tokens follow from its size.

    Args:
        dataset: the set.
        processor: the checkpoint's.
        blank: whether rows without pictures get a white one, as `trainable` does it.
    """
    answers = "completion" in dataset.column_names
    names = [n for n in ("prompt", "completion", "images") if n in dataset.column_names]
    plain = undecoded(dataset.select_columns(names))
    prompts: list[int] = []
    completions: list[int] = []
    problems: dict[int, str] = {}
    seen = hashlib.sha256()
    control = _control(processor.tokenizer)
    checked = bool(about_of(dataset))  # a run has looked at its pictures
    for start in range(0, len(plain), _BATCH_ROWS):
        batch = plain[start : start + _BATCH_ROWS]
        texts, ends, extra = [], [], []
        for i, (prompt, images) in enumerate(zip(batch["prompt"], batch["images"], strict=True)):
            images = images or []
            problem = _text_problem(prompt, batch["completion"][i] if answers else (), len(images), control)
            sizes, unreadable = ([], None) if problem else _sizes(images, checked)
            if problem := problem or unreadable:
                problems[start + i] = problem
            elif blank and not images:
                prompt, sizes = with_picture(prompt), [BLANK]
            text, whole = _rendered(processor, prompt, batch["completion"][i] if answers else None)
            texts.append(text)
            ends.append(whole)
            counts = processor._get_num_multimodal_tokens(image_sizes=sizes).num_image_tokens if sizes else []
            extra.append(sum(counts) - len(counts))  # the text has one token a picture already
            seen.update(repr((text, whole, sizes)).encode())
        prompts += [n + more for n, more in zip(_lengths(processor, texts), extra, strict=True)]
        completions += _lengths(processor, ends)
    lengths = np.array(prompts, np.int64)
    lengths[list(problems)] = -1
    return Measured(lengths, np.array(completions, np.int64), problems, seen.hexdigest()[:16])


def _control(tokenizer: Any) -> re.Pattern[str]:
    """Returns what finds a tokenizer's control tokens, which texts must not have."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return re.compile("|".join(re.escape(token) for token in {*added, *tokenizer.all_special_tokens}) or "(?!)")


def _text_problem(prompt: Any, completion: Any, num_images: int, control: re.Pattern[str]) -> str | None:
    if sum(text_of(m).count("<image>") for m in prompt if m["role"] == "user") != num_images:
        return "another number of <image> tags in its question than pictures"
    if any(control.search(text_of(m)) for m in (*prompt, *completion)):
        return "a model's own control token in its texts"
    if completion and not any(text_of(m).strip() for m in completion):
        return "an empty answer"
    return None


def _sizes(images: list[dict[str, Any]], checked: bool) -> tuple[list[tuple[int, int]], str | None]:
    import PIL.Image

    from mmcurate import pictures

    out = []
    for image in images:
        try:
            if not checked:
                width, height = pictures.inspect(image["bytes"] or Path(image["path"] or "").read_bytes())
            elif image["bytes"]:
                width, height = pictures.opened(image["bytes"]).size
            else:
                with PIL.Image.open(image["path"]) as opened:
                    width, height = opened.size
        except (OSError, ValueError, PIL.Image.DecompressionBombError):
            return [], "a picture that can't be read"
        if max(width, height) > MAX_RATIO * min(width, height):
            return [], f"a picture with one side over {MAX_RATIO} times the other, which Qwen's processors refuse"
        out.append((height, width))
    return out, None


def _rendered(processor: Any, prompt: Any, completion: Any) -> tuple[str, str]:
    """Returns the prompt's text and the answer's as the chat template writes them."""
    asked = processor.apply_chat_template(parts(prompt), tokenize=False, add_generation_prompt=True)
    if completion is None:
        return asked, ""
    whole = processor.apply_chat_template(parts([*prompt, *completion]), tokenize=False)
    return asked, whole[len(asked) :]


def _lengths(processor: Any, texts: list[str]) -> list[int]:
    return (
        [len(ids) for ids in processor.tokenizer(texts, add_special_tokens=False)["input_ids"]]
        if any(texts)
        else [0] * len(texts)
    )


@dataclass(frozen=True)
class Limits:
    """What fits: most tokens of a prompt, most of a row, and most pixels of a picture, which is made smaller; None for no limit."""

    prompt: int | None = None
    row: int | None = None
    pixels: int | None = None


def left_out(measured: Measured, limits: Limits) -> dict[int, str]:
    """Returns why rows are left out, by their numbers: what can't be used, and what is too long."""
    out = dict(measured.problems)
    whole = measured.prompt_tokens + measured.completion_tokens
    for limit, lengths, what in ((limits.prompt, measured.prompt_tokens, "a prompt"), (limits.row, whole, "a row")):
        for row in np.flatnonzero(lengths > limit) if limit is not None else ():
            out.setdefault(int(row), f"{what} of over {limit:,} tokens")
    return dict(sorted(out.items()))


def by_id(dataset: Any, reasons: dict[int, str]) -> list[tuple[str, str]]:
    """Returns reasons with the rows' ids instead of their numbers; a set without ids keeps the numbers."""
    ids = dataset["id"][:] if "id" in dataset.column_names and reasons else None
    return [(str(ids[row]) if ids else str(row), reason) for row, reason in reasons.items()]


def counted(reasons: Iterable[str]) -> dict[str, int]:
    """Returns how many rows each reason has, the most first."""
    return dict(Counter(reasons).most_common())
