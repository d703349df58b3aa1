"""Presets: the published numbers, batches that stay consistent, and what TRL makes of them."""

import pytest

from mmcurate.errors import SettingsError
from mmcurate.train.presets import LOSSES, PRESETS, rl_settings, sft_settings


def batches(made):
    return tuple(
        made[n]
        for n in (
            "per_device_train_batch_size",
            "gradient_accumulation_steps",
            "steps_per_generation",
            "num_generations",
        )
    )


def test_the_numbers_of_the_recipe():
    sft = sft_settings("openmmreasoner")
    assert sft == sft_settings("paper")
    assert (sft["learning_rate"], sft["lr_scheduler_type"], sft["warmup_steps"]) == (5e-5, "cosine", 430 / 4300)
    assert (sft["weight_decay"], sft["completion_only_loss"], sft["max_length"]) == (0.0, True, None)
    for preset in PRESETS:
        made = rl_settings(preset)
        assert (made["epsilon"], made["epsilon_high"], made["beta"]) == (3e-4, 4e-4, 0.0)
        assert (made["learning_rate"], made["warmup_steps"], made["weight_decay"]) == (1e-6, 25, 0.1)
        assert (made["temperature"], made["max_completion_length"], made["num_generations"]) == (1.0, 28_696, 16)
    assert 74_971 * made["num_train_epochs"] / 128 == pytest.approx(1232, rel=0.01)
    assert abs(874_357 / 4300 / sft["gradient_accumulation_steps"] - 1) < 0.06


@pytest.mark.parametrize(
    ("algorithm", "level", "loss", "low", "high"),
    [
        ("gspo", "sequence", "grpo", 3e-4, 4e-4),
        ("grpo", "token", "grpo", 0.2, 0.27),
        ("dapo", "token", "dapo", 0.2, 0.28),
    ],
)
def test_an_algorithm_is_its_ratio_its_mean_and_its_clip(algorithm, level, loss, low, high):
    made = rl_settings("paper", algorithm)
    assert (made["importance_sampling_level"], made["loss_type"]) == (level, loss)
    assert (made["epsilon"], made["epsilon_high"]) == (low, high)


@pytest.mark.parametrize(
    ("changes", "world_size", "expected"),
    [
        ({}, 1, (1, 2048, 8192, 16)),
        ({}, 64, (1, 32, 128, 16)),
        ({"per_device_train_batch_size": 8}, 8, (8, 32, 128, 16)),
        ({"num_generations": 8}, 64, (1, 16, 64, 8)),
        ({"num_generations": 6, "per_device_train_batch_size": 3}, 4, (3, 64, 256, 6)),
        (
            {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 8, "num_generations": 8},
            1,
            (8, 2, 8, 8),
        ),
        ({"steps_per_generation": 32}, 64, (1, 32, 32, 16)),
    ],
)
def test_128_prompts_an_update_and_four_updates_a_rollout_on_any_number_of_devices(changes, world_size, expected):
    made = rl_settings("paper", world_size=world_size, **changes)
    assert batches(made) == expected
    device, accumulated, steps, group = expected
    if "gradient_accumulation_steps" not in changes:
        assert world_size * device * accumulated == 128 * group
    assert world_size * device * steps % group == 0


def test_openmmreasoner_uses_a_rollout_once():
    assert batches(rl_settings("openmmreasoner", world_size=64)) == (1, 32, 32, 16)
    assert batches(rl_settings("openmmreasoner", gradient_accumulation_steps=16)) == (1, 16, 16, 16)


def test_a_generation_batch_size_takes_the_place_of_steps_per_generation():
    made = rl_settings("paper", world_size=64, generation_batch_size=4096)
    assert "steps_per_generation" not in made
    assert made["gradient_accumulation_steps"] == 32


def test_changes_go_on_top():
    assert rl_settings("paper", temperature=0.9)["temperature"] == 0.9
    assert sft_settings(learning_rate=1e-5, output_dir="out")["output_dir"] == "out"


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64])
def test_an_sft_update_is_192_rows(world_size):
    made = sft_settings(world_size=world_size)
    assert world_size * made["gradient_accumulation_steps"] == 192


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: rl_settings("papre"),
            "rl: preset = 'papre' isn't known; did you mean 'paper'?",
        ),
        (
            lambda: rl_settings(algorithm="gsop"),
            "rl: algorithm = 'gsop' isn't known; did you mean 'gspo'?",
        ),
        (lambda: sft_settings("x"), "sft: preset = 'x' isn't known; there are: openmmreasoner, paper"),
        (
            lambda: rl_settings(world_size=3),
            "rl: an update of 128 prompts x 16 responses isn't shared evenly by 3 devices x per_device_train_batch_size = 1: "
            "change one, or say gradient_accumulation_steps",
        ),
        (
            lambda: rl_settings(per_device_train_batch_size=3, gradient_accumulation_steps=1),
            "rl: a rollout of 1 devices x 3 responses x 4 micro-batches isn't a multiple of num_generations = 16: "
            "raise gradient_accumulation_steps or per_device_train_batch_size",
        ),
        (
            lambda: sft_settings(world_size=5),
            "sft: an update of 192 rows isn't shared evenly by 5 devices x per_device_train_batch_size = 1: "
            "change one, or say gradient_accumulation_steps",
        ),
    ],
)
def test_what_cannot_be_is_one_line(make, message):
    with pytest.raises(SettingsError) as raised:
        make()
    assert str(raised.value) == message


def test_trl_takes_the_presets_and_counts_the_same_batches(tmp_path):
    trl = pytest.importorskip("trl")
    here = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False, "activation_checkpointing": False}
    for preset in PRESETS:
        for algorithm in LOSSES:
            made = rl_settings(preset, algorithm, **here)
            config = trl.GRPOConfig(**made)
            assert config.generation_batch_size == {"paper": 4, "openmmreasoner": 1}[preset] * 128 * 16
            assert {n: getattr(config, n) for n in made if n != "lr_scheduler_type"} == {
                n: v for n, v in made.items() if n != "lr_scheduler_type"
            }
    config = trl.SFTConfig(**sft_settings(**here))
    assert config.get_warmup_steps(4300) == 430
    assert (config.max_length, config.remove_unused_columns, config.num_train_epochs) == (None, False, 1)
