"""The recipe's clear ends: one line that says what is wrong, before any work is done."""

import os
import socket
import subprocess

import pytest

import mmcurate
from mmcurate.chat import SimulatedTeacher
from mmcurate.sources import Files
from tests.conftest import picture, questions, read_jsonl, recipe, write_jsonl
from tests.test_pictures import struct_png


def ends(*options, out, **more):
    done = recipe(*options, out=out, check=False, **more)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (out / "rows").exists(), "no work was done"
    return done.stderr


@pytest.fixture
def rows(tmp_path):
    return write_jsonl(tmp_path / "q.jsonl", questions(5))


def test_unreachable_endpoint(rows, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        assert "cannot reach" in ends("--questions", rows, "--teacher", f"m={url}", out=tmp_path / "run")


def test_wrong_key_model_file_and_setting(rows, tmp_path):
    with SimulatedTeacher(questions(5), api_key="right") as server:
        known = ("--questions", rows, "--teacher")
        teacher = f"{server.model}={server.base_url}"
        environment = {**os.environ, "MMCURATE_API_KEY": "sk-wrong-key"}
        said = ends(*known, teacher, out=tmp_path / "run", env=environment)
        assert "refused the key" in said
        assert "sk-wrong-key" not in said
        environment["MMCURATE_API_KEY"] = "right"
        assert "did you mean 'simulated-teacher'" in ends(
            *known, f"simulated-teachr={server.base_url}", out=tmp_path / "run", env=environment
        )
        assert "num_responses = 0" in ends(*known, teacher, "--num-responses", 0, out=tmp_path / "run", env=environment)
        assert "no such file" in ends(
            "--questions", "no.jsonl", "--teacher", teacher, out=tmp_path / "run", env=environment
        )
    assert "must be MODEL=URL" in ends("--questions", rows, "--teacher", "http://node1:8000/v1", out=tmp_path / "run")


def test_too_little_disk(rows, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("a small file system can't be mounted here (that needs root)")
    try:
        with SimulatedTeacher(questions(5)) as server:
            options = ("--questions", rows, "--teacher", f"{server.model}={server.base_url}")
            assert "MB free" in ends(*options, out=small / "run")
            assert server.num_requests == 0
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_long_run_goes_on_without_bad_rows(tmp_path):
    (tmp_path / "bomb.png").write_bytes(struct_png(20_000, 20_000))
    (tmp_path / "cut.png").write_bytes(picture()[:-25])
    (tmp_path / "cmyk.jpg").write_bytes(picture((0, 9, 9, 9), mode="CMYK", kind="JPEG"))
    rows = questions(6)
    for row, name in zip(rows, ("bomb.png", "cut.png", "missing.png", "cmyk.jpg"), strict=False):
        row["images"] = [name]
    rows[4]["question"] = " "
    rows[5]["options"] = ["1", "2"]
    path = write_jsonl(tmp_path / "q.jsonl", rows + questions(3, start=10) + questions(1, start=10))
    with SimulatedTeacher(Files(path), accuracy=1.0, cut_off=0.0) as server:
        done = recipe("--questions", path, "--teacher", f"{server.model}={server.base_url}", out=tmp_path / "run")
        assert server.num_requests == 4 * 8
    for reason in ("bad image", "missing image", "empty question", "duplicate id", "answer not among the options"):
        assert f"dropped by source: {reason}" in done.stdout
    assert "traces kept" in done.stdout
    assert "over the limit" in mmcurate.open(tmp_path / "run").explain("q0").reason


def test_real_questions_with_recorded_answers(data, tmp_path):
    """249 different questions with their pictures, eight of fifteen recorded answers of real models each."""
    from mmcurate.chat import RecordedTeacher

    folder = data / "mm" / "mathvision"
    labels: dict = {}
    for row in read_jsonl(folder / "responses.jsonl"):
        labels.setdefault((row["id"], row["response"]), row["label"])
    with RecordedTeacher(Files(folder / "data.jsonl"), folder / "responses.jsonl") as server:
        recipe(
            "--questions",
            folder / "data.jsonl",
            "--teacher",
            f"{server.model}={server.base_url}",
            "--num-responses",
            8,
            out=tmp_path / "run",
        )
        assert server.num_requests == 1992  # 1050 is 773 with a wider margin
        assert max(server.asked.values()) == 1
    run = mmcurate.open(tmp_path / "run")
    verdicts: dict = {0: [], 1: []}
    for row in run.dataset("verify").remove_columns("images"):
        for response, grade in zip(row["responses"], row["verdicts"], strict=True):
            assert response["text"], "every question was recognised with its picture"
            verdicts[labels[row["id"], response["text"]]].append(grade["verdict"])
    assert sum(v == "correct" for v in verdicts[1]) >= 0.97 * len(verdicts[1])
    assert "error" not in verdicts[0] + verdicts[1]


def test_exact_joint_duplicates_of_puzzlevqa(data, tmp_path):
    import mmcurate as mm
    from mmcurate.dedup import ExactDedup

    run = mm.Pipeline(
        Files(data / "mm" / "puzzlevqa" / "data.jsonl"), ExactDedup(), mm.Filter("duplicate_of is null")
    ).run(tmp_path / "run")
    assert len(run.dataset()) == 243
    assert run.dataset("rows").to_pandas()["question"].nunique() == 18
    assert set(run.dataset("exact_dedup")["conflicts_with"]) == {None}
