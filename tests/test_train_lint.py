"""The settings check: each finding fires on its cause, alone, and is silent on the presets."""

import dataclasses
import json
import logging
import subprocess
import sys
import types

import datasets
import pytest
from conftest import questions, write_jsonl

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.distill import Distill
from mmcurate.errors import SettingsError
from mmcurate.export import load
from mmcurate.prompts import SYSTEM_PROMPT, prompt_id
from mmcurate.sources import Files
from mmcurate.train.facts import Facts, facts_of
from mmcurate.train.finding import _DEFAULTS, Finding
from mmcurate.train.lint import lint_rl, lint_sft, tell
from mmcurate.train.presets import LOSSES, rl_settings, sft_settings
from mmcurate.verify import Verify

USUAL = prompt_id(SYSTEM_PROMPT)
GOOD = Facts(num_rows=74_971, longest_trace=28_000, prompts={USUAL: 74_971}, verifiers={"verify": Verify.version})


def reward(**overlong):
    return types.SimpleNamespace(overlong=types.SimpleNamespace(**overlong) if overlong else None)


SHAPED = reward(max_length=28_696)


def rl(algorithm="gspo", preset="paper", world_size=64, **changes):
    return rl_settings(preset, algorithm, world_size=world_size, **changes) | {"world_size": world_size}


@pytest.mark.parametrize("algorithm", LOSSES)
def test_the_paper_preset_has_no_finding(algorithm):
    assert lint_rl(rl(algorithm), algorithm, reward=SHAPED, data=GOOD, sft=GOOD) == []
    assert lint_rl(rl(algorithm, world_size=1), algorithm) == []
    assert lint_sft(sft_settings(), data=GOOD) == []


def test_what_was_published_has_the_ratio_that_is_always_1():
    (found,) = lint_rl(rl(preset="openmmreasoner"), "gspo", reward=reward(), data=GOOD)
    assert found == Finding(
        "warning",
        "steps_per_generation = 32 with gradient_accumulation_steps = 32",
        "a rollout is used in one update, so the ratio is always 1 and no clip ever acts",
        "steps_per_generation=128 makes four (arXiv 2507.18071, section 5.1)",
    )
    data = dataclasses.replace(GOOD, num_trivial=5)
    published = lint_rl(rl("dapo", preset="openmmreasoner"), "dapo", reward=reward(), data=data)
    assert [f.level for f in published] == ["warning"] * 4
    assert [f.what.partition(" with")[0] for f in published] == [
        "steps_per_generation = 32",
        "dapo",
        "dapo on 5 rows",
        "dapo",
    ]
    assert [f.fix for f in published[1:]] == [
        "epsilon_high=0.28",
        "leave them out with the pass-rate filter",
        "Reward(overlong=Overlong(max_length=28696))",
    ]


