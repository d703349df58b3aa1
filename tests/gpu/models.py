"""Random Qwen models of real sizes, made where they are trained: only their config and processor are ever written."""

import json
from pathlib import Path

from tests import toy
from tests.tiny_models import build

VOCABULARY = 151_936
"""Of the published checkpoints of both families."""
MAX_PIXELS = 1024 * 1024
_TEXT_SMALL = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 16,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "head_dim": 64,
}
_VISION_SMALL = {"depth": 12, "hidden_size": 512, "intermediate_size": 2048, "num_heads": 8, "out_hidden_size": 768}
_SECTIONS = {  # of the rotary dimensions over time, height and width, as published for heads of 128; half as many for 64
    "qwen2_5_vl": {64: [8, 12, 12], 128: [16, 24, 24]},
    "qwen3_vl": {64: [12, 10, 10], 128: [24, 20, 20]},
}
SIZES = {
    "qwen2_5_vl": {
        "0.3B": (_TEXT_SMALL, _VISION_SMALL | {"fullatt_block_indexes": [2, 5, 8, 11]}),
        "2-3B": (  # Qwen2.5-VL-3B-Instruct
            {
                "hidden_size": 2048,
                "intermediate_size": 11_008,
                "num_hidden_layers": 36,
                "num_attention_heads": 16,
                "num_key_value_heads": 2,
                "head_dim": 128,
            },
            {
                "depth": 32,
                "hidden_size": 1280,
                "intermediate_size": 3420,
                "num_heads": 16,
                "out_hidden_size": 2048,
                "fullatt_block_indexes": [7, 15, 23, 31],
            },
        ),
    },
    "qwen3_vl": {
        "0.3B": (_TEXT_SMALL, _VISION_SMALL | {"deepstack_visual_indexes": [3, 6, 9], "num_position_embeddings": 2304}),
        "2-3B": (  # Qwen3-VL-2B-Instruct
            {
                "hidden_size": 2048,
                "intermediate_size": 6144,
                "num_hidden_layers": 28,
                "num_attention_heads": 16,
                "num_key_value_heads": 8,
                "head_dim": 128,
            },
            {
                "depth": 24,
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_heads": 16,
                "out_hidden_size": 2048,
                "deepstack_visual_indexes": [5, 11, 17],
                "num_position_embeddings": 2304,
            },
        ),
    },
}


def describe(family: str, size: str, folder: Path) -> Path:
    """Writes a model's config and processor, without weights: a size of `SIZES`, or "tiny"."""
    build(family, folder, texts=toy.TEXTS, max_pixels=MAX_PIXELS)
    (folder / "model.safetensors").unlink()
    if size != "tiny":
        text, vision = SIZES[family][size]
        config = json.loads((folder / "config.json").read_text())
        config["text_config"] |= {**text, "vocab_size": VOCABULARY, "tie_word_embeddings": True}
        config["text_config"].pop("layer_types", None)  # one a layer, made anew from the number of layers
        config["text_config"]["rope_parameters"]["mrope_section"] = _SECTIONS[family][text["head_dim"]]
        config["text_config"]["max_window_layers"] = text["num_hidden_layers"]
        config["vision_config"] |= vision
        config["tie_word_embeddings"] = True
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def make(folder: Path, device: str, dtype: str = "float32", attention: str | None = None, seed: int = 0):
    """Makes a described model with random weights on a device."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(folder)
    with torch.device(device):
        return AutoModelForImageTextToText.from_config(
            config, dtype=getattr(torch, dtype), attn_implementation=attention
        )
