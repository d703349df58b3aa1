"""What training on many devices needs: rows without pictures get one, rows are measured once, and vLLM is asked with what the trainer sees."""

import datasets
import numpy as np
import PIL.Image
import pytest

from mmcurate.train.measure import measure
from mmcurate.train.measured import measured
from mmcurate.train.policy import as_seen, one_token_a_picture
from mmcurate.train.processor import load_processor
from mmcurate.train.rows import mixes, trainable
from tests import toy
from tests.training import FAMILIES


def rows(number=6):
    """Every other row has no picture."""
    made = [{**q, "images": q["images"] if i % 2 else []} for i, q in enumerate(toy.colours(number))]
    return toy.final_set(made)


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_without_pictures_get_a_white_one(family, models):
    """Where weights are sharded, a process without a picture would skip the vision tower, for whose weights the others wait."""
    processor = load_processor(models[family], family)
    dataset = rows()
    counted = measure(dataset, processor, blank=True)
    plain = measure(dataset, processor)
    assert (counted.prompt_tokens > plain.prompt_tokens).tolist() == [True, False] * 3
    assert counted.fingerprint != plain.fingerprint, "another training"
    for row, tokens, before in zip(
        trainable(dataset, blank=True), counted.prompt_tokens, trainable(dataset), strict=True
    ):
        assert len(row["images"]) == 1
        text = processor.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        assert len(processor(images=row["images"], text=[text])["input_ids"][0]) == tokens
        assert row["completion"] == before["completion"]
        if not before["images"]:
            assert row["prompt"][1]["content"] == [{"type": "image"}, *before["prompt"][1]["content"]]
            assert np.asarray(row["images"][0]).min() == 255


def test_only_mixed_sets_do():
    dataset = rows()
    assert mixes(dataset)
    assert mixes(dataset.select([3, 4]))
    assert not mixes(dataset.select([1, 3, 5]))
    assert not mixes(dataset.select([0, 2, 4]))
    assert mixes(datasets.concatenate_datasets([dataset.select([0]), dataset.select([1])]))


def test_rows_are_measured_once(models, tmp_path):
    processor = load_processor(models["qwen3_vl"], "qwen3_vl")
    dataset, path = rows(), tmp_path / "measured.npz"

    def again(dataset=dataset, **more):
        """Whether that was measured anew; the result is always that of `measure`."""
        before = path.stat().st_ino if path.exists() else None
        made, right = (
            measured(dataset, processor, tmp_path, **{"blank": False, "main": True} | more),
            measure(dataset, processor, blank=more.get("blank", False)),
        )
        np.testing.assert_array_equal(made.prompt_tokens, right.prompt_tokens)
        np.testing.assert_array_equal(made.completion_tokens, right.completion_tokens)
        assert (made.problems, made.fingerprint) == (right.problems, right.fingerprint)
        return path.stat().st_ino != before

    assert again()
    assert not again()
    assert not again(main=False), "the other processes read"
    assert not again(dataset=rows()), "the same rows, made anew"
    assert again(blank=True)
    assert again(dataset=dataset.select([0, 1]))
    damaged = dataset.map(lambda row: {"prompt": [row["prompt"][0], {"role": "user", "content": "<image><image>?"}]})
    assert again(dataset=damaged)
    assert measured(damaged, processor, tmp_path, blank=False, main=True).problems.keys() == set(range(6))
    processor.image_processor.size["longest_edge"] = 28 * 28
    assert again(dataset=damaged)


@pytest.mark.parametrize("family", FAMILIES)
def test_vllm_is_asked_with_what_the_trainer_sees(family, models):
    """It has a processor of its own, which knows no other limit, and puts a picture's tokens in for each prompt."""
    own, limited = (load_processor(models[family], family) for _ in range(2))
    limited.image_processor.size["longest_edge"] = 64 * 64
    token = own.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    image = PIL.Image.effect_noise((120, 90), 60).convert("RGB")
    text = "<|vision_start|><|image_pad|><|vision_end|>" * 2 + "Which?"

    def inputs(processor, image):
        return processor(images=[image, image], text=[text], return_tensors="np")

    asked, shown = inputs(limited, image), as_seen(image, limited.image_processor)
    assert len(inputs(own, image)["input_ids"][0]) > len(asked["input_ids"][0])
    for name, value in inputs(own, shown).items():
        np.testing.assert_allclose(value, asked[name], atol=0.02, err_msg=name)
    ids = asked["input_ids"][0].tolist()
    assert ids.count(token) > 2
    assert one_token_a_picture(ids, token) == own.tokenizer(text)["input_ids"]
