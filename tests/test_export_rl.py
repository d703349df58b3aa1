"""The RL set: one row a question with a checkable answer; a run with both sets has a funnel that adds up."""

from pathlib import Path

import datasets
import pytest

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.distill import Distill
from mmcurate.errors import RunFolderError
from mmcurate.export import load, to_rl, to_sft
from mmcurate.prompts import SYSTEM_PROMPT, prompt_id
from mmcurate.sources import Files, Procedural
from mmcurate.verify import Verify
from tests.conftest import picture, write_jsonl

LONG = "The drawing shows a large old house beside a river with two boats on it, three trees behind it, a fence "
LONG += "that runs along the road, and a person who walks towards the door with a small dog on a leash"


@pytest.fixture
def source(tmp_path):
    for name in ("red", "blue"):
        (tmp_path / f"{name}.png").write_bytes(picture(name))
    rows = [
        {
            "id": "two",
            "question": "Is <image2> darker than <image1>?",
            "answer": "B",
            "options": ["yes", "no"],
            "images": ["red.png", "blue.png"],
            "licence": "MIT",
        },
        {"id": "text", "question": "What is 3 + 4?", "answer": "7"},
        {"id": "formula", "question": "Expand (x+1)^2.", "answer": "$x^2+2x+1$"},
        {"id": "open", "question": "Describe <image>.", "answer": LONG, "images": ["red.png"]},
        {"id": "none", "question": "What colour is it?", "images": ["blue.png"]},
    ]
    return Files(write_jsonl(tmp_path / "q.jsonl", rows))


def run(source, folder, *more, **settings):
    with SimulatedTeacher(Procedural(1)) as server:  # it knows none of them: no answer is right
        chat = OpenAIChat(server.model, server.base_url)
        return mm.Pipeline(source, Distill(chat, num_responses=2, **settings), Verify(workers=1), *more).run(folder)


def test_rows_by_exact_expectation(source, tmp_path):
    made = run(source, tmp_path / "runs" / "a", system_prompt="Answer in <answer></answer>.")
    rows = {r["id"]: r for r in to_rl(made).cast_column("images", datasets.List(datasets.Image(decode=False)))}
    assert list(rows) == ["two", "text", "formula"]
    two = rows["two"]
    assert [Path(p["path"]).read_bytes() for p in two.pop("images")] == [picture("blue"), picture("red")]
    assert two == {
        "id": "two",
        "prompt": [
            {"role": "system", "content": "Answer in <answer></answer>."},
            {"role": "user", "content": "Is <image> darker than <image>?\nA. yes\nB. no"},
        ],
        "source": "q",
        "licence": "MIT",
        "question": "Is <image2> darker than <image1>?",
        "options": ["yes", "no"],
        "answer": "B",
        "answer_type": "choice",
        "pass_rate": 0.0,
        "num_scored": 2,
        "prompt_id": prompt_id("Answer in <answer></answer>."),
    }
    assert [(rows[i]["answer_type"], rows[i]["images"], rows[i]["options"]) for i in ("text", "formula")] == [
        ("number", [], []),
        ("math", [], []),
    ]
    line = made.funnel().rows[-1]
    assert (line.step, line.num_in, line.num_out) == ("to_rl", 5, 3)
    assert line.dropped == {"no gold answer": 1, "its answer is a description, which no rule checks": 1}
    assert made.explain("open").reason == "its answer is a description, which no rule checks"


def test_a_source_may_know_the_kind_of_an_answer(tmp_path):
    rows = [
        {"id": "a", "question": "What is it?", "answer": "An old house.", "answer_type": "description"},
        {"id": "b", "question": "How much?", "answer": "12", "answer_type": "math"},
        {"id": "c", "question": "How much?", "answer": "12", "answer_type": "float"},
    ]
    final = mm.Pipeline(Files(write_jsonl(tmp_path / "q.jsonl", rows))).run(tmp_path / "a").to_rl()
    assert [(r["id"], r["answer_type"]) for r in final] == [("b", "math"), ("c", "number")]


