"""Exact duplicates: the same text and the same pictures."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

import pyarrow as pa

from mmcurate.answers import gold_text, option_text, plain
from mmcurate.prompts import clean_question
from mmcurate.step import Step, settings


@settings
class ExactSignatures(Step):
    """Digests of what makes a question: its text and pictures together, its gold, its options."""

    requires: ClassVar[tuple[str, ...]] = ("question", "options", "answer", "images")
    provides: ClassVar[pa.Schema] = pa.schema(
        [("question_key", pa.string()), ("gold_key", pa.string()), ("options_key", pa.string())]
    )

    def __call__(self, table: pa.Table) -> pa.Table:
        out: dict[str, list[str | None]] = {name: [] for name in self.provides.names}
        columns = [table[name].to_pylist() for name in ("question", "options", "answer")]
        shas = table["images"].combine_chunks()
        hashes = pa.LargeListArray.from_arrays(shas.offsets, shas.values.field("sha256")).to_pylist()
        for question, options, answer, pictures in zip(*columns, hashes, strict=True):
            options = options or []
            out["question_key"].append(_digest(plain(clean_question(question)), *(pictures or ())))
            out["gold_key"].append(None if answer is None else _digest(gold_text(answer, options)))
            out["options_key"].append(_digest(*sorted(plain(option_text(o, i)) for i, o in enumerate(options))))
        return pa.table(out, schema=self.provides)


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@settings
class ExactDedup(Step):
    """Finds questions whose text and pictures are both the same, and keeps the first of each.

    Pictures are compared by their bytes, texts without regard to case and spacing; shuffled options don't make
    another question. Rows without pictures are compared by text alone.

    Two rows with the same text and pictures but another gold aren't duplicates. With other options they are two
    questions ("Which is true?"); with the same options, or none, one of the golds must be wrong, and
    `conflicts_with` names the first row.

    Memory: some 300 bytes a row.
    """

    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    requires: ClassVar[tuple[str, ...]] = ("question", "options", "answer", "images")
    provides: ClassVar[pa.Schema] = pa.schema([("duplicate_of", pa.string()), ("conflicts_with", pa.string())])

    def signatures(self) -> Step:
        return ExactSignatures()

    def __call__(self, table: pa.Table) -> pa.Table:
        columns = [table[name].to_pylist() for name in ("id", "question_key", "gold_key", "options_key")]
        by_key: dict[tuple[str, ...], str] = {}
        by_options: dict[tuple[str, str], str] = {}
        duplicates: list[str | None] = []
        conflicts: list[str | None] = []
        for name, question, gold, options in zip(*columns, strict=True):
            if gold is None:  # without a gold, other options may make another question
                key: tuple[str, ...] = (question, "", options)
            else:
                key = (question, gold)
            first = by_key.setdefault(key, name)
            duplicates.append(None if first == name else first)
            rival = name if gold is None else by_options.setdefault((question, options), name)
            conflicts.append(None if first != name or rival == name else rival)
        return pa.table({"duplicate_of": duplicates, "conflicts_with": conflicts}, schema=self.provides)
