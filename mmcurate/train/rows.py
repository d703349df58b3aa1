"""The final sets as trainers take them: rows that fit, measured exactly, as chat parts with pictures."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from mmcurate.errors import ColumnError, RunError, SettingsError
from mmcurate.run import Run
from mmcurate.train.facts import about_of

COLUMNS = {"sft": ("prompt", "completion", "images"), "rl": ("prompt", "images", "answer")}
"""What a set must have for each kind of training."""
MAX_RATIO = 200
"""Of a picture's sides: Qwen's processors refuse more."""
_BATCH_ROWS = 500
_BLANK = (56, 56)
"""Sides of the white picture for rows without one: four tokens of Qwen2.5-VL."""


def open_set(data: Any, kind: str) -> Any:
    """Returns a final set as a `datasets.Dataset`.

    Args:
        data: a run, a run's folder, the folder of a final set (`final`, `final_rl`), or a data set.
        kind: "sft" or "rl", which says what is made of a run.

    Raises:
        ColumnError: the set lacks what such a training needs.
        SettingsError: the set is empty.
        RunError: the run isn't complete.
    """
    import datasets
    from accelerate import PartialState

    from mmcurate.export import load

    if isinstance(data, str | Path):
        folder = Path(data).expanduser()
        if not folder.exists():
            raise SettingsError(f"{data}: there is no such folder; give a run, or a final set's folder")
        data = Run(folder) if (folder / "run.json").exists() else load(folder)
    if isinstance(data, Run):
        if not data.complete:
            raise RunError(
                f"{data.path} isn't complete, so its answers may not be checked: run its recipe again to finish it, "
                f"or train on what there is with run.to_{kind}()"
            )
        with PartialState().main_process_first():  # the others find it made
            data = data.to_sft() if kind == "sft" else data.to_rl()
    if not isinstance(data, datasets.Dataset):
        raise SettingsError(
            f"data is a {type(data).__name__}: give a run, a final set's folder, or a datasets.Dataset (one split)"
        )
    missing = [name for name in COLUMNS[kind] if name not in data.column_names]
    if missing:
        made = "to_sft" if kind == "sft" else "to_rl"
        raise ColumnError(
            f"the set lacks the column {missing[0]!r}; it has {', '.join(data.column_names)}. run.{made}() makes a set that has it"
        )
    if not len(data):
        raise SettingsError("the set has no rows: see why in run.report()")
    return data


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
                prompt, sizes = _with_picture(prompt), [_BLANK]
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


def undecoded(dataset: Any) -> Any:
    """Returns a set whose pictures stay paths and bytes. Nothing is copied, as `cast_column` would."""
    import datasets

    pictures = dataset.features["images"]
    if not isinstance(getattr(pictures, "feature", None), datasets.Image):
        raise ColumnError(f"the column 'images' is {pictures}; it must be datasets.List(datasets.Image())")
    features = dataset.features.copy()
    features["images"] = datasets.List(datasets.Image(decode=False))
    info = dataset.info.copy()
    info.features = features
    return datasets.Dataset(dataset.data, info=info, indices_table=dataset._indices)


def _control(tokenizer: Any) -> re.Pattern[str]:
    """Returns what finds a tokenizer's control tokens, which texts must not have."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return re.compile("|".join(re.escape(token) for token in {*added, *tokenizer.all_special_tokens}) or "(?!)")


def _text_problem(prompt: Any, completion: Any, num_images: int, control: re.Pattern[str]) -> str | None:
    if sum(_text(m).count("<image>") for m in prompt if m["role"] == "user") != num_images:
        return "another number of <image> tags in its question than pictures"
    if any(control.search(_text(m)) for m in (*prompt, *completion)):
        return "a model's own control token in its texts"
    if completion and not any(_text(m).strip() for m in completion):
        return "an empty answer"
    return None


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    if not isinstance(content, str):
        raise ColumnError(
            "messages must have a text with <image> tags as content, as run.to_sft() and run.to_rl() write it"
        )
    return content


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


def parts(messages: Any) -> list[dict[str, Any]]:
    """Returns messages as chat parts: of each user text, its `<image>` tags become the places of pictures.

    TRL doesn't split a text at its tags; it would put all pictures first.
    """
    return [{"role": m["role"], "content": list(_parts(_text(m), m["role"] == "user"))} for m in messages]


def _parts(text: str, tagged: bool) -> Iterator[dict[str, str]]:
    for i, piece in enumerate(text.split("<image>") if tagged else [text]):
        if i:
            yield {"type": "image"}
        if piece:
            yield {"type": "text", "text": piece}


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


def mixes(dataset: Any) -> bool:
    """Whether some rows have pictures and some have none. Only lengths are read."""
    lengths = pc.fill_null(pc.list_value_length(dataset.data.column("images")), 0).to_numpy()
    if dataset._indices is not None:
        lengths = lengths[dataset._indices.column(0).to_numpy()]
    return bool((lengths == 0).any() and (lengths > 0).any())


def _with_picture(prompt: Any) -> list[dict[str, Any]]:
    """Returns a prompt of text alone with a picture before its first question."""
    first = next((i for i, m in enumerate(prompt) if m["role"] == "user"), len(prompt))
    return [{**m, "content": "<image>" + _text(m)} if i == first else m for i, m in enumerate(prompt)]


def trainable(dataset: Any, *, blank: bool = False) -> Any:
    """Returns a set whose rows are chat parts and decoded pictures, made when they are read.

    Args:
        dataset: the set.
        blank: give rows without pictures a small white one. Where parameters are sharded (FSDP, ZeRO-3), a process whose rows have no
            picture never runs the vision tower, and the others wait for its part of those weights for ever.
    """
    import PIL.Image

    plain = undecoded(dataset)
    white = PIL.Image.new("RGB", _BLANK, "white")

    def shown(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        out = dict(batch)
        bare = [blank and not images for images in batch["images"]]
        prompts = [_with_picture(p) if add else p for p, add in zip(batch["prompt"], bare, strict=True)]
        out["prompt"] = [parts(messages) for messages in prompts]
        if "completion" in batch:
            out["completion"] = [parts(messages) for messages in batch["completion"]]
        pictures = [[_decoded(p) for p in images or ()] for images in batch["images"]]
        out["images"] = [[white] if add else p for p, add in zip(pictures, bare, strict=True)]
        return out

    return plain.with_transform(shown)


def _decoded(picture: dict[str, Any]) -> Any:
    from mmcurate import pictures

    return pictures.pixels(picture["bytes"] or Path(picture["path"]).read_bytes())