@pytest.mark.parametrize(
    ("algorithm", "changes", "level", "what"),
    [
        (
            "gspo",
            {"steps_per_generation": 32},
            "warning",
            "steps_per_generation = 32 with gradient_accumulation_steps = 32",
        ),
        (
            "gspo",
            {"steps_per_generation": 16},
            "warning",
            "steps_per_generation = 16 with gradient_accumulation_steps = 32",
        ),
        (
            "gspo",
            {"steps_per_generation": 80, "save_steps": 5},
            "warning",
            "steps_per_generation = 80 with gradient_accumulation_steps = 32",
        ),
        ("gspo", {"loss_type": "dapo"}, "error", "gspo with loss_type = 'dapo'"),
        ("gspo", {"loss_type": "luspo"}, "error", "gspo with loss_type = 'luspo'"),
        ("grpo", {"loss_type": "dr_grpo"}, "error", "grpo with loss_type = 'dr_grpo'"),
        ("dapo", {"loss_type": "grpo"}, "error", "dapo with loss_type = 'grpo'"),
        (None, {"loss_type": "bnpo"}, "warning", "loss_type = 'bnpo' with a sequence ratio"),
        ("gspo", {"epsilon": 0.2}, "warning", "epsilon = 0.2, epsilon_high = 0.0004 for a sequence ratio"),
        (
            "gspo",
            {"epsilon": 3e-4, "epsilon_high": 0.27},
            "warning",
            "epsilon = 0.0003, epsilon_high = 0.27 for a sequence ratio",
        ),
        ("grpo", {"epsilon": 3e-4}, "warning", "epsilon = 0.0003, epsilon_high = 0.27 for a token ratio"),
        ("dapo", {"epsilon_high": None}, "warning", "dapo with epsilon = 0.2, epsilon_high = 0.2"),
        ("dapo", {"epsilon_high": 0.1}, "warning", "dapo with epsilon = 0.2, epsilon_high = 0.1"),
        ("gspo", {"scale_rewards": "batch"}, "warning", "scale_rewards = 'batch'"),
        ("gspo", {"scale_rewards": False}, "warning", "scale_rewards = False"),
        ("grpo", {"beta": 0.04}, "warning", "beta = 0.04"),
        ("gspo", {"entropy_coef": 0.01}, "warning", "entropy_coef = 0.01"),
        ("gspo", {"num_generations": 1}, "error", "num_generations = 1"),
        ("gspo", {"temperature": 1.4}, "warning", "temperature = 1.4"),
        ("gspo", {"temperature": 0.1}, "warning", "temperature = 0.1"),
        ("gspo", {"generation_kwargs": {"temperature": 1.4}}, "warning", "temperature = 1.4"),
        ("gspo", {"top_p": 0.9}, "warning", "top_p = 0.9"),
        ("gspo", {"top_k": 50}, "warning", "top_k = 50"),
        ("gspo", {"min_p": 0.05}, "warning", "min_p = 0.05"),
        ("gspo", {"repetition_penalty": 1.1}, "warning", "repetition_penalty = 1.1"),
        ("gspo", {"max_completion_length": 27_999}, "warning", "max_completion_length = 27,999"),
        ("gspo", {"mask_truncated_completions": True}, "warning", "mask_truncated_completions with an overlong term"),
        ("gspo", {"remove_unused_columns": True}, "error", "remove_unused_columns = True"),
        ("gspo", {"save_steps": 50}, "warning", "save_steps = 50 with 4 updates a rollout"),
        ("gspo", {"max_steps": 25}, "warning", "warmup_steps = 25 of 25 updates"),
    ],
)
def test_each_setting_is_found_alone(algorithm, changes, level, what):
    limit = changes.get("max_completion_length", 28_696)
    found = lint_rl(rl(algorithm or "gspo", **changes), algorithm, reward=reward(max_length=limit), data=GOOD)
    assert [(f.level, f.what) for f in found] == [(level, what)]


@pytest.mark.parametrize(
    "changes",
    [
        {"steps_per_generation": 32, "num_iterations": 4},
        {"generation_kwargs": {"suppress_tokens": [1, 2]}},
        {"top_k": -1},
        {"scale_rewards": True},
        {"save_strategy": "epoch", "save_steps": 50},
        {"warmup_steps": 0.1, "max_steps": 8},
        {"max_completion_length": 28_000},
        {"epsilon": 1e-3, "epsilon_high": 2e-3},
    ],
)
def test_what_is_fine_is_not_found(changes):
    assert lint_rl(rl(**changes), "gspo", data=GOOD) == []


def test_a_ratio_of_tokens_is_no_gspo():
    found = lint_rl(rl("gspo", importance_sampling_level="token", epsilon=0.2, epsilon_high=0.27), "gspo")
    assert [str(f) for f in found] == [
        "gspo with importance_sampling_level = 'token': GSPO has one ratio a response (arXiv 2507.18071, eq. 7), "
        "GRPO and DAPO have one a token; importance_sampling_level='sequence'"
    ]
    with pytest.raises(SettingsError, match="'gpso' isn't known; did you mean 'gspo'"):
        lint_rl(rl(), "gpso")


