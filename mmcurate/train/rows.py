"""The final sets as trainers take them: messages as chat parts, with their pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from mmcurate.errors import ColumnError, RunError, SettingsError
from mmcurate.run import Run

COLUMNS = {"sft": ("prompt", "completion", "images"), "rl": ("prompt", "images", "answer")}
"""What a set must have for each kind of training."""
BLANK = (56, 56)
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


def text_of(message: dict[str, Any]) -> str:
    """Returns a message's text.

    Raises:
        ColumnError: it has parts instead.
    """
    content = message["content"]
    if not isinstance(content, str):
        raise ColumnError(
            "messages must have a text with <image> tags as content, as run.to_sft() and run.to_rl() write it"
        )
    return content


def parts(messages: Any) -> list[dict[str, Any]]:
    """Returns messages as chat parts: of each user text, its `<image>` tags become the places of pictures.

    TRL doesn't split a text at its tags; it would put all pictures first.
    """
    return [{"role": m["role"], "content": list(_parts(text_of(m), m["role"] == "user"))} for m in messages]


def _parts(text: str, tagged: bool) -> Iterator[dict[str, str]]:
    for i, piece in enumerate(text.split("<image>") if tagged else [text]):
        if i:
            yield {"type": "image"}
        if piece:
            yield {"type": "text", "text": piece}


def mixes(dataset: Any) -> bool:
    """Whether some rows have pictures and some have none. Only lengths are read."""
    lengths = pc.fill_null(pc.list_value_length(dataset.data.column("images")), 0).to_numpy()
    if dataset._indices is not None:
        lengths = lengths[dataset._indices.column(0).to_numpy()]
    return bool((lengths == 0).any() and (lengths > 0).any())


def with_picture(prompt: Any) -> list[dict[str, Any]]:
    """Returns a prompt of text alone with a picture before its first question."""
    first = next((i for i, m in enumerate(prompt) if m["role"] == "user"), len(prompt))
    return [{**m, "content": "<image>" + text_of(m)} if i == first else m for i, m in enumerate(prompt)]


def trainable(dataset: Any, *, blank: bool = False) -> Any:
    """Returns a set whose rows are chat parts and decoded pictures, made when they are read.

    Args:
        dataset: the set.
        blank: give rows without pictures a small white one. Where parameters are sharded (FSDP, ZeRO-3), a process whose rows have no
            picture never runs the vision tower, and the others wait for its part of those weights for ever.
    """
    import PIL.Image

    plain = undecoded(dataset)
    white = PIL.Image.new("RGB", BLANK, "white")

    def shown(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        out = dict(batch)
        bare = [blank and not images for images in batch["images"]]
        prompts = [with_picture(p) if add else p for p, add in zip(batch["prompt"], bare, strict=True)]
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
