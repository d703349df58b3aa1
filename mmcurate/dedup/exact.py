"""Exact duplicates: the same text and the same pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from mmcurate.dedup.keep_first import ranks
from mmcurate.dedup.keys import KEYS, question_keys
from mmcurate.step import Step, settings


@settings
class ExactSignatures(Step):
    """Digests of a question's text, pictures, gold and options."""

    version: ClassVar[int] = 3
    requires: ClassVar[tuple[str, ...]] = ("question", "options", "answer", "images")
    provides: ClassVar[pa.Schema] = KEYS

    def __call__(self, table: pa.Table) -> pa.Table:
        return pa.table(question_keys(table), schema=KEYS)


@settings
class ExactDedup(Step):
    """Finds questions whose text and pictures are both the same, and keeps the first of each.

    Pictures are compared by their bytes, texts without regard to case and spacing; shuffled options don't make
    another question. Rows without pictures are compared by text alone.

    Two rows with the same text and pictures but another gold aren't duplicates. With other options they are two
    questions ("Which is true?"); with the same options, or none, one of the golds must be wrong: a label conflict, and
    `conflicts_with` names the first row. To report conflicts, count them; to keep the first, drop rows where
    `conflicts_with` isn't null; to drop both sides, say `label_conflicts="all"`, which names the other row on the first
    one too, and drop the same way.

    Memory: some 500 bytes a row.

    Attributes:
        by: "question" compares text and pictures together. "text" and "images" look at nothing else, golds included, and
            destroy data sets whose questions share a template or a picture: on PuzzleVQA's 2,000 questions "text"
            leaves 21 and "images" 1,616, where 1,636 differ. With "images" a row without pictures is never a duplicate.
        priority: sources whose rows are kept before others', most important first.
        label_conflicts: which rows of a conflict are marked, "later" ones or "all".
    """

    _: dataclasses.KW_ONLY
    by: Literal["question", "text", "images"] = "question"
    priority: Sequence[str] = ()
    label_conflicts: Literal["later", "all"] = "later"

    version: ClassVar[int] = 2
    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    requires: ClassVar[tuple[str, ...]] = ("source",)
    provides: ClassVar[pa.Schema] = pa.schema([("duplicate_of", pa.string()), ("conflicts_with", pa.string())])

    def signatures(self) -> Step:
        return ExactSignatures()

    def __call__(self, table: pa.Table) -> pa.Table:
        ids, *keys = (table[name].to_pylist() for name in ("id", *KEYS.names))
        rows = list(zip(*keys, strict=True))
        by_key: dict[tuple[str | None, ...], int] = {}
        by_options: dict[tuple[str | None, ...], int] = {}
        duplicates: list[str | None] = [None] * len(ids)
        conflicts: list[str | None] = [None] * len(ids)
        for i in np.argsort(ranks(table["source"].to_pylist(), self.priority), kind="stable"):
            text, images, gold, options = rows[i]
            if self.by == "text":
                key: tuple[str | None, ...] = (text,)
            elif self.by == "images":
                key = (images,) if images else (ids[i],)
            elif gold is None:  # without a gold, other options may make another question
                key = (text, images, None, options)
            else:
                key = (text, images, gold)
            first = by_key.setdefault(key, i)
            if first != i:
                duplicates[i] = ids[first]
            elif self.by == "question" and gold is not None:
                rival = by_options.setdefault((text, images, options), i)
                if rival != i:
                    conflicts[i] = ids[rival]
                    if self.label_conflicts == "all" and conflicts[rival] is None:
                        conflicts[rival] = ids[i]
        return pa.table({"duplicate_of": duplicates, "conflicts_with": conflicts}, schema=self.provides)