def test_unmeasured_questions_have_no_pass_rate(source, tmp_path):
    final = mm.Pipeline(source).run(tmp_path / "a").to_rl()
    assert set(final["pass_rate"]) == set(final["num_scored"]) == {None}
    assert {r["prompt"][0]["content"] for r in final} == {SYSTEM_PROMPT}


def test_the_pass_rate_counts_dropped_traces_and_survives_mixing(tmp_path):
    with SimulatedTeacher(Procedural(12), accuracy=0.5, cut_off=0.0) as server:
        chat = OpenAIChat(server.model, server.base_url)
        steps = (Distill(chat, num_responses=4), Verify(workers=1))
        made = mm.Pipeline(Procedural(12), *steps, mm.Filter("verdict = 'correct'", of="responses")).run(tmp_path / "a")
    final = made.to_rl()
    assert final["pass_rate"] == made.dataset()["pass_rate"]
    assert set(final["num_scored"]) == {4}
    assert len(set(final["pass_rate"])) > 2
    again = mm.Pipeline(made).run(tmp_path / "b").to_rl()
    same = ("id", "prompt", "pass_rate", "num_scored", "prompt_id", "answer")
    assert again.select_columns(same).to_list() == final.select_columns(same).to_list()


def test_both_sets_of_one_run(source, tmp_path):
    made = run(source, tmp_path / "runs" / "a")
    sft, rl = made.to_sft(), to_rl(made.path)
    assert (len(sft), len(rl)) == (0, 3)
    made = mm.open(made.path)
    source_line, sft_line, rl_line = made.funnel().rows
    assert (sft_line.step, sft_line.num_in, sft_line.num_out) == ("to_sft", source_line.num_out, 0)
    assert (rl_line.step, rl_line.num_in, rl_line.num_out) == ("to_rl", source_line.num_out, 3)
    traces = made.funnel().traces["distill.responses"]
    assert [(line.step, line.num_in, line.num_out) for line in traces] == [
        ("distill", 10, 10),
        ("to_sft_distill", 10, 0),
    ]
    told = made.explain("two")
    assert told.kept
    assert told.facts["to_sft"] == "left out: no trace of it is kept"
    assert not any(t.kept for t in told.traces)
    gone = made.explain("none")
    assert not gone.kept
    assert {gone.dropped_by} <= {"to_sft", "to_rl"}
    to_sft(made)  # there already: nothing of the RL set's record is lost
    assert [line.step for line in mm.open(made.path).funnel().rows] == ["source", "to_sft", "to_rl"]


def test_a_set_is_made_once_and_anew_when_the_run_changes(source, tmp_path):
    made = run(source, tmp_path / "a")
    made.to_rl()
    before = (made.path / "final_rl" / "data-00000.arrow").stat().st_mtime_ns
    made.to_rl()
    mm.open(made.path).to_rl()
    assert (made.path / "final_rl" / "data-00000.arrow").stat().st_mtime_ns == before
    later = run(source, tmp_path / "a", mm.Filter("id != 'text'"))
    assert [r["id"] for r in later.to_rl()] == ["two", "formula"]
    assert len(list((later.path / "exports" / "to_rl").iterdir())) == 1


def test_no_export_takes_a_folder_of_something_else(source, tmp_path):
    made = mm.Pipeline(source).run(tmp_path / "a")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match="is no export and not empty"):
        made.to_rl(tmp_path / "home")
    with pytest.raises(RunFolderError, match="is no export and not empty"):
        made.to_rl(made.path)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years of work"
    made.to_rl()
    with pytest.raises(RunFolderError, match="holds the set of to_rl: choose another folder for to_sft"):
        made.to_sft(made.path / "final_rl")
    made.to_rl(tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "moved")
    assert load(tmp_path / "moved")[0]["images"][0].size == (40, 30)


def test_a_folder_of_an_earlier_run_says_how_to_make_it_anew(source, tmp_path, caplog):
    run(source, tmp_path / "a").to_rl()
    with caplog.at_level("INFO", logger="mmcurate"):
        run(source, tmp_path / "a", mm.Filter("id != 'text'"))
    assert "run.to_rl() makes it anew" in caplog.text
