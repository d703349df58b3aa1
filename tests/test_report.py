"""The report: one file without links to anywhere, whose numbers are the funnel's."""

import itertools
import json
import re
import zlib

import mmcurate as mm
from mmcurate.chat import OpenAIChat, RecordedTeacher, SimulatedTeacher
from mmcurate.chat.server import ChatServer
from mmcurate.dedup import ExactDedup
from mmcurate.distill import Distill
from mmcurate.export import to_sft
from mmcurate.sources import Files, Mix, Procedural
from mmcurate.verify import Verify
from mmcurate.verify.grade import SECOND_OPINIONS
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


class Judge(ChatServer):
    """Accepts every answer."""

    def reply(self, messages, seed):
        return {"role": "assistant", "content": "1"}, "stop"


def disputed_pair():
    """An answer that is right, that math-verify rejects, and that is among those which are put to it too."""
    for low in range(-200, 0):
        answer, gold = f"{low} \\le x \\le 7", f"x \\in [{low},7]"
        if zlib.crc32(f"{answer}\0{gold}".encode()) % SECOND_OPINIONS == 0:
            return answer, gold
    raise AssertionError


def test_what_the_judge_accepts_alone_and_where_methods_differ(tmp_path):
    answer, gold = disputed_pair()
    rows = [
        {"id": "words", "question": "What is it?", "answer": "a man riding a horse"},
        {"id": "interval", "question": "For which x?", "answer": gold},
        {"id": "five", "question": "How many?", "answer": "5"},
    ]
    said = [
        {"id": "words", "response": "<answer>a person on a horse</answer>"},
        {"id": "interval", "response": f"<answer>{answer}</answer>"},
        {"id": "five", "response": "<answer>5</answer>"},
    ]
    source = Files(write_jsonl(tmp_path / "rows.jsonl", rows))
    with RecordedTeacher(rows, said, model="t") as teacher:
        distill = Distill(OpenAIChat("t", teacher.base_url), num_responses=1)
        run = mm.Pipeline(source, distill, Verify(workers=1)).run(tmp_path / "runs" / "a")
        assert [g[0]["verdict"] for g in run.dataset()["verdicts"]] == ["undecided", "correct", "correct"]
        assert run.dataset()["verdicts"][1][0]["disagreement"] == "math-verify: incorrect"
    # The judge comes later, when the teacher is gone: a finished run is a source. Only what no rule decides is judged.
    with Judge(model="judge") as server:
        judge = OpenAIChat("judge", server.base_url, temperature=0.0)
        run = mm.Pipeline(run, Verify(judge=judge, workers=1)).run(tmp_path / "runs" / "judged")
        assert server.num_requests == 1
    assert run.complete
    assert [g[0]["verdict"] for g in run.dataset()["verdicts"]] == ["correct"] * 3
    page = run.report().path.read_text("utf-8")
    assert "1 of 3 correct traces (33.3 %) were accepted by the judge alone" in page
    assert "a person on a horse" in page
    assert "1 trace on which a second method says something else" in page
    assert "math-verify: incorrect" in page