@pytest.mark.parametrize(
    ("facts", "level", "what"),
    [
        ({"num_rows": 511}, "error", "a rollout of 512 prompts on 511 rows"),
        ({"num_rows": 512 * 2, "prompts": {}}, "warning", "warmup_steps = 25 of 17 updates"),
        ({"longest_trace": 28_697}, "warning", "max_completion_length = 28,696"),
        ({"num_misnamed": 3}, "warning", "3 rows whose prompt_id isn't that of their messages"),
        ({"prompts": {USUAL: 9, "": 1}}, "warning", "1 rows without a system prompt"),
        (
            {"prompts": {"a": 5, USUAL: 9}},
            "warning",
            f"2 system prompts in one set: {USUAL} (9 rows), a (5 rows)",
        ),
        (
            {"verifiers": {"verify": Verify.version, "again": 1}},
            "warning",
            f"verdicts of 'again' by verifier version 1; installed is {Verify.version}",
        ),
    ],
)
def test_each_fact_of_the_data_is_found_alone(facts, level, what):
    found = lint_rl(rl(), "gspo", data=dataclasses.replace(GOOD, **facts))
    assert [(f.level, f.what) for f in found] == [(level, what)]


@pytest.mark.parametrize(
    ("num_rows", "changes", "fix"),
    [
        (511, {}, "gradient_accumulation_steps=31, steps_per_generation=124"),
        (40, {}, "gradient_accumulation_steps=2, steps_per_generation=8"),
        (15, {}, "lower per_device_train_batch_size or num_generations, or get more rows"),
        (15, {"num_generations": 64}, "gradient_accumulation_steps=3, steps_per_generation=12"),
        (10, {"world_size": 1, "num_generations": 6}, "gradient_accumulation_steps=15, steps_per_generation=60"),
    ],
)
def test_a_set_that_is_too_small_is_told_the_rollout_that_it_fills(num_rows, changes, fix):
    data = dataclasses.replace(GOOD, num_rows=num_rows)
    (found, *_) = lint_rl(rl(**changes), "gspo", data=data)
    assert (found.level, found.fix) == ("error", fix)
    if "=" in fix:
        accumulated, steps = (int(part.partition("=")[2]) for part in fix.split(", "))
        smaller = rl(**changes, gradient_accumulation_steps=accumulated)
        assert smaller["steps_per_generation"] == steps
        assert [f.level for f in lint_rl(smaller | {"warmup_steps": 0}, "gspo", data=data)] == []


def test_two_sets_are_compared():
    other = dataclasses.replace(GOOD, prompts={"a": 1})
    (found,) = lint_rl(rl(), "gspo", data=GOOD, sft=other)
    assert found.what == f"system prompt {USUAL} after fine-tuning on a"
    assert lint_rl(rl(), "gspo", data=GOOD, sft=dataclasses.replace(GOOD, prompts={"a": 1, USUAL: 2})) == []
    (found,) = lint_rl(rl(), "gspo", data=GOOD, sft=dataclasses.replace(GOOD, longest_trace=30_000))
    assert "set the model was fine-tuned on has 30,000 tokens" in found.why


def test_dapo_wants_its_filter_and_its_overlong_term():
    for facts, what in (
        ({"num_trivial": 2}, "dapo on 2 rows with a pass rate of 0 or 1 and 0 without one"),
        ({"num_unrated": 3}, "dapo on 0 rows with a pass rate of 0 or 1 and 3 without one"),
    ):
        data = dataclasses.replace(GOOD, **facts)
        assert [f.what for f in lint_rl(rl("dapo"), "dapo", reward=SHAPED, data=data)] == [what]
        assert lint_rl(rl(), "gspo", data=data) == []
    assert [f.what for f in lint_rl(rl("dapo"), "dapo", reward=reward())] == [
        "dapo with a reward without an overlong term"
    ]
    assert lint_rl(rl("dapo"), "dapo", reward=print) == []  # nothing is known of it


