"""What a settings check wants to know of a final set: its prompts, its longest trace, its pass rates, its verifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmcurate.export.dataset import read_about
from mmcurate.prompts import prompt_id

_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Facts:
    """A set's facts. As plain values they can be kept beside a model: `Facts(**json)` reads what `dataclasses.asdict` gave.

    Attributes:
        num_rows: how many rows it has.
        has_pictures: whether it has a column of pictures.
        longest_trace: tokens of its longest answer, as the teacher counted them; None where no row says.
        prompts: how many rows have each system prompt in their messages, by its id; "" for rows without one.
        num_misnamed: rows whose `prompt_id` is another than that of their messages.
        num_trivial: rows with a pass rate of 0 or 1.
        num_unrated: rows without a pass rate.
        num_unverified: rows of answers that nothing checked: their verdict is null.
        verifiers: the version of each `Verify` behind the set, by the step's name; empty where it isn't known.
    """

    num_rows: int = 0
    has_pictures: bool = True
    longest_trace: int | None = None
    prompts: Mapping[str, int] = field(default_factory=dict)
    num_misnamed: int = 0
    num_trivial: int = 0
    num_unrated: int = 0
    num_unverified: int = 0
    verifiers: Mapping[str, int] = field(default_factory=dict)


def facts_of(dataset: Any, folder: str | Path | None = None) -> Facts:
    """Reads a set's facts, in batches and without its pictures.

    Args:
        dataset: a `datasets.Dataset`, as `to_sft` or `to_rl` return it.
        folder: where it lies; found by itself unless it was moved.
    """
    names = [n for n in ("prompt", "prompt_id", "num_tokens", "pass_rate", "verdict") if n in dataset.column_names]
    prompts: Counter[str] = Counter()
    longest: list[int] = []
    misnamed = trivial = unrated = unverified = 0
    plain: Any = dataset.select_columns(names).with_format("arrow") if names else ()
    for start in range(0, len(plain), _BATCH_ROWS):
        batch = plain[start : start + _BATCH_ROWS]
        if "prompt" in names and (ids := _prompt_ids(batch["prompt"].combine_chunks())) is not None:
            prompts.update(Counter(ids.tolist()))
            if "prompt_id" in names:
                misnamed += int(np.sum(ids != np.array(batch["prompt_id"].to_pylist(), object)))
        if "num_tokens" in names and (most := pc.max(batch["num_tokens"]).as_py()) is not None:
            longest.append(most)
        if "verdict" in names:
            unverified += batch["verdict"].null_count
        if "pass_rate" in names:
            rates = batch["pass_rate"].to_numpy()
            unrated += int(np.isnan(rates).sum())
            trivial += int(((rates == 0) | (rates == 1)).sum())
    return Facts(
        num_rows=len(dataset),
        has_pictures=bool({"image", "images"} & set(dataset.column_names)),
        longest_trace=max(longest, default=None),
        prompts=dict(prompts),
        num_misnamed=misnamed,
        num_trivial=trivial,
        num_unrated=unrated if "pass_rate" in names else len(dataset),
        num_unverified=unverified,
        verifiers=about_of(dataset, folder).get("verifiers", {}),
    )


def _prompt_ids(prompts: pa.Array) -> np.ndarray | None:
    """Returns the id of each row's system prompt, "" where it has none: (N,) of str. None where these aren't messages of texts."""
    messages: Any = getattr(prompts.type, "value_type", prompts.type)
    if not pa.types.is_struct(messages) or not {"role", "content"} <= {f.name for f in messages}:
        return None
    flat = prompts.flatten()
    texts = flat.field("content")
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        return None
    said = pc.equal(flat.field("role"), "system")
    coded = texts.filter(said).dictionary_encode()
    names = np.array([prompt_id(text) for text in coded.dictionary.to_pylist()], object)
    out = np.full(len(prompts), "", object)
    out[pc.list_parent_indices(prompts).filter(said).to_numpy()] = names[coded.indices.to_numpy()]
    return out


def about_of(dataset: Any, folder: str | Path | None = None) -> dict[str, Any]:
    """Returns what the folder of a final set says of it; empty for a set that lies in none."""
    if folder is not None:
        return read_about(Path(folder))
    return next((a for f in dataset.cache_files if (a := read_about(Path(f["filename"]).parent))), {})
