"""The real readers take the exports: verl, lmms-engine, LLaMA-Factory and ms-swift, each from its package, in an environment of its own.

Run by hand: `pytest -m engines -W ignore tests/engines/test_trainers.py` where the packages are; what isn't there is skipped.
"""

import importlib
import os
import subprocess

import pytest

from mmcurate.export import to_llama_factory, to_lmms_engine, to_ms_swift, to_verl
from mmcurate.reward import Overlong, Reward
from tests.mixed import RL, SFT, mixed_run

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]


def needs(module):
    """Imports a reader's module, or skips where its package isn't here."""
    package = module.partition(".")[0]
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        pytest.skip(f"{package} isn't installed here")
    return importlib.import_module(module)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return mixed_run(tmp_path_factory.mktemp("mixed"))


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    pytest.importorskip("transformers")
    from tests.engines.tiny import processor

    folder = tmp_path_factory.mktemp("processor")
    return folder, processor(folder)


def images_in(made, processor):
    """How many runs of picture tokens there are in a row of token ids."""
    start = processor.tokenizer.convert_tokens_to_ids("<|vision_start|>")
    return sum(int(token) == start for token in made)


def test_verl_reads_the_rows(run, processor, tmp_path):
    module = needs("verl.utils.dataset.rl_dataset")
    from omegaconf import OmegaConf

    folder = to_verl(run, tmp_path / "verl")
    config = OmegaConf.create(
        {
            "cache_dir": str(tmp_path / "cache"),
            "max_prompt_length": 4096,
            "filter_overlong_prompts": True,
            "filter_overlong_prompts_workers": 1,
        }
    )
    made = processor[1]
    dataset = module.RLHFDataset(str(folder / "train.parquet"), made.tokenizer, config, made)
    assert len(dataset) == len(RL), "none is filtered out"
    rows = {row["extra_info"]["id"]: row for row in (dataset[i] for i in range(len(dataset)))}
    assert list(rows) == RL
    for name, row in rows.items():
        user = row["raw_prompt"][1]["content"]
        parts = [p["type"] for p in user] if isinstance(user, list) else []
        assert parts.count("image") == {"two": 2, "text": 0, "clear": 2}.get(name, 1)
        images, _, _ = module.RLHFDataset._process_multi_modal_info(row["raw_prompt"], 14, config)
        assert all(image.mode == "RGB" for image in images or ())
    batch = module.collate_fn(list(rows.values()))
    assert list(batch["data_source"]) == ["q"] * len(RL)


def test_verl_takes_the_settings_and_the_reward(run, tmp_path):
    needs("verl")
    import asyncio

    import hydra
    from omegaconf import OmegaConf
    from verl.experimental.reward_loop.reward_loop import migrate_legacy_reward_impl
    from verl.trainer.ppo.reward import get_custom_reward_fn
    from verl.utils.config import omega_conf_to_dataclass

    folder = to_verl(run, tmp_path / "verl")
    show = tmp_path / "show"
    show.write_text('#!/bin/sh\nshift 2\nprintf "%s\\n" "$@"\n')
    show.chmod(0o755)

    def composed():
        script = [folder / "train.sh", "trainer.nnodes=1"]
        environment = {**os.environ, "PYTHON": str(show)}
        overrides = subprocess.run(script, env=environment, capture_output=True, text=True, check=True).stdout
        with hydra.initialize_config_module("verl.trainer.config", version_base=None):
            made = hydra.compose("ppo_trainer", overrides=[o for o in overrides.split("\n") if o])
        return migrate_legacy_reward_impl(made)

    config = composed()
    assert config.reward.reward_manager.name == "naive"
    actor = config.actor_rollout_ref.actor
    assert (actor.policy_loss.loss_mode, actor.clip_ratio_low, actor.clip_ratio_high) == ("gspo", 3e-4, 4e-4)
    assert omega_conf_to_dataclass(config.algorithm).adv_estimator == "grpo"
    OmegaConf.resolve(config.data)
    reward = get_custom_reward_fn(config)
    given = {"options": ["yes", "no"], "question": "Is it?"}
    text = "<think>So</think><answer>no</answer>"
    made = reward(data_source="q", solution_str=text, ground_truth="B", extra_info=given)
    assert made["score"] == 1.0
    in_thread = asyncio.run(
        asyncio.to_thread(reward, data_source="q", solution_str=text, ground_truth="A", extra_info=given)
    )
    assert in_thread["acc"] == 0.0
    to_verl(run, folder, reward=Reward(overlong=Overlong(max_length=100, buffer=40, factor=0.5)))
    assert asyncio.run(dapo_score(composed(), 90)) == pytest.approx(1.0 - 0.375)
    assert asyncio.run(dapo_score(composed(), 50)) == 1.0


