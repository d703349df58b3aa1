"""The exports for trainers, row by row. Their real readers take them in tests/engines."""

import io
import json
import os
import subprocess
import sys

import datasets
import PIL.Image
import pyarrow.parquet as pq
import pytest
import yaml

import mmcurate as mm
from mmcurate.chat import OpenAIChat
from mmcurate.errors import RunError, RunFolderError, SettingsError
from mmcurate.export import to_llama_factory, to_lmms_engine, to_ms_swift, to_verl
from mmcurate.export.reward import verl_reward
from mmcurate.prompts import SYSTEM_PROMPT, is_strict
from mmcurate.reward import Overlong, Reward
from mmcurate.verify import Policy
from tests.conftest import picture, write_jsonl
from tests.mixed import LEFT_OUT, PICTURES, RL, SFT, TAGGED, mixed_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return mixed_run(tmp_path_factory.mktemp("mixed"))


def shown(data):
    image = PIL.Image.open(io.BytesIO(data))
    return image.mode, image.size, image.getpixel((2, 2))


def test_verl_rows(run, tmp_path):
    folder = to_verl(run, tmp_path / "verl")
    assert sorted(p.name for p in folder.iterdir()) == ["mmcurate.json", "reward.py", "train.parquet", "train.sh"]
    table = pq.read_table(folder / "train.parquet")
    rows = {r["extra_info"]["id"]: r for r in table.to_pylist()}
    assert list(rows) == RL
    two = rows["two"]
    assert [p["bytes"] for p in two["images"]] == [PICTURES["blue.jpg"], PICTURES["red.png"]]
    assert {name: value for name, value in two.items() if name != "images"} == {
        "data_source": "q",
        "prompt": [
            {"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user", "content": "Is <image> darker than <image>?\nA. yes\nB. no"},
        ],
        "ability": "multimodal_reasoning",
        "reward_model": {"style": "rule", "ground_truth": "B"},
        "extra_info": {
            "split": "train",
            "index": 0,
            "id": "two",
            "question": "Is <image2> darker than <image1>?",
            "answer": "B",
            "options": ["yes", "no"],
            "answer_type": "choice",
            "pass_rate": 1.0,
        },
    }
    assert rows["text"]["images"] == []
    assert [r["extra_info"]["index"] for r in rows.values()] == list(range(len(RL)))
    seen = {name: [shown(p["bytes"]) for p in rows[name]["images"]] for name in RL}
    assert seen["clear"] == [("RGB", (60, 40), (255, 255, 255)), ("RGB", (60, 40), (255, 0, 0))]
    assert seen["sixteen"] == [("RGB", (60, 40), (255, 255, 255))]
    assert seen["turned"][0][:2] == ("RGB", (40, 60))
    assert seen["small"] == [("RGB", (28, 42), (255, 0, 0))]
    assert seen["grey"] == [("RGB", (60, 40), (128, 128, 128))]
    features = datasets.Features.from_arrow_schema(table.schema)
    assert features["images"] == datasets.List(datasets.Image())
    assert features["prompt"] == datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")})
    assert "Sequence" not in str(table.schema.metadata), "its meaning changed from datasets 3 to 4"
    line = run.funnel().rows[-1]
    assert line.dropped == {"no gold answer": 1} | {why: len(ids) for why, ids in LEFT_OUT.items()}
    assert (line.step, line.num_out) == ("to_verl", len(RL))


