"""Tiny Qwen models with random weights: the real architectures, in a megabyte, built in a moment."""

from collections.abc import Iterable
from pathlib import Path

_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'image' or part.type == 'image_url' or 'image' in part %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VIDEOS = {"video_processor_type": "Qwen2VLVideoProcessor", "fps": 2.0}
"""What the published checkpoints' file on videos holds, for a machine without torchvision."""


def _tokenizer(texts, vocab_size):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=list(_SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    made.train_from_iterator([*texts] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
        chat_template=_TEMPLATE,
    )


def _ids(tokenizer):
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}


def build(
    family: str,
    folder: Path,
    *,
    texts: Iterable[str] = ("What colour is the square? Answer with a number or a word.",),
    vocab_size: int = 330,
    spread: float = 0.02,
    max_pixels: int = 128 * 128,
    seed: int = 0,
) -> str:
    """Writes a model of a family (`qwen2_5_vl`, `qwen3_vl`, or `qwen3`, which takes no pictures) into a folder, and returns the folder.

    Args:
        family: the model type.
        folder: where.
        texts: what the tokenizer learns its words from.
        vocab_size: of the tokenizer, 265 at least.
        spread: standard deviation of the weights; with a large one greedy answers differ from question to question.
        max_pixels: of a picture.
        seed: of the weights.
    """
    import torch
    import transformers as t

    torch.manual_seed(seed)
    tokenizer = _tokenizer(texts, vocab_size)
    text = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": 64,  # the smallest that vLLM's CPU attention takes
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "initializer_range": spread,
        "vocab_size": len(tokenizer),
        "eos_token_id": tokenizer.eos_token_id,
    }
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [8, 12, 12]}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64}
    if family == "qwen3":
        plain = {"rope_type": "default", "rope_theta": 10_000.0}
        t.Qwen3ForCausalLM(t.Qwen3Config(**text, rope_parameters=plain)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)
    if family == "qwen2_5_vl":
        config = t.Qwen2_5_VLConfig(
            text_config={**text, "rope_parameters": rope},
            vision_config={**vision, "fullatt_block_indexes": [1], "patch_size": 14, "window_size": 112},
            **_ids(tokenizer),
            tie_word_embeddings=False,
        )
        model, patch_size = t.Qwen2_5_VLForConditionalGeneration(config), 14
    else:
        vision |= {"num_position_embeddings": 64, "deepstack_visual_indexes": [0], "patch_size": 16}
        config = t.Qwen3VLConfig(
            text_config={**text, "rope_parameters": {**rope, "mrope_interleaved": True}},
            vision_config=vision,
            **_ids(tokenizer),
            tie_word_embeddings=False,
        )
        model, patch_size = t.Qwen3VLForConditionalGeneration(config), 16
    model.generation_config = t.GenerationConfig(eos_token_id=tokenizer.eos_token_id)
    model.save_pretrained(folder)
    _save_processor(family, Path(folder), tokenizer, {"patch_size": patch_size}, max_pixels)
    return str(folder)


def _save_processor(family, folder, tokenizer, sizes, max_pixels):
    import json

    import transformers as t

    pixels = {"min_pixels": 32 * 32, "max_pixels": max_pixels}
    try:
        import torchvision  # noqa: F401
    except (ImportError, OSError):
        tokenizer.save_pretrained(folder)
        said = t.Qwen2VLImageProcessorPil(**sizes, **pixels).to_dict()
        said.update(
            image_processor_type="Qwen2VLImageProcessor",
            processor_class="Qwen2_5_VLProcessor" if family == "qwen2_5_vl" else "Qwen3VLProcessor",
        )
        for name, content in (("preprocessor_config.json", said), ("video_preprocessor_config.json", VIDEOS)):
            (folder / name).write_text(json.dumps(content, default=list))
        return
    stock, videos = (
        (t.Qwen2_5_VLProcessor, t.Qwen2VLVideoProcessor)
        if family == "qwen2_5_vl"
        else (t.Qwen3VLProcessor, t.Qwen3VLVideoProcessor)
    )
    stock(
        image_processor=t.Qwen2VLImageProcessor(**sizes, **pixels),
        tokenizer=tokenizer,
        video_processor=videos(**sizes),
        chat_template=_TEMPLATE,
    ).save_pretrained(folder)
