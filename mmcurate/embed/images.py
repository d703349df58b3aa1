"""Encoders of pictures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import pydantic

from mmcurate.embed.encoder import model_name, of_pictures
from mmcurate.errors import SettingsError
from mmcurate.step import Runtime, settings


@settings
class ClipImages:
    """Pictures through the vision half of a CLIP or SigLIP model; needs torch and transformers.

    Attributes:
        model: a name on the Hub, or a folder. A folder counts by its content.
        device: "cuda", "cpu", ...; a GPU where there is one, unless given.
        batch_size: pictures at once.
    """

    model: str = "google/siglip2-base-patch16-224"
    device: Annotated[str | None, Runtime] = None
    batch_size: Annotated[int, Runtime] = pydantic.Field(default=64, gt=0)

    def encode(self, items: Sequence[bytes]) -> np.ndarray:
        """Returns the pictures' vectors; `pictures.pixels` says what the bytes look like."""
        return of_pictures(items, self._encode, self.batch_size)

    def _encode(self, images: list[Any]) -> np.ndarray:
        model, processor, device = _clip(self.model, self.device)
        pixels = processor(images=images, return_tensors="pt")["pixel_values"].to(device)
        features = model.get_image_features(pixel_values=pixels)
        features = getattr(features, "pooler_output", features)  # transformers 5 wraps the vectors
        return np.asarray(features.detach().float().cpu().numpy())

    def fingerprint(self) -> str:
        """Returns the model's name, or a digest of its folder."""
        return f"clip {model_name(self.model)}"


@functools.lru_cache(maxsize=1)
def _clip(model: str, device: str | None) -> tuple[Any, Any, str]:
    try:
        import torch
        from transformers import AutoImageProcessor, AutoModel
    except ImportError as error:
        raise SettingsError(f"ClipImages needs {error.name}: pip install torch transformers") from None
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    loaded = AutoModel.from_pretrained(model).eval().requires_grad_(False).to(place)
    return loaded, AutoImageProcessor.from_pretrained(model), place