def scores(folder, *calls):
    """What a folder's reward file returns, in a process that starts there."""
    code = (
        "import json, sys; from reward import compute_score; "
        "print(json.dumps([compute_score(**given) for given in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_the_reward_file_runs_on_its_own(run, tmp_path):
    folder = to_verl(run, tmp_path / "verl")
    two = pq.read_table(folder / "train.parquet").to_pylist()[0]
    given = {
        "data_source": "q",
        "ground_truth": two["reward_model"]["ground_truth"],
        "extra_info": two["extra_info"] | {"num_turns": 1},
        "reward_router_address": None,
    }
    answer = "<think>It is not.</think><answer>{}</answer>"
    said = [answer.format("B"), answer.format("no"), answer.format("A"), "The answer is \\boxed{B}."]
    open_gold = {**given, "ground_truth": "a man riding a horse", "extra_info": None}
    right, by_text, wrong, loose, undecided = scores(
        folder,
        *({**given, "solution_str": text} for text in said),
        {**open_gold, "solution_str": answer.format("a person on a horse")},
    )
    assert right == {"score": 1.0, "acc": 1.0, "format": 1.0, "scored": 1.0}
    assert by_text == right, "the option's text counts"
    assert wrong == {"score": pytest.approx(0.1), "acc": 0.0, "format": 1.0, "scored": 1.0}
    assert loose == {"score": pytest.approx(0.9), "acc": 1.0, "format": 0.0, "scored": 1.0}
    assert undecided == {"score": pytest.approx(0.1), "acc": 0.0, "format": 1.0, "scored": 0.0}


def test_the_reward_file_has_the_given_settings(run, tmp_path):
    """And is made by the class that TRL calls: one reward, however it is reached."""
    reward = Reward(format_weight=0.25, policy=Policy(missing_units=False))
    folder = to_verl(run, tmp_path / "verl", reward=reward)
    given = {"data_source": "q", "ground_truth": "12 cm", "extra_info": {}}
    texts = [f"<think>So.</think><answer>{said}</answer>" for said in ("12 cm", "12")]
    made = scores(folder, *({**given, "solution_str": text} for text in texts))
    assert [m["acc"] for m in made] == [1.0, 0.0]
    assert [m["score"] for m in made] == [reward.score(text, "12 cm").reward for text in texts] == [1.0, 0.25]
    before = (folder / "reward.py").read_text()
    to_verl(run, tmp_path / "verl")
    assert (folder / "reward.py").read_text() != before, "another reward is another export"


def test_what_verl_cannot_compute(run, tmp_path):
    judge = OpenAIChat("judge", "http://127.0.0.1:9/v1", api_key="secret")
    for reward, why in (
        (Reward(conciseness=0.1), "conciseness = 0.1 compares the responses to one prompt"),
        (Reward(judge=judge), "a judge, with its address and its key, isn't written into files"),
    ):
        with pytest.raises(SettingsError, match=why):
            to_verl(run, tmp_path / "verl", reward=reward)
    with pytest.raises(SettingsError, match="verl tells a reward file no lengths"):
        verl_reward(Reward(overlong=Overlong()))
    with pytest.raises(SettingsError, match="isn't written into files"):
        to_ms_swift(run, tmp_path / "rl", "rl", reward=Reward(judge=judge))
    with pytest.raises(SettingsError, match="reward is for the RL set"):
        to_ms_swift(run, tmp_path / "sft", reward=Reward())
    assert not list(tmp_path.iterdir())


def arguments(folder, command):
    """What a script hands to the program it starts, from a folder elsewhere and with a further argument."""
    program = folder.parent / "bin" / command
    program.parent.mkdir(exist_ok=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHON": command}
    done = subprocess.run(
        [folder / "train.sh", "more=1"], env=environment, cwd="/", capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_verl_script(run, tmp_path):
    folder = to_verl(run, tmp_path / "a folder")
    where, *given = arguments(folder, "program")
    assert where == str(folder)
    assert given[:2] == ["-m", "verl.trainer.main_ppo"]
    assert given[-1] == "more=1"
    settings = dict(g.split("=", 1) for g in given[2:])
    for key in ("data.train_files", "data.val_files"):
        assert settings[key] == str(folder / "train.parquet")
    assert settings["custom_reward_function.path"] == str(folder / "reward.py")
    actor = "actor_rollout_ref.actor."
    wanted = {
        "algorithm.adv_estimator": "grpo",
        actor + "policy_loss.loss_mode": "gspo",
        actor + "loss_agg_mode": "seq-mean-token-mean",
        actor + "clip_ratio_low": "0.0003",
        actor + "clip_ratio_high": "0.0004",
        actor + "ppo_mini_batch_size": "128",
        actor + "use_kl_loss": "false",
        "data.train_batch_size": "512",
        "data.prompt_key": "prompt",
        "data.image_key": "images",
        "data.return_multi_modal_inputs": "true",
        "data.filter_overlong_prompts": "true",
        "actor_rollout_ref.rollout.n": "16",
    }
    assert {key: settings.get(key) for key in wanted} == wanted
    limits = "data.max_response_length", actor + "ppo_max_token_len_per_gpu"
    assert [settings[key] for key in limits] == ["28696", "32792"]
    assert "overlong_buffer" not in (folder / "train.sh").read_text(), (
        "off unless asked for, as in every published script"
    )
    term = Reward(overlong=Overlong(max_length=8192, buffer=1024, factor=0.5))
    settings = dict(g.split("=", 1) for g in arguments(to_verl(run, folder, reward=term), "program")[3:])
    assert [settings[key] for key in limits] == ["8192", "12288"]
    assert settings["reward_model.reward_manager"] == "dapo"
    kwargs = "+reward_model.reward_kwargs."
    assert {key.removeprefix(kwargs): value for key, value in settings.items() if key.startswith(kwargs)} == {
        "max_resp_len": "8192",
        "overlong_buffer_cfg.enable": "true",
        "overlong_buffer_cfg.len": "1024",
        "overlong_buffer_cfg.penalty_factor": "0.5",
        "overlong_buffer_cfg.log": "true",
    }


def files_as_seen(folder, urls):
    return [shown((folder / url).read_bytes()) for url in urls]


def test_lmms_engine_rows(run, tmp_path):
    folder = to_lmms_engine(run, tmp_path / "lmms")
    rows = pq.read_table(folder / "train.parquet").to_pylist()
    assert len(rows) == 2 * len(SFT)
    assert {r["id"].partition("#")[0] for r in rows} == set(SFT)
    two = next(r for r in rows if r["id"].startswith("two#"))
    system, user, assistant = two["messages"]
    assert system == {
        "role": "system",
        "content": [{"type": "text", "text": SYSTEM_PROMPT, "image_url": None}],
    }
    assert [p["type"] for p in user["content"]] == ["text", "image_url", "text", "image_url", "text"]
    assert [p["text"] for p in user["content"]] == ["Is ", None, " darker than ", None, "?\nA. yes\nB. no"]
    urls = [p["image_url"]["url"] for p in user["content"] if p["image_url"]]
    assert [(folder / u).read_bytes() for u in urls] == [PICTURES["blue.jpg"], PICTURES["red.png"]]
    assert is_strict(assistant["content"][0]["text"])
    images = {
        r["id"].partition("#")[0]: [p["image_url"]["url"] for p in r["messages"][1]["content"] if p["image_url"]]
        for r in rows
    }
    assert images["text"] == []
    assert files_as_seen(folder, images["clear"])[0] == ("RGB", (60, 40), (255, 255, 255))
    assert files_as_seen(folder, images["turned"])[0][1] == (40, 60)
    assert images["two"][1] == images["clear"][1], "one picture, one file"
    assert len(list(folder.glob("images/*/*"))) == 7
    data = yaml.safe_load((folder / "dataset.yaml").read_text())
    assert data == {"datasets": [{"path": "train.parquet", "data_folder": ".", "data_type": "parquet"}]}
    train = yaml.safe_load((folder / "train.yaml").read_text())
    assert train["trainer_args"]["learning_rate"] == 5e-5
    assert train["dataset_config"]["packing_length"] == 61_440
    where, *given = arguments(folder, "torchrun")
    assert where == str(folder)
    assert given[-2:] == ["config_yaml=train.yaml", "more=1"]


def test_pictures_are_links_to_the_runs_own(run, tmp_path):
    folder = to_lmms_engine(run, run.path.parent / "lmms")
    own = {p.stat().st_ino for p in (run.path / "images").rglob("*") if p.is_file()}
    there = list(folder.glob("images/*/*"))
    assert sum(p.stat().st_ino in own for p in there) == 4, "all but the three that readers would see differently"
    assert len(there) == 7


def test_llama_factory_rows(run, tmp_path):
    folder = to_llama_factory(run, tmp_path / "lf")
    rows = pq.read_table(folder / "train.parquet").to_pylist()
    assert len(rows) == 2 * len(SFT)
    two = next(r for r in rows if r["id"].startswith("two#"))
    assert [m["role"] for m in two["messages"]] == ["system", "user", "assistant"]
    assert two["messages"][1]["content"] == "Is <image> darker than <image>?\nA. yes\nB. no"
    assert [(folder / i).read_bytes() for i in two["images"]] == [PICTURES["blue.jpg"], PICTURES["red.png"]]
    for row in rows:
        assert sum(m["content"].count("<image>") for m in row["messages"]) == len(row["images"])
    info = json.loads((folder / "dataset_info.json").read_text())["mmcurate"]
    assert (folder / info["file_name"]).exists()
    assert (info["formatting"], info["columns"]) == ("sharegpt", {"messages": "messages", "images": "images"})
    train = yaml.safe_load((folder / "train.yaml").read_text())
    assert (train["dataset"], train["dataset_dir"], train["max_steps"]) == ("mmcurate", ".", 10)
    assert arguments(folder, "llamafactory-cli")[1:] == ["train", "train.yaml", "more=1"]


def test_ms_swift_rows(run, tmp_path):
    sft, rl = to_ms_swift(run, tmp_path / "sft"), to_ms_swift(run, tmp_path / "rl", "rl")
    rows = pq.read_table(sft / "train.parquet").to_pylist()
    assert (len(rows), set(rows[0])) == (2 * len(SFT), {"id", "messages", "images"})
    rows = {r["id"]: r for r in pq.read_table(rl / "train.parquet").to_pylist()}
    assert list(rows) == RL
    two = rows["two"]
    assert [(rl / i).read_bytes() for i in two.pop("images")] == [PICTURES["blue.jpg"], PICTURES["red.png"]]
    assert [m["role"] for m in two.pop("messages")] == ["system", "user"]
    assert two == {
        "id": "two",
        "solution": "B",
        "choices": ["yes", "no"],
        "problem": "Is <image2> darker than <image1>?",
        "source": "q",
    }
    assert sorted(p.name for p in rl.iterdir()) == ["images", "mmcurate.json", "plugin.py", "train.parquet", "train.sh"]
    assert arguments(sft, "swift")[1] == "sft"
    given = arguments(rl, "swift")[1:]
    assert given[:3] == ["rlhf", "--rlhf_type", "grpo"]
    assert given[given.index("--importance_sampling_level") + 1] == "sequence"
    given = arguments(to_ms_swift(run, rl, "rl", reward=Reward(overlong=Overlong(max_length=8192))), "swift")[1:]
    assert given[given.index("--max_completion_length") + 1] == "8192"
    with pytest.raises(SettingsError, match="kind = 'dpo' must be"):
        to_ms_swift(run, tmp_path / "x", "dpo")


def test_ms_swift_plugin(run, tmp_path):
    """As ms-swift calls it: its own names for the columns, tokens a turn, and None would count as 0."""
    reward = Reward(overlong=Overlong(max_length=10, buffer=5), conciseness=0.2)
    folder = to_ms_swift(run, tmp_path / "rl", "rl", reward=reward)
    swift = folder / "swift"
    swift.mkdir()
    (swift / "__init__.py").write_text("")
    (swift / "rewards.py").write_text("class ORM: pass\norms = {}\n")
    code = """
import plugin
said = [f"<think>So.</think><answer>{a}</answer>" for a in ("no", "yes", "no", "no", "a cat", "B")]
rows = {"solution": ["B", "B", "B", "B", "a dog", "B"], "choices": [["yes", "no"]] * 4 + [[], []], "problem": ["Is it?"] * 6}
rows |= {"id": list("aaaabb"), "finish_reason": ["stop"] * 6, "response_token_ids": [[1] * 4, [1] * 4, [[1] * 4, [1] * 2], [1] * 8, [1], [1] * 5]}
made = plugin.orms["mmcurate"]()(said, **rows, trainer_state=None)
assert [round(m, 9) for m in made] == [1.1, 0.1, 0.8, 0.3, 0.1, 1.0], made
rows = {name: column[:1] for name, column in rows.items()} | {"finish_reason": ["length"]}
assert plugin.orms["mmcurate"]()(["The answer is no"], **rows) == [0.0]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, check=True, timeout=60)


def test_each_export_is_a_branch_of_its_own(run, tmp_path):
    for number, make in enumerate((to_verl, to_lmms_engine, to_llama_factory)):
        make(run, tmp_path / str(number))
        line = next(line for line in run.funnel().rows if line.step == make.__name__)
        assert (line.num_in, line.num_out) == (11, 8 if make is to_verl else 7)
    for first_or_second in run.funnel().traces.values():
        line = first_or_second[-1]
        assert (line.num_in, line.num_out) == (11, 7)
        assert line.dropped == {TAGGED: 1, "verdict: undecided": 1} | {why: len(ids) for why, ids in LEFT_OUT.items()}
    for why, ids in LEFT_OUT.items():
        assert all(why in str(run.explain(i)) for i in ids)
    tag = run.explain("tag")
    assert tag.kept
    assert tag.facts["to_lmms_engine"] == "left out: no trace of it is kept"


def test_made_once_and_whole(run, tmp_path):
    folder = to_verl(run, tmp_path / "verl")
    before = (folder / "train.parquet").stat().st_mtime_ns
    assert to_verl(run.path, tmp_path / "verl") == folder
    assert (folder / "train.parquet").stat().st_mtime_ns == before
    assert [p.name for p in tmp_path.iterdir()] == ["verl"], "no temporary folder is left"
    with pytest.raises(RunFolderError, match="holds the set of to_verl: choose another folder for to_lmms_engine"):
        to_lmms_engine(run, folder)


def test_nothing_to_export_says_why(tmp_path):
    from mmcurate.sources import Files

    (tmp_path / "a.png").write_bytes(picture())
    rows = [
        {"id": "a", "question": "What?", "images": ["a.png"]},
        {"id": "b", "question": "", "answer": "1"},
        {"id": "c", "question": "Which colour?", "answer": "red"},
    ]
    made = mm.Pipeline(Files(write_jsonl(tmp_path / "q.jsonl", rows)), mm.Filter("id <> 'c'")).run(tmp_path / "a")
    said = "of 3 questions, source dropped 1: empty question; filter dropped 1: not: id != 'c'; "
    for make, last in ((to_verl, "to_verl left out 1: no gold answer"), (to_lmms_engine, "left out 1: no trace of it")):
        with pytest.raises(RunError) as error:
            make(made, tmp_path / "out")
        assert said in str(error.value)
        assert last in str(error.value)
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.glob(".*")] == []
