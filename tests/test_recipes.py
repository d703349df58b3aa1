"""The recipes as a user runs them: on local copies in the published layouts, on one's own folder, step by step."""

import json
import subprocess
import sys

import pytest

import mmcurate as mm
from mmcurate import sources
from mmcurate.chat import SimulatedTeacher
from mmcurate.sources import Mix
from tests.conftest import ROOT, questions, write_jsonl
from tests.layouts import WRITERS, mosaic

SFT = ("LLaVACoT", "OpenVLThinker", "WeMathSFT", "MMR1", "MiroMind")
RL = ("ViRL39K", "ThinkLite", "TQA", "WeMathStandard", "MMK12", "WeMathPro", "PuzzleVQA", "AlgoPuzzleVQA")


def run(script, *options, out, check=True):
    command = [
        sys.executable,
        "-W",
        "error",
        str(ROOT / "recipes" / f"{script}.py"),
        "--out",
        str(out),
        *map(str, options),
    ]
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=240)


def rows(source, number):
    """Questions of a source; the last is the first one of the source before it, under another id."""
    names = (*SFT, *RL)
    before = names[names.index(source) - 1]
    for i in range(number):
        of, n = (source, i) if i < number - 1 else (before, 0)
        start = 1000 * (1 + names.index(of)) + 10 * n
        options = [str(start + n + d) for d in (0, 3, 6, 9)]
        yield {
            "id": f"{source}-{i}",
            "question": f"The picture has {start} tiles, and {n} more are laid. How many has it then?",
            "answer": options[0],
            "options": options,
            "images": [] if source == "MiroMind" else [mosaic(start)],
        }


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Local copies of every source, twelve rows each."""
    root, out = tmp_path_factory.mktemp("copies"), {}
    for name in (*SFT, *RL):
        out[name] = root / name
        out[name].mkdir()
        WRITERS[name](out[name], rows(name, 12))
    return out


def local(copies, names):
    return [part for name in names for part in ("--source", f"{getattr(sources, name).name}={copies[name]}")]


@pytest.fixture(scope="module")
def teacher(copies):
    with SimulatedTeacher(Mix([getattr(sources, name)(path=copies[name]) for name in (*SFT[:3], *RL)])) as server:
        yield server


def test_the_whole_sft_recipe(copies, teacher, tmp_path):
    known = ("--teacher", f"{teacher.model}={teacher.base_url}", "--without", "benchmarks", *local(copies, SFT))
    seen = tmp_path / "seen.jsonl"  # one of the questions, as a benchmark of one's own
    asked = next(iter(sources.WeMathSFT(path=copies["WeMathSFT"])))
    write_jsonl(seen, [{**{k: asked[k] for k in ("id", "question", "options", "answer")}, "images": ["seen.png"]}])
    (tmp_path / "seen.png").write_bytes(next(rows("WeMathSFT", 12))["images"][0])
    said = run("openmmr_sft", *known, "--benchmark", seen, "--num-responses", 2, out=tmp_path / "run").stdout
    made = mm.open(tmp_path / "run")
    counted = made.funnel()
    for lines in (counted.rows, *counted.traces.values()):
        assert all(line.num_in == line.num_out + sum(line.dropped.values()) for line in lines)
    dropped = {line.step: sum(line.dropped.values()) for line in counted.rows}
    assert counted.rows[0].num_in == 60
    assert dropped["unique"] == 3  # of MiroMind's, whose rows have no pictures, none is another's
    assert dropped["in_no_benchmark"] == 1
    final = made.to_sft()
    by_source = {name: final.filter(lambda s, n=name: s == n, input_columns="source") for name in set(final["source"])}
    assert set(by_source) == {"llava_cot", "openvlthinker", "wemath_sft", "mmr1", "miromind_m1"}
    assert {*by_source["mmr1"]["verdict"], *by_source["miromind_m1"]["verdict"]} == {None}
    assert {*by_source["llava_cot"]["verdict"]} == {"correct"}
    assert f"traces kept   {len(final):,}"[:11] in said
    page = (made.path / "report.html").read_text()
    for told in ("553,806", "199,425", "golds not accepted", "99,000"):
        assert told in page
    requests = teacher.num_requests
    again = run("openmmr_sft", *known, "--benchmark", seen, "--num-responses", 2, out=tmp_path / "run").stdout
    assert teacher.num_requests == requests, "the same command asks for nothing"
    assert [line for line in again.splitlines() if not line.startswith("time")] == [
        line for line in said.splitlines() if not line.startswith("time")
    ]


def test_other_settings_of_the_sft_recipe(copies, teacher, tmp_path):
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Think, then answer in <answer> tags.")
    two = [f"{teacher.model}={teacher.base_url}"] * 2
    options = ["--teacher", two[0], "--teacher", two[1], "--prompt", prompt, "--num-responses", 1]
    options += ["--without", "benchmarks", "--without", "mmr1", "--without", "miromind_m1", *local(copies, SFT[:3])]
    run("openmmr_sft", *options, out=tmp_path / "run")
    made = mm.open(tmp_path / "run")
    assert set(made.prompts().values()) == {prompt.read_text()}
    assert set(made.funnel().traces) == {"distill.responses", "distill_2.responses"}
    for options, told in (
        (["--no-nc", *local(copies, SFT)], "--no-nc leaves no source"),
        (["--push", "me/x"], "needs a --teacher"),
    ):
        wrong = run("openmmr_sft", *options, out=tmp_path / "no", check=False)
        assert (wrong.returncode, told in wrong.stderr) == (2, True)
    wrong = run("openmmr_sft", "--source", "lava_cot=x", out=tmp_path / "no", check=False)
    assert (wrong.returncode, "did you mean 'llava_cot'" in wrong.stderr) == (2, True)
    wrong = run("openmmr_sft", "--without", "mmr", out=tmp_path / "no", check=False)
    assert (wrong.returncode, "did you mean 'mmr1'" in wrong.stderr) == (2, True)
    wrong = run("openmmr_sft", "--teacher", "some/model=vllm:2", out=tmp_path / "no", check=False)
    assert wrong.returncode == 2
    assert "pip install" in wrong.stderr
    assert not (tmp_path / "no" / "rows").exists()


def test_the_whole_rl_recipe(copies, teacher, tmp_path):
    known = ("--teacher", f"{teacher.model}={teacher.base_url}", "--without", "benchmarks", *local(copies, RL))
    run("openmmr_rl", *known, "--num-responses", 4, out=tmp_path / "run")
    made = mm.open(tmp_path / "run")
    assert made.funnel().rows[0].num_in == 12 * 8
    final = made.to_rl()
    assert len(final) == 12 * 8 - 7, "what a source shares with the one before it goes"
    assert final.select_columns("source").to_pandas().value_counts()["virl39k",] == 12
    row = final.select_columns(["answer", "answer_type", "pass_rate", "num_scored", "prompt"])[0]
    assert (row["answer_type"], row["num_scored"]) == ("choice", 4)
    assert 0 <= row["pass_rate"] <= 1
    page = (made.path / "report.html").read_text()
    for told in ("38,870", "38,835", "wemath_pro"):
        assert told in page


def test_ones_own_folder(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    mine = [{**q, "images": [f"{i}.png"]} for i, q in enumerate(questions(12))]
    for i in range(12):
        (folder / f"{i}.png").write_bytes(mosaic(i * 9999))
    write_jsonl(folder / "questions.jsonl", mine)
    with SimulatedTeacher(sources.Files(folder)) as server:
        known = ("--questions", folder, "--teacher", f"{server.model}={server.base_url}", "--keep", 2)
        run("domain_adapt", *known, "--num-responses", 6, out=tmp_path / "run")
        made = mm.open(tmp_path / "run")
        sft, rl = made.to_sft(), made.to_rl()
        assert 12 <= len(sft) <= 24
        assert len(rl) == 12
        assert server.num_requests == 72
        write_jsonl(folder / "questions.jsonl", [*mine, *questions(1, start=50)])
        run("domain_adapt", *known, "--num-responses", 6, out=tmp_path / "run")
        assert server.num_requests == 78, "only the new question was asked"
    assert json.loads((tmp_path / "run" / "funnel.json").read_text())


@pytest.mark.parametrize(
    "script", ["openmmr_sft", "openmmr_rl", "domain_adapt", "openmmr_eval", "train_sft", "train_rl"]
)
def test_the_help_reads_like_documentation(script, tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "recipes" / f"{script}.py"), "--help"], capture_output=True, text=True, check=True
    )
    assert f"python recipes/{script}.py" in done.stdout
    assert len((ROOT / "recipes" / f"{script}.py").read_text().splitlines()) < 125, "two screens"
