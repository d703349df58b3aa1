"""The report: one file without links to anywhere, whose numbers are the funnel's."""

import itertools
import json
import re

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.dedup import ExactDedup
from mmcurate.distill import Distill
from mmcurate.export import to_sft
from mmcurate.sources import Files, Mix, Procedural
from mmcurate.verify import Verify
from tests.conftest import write_jsonl


def test_report_and_funnel(tmp_path):
    odd = [
        {"id": "<script>alert(1)</script>", "question": "<b>What</b> is 1 + 1?", "answer": "2"},
        {"id": "none", "question": "", "answer": "1"},
    ]
    source = Mix([Procedural(40), Procedural(4), Files(write_jsonl(tmp_path / "odd.jsonl", odd))])
    with SimulatedTeacher(source, cut_off=0.2) as server:
        teacher = OpenAIChat(server.model, server.base_url, input_price=2.0, output_price=8.0)
        run = mm.Pipeline(
            source,
            ExactDedup(),
            mm.Filter("duplicate_of is null", name="unique"),
            Distill(teacher, num_responses=4),
            Verify(workers=1),
            mm.Filter("pass_rate > 0.3"),
            mm.Filter("verdict = 'correct'", of="responses", name="correct"),
        ).run(tmp_path / "runs" / "a")
    final = to_sft(run)
    shown = run.report()
    page = shown.path.read_text("utf-8")
    assert not re.search(r"(?:src|href)=[\"'](?!data:)", page)
    assert "http" not in re.sub(r"data:image/jpeg;base64,[^\"]*", "", page).lower().replace("<!doctype html>", "")
    assert "<script" not in page
    assert "data:image/jpeg;base64" in page
    assert run._repr_html_().count("<table>") >= 5
    funnel = json.loads((run.path / "funnel.json").read_text())
    steps = [line["step"] for line in funnel["rows"]]
    assert steps == ["source", "unique", "filter", "to_sft"]
    assert funnel["rows"][0]["dropped"] == {"empty question": 1}
    assert funnel["rows"][1]["dropped"] == {"not: duplicate_of IS NULL": 4}
    for lines in (funnel["rows"], *funnel["traces"].values()):
        for line in lines:
            assert line["num_in"] == line["num_out"] + sum(line["dropped"].values())
        for before, after in itertools.pairwise(lines):
            assert before["num_out"] == after["num_in"]
    traces = funnel["traces"]["distill.responses"]
    assert traces[0]["num_in"] == 4 * funnel["rows"][1]["num_out"]
    assert traces[-1]["num_out"] == len(final)
    assert "their question was dropped" in str(traces)
    total = run.totals()[0]
    assert total["answers"] == traces[0]["num_out"]
    assert abs(total["cost"] - (2 * total["prompt_tokens"] + 8 * total["tokens"]) / 1e6) < 1e-9
    later = mm.Pipeline(source, ExactDedup(), mm.Filter("duplicate_of is null", name="unique")).run(
        tmp_path / "runs" / "a"
    )
    assert [line.step for line in later.funnel().rows] == ["source", "unique"], (
        "an export of another pipeline is not this one's"
    )


def test_where_the_condition_is_unknown(tmp_path):
    rows = [{"id": str(i), "question": f"Q{i}?", "answer": None if i % 2 else "1"} for i in range(6)]
    run = mm.Pipeline(Files(write_jsonl(tmp_path / "q.jsonl", rows)), mm.Filter("answer = '1' and id <> '0'")).run(
        tmp_path / "run"
    )
    assert run.funnel().rows[1].dropped == {"unknown: answer = '1'": 3, "not: id != '0'": 1}
    assert run.explain("1").reason == "unknown: answer = '1'"