async def dapo_score(config, num_tokens):
    """What verl's reward manager makes of a right response of so many tokens."""
    import numpy as np
    import torch
    from verl import DataProto
    from verl.experimental.reward_loop.reward_manager.registry import get_reward_manager_cls
    from verl.trainer.ppo.reward import get_custom_reward_fn

    class Tokenizer:
        def decode(self, ids, skip_special_tokens):
            return "<think>So</think><answer>no</answer>"

    manager = get_reward_manager_cls(config.reward.reward_manager.name)(
        config, Tokenizer(), get_custom_reward_fn(config)
    )
    mask = (torch.arange(100) < num_tokens).long()[None]
    row = {"data_source": "q", "reward_model": {"ground_truth": "B"}, "extra_info": {"options": ["yes", "no"]}}
    data = DataProto.from_dict(
        {"responses": torch.ones(1, 100, dtype=torch.long), "attention_mask": mask},
        {name: np.array([value], dtype=object) for name, value in row.items()},
    )
    return float((await manager.run_single(data))["reward_score"])


def test_verls_loss_is_the_reference():
    algorithms = needs("verl.trainer.ppo.core_algos")
    import torch
    from verl.workers.config import ActorConfig

    from mmcurate.train.losses import dapo_loss, grpo_loss, gspo_loss

    torch.manual_seed(0)
    old = -torch.rand(32, 20, dtype=torch.float64) - 0.1
    new = (old + 0.002 * torch.randn_like(old)).requires_grad_()
    advantages = torch.randn(32, dtype=torch.float64)
    mask = (torch.arange(20)[None] < torch.randint(1, 21, (32, 1))).long()
    cases = {
        "gspo": ("gspo", gspo_loss, "seq-mean-token-mean", 3e-4, 4e-4),
        "grpo": ("vanilla", grpo_loss, "seq-mean-token-mean", 1e-3, 2e-3),
        "dapo": ("vanilla", dapo_loss, "token-mean", 1e-3, 2e-3),
    }
    for name, reference, mean, low, high in cases.values():
        clips = {"clip_ratio_low": low, "clip_ratio_high": high}
        config = ActorConfig(strategy="fsdp", rollout_n=4, ppo_micro_batch_size_per_gpu=1, **clips)
        each = advantages[:, None].expand_as(mask)
        theirs, metrics = algorithms.get_policy_loss_fn(name)(old, new, each, mask, mean, config)
        ours = reference(new, old, advantages, mask, low, high)
        assert metrics["actor/pg_clipfrac"] > 0.1
        assert abs(ours.item() - theirs.item()) < 1e-12
        slopes = [torch.autograd.grad(loss, new)[0] for loss in (ours, theirs)]
        assert torch.allclose(*slopes, rtol=1e-9, atol=1e-12)


def test_lmms_engine_reads_the_rows(run, processor, tmp_path, monkeypatch):
    module = needs("lmms_engine.datasets.iterable.vision_iterable_dataset")
    import yaml
    from lmms_engine.datasets.config import DatasetConfig

    folder = to_lmms_engine(run, tmp_path / "lmms")
    monkeypatch.chdir(folder)  # as train.sh does
    config = yaml.safe_load((folder / "train.yaml").read_text())["dataset_config"]
    config["processor_config"]["processor_name"] = str(processor[0])
    config.update(shuffle=False, packing=False)
    dataset = module.VisionSFTIterableDataset(DatasetConfig(**config))
    dataset.build()
    rows = list(dataset)
    assert len(rows) == 2 * len(SFT), "none is skipped"
    ids = [i.partition("#")[0] for i in dataset.data_list["id"]]
    assert set(ids) == set(SFT)
    for name, row in zip(ids, rows, strict=True):
        pictures = {"two": 2, "text": 0, "clear": 2}.get(name, 1)
        assert images_in(row["input_ids"], processor[1]) == pictures
        assert len(row.get("image_grid_thw", ())) == pictures
        learned = processor[1].tokenizer.decode([t for t in row["labels"] if t >= 0])
        assert "<think>" in learned
        assert "You answer questions" not in learned, "the loss is on the answer alone"
    config.update(packing=True)
    packed = module.VisionSFTIterableDataset(DatasetConfig(**config))
    packed.build()
    assert sum(len(pack) for pack in packed) == 2 * len(SFT)


