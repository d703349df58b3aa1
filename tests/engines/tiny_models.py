"""Tiny Qwen vision-language models with random weights: the real architectures, in a megabyte, built in a moment."""

from pathlib import Path

_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'image' or part.type == 'image_url' or 'image' in part %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
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
_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "head_dim": 64,  # the smallest that vLLM's CPU attention takes
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
    "initializer_range": 0.5,  # so that greedy answers differ from question to question
}


def _tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=list(_SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    made.train_from_iterator(["What colour is the square? Answer with a number or a word."] * 4, trainer)
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


def build(family: str, folder: Path, seed: int = 0) -> str:
    """Writes a model of a family (`qwen2_5_vl` or `qwen3_vl`) into a folder, and returns the folder."""
    import torch
    import transformers as t

    torch.manual_seed(seed)
    tokenizer = _tokenizer()
    text = {**_TEXT, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [8, 12, 12]}
    if family == "qwen2_5_vl":
        vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64}
        config = t.Qwen2_5_VLConfig(
            text_config={**text, "rope_parameters": rope},
            vision_config={**vision, "fullatt_block_indexes": [1], "patch_size": 14, "window_size": 112},
            **_ids(tokenizer),
            tie_word_embeddings=False,
        )
        model = t.Qwen2_5_VLForConditionalGeneration(config)
        images, videos, made = t.Qwen2VLImageProcessor, t.Qwen2VLVideoProcessor, t.Qwen2_5_VLProcessor
        sizes = {"patch_size": 14}
    else:
        vision = {
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
            "patch_size": 16,
        }
        config = t.Qwen3VLConfig(
            text_config={**text, "rope_parameters": {**rope, "mrope_interleaved": True}},
            vision_config=vision,
            **_ids(tokenizer),
            tie_word_embeddings=False,
        )
        model = t.Qwen3VLForConditionalGeneration(config)
        images, videos, made = t.Qwen2VLImageProcessor, t.Qwen3VLVideoProcessor, t.Qwen3VLProcessor
        sizes = {"patch_size": 16}
    model.generation_config = t.GenerationConfig(eos_token_id=tokenizer.eos_token_id)
    model.save_pretrained(folder)
    pixels = {"min_pixels": 32 * 32, "max_pixels": 128 * 128}
    processor = made(
        image_processor=images(**sizes, **pixels),
        tokenizer=tokenizer,
        video_processor=videos(**sizes),
        chat_template=_TEMPLATE,
    )
    processor.save_pretrained(folder)
    return str(folder)
