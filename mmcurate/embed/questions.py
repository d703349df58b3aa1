"""The vectors of questions."""

from __future__ import annotations

import io
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from mmcurate import pictures
from mmcurate.answers import option_text
from mmcurate.embed.encoder import Encoder, EncoderSetting, unit, unit_vectors
from mmcurate.embed.text import StaticText
from mmcurate.prompts import compared_text
from mmcurate.step import Step, settings


@settings
class Embeddings(Step):
    """The vectors of each question: of its text with its options, and, with an image encoder, of its pictures.

    Vectors have length 1. Those of a question's pictures are averaged, then brought to length 1 again.

    Attributes:
        encoder: of texts.
        image_encoder: of pictures; without one, no picture is read.
    """

    encoder: EncoderSetting = StaticText()
    image_encoder: EncoderSetting | None = None

    version: ClassVar[int] = 2
    requires: ClassVar[tuple[str, ...]] = ("question", "options")
    provides: ClassVar[pa.Schema] = pa.schema(
        [("text_vector", pa.large_list(pa.float32())), ("image_vector", pa.large_list(pa.float32()))]
    )

    def __post_init__(self) -> None:
        if self.image_encoder is not None:
            object.__setattr__(self, "requires", (*type(self).requires, "images"))
        super().__post_init__()

    def check(self) -> None:
        unit_vectors(self.encoder, ["What is shown?"])
        if self.image_encoder is not None:
            unit_vectors(self.image_encoder, [_grey()])

    def __call__(self, table: pa.Table) -> pa.Table:
        rows = zip(table["question"].to_pylist(), table["options"].to_pylist(), strict=True)
        texts = ["\n".join([compared_text(q), *(option_text(o, i) for i, o in enumerate(os or ()))]) for q, os in rows]
        text = unit_vectors(self.encoder, texts)
        image: list[np.ndarray | None] = [None] * table.num_rows
        if self.image_encoder is not None:
            image = _image_vectors(self.image_encoder, table["images"].to_pylist())
        return pa.table({"text_vector": list(text), "image_vector": image}, schema=self.provides)


def _grey() -> bytes:
    import PIL.Image

    out = io.BytesIO()
    PIL.Image.new("RGB", (32, 32), "grey").save(out, "PNG")
    return out.getvalue()


def _image_vectors(encoder: Encoder, rows: list[list[dict[str, Any]] | None]) -> list[np.ndarray | None]:
    by_digest = {p["sha256"]: p for row in rows for p in row or ()}
    vectors = unit_vectors(encoder, [pictures.read(p) for p in by_digest.values()])
    place = {name: i for i, name in enumerate(by_digest)}
    out: list[np.ndarray | None] = []
    for row in rows:
        mean = vectors[[place[p["sha256"]] for p in row]].mean(axis=0, keepdims=True) if row else None
        out.append(None if mean is None or not mean.any() else unit(mean)[0])
    return out


def question_vectors(table: pa.Table) -> np.ndarray:
    """Returns the columns of `Embeddings` as one vector of length 1 a row: (N, D) float32.

    Text and pictures weigh the same: the similarity of two rows that have both is the mean of the two similarities.
    """
    text, image = (_matrix(table[name]) for name in Embeddings.provides.names)
    return unit(np.concatenate([text, image], axis=1)) if image.any() else text


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    """Returns lists of one length as rows, zeros for null: (N, D) float32."""
    lists = column.combine_chunks()
    there = ~lists.is_null().to_numpy(zero_copy_only=False)
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    widths = np.unique(lists.value_lengths().drop_null().to_numpy())
    if len(widths) > 1:
        raise ValueError(f"vectors of {widths[0]} and {widths[1]} numbers in one column")
    out = np.zeros((len(lists), int(widths[0]) if len(widths) else 0), np.float32)
    out[there] = flat.reshape(int(there.sum()), -1) if len(flat) else 0
    return out
