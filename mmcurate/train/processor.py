"""A checkpoint's processor: its tokenizer, chat template and image processor, with torchvision or without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmcurate.errors import SettingsError

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
"""The model types that can be trained."""
_VIDEO = "video_preprocessor_config.json"


def load_processor(model: str | Path, family: str, **settings: Any) -> Any:
    """Loads a processor, with `settings` such as `max_pixels` for its image processor.

    The stock classes insist on a video processor, which needs torchvision. Where that is missing, or was built for
    another torch, one without videos is loaded, whose `save_pretrained` keeps what the checkpoint says of videos.

    Args:
        model: a folder, or an id of the Hub.
        family: the checkpoint's `model_type`.
        settings: of the image processor.

    Raises:
        SettingsError: the family isn't one that can be trained.
    """
    from transformers import AutoProcessor

    if family not in FAMILIES:
        raise SettingsError(f"{model} is a {family}; what can be trained here is {', '.join(FAMILIES)}")
    if _torchvision():
        return AutoProcessor.from_pretrained(str(model), **settings)
    return _without_videos(family).from_pretrained(str(model), backend="pil", **settings)


def _torchvision() -> bool:
    try:
        import torchvision  # noqa: F401
    except (ImportError, OSError, RuntimeError):  # missing, or built for another torch
        return False
    return True


def _without_videos(family: str) -> Any:
    """Returns the stock class with two parts instead of three, under its own name, which is saved."""
    from transformers import Qwen2_5_VLProcessor, Qwen3VLProcessor

    stock: Any = Qwen2_5_VLProcessor if family == "qwen2_5_vl" else Qwen3VLProcessor

    class Pictured(stock):
        _videos: dict[str, Any] | None = None

        @classmethod
        def get_attributes(cls) -> list[str]:
            return ["image_processor", "tokenizer"]

        @classmethod
        def from_pretrained(cls, model: str, **settings: Any) -> Any:
            made = super().from_pretrained(model, **settings)
            made._videos = _video_section(model)
            return made

        def save_pretrained(self, folder: Any, *args: Any, **more: Any) -> Any:
            out = super().save_pretrained(folder, *args, **more)
            if self._videos:
                text = json.dumps(self._videos, indent=2, sort_keys=True) + "\n"
                (Path(folder) / _VIDEO).write_text(text, "utf-8")
            return out

    Pictured.__name__ = stock.__name__
    return Pictured


def _video_section(model: str) -> dict[str, Any] | None:
    """Returns what a checkpoint says of its video processor: a file of its own, or a part of the processor's."""
    from transformers.utils import cached_file

    for name, part in ((_VIDEO, None), ("processor_config.json", "video_processor")):
        path = cached_file(model, name, _raise_exceptions_for_missing_entries=False)
        if path:
            said = json.loads(Path(path).read_text("utf-8"))
            if (said := said.get(part) if part else said) is not None:
                return dict(said)
    return None