def test_the_overlong_term_ends_where_responses_do():
    (found,) = lint_rl(rl(max_completion_length=512), "gspo", reward=SHAPED)
    assert str(found) == (
        "Overlong(max_length=28696) with max_completion_length = 512: the term ends elsewhere than responses do; "
        "Overlong(max_length=512)"
    )


def test_a_curriculum_is_not_shuffled():
    (found,) = lint_rl(rl(), "gspo", curriculum=True)
    assert (found.level, found.fix) == ("error", "shuffle_dataset=False")
    assert lint_rl(rl(shuffle_dataset=False), "gspo", curriculum=True) == []


@pytest.mark.parametrize(
    ("changes", "level", "what"),
    [
        ({"max_length": 1024}, "error", "max_length = 1,024"),
        ({"packing": True, "max_length": 61_440}, "error", "packing = True"),
        ({"padding_free": True}, "error", "padding_free = True"),
        ({"completion_only_loss": False}, "error", "completion_only_loss = False"),
        ({"assistant_only_loss": True}, "error", "assistant_only_loss = True"),
        ({"remove_unused_columns": True}, "error", "remove_unused_columns = True"),
        ({"warmup_steps": 430}, "warning", "warmup_steps = 430 of 391 updates"),
    ],
)
def test_each_setting_of_sft_is_found_alone(changes, level, what):
    found = lint_sft(sft_settings(world_size=1, **changes), data=GOOD)
    assert [(f.level, f.what) for f in found] == [(level, what)]


def test_texts_alone_may_be_packed_and_cut():
    text = dataclasses.replace(GOOD, has_pictures=False)
    assert lint_sft(sft_settings(packing=True, max_length=61_440), data=text) == []
    assert [f.level for f in lint_sft(sft_settings(max_length=1024), data=text)] == ["warning"]


def test_errors_are_refused_and_warnings_logged_a_line_each(caplog):
    found = lint_rl(rl(loss_type="dapo", temperature=1.4, remove_unused_columns=True), "gspo")
    assert [f.level for f in found] == ["error", "error", "warning"]
    with caplog.at_level(logging.WARNING), pytest.raises(SettingsError) as raised:
        tell(found)
    assert [r.getMessage() for r in caplog.records] == [
        "temperature = 1.4: the paper's training collapses at 1.4; temperature=1.0"
    ]
    assert str(raised.value) == f"{found[0]} | {found[1]}"
    assert "\n" not in str(raised.value)
    tell([])


# --- what the sets say of themselves -----------------------------------------------------------------------------


def test_the_check_needs_no_torch():
    code = "import sys, mmcurate.train.lint, mmcurate.train.sampling; sys.exit('torch' in sys.modules or 'trl' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


def row(i, system=SYSTEM_PROMPT, **more):
    messages = [{"role": "system", "content": system}] if system else []
    return {
        "id": f"q{i}",
        "prompt": [*messages, {"role": "user", "content": f"What is {i}?"}],
        "prompt_id": USUAL,
        "images": [],
        "num_tokens": 10 * i,
        "pass_rate": [0.0, 0.5, 1.0, None][i % 4],
        **more,
    }


def test_facts_of_rows():
    rows = [row(i) for i in range(6)] + [row(6, system="Other."), row(7, system=None), row(8, num_tokens=None)]
    assert facts_of(datasets.Dataset.from_list(rows)) == Facts(
        num_rows=9,
        has_pictures=True,
        longest_trace=70,
        prompts={USUAL: 7, prompt_id("Other."): 1, "": 1},
        num_misnamed=2,
        num_trivial=5,
        num_unrated=2,
    )
    chosen = datasets.Dataset.from_list(rows).select([1, 2, 5])
    assert facts_of(chosen) == Facts(3, True, 50, {USUAL: 3}, num_trivial=1)


def test_facts_of_sets_that_say_little():
    assert facts_of(datasets.Dataset.from_list([{"prompt": "Hello"}] * 3)) == Facts(3, False, num_unrated=3)
    parts = [{"prompt": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}], "images": []}]
    assert facts_of(datasets.Dataset.from_list(parts)) == Facts(1, True, num_unrated=1)
    assert facts_of(datasets.Dataset.from_list([{"text": "a"}])) == Facts(1, False, num_unrated=1)


