"""Each way in which training on pictures goes wrong in silence, and that it doesn't here."""

import datasets
import pytest

from mmcurate.train import folder, rl, sft
from mmcurate.train.measure import measure
from mmcurate.train.model import family_of, suppressed
from mmcurate.train.processor import load_processor
from mmcurate.train.rows import parts, trainable
from tests import toy
from tests.conftest import picture
from tests.training import FAMILIES, QUICK, ROLLOUT

RED, BLUE = picture("red", (32, 32)), picture("blue", (64, 32))


def row(id, question, images, answer="red", system=toy.SYSTEM):
    return {
        "id": id,
        "prompt": [{"role": "system", "content": system}, {"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": f"<think>I look.</think><answer>{answer}</answer>"}],
        "images": [{"bytes": data, "path": None} for data in images],
        "question": question,
        "options": list(toy.COLOURS),
        "answer": answer,
    }


def mixed(times=1):
    """Rows with two pictures, one and none."""
    kinds = [
        ("Is <image> red? And <image>?", [RED, BLUE]),
        ("<image>What colour?", [RED]),
        ("What colour is blood?", []),
        ("Name one colour.", []),
    ]
    made = [row(f"{i}-{n}", *kind) for i in range(times) for n, kind in enumerate(kinds)]
    return datasets.Dataset.from_list(made, toy.features(*made[0]))


@pytest.fixture(scope="module", params=FAMILIES)
def processor(request, models):
    return load_processor(models[request.param], request.param)


def test_one_thread_of_torch():
    """Two threads on a busy machine of two cores take 15 times as long; conftest.py says one."""
    import torch

    assert torch.get_num_threads() == 1


def test_pictures_stand_where_the_text_says(processor):
    """TRL puts all pictures of a text before it, and leaves its tags as words."""
    text = processor.apply_chat_template(parts(mixed()[0]["prompt"]), tokenize=False)
    assert (
        "Is <|vision_start|><|image_pad|><|vision_end|> red? And <|vision_start|><|image_pad|><|vision_end|>?" in text
    )
    assert "<image>" not in text
    system = parts([{"role": "system", "content": "Say <image>."}])
    assert system == [{"role": "system", "content": [{"type": "text", "text": "Say <image>."}]}], (
        "only a user shows pictures"
    )


def test_a_text_part_has_no_key_of_a_picture(processor):
    """In one Arrow struct absent keys become null, and Qwen's template sees a picture wherever there is the key."""
    shown = trainable(mixed())[0]["prompt"]
    assert [sorted(p) for p in shown[1]["content"]] == [
        ["text", "type"],
        ["type"],
        ["text", "type"],
        ["type"],
        ["text", "type"],
    ]
    assert processor.apply_chat_template(shown, tokenize=False).count("<|image_pad|>") == 2
    stored = datasets.Dataset.from_list(
        [{"prompt": [{**m, "content": [{"image": None, **p} for p in m["content"]]} for m in shown]}]
    )
    assert processor.apply_chat_template(stored[0]["prompt"], tokenize=False).count("<|image_pad|>") > 2, "the trap"


def test_the_exact_length_is_known_without_decoding(processor):
    """Truncation inside a picture raises, of the answer gives a loss of NaN: so rows are measured instead, and exactly."""
    rows = mixed()
    measured = measure(rows, processor)
    for i, shown in enumerate(trainable(rows)):
        asked = processor.apply_chat_template(shown["prompt"], tokenize=False, add_generation_prompt=True)
        ids = processor(images=shown["images"] or None, text=[asked])["input_ids"][0]
        assert len(ids) == measured.prompt_tokens[i]
        answer = processor.apply_chat_template(shown["prompt"] + shown["completion"], tokenize=False)[len(asked) :]
        assert len(processor.tokenizer(answer)["input_ids"]) == measured.completion_tokens[i]


def test_the_loss_falls_on_answers_only(processor):
    """No token of a prompt and none of a picture is ever trained: with two pictures, one, none, and all in one batch."""
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    collate = DataCollatorForVisionLanguageModeling(processor, max_length=None, completion_only_loss=True)
    batch = collate([dict(r) for r in trainable(mixed().select_columns(["prompt", "completion", "images"]))])
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learnt = processor.tokenizer.decode(labels[labels != -100])
        assert learnt == "<think>I look.</think><answer>red</answer><|im_end|>\n"
        assert (labels[ids == processor.image_token_id] == -100).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_with_and_without_pictures_in_one_batch(family, models, tmp_path):
    """The processor takes no None beside pictures, and the vision tower no empty pixels."""
    rows, model = mixed(times=4), models[family]
    done = sft(rows, model, tmp_path / "sft", **QUICK | {"per_device_train_batch_size": 4})
    assert done.num_rows == 16
    # In some micro-batches of eight responses to one prompt there is no picture at all.
    changes = ROLLOUT | {"per_device_train_batch_size": 8, "steps_per_generation": 16, "max_completion_length": 4}
    done = rl(rows, done.model, tmp_path / "rl", max_steps=16, **changes)
    assert [said["step"] for said in done.history if "loss" in said] == list(range(1, 17))


@pytest.fixture
def drawing(models, tmp_path):
    """A model that wants to write a picture's token wherever it may write."""
    import torch
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(models["qwen3_vl"])
    token = model.config.image_token_id
    with torch.no_grad():
        model.lm_head.weight[token] = 0
        model.lm_head.bias = torch.nn.Parameter(torch.zeros(model.lm_head.out_features))
        model.lm_head.bias[token] = 50.0
    return model, token


def test_a_model_can_not_write_media_tokens(models, drawing, tmp_path, monkeypatch):
    """It would look for a picture at their place in its next forward, and break."""
    from mmcurate.train import job

    model, token = drawing
    monkeypatch.setattr(job.Job, "load", lambda self: model)
    written = []

    def reward(completions, completion_ids, **columns):
        written.extend(i for ids in completion_ids for i in ids)
        return [float(len(ids) % 3) for ids in completion_ids]

    changes = ROLLOUT | {"max_steps": 4, "max_completion_length": 6}
    rl(toy.final_set(toy.colours(16)), models["qwen3_vl"], tmp_path / "out", reward=reward, **changes)
    assert written
    assert not set(written) & set(suppressed(family_of(models["qwen3_vl"])[1]))
    assert token in suppressed(family_of(models["qwen3_vl"])[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_opens_as_what_was_trained(family, models, tmp_path):
    """A resumed Qwen2.5-VL kept its fresh weights in silence; the model is built from the checkpoint instead."""
    from safetensors.numpy import load_file

    from mmcurate.train.model import load_model

    done = sft(mixed(), models[family], tmp_path / "out", **QUICK, max_steps=2, save_steps=1)
    saved = load_file(done.model / "model.safetensors")
    loaded = dict(load_model(models[family], folder.checkpoint(done.path)).named_parameters())
    fresh = dict(load_model(models[family]).named_parameters())
    name = "model.language_model.layers.0.mlp.down_proj.weight"
    assert (loaded[name] != fresh[name]).any()
    values = [v for k, v in saved.items() if k.endswith("layers.0.mlp.down_proj.weight") and "visual" not in k]
    assert (loaded[name].detach().numpy() == values[0]).all()
