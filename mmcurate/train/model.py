"""The model to train: from a checkpoint of it where there is one, whole or with a LoRA adapter."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from mmcurate.errors import SettingsError

MEDIA_TOKENS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")


def family_of(model: str | Path) -> tuple[str, Any]:
    """Returns a checkpoint's `model_type` and its config.

    Raises:
        SettingsError: there is no such model.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(str(model))
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise SettingsError(
            f"there is no model {model}: give a folder with a config.json, or an id of the Hub ({said})"
        ) from None
    return config.model_type, config


def load_model(
    model: str | Path, checkpoint: Path | None = None, adapter: Any = None, *, half: bool = False, settings: Any = None
) -> Any:
    """Loads the weights to go on with.

    `Trainer.train(resume_from_checkpoint=...)` leaves a Qwen2.5-VL with the weights that it was built with, and says nothing:
    so the model is built from the checkpoint in the first place.

    Args:
        model: a folder, or an id of the Hub.
        checkpoint: a folder of the trainer's to go on from.
        adapter: a `peft.LoraConfig`, or None to train all weights.
        half: load in bfloat16. All weights are trained in float32 (bfloat16 has no room for a step of 1e-6), the frozen ones
            under an adapter need only be read.
        settings: arguments of `from_pretrained`, such as `{"attn_implementation": "flash_attention_2"}`.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    def load(place: str | Path) -> Any:
        dtype = torch.bfloat16 if half and adapter is not None else torch.float32
        return AutoModelForImageTextToText.from_pretrained(str(place), **{"dtype": dtype, **(settings or {})})

    if checkpoint is None:
        return load(model)
    if adapter is not None:
        from peft import PeftModel

        return PeftModel.from_pretrained(load(model), str(checkpoint), is_trainable=True)
    made = load(checkpoint if has_weights(checkpoint) else model)
    made.config._name_or_path = made.name_or_path = str(model)  # TRL's reference model is loaded by this name
    return made


def merge(model: str | Path, adapter: Path, out: Path) -> None:
    """Writes a model with an adapter's weights in its own, in the precision of its checkpoint; nothing sharded is needed for it."""
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # ZeRO-3 would shard what this one process loads, and wait for the others
    whole = AutoModelForImageTextToText.from_pretrained(str(model), dtype="auto")
    PeftModel.from_pretrained(whole, str(adapter)).merge_and_unload().save_pretrained(out)


def has_weights(checkpoint: Path) -> bool:
    """Whether a checkpoint has weights that transformers reads; a sharded one (FSDP, DeepSpeed) hasn't, and the trainer loads it."""
    return any(checkpoint.glob("*model*.safetensors"))


def resuming(kind: type) -> type:
    """Returns a trainer's class that doesn't load weights again into a model that `load_model` built from the checkpoint."""

    class Resuming(kind):
        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            if not has_weights(Path(resume_from_checkpoint)):
                super()._load_from_checkpoint(resume_from_checkpoint, model)

    return Resuming


def lora_config(lora: Any) -> Any:
    """Returns the `peft.LoraConfig` for `lora=True`: rank 64 on all linear layers of the language model and the vision tower."""
    if lora is not True:
        return copy.deepcopy(lora) or None  # peft changes it
    from peft import LoraConfig

    return LoraConfig(r=64, lora_alpha=64, target_modules="all-linear", task_type="CAUSAL_LM")


def suppressed(config: Any) -> list[int]:
    """Returns the tokens that a model must not write: its own next forward would look for pictures at their places."""
    return [token for name in MEDIA_TOKENS if (token := getattr(config, name, None)) is not None]
