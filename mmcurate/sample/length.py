"""Lengths in tokens."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic

from mmcurate.errors import SettingsError
from mmcurate.prompts import user_text
from mmcurate.step import Step, settings


@settings
class TokenCounter:
    """Counts tokens with a fast tokenizer.

    Attributes:
        name: a tokenizer's name on the Hub, a `tokenizer.json`, or a folder with one. A file counts by its content.
    """

    name: str = pydantic.Field(min_length=1)

    def __post_init__(self) -> None:
        local = self.name.endswith(".json") or self.name.startswith((".", "/", "~")) or Path(self.name).exists()
        if local and self._file() is None:
            raise SettingsError(f"there is no tokenizer.json at {self.name!r}")

    def counts(self, texts: list[str]) -> np.ndarray:
        """Returns how many tokens each text has, without those that begin or end a sequence: (N,) int32."""
        tokenizer, start, out = _load(self.name, self.fingerprint()), 0, np.empty(len(texts), np.int32)
        for start in range(0, len(texts), 256):
            made = tokenizer.encode_batch(texts[start : start + 256], add_special_tokens=False)
            out[start : start + len(made)] = [len(e.ids) for e in made]
        return out

    def fingerprint(self) -> str:
        """Returns the name, or the digest of the file."""
        file = self._file()
        return f"tokenizer {hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file else self.name}"

    def _file(self) -> Path | None:
        path = Path(self.name).expanduser()
        path = path / "tokenizer.json" if path.is_dir() else path
        return path if path.is_file() else None


@functools.lru_cache(maxsize=4)
def _load(name: str, fingerprint: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise SettingsError("Length needs the package tokenizers: pip install 'mmcurate[embed]'") from None
    file = TokenCounter(name)._file()
    try:
        tokenizer = Tokenizer.from_file(str(file)) if file else Tokenizer.from_pretrained(name)
    except Exception as error:
        raise SettingsError(f"tokenizer {name!r} can't be loaded: {str(error).splitlines()[0]}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@settings
class Length(Step):
    """Counts tokens by a given tokenizer, such as the student's.

    Provides `length`: of each response, its reasoning and its text; or of each question, its text with its options (what
    its pictures take depends on the model and isn't counted). Tokens that a chat template adds aren't counted.

    Attributes:
        tokenizer: a name on the Hub, a `tokenizer.json`, or a folder with one.
        of: "responses" or "question".
    """

    tokenizer: str | TokenCounter
    of: Literal["responses", "question"] = "responses"

    provides: ClassVar[pa.Schema] = pa.schema(
        [pa.field("length", pa.large_list(pa.int32()), metadata={"of": "responses"})]
    )

    def __post_init__(self) -> None:
        if isinstance(self.tokenizer, str):
            object.__setattr__(self, "tokenizer", TokenCounter(self.tokenizer))
        of_question = self.of == "question"
        object.__setattr__(self, "requires", ("question", "options", "images") if of_question else ("responses",))
        if of_question:
            object.__setattr__(self, "provides", pa.schema([("length", pa.int32())]))
        super().__post_init__()

    def check(self) -> None:
        self._counter().counts([""])

    def _counter(self) -> TokenCounter:
        assert isinstance(self.tokenizer, TokenCounter)
        return self.tokenizer

    def __call__(self, table: pa.Table) -> pa.Table:
        if self.of == "question":
            rows = zip(*(table[n].to_pylist() for n in ("question", "options")), strict=True)
            pictures = pc.fill_null(pc.list_value_length(table["images"]), 0).to_pylist()
            texts = [user_text(q, o or [], n)[0] for (q, o), n in zip(rows, pictures, strict=True)]
            return pa.table({"length": self._counter().counts(texts)}, schema=self.provides)
        responses = table["responses"].combine_chunks()
        flat = responses.flatten()
        length = np.zeros(len(flat), np.int32)
        for field in ("reasoning", "text"):
            texts = pc.fill_null(pc.struct_field(flat, field), "").to_pylist()
            length += self._counter().counts(texts)
        ends = np.cumsum(pc.fill_null(pc.list_value_length(responses), 0).to_numpy(zero_copy_only=False))
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int64))
        return pa.table([pa.LargeListArray.from_arrays(offsets, pa.array(length))], schema=self.provides)