def test_lmms_engine_takes_the_settings(run, tmp_path):
    needs("lmms_engine.train.config")
    import yaml
    from lmms_engine.launch.cli import filter_training_args
    from lmms_engine.models import ModelConfig

    config = yaml.safe_load((to_lmms_engine(run, tmp_path / "lmms") / "train.yaml").read_text())
    given = config["trainer_args"]
    assert filter_training_args(dict(given)) == given, "no setting is unknown to it"
    assert ModelConfig(**config["model_config"]).attn_implementation == "flash_attention_2"


def test_llama_factory_reads_the_rows(run, processor, tmp_path):
    loader = needs("llamafactory.data.loader")
    import yaml
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, FinetuningArguments, ModelArguments
    from transformers import HfArgumentParser, Seq2SeqTrainingArguments

    folder = to_llama_factory(run, tmp_path / "lf")
    config = yaml.safe_load((folder / "train.yaml").read_text())
    config.update(dataset_dir=str(folder), bf16=False, output_dir=str(tmp_path / "out"))
    kinds = (ModelArguments, DataArguments, Seq2SeqTrainingArguments, FinetuningArguments)
    model, data, training, _ = HfArgumentParser(kinds).parse_dict(config)  # raises for a name that it doesn't know
    model.cache_dir = str(tmp_path / "cache")
    (attributes,) = get_dataset_list(["mmcurate"], str(folder))
    dataset = loader._load_single_dataset(attributes, model, data, training)
    assert len(dataset) == 2 * len(SFT)
    template = get_template_and_fix_tokenizer(processor[1].tokenizer, data)
    template.mm_plugin.image_token = "<|image_pad|>"
    for row in dataset:
        assert row["_system"].startswith("You answer questions")
        assert [m["role"] for m in row["_prompt"] + row["_response"]] == ["user", "assistant"]
        images = row["_images"] or []
        assert all(os.path.isfile(image) for image in images)
        messages = template.mm_plugin.process_messages(row["_prompt"] + row["_response"], images, [], [], processor[1])
        text = "".join(m["content"] for m in messages)
        assert text.count("<|vision_start|>") == len(images)


def test_ms_swift_reads_the_rows(run, processor, tmp_path, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
    module = needs("swift.dataset")
    sft = to_ms_swift(run, tmp_path / "sft")
    dataset, _ = module.load_dataset(str(sft / "train.parquet"), strict=True)
    assert len(dataset) == 2 * len(SFT)
    monkeypatch.chdir(sft)  # as train.sh does
    for row in dataset:
        assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant"]
        images = row["images"] or []
        assert all(os.path.isfile(image["path"]) for image in images)
        assert row["messages"][1]["content"].count("<image>") == len(images)
    rl = to_ms_swift(run, tmp_path / "rl", "rl")
    dataset, _ = module.load_dataset(str(rl / "train.parquet"), strict=True, remove_unused_columns=False)
    assert len(dataset) == len(RL)
    two = dataset[0]
    assert (two["solution"], two["choices"]) == ("B", ["yes", "no"])
    monkeypatch.syspath_prepend(str(rl))
    importlib.import_module("plugin")
    from swift.rewards import orms

    rows = dataset[:]
    said = ["<think>So</think><answer>" + s + "</answer>" for s in rows["solution"]]
    scores = orms["mmcurate"]()(said, **{k: rows[k] for k in ("solution", "choices", "problem")})
    assert scores == [1.0] * len(RL)


def test_ms_swift_takes_the_settings(run, tmp_path):
    needs("swift.arguments")
    from dataclasses import fields

    from swift.arguments import RLHFArguments, SftArguments

    for kind, arguments in (("sft", SftArguments), ("rl", RLHFArguments)):
        script = (to_ms_swift(run, tmp_path / kind, kind) / "train.sh").read_text()
        given = {word[2:] for word in script.split() if word.startswith("--")}
        assert given <= {f.name for f in fields(arguments)}, "no argument is unknown to it"
