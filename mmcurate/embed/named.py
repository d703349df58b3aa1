"""Any encoder of yours, under a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydantic

from mmcurate.embed.encoder import of_pictures
from mmcurate.errors import SettingsError
from mmcurate.step import settings


@settings
class Named:
    """Gives a name to any object with `encode(list)`, such as a `SentenceTransformer`, so that it can be a setting.

    Pictures are handed to it as upright RGB `PIL.Image`s.

    Attributes:
        encoder: the object.
        name: its vectors' identity. Vectors on disk are used again under the same name: change it with the weights.
    """

    encoder: Any
    name: str = pydantic.Field(min_length=1)

    def __post_init__(self) -> None:
        if not callable(getattr(self.encoder, "encode", None)) or isinstance(self.encoder, (str, type)):
            raise SettingsError(f"Named: {self.encoder!r:.60} has no method encode(list)")

    def encode(self, items: Sequence[str] | Sequence[bytes]) -> np.ndarray:
        """Returns what the object does, as float32."""
        if items and isinstance(items[0], bytes):
            return of_pictures(items, self.encoder.encode)
        return np.asarray(self.encoder.encode(list(items)), np.float32) if items else np.zeros((0, 1), np.float32)

    def fingerprint(self) -> str:
        """Returns the name."""
        return f"named {self.name}"