def test_a_final_set_tells_the_version_of_its_verifier(tmp_path):
    source = Files(write_jsonl(tmp_path / "q.jsonl", questions(6)))
    with SimulatedTeacher(source) as server:
        teacher = OpenAIChat(server.model, server.base_url)
        run = mm.Pipeline(source, Distill(teacher, num_responses=2), Verify()).run(tmp_path / "run")
    facts = facts_of(run.to_rl())
    assert facts.verifiers == {"verify": Verify.version}
    assert facts.prompts == {USUAL: 6}
    assert (facts.num_rows, facts.num_misnamed) == (6, 0)
    assert facts_of(run.to_sft()).longest_trace > 0
    assert Facts(**json.loads(json.dumps(dataclasses.asdict(facts)))) == facts
    about = run.path / "final_rl" / "mmcurate.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"verifiers": {"verify": 1}}))
    (found,) = [f for f in lint_rl(rl(), "gspo", data=facts_of(run.to_rl())) if "verif" in f.what]
    assert found.level == "warning"
    moved = (run.path / "final_rl").rename(tmp_path / "moved")
    assert facts_of(load(moved), moved).verifiers == {"verify": 1}
    assert facts_of(load(moved).select([0])).verifiers == {}


# --- the same with TRL's own objects -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trl():
    return pytest.importorskip("trl")


def test_trl_configs_are_read_like_dicts(trl, tmp_path):
    here = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False, "activation_checkpointing": False}
    for algorithm in LOSSES:
        config = trl.GRPOConfig(**rl_settings("paper", algorithm, **here))
        assert lint_rl(config, algorithm, reward=SHAPED, data=GOOD, sft=GOOD) == []
        config = trl.GRPOConfig(**rl_settings("openmmreasoner", algorithm, **here))
        assert lint_rl(config, algorithm) == lint_rl(rl(algorithm, "openmmreasoner", world_size=1), algorithm)
    assert lint_sft(trl.SFTConfig(**sft_settings(**here)), data=GOOD) == []
    config = trl.GRPOConfig(**rl_settings(generation_batch_size=8192, **here))
    assert lint_rl(config) == []
    config = trl.GRPOConfig(**rl_settings(save_steps=50, steps_per_generation=2048, **here))
    assert [f.what for f in lint_rl(config)] == [
        "steps_per_generation = 2,048 with gradient_accumulation_steps = 2,048"
    ]
    config = trl.GRPOConfig(**rl_settings(save_steps=50, temperature=1.4, **here))
    assert [f.what for f in lint_rl(config)] == ["temperature = 1.4", "save_steps = 50 with 4 updates a rollout"]


def test_trl_defaults_undo_gspo_and_sft(trl, tmp_path):
    here = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False, "activation_checkpointing": False}
    config = trl.GRPOConfig(importance_sampling_level="sequence", **here)
    assert [(f.level, f.what) for f in lint_rl(config, "gspo")] == [
        ("error", "gspo with loss_type = 'dapo'"),
        ("warning", "steps_per_generation = 1 with gradient_accumulation_steps = 1"),
        ("warning", "epsilon = 0.2, epsilon_high = 0.2 for a sequence ratio"),
    ]
    found = lint_sft(trl.SFTConfig(**here))
    assert [f.what for f in found] == ["max_length = 1,024", "remove_unused_columns = True"]
    assert [f.what for f in lint_sft({})] == [f.what for f in found]


def test_what_a_dict_leaves_out_is_what_trl_does(trl):
    fields = {f.name: f for kind in (trl.SFTConfig, trl.GRPOConfig) for f in dataclasses.fields(kind)}
    for name, value in _DEFAULTS.items():
        if name not in ("world_size", "save_strategy"):  # a property; an enum
            assert fields[name].default == value, name
