"""The rows measured once, by one process for all, and kept for the next call."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from mmcurate.columns import durable_write
from mmcurate.step import digest
from mmcurate.train.folder import MEASURED
from mmcurate.train.measure import Measured, measure

_VERSION = 1
"""Of what `measure` counts."""


def measured(dataset: Any, processor: Any, out: Path, *, blank: bool, main: bool) -> Measured:
    """Measures a set, or reads what was measured of it before.

    The main process measures; the others wait for its file, not at a barrier, which would time out under a large set. Where
    the main process fails, the launcher ends them.

    Args:
        dataset, processor, blank: see `measure.measure`.
        out: the training's folder, which all processes see.
        main: whether this is the main process.
    """
    from accelerate.utils import broadcast_object_list

    [key] = broadcast_object_list(
        [_key(dataset, processor, blank)]
    )  # a set made in memory may have another fingerprint in each
    path = out / MEASURED
    while (made := _read(path, key)) is None:
        if main:
            _write(path, key, measure(dataset, processor, blank=blank))
        else:
            time.sleep(0.2)
    return made


def _key(dataset: Any, processor: Any, blank: bool) -> str:
    """Returns what decides the numbers: the set, and what makes tokens of it."""
    tokenizer = processor.tokenizer
    about = [processor.chat_template, type(processor).__name__, processor.image_processor.to_dict()]
    words = [len(tokenizer), tokenizer.get_added_vocab(), tokenizer("The answer is 3.14.")["input_ids"]]
    return digest(json.loads(json.dumps([_VERSION, dataset._fingerprint, blank, about, words], default=str)))


def _read(path: Path, key: str) -> Measured | None:
    try:
        with np.load(path) as kept:
            if str(kept["key"]) != key:
                return None
            problems = {int(row): str(why) for row, why in zip(kept["rows"], kept["reasons"], strict=True)}
            return Measured(kept["prompt_tokens"], kept["completion_tokens"], problems, str(kept["fingerprint"]))
    except FileNotFoundError:
        return None


def _write(path: Path, key: str, made: Measured) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    durable_write(
        path,
        lambda file: np.savez_compressed(
            file,
            key=key,
            prompt_tokens=made.prompt_tokens,
            completion_tokens=made.completion_tokens,
            rows=np.array(list(made.problems), np.int64),
            reasons=np.array(list(made.problems.values()), np.str_),
            fingerprint=made.fingerprint,
        ),
    )
