"""What is asked again, verified again, written again, and what isn't."""

import itertools
import shutil
from collections import Counter
from typing import ClassVar

import pyarrow as pa
import pytest

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.dedup import ExactDedup
from mmcurate.distill import Distill
from mmcurate.errors import RunError, RunFolderError, RunLocked
from mmcurate.export import to_sft
from mmcurate.sources import Files, Mix, Procedural, WeMathSFT
from mmcurate.state import Ref
from mmcurate.step import Step, settings
from mmcurate.verify import Verify
from tests import layouts
from tests.conftest import questions, write_jsonl

NUMBER = 600  # three shards


@pytest.fixture(scope="module")
def teacher():
    with SimulatedTeacher(questions(2 * NUMBER)) as server:
        yield server


@pytest.fixture
def source(tmp_path):
    return Files(write_jsonl(tmp_path / "q.jsonl", questions(NUMBER)), name="q")


def chat(teacher, **more):
    return OpenAIChat(teacher.model, teacher.base_url, **more)


def pipeline(source, teacher, *more, **settings):
    return mm.Pipeline(
        source,
        ExactDedup(),
        mm.Filter("duplicate_of is null"),
        *more,
        Distill(chat(teacher, **settings), num_responses=2),
        Verify(workers=1),
        mm.Filter("verdict = 'correct'", of="responses"),
    )


def files(run, *steps):
    """Each file of some steps with the time it was written."""
    return {str(p.relative_to(run.path)): p.stat().st_mtime_ns for s in steps for p in (run.path / s).glob("*.arrow")}


def asked(teacher, make):
    """Runs something; returns its result and how many requests it sent."""
    before = teacher.num_requests
    result = make()
    return result, teacher.num_requests - before


def test_the_same_run_again_does_nothing(source, teacher, tmp_path):
    run, number = asked(teacher, lambda: pipeline(source, teacher).run(tmp_path / "runs" / "a"))
    assert number == 2 * NUMBER
    before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*.arrow")}
    again, number = asked(teacher, lambda: pipeline(source, teacher).run(run.path))
    assert number == 0
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*.arrow")} == before
    assert again.complete
    assert {"mmcurate", "packages", "seed", "sample"} <= set(again.manifest)
    assert next(e for e in again.manifest["entries"] if e["name"] == "distill")["settings"]["num_responses"] == 2


def test_what_costs_and_what_does_not(source, teacher, tmp_path):
    out = tmp_path / "runs" / "a"
    first = pipeline(source, teacher).run(out)
    before = files(first, "distill", "verify")

    run, number = asked(
        teacher, lambda: pipeline(source, teacher, mm.Filter("length(question) > 0", name="harmless")).run(out)
    )
    assert (number, files(run, "distill", "verify")) == (0, before), "a step that drops nothing"

    late = pipeline(source, teacher).replace("filter_2", mm.Filter("verdict <> 'incorrect'", of="responses"))
    run, number = asked(teacher, lambda: late.run(out))
    assert (number, files(run, "distill", "verify")) == (0, before), "a threshold further down"

    early = pipeline(source, teacher, mm.Filter("id <> 'q3'", name="early"))
    run, number = asked(teacher, lambda: early.run(out))
    assert number == 0, "a threshold further up"
    assert len(files(run, "verify")) == len([f for f in before if f.startswith("verify")]) + 1

    _, number = asked(teacher, lambda: pipeline(source, teacher, api_key="another", concurrency=3).run(out))
    assert number == 0, "another key"

    _, number = asked(teacher, lambda: pipeline(source, teacher, temperature=0.5).run(out))
    assert number == 2 * NUMBER, "another temperature"

    _, number = asked(teacher, lambda: pipeline(source, teacher, max_tokens=20_000).run(out))
    assert number < NUMBER / 4, "a larger limit serves whatever ended by itself"


def test_another_url_costs_nothing_and_another_revision_everything(source, teacher, tmp_path):
    out = tmp_path / "runs" / "a"
    pipeline(source, teacher).run(out)
    with SimulatedTeacher(questions(NUMBER)) as elsewhere:
        pipeline(source, elsewhere).run(out)
        assert elsewhere.num_requests == 0
    with SimulatedTeacher(questions(NUMBER), root="checkpoint-2") as newer:
        pipeline(source, newer).run(out)
        assert newer.num_requests == 2 * NUMBER


def test_another_system_prompt(source, teacher, tmp_path):
    out = tmp_path / "runs" / "a"
    pipeline(source, teacher).run(out)
    other = pipeline(source, teacher).replace(
        "distill", Distill(chat(teacher), num_responses=2, system_prompt="Answer in <answer>.")
    )
    assert asked(teacher, lambda: other.run(out))[1] == 2 * NUMBER


def test_more_answers_ask_for_the_further_ones(source, teacher, tmp_path):
    out = tmp_path / "runs" / "a"
    pipeline(source, teacher).run(out)
    more = pipeline(source, teacher).replace("distill", Distill(chat(teacher), num_responses=3))
    assert asked(teacher, lambda: more.run(out))[1] == NUMBER


def test_one_question_more_and_one_edited(source, teacher, tmp_path):
    out = tmp_path / "runs" / "a"
    before = files(pipeline(source, teacher).run(out), "verify")
    rows = questions(NUMBER + 1)
    write_jsonl(source.path, rows)
    run, number = asked(teacher, lambda: pipeline(source, teacher).run(out))
    new = set(files(run, "verify")) - set(before)
    assert (number, len(new)) == (2, 1)
    rows[5]["question"] = rows[NUMBER + 50 - 60]["question"] = "What is 900 + 900?"
    rows[5]["answer"] = rows[NUMBER + 50 - 60]["answer"] = "1800"
    write_jsonl(source.path, rows)
    run, number = asked(teacher, lambda: pipeline(source, teacher).run(out))
    assert number == 2, "the same new question twice is asked once"
    assert run.funnel().rows[1].dropped == {"not: duplicate_of IS NULL": 1}


def test_two_teachers(source, teacher, tmp_path):
    with SimulatedTeacher(questions(NUMBER), model="second", seed=1) as second:
        made = mm.Pipeline(
            source,
            Distill(chat(teacher), num_responses=1, name="first"),
            Distill(OpenAIChat("second", second.base_url), num_responses=2, name="second"),
            Verify(name="check_first", inputs={"responses": "first.responses"}, workers=1),
            Verify(name="check_second", inputs={"responses": "second.responses"}, workers=1),
            mm.Filter("verdict = 'correct'", of="first.responses"),
            mm.Filter("verdict = 'correct'", of="second.responses"),
        )
        run = made.run(tmp_path / "run")
        rows = to_sft(run)
    teachers = Counter(rows["teacher"])
    assert set(teachers) == {teacher.model, "second"}
    traces = run.funnel().traces
    assert traces["first.responses"][-1].num_out == teachers[teacher.model]
    assert traces["second.responses"][-1].num_out == teachers["second"]


def test_a_moved_run_opens(source, teacher, tmp_path):
    mixed = Mix([Procedural(30), source])
    with SimulatedTeacher(mixed) as server:
        run = pipeline(mixed, server).run(tmp_path / "runs" / "a", sample=60)
    to_sft(run)
    shutil.copytree(run.path, tmp_path / "elsewhere" / "b")
    shutil.rmtree(run.path)
    moved = mm.open(tmp_path / "elsewhere" / "b")
    shown = [row for row in moved.dataset() if row["images"]]
    assert shown
    assert shown[0]["images"][0].size[0] > 100
    assert all(row["images"][0].size for row in to_sft(moved) if row["images"])
    assert (
        "dropped by filter_2" in str(moved.explain(moved.dataset()["id"][0]))
        or moved.explain(moved.dataset()["id"][0]).kept
    )
    assert moved.report().path.exists()
    assert len(moved.sample(3)) == 3


def test_a_finished_run_is_a_source(source, teacher, tmp_path):
    run = pipeline(source, teacher).run(tmp_path / "runs" / "a")
    kept = sum(len(r["responses"]) for r in run.dataset())
    second = mm.Pipeline(Mix([run, Procedural(10)], caps={"a": 100})).run(tmp_path / "mixed")
    rows = second.dataset()
    assert len(rows) == 110
    final = to_sft(second)
    assert 0 < len(final) < kept
    assert set(final["verdict"]) == {"correct"}
    whole = to_sft(mm.Pipeline(Mix([run])).run(tmp_path / "whole"))
    assert sorted(whole["completion"], key=str) == sorted(to_sft(run)["completion"], key=str)


def test_locked(source, tmp_path):
    from mmcurate.folder import locked

    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"), pytest.raises(RunLocked, match=r"process \d+ on"):
        mm.Pipeline(source).run(tmp_path / "run")


def test_not_a_run_folder(source, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match=r"thesis\.tex"):
        mm.Pipeline(source).run(tmp_path / "mine")
    with pytest.raises(RunFolderError, match=r"no run\.json"):
        mm.open(tmp_path / "mine")
    with pytest.raises(RunFolderError, match="no such folder"):
        mm.open(tmp_path / "nowhere")


def test_an_empty_source(tmp_path):
    empty = Files(write_jsonl(tmp_path / "q.jsonl", [{"id": "a", "question": "", "answer": "1"}]))
    with SimulatedTeacher([]) as server:
        run = pipeline(empty, server).run(tmp_path / "run")
    assert len(run.dataset()) == 0
    assert run.funnel().rows[0].dropped == {"empty question": 1}
    assert len(to_sft(run)) == 0
    assert run.report().path.exists()


@settings
class WrongRows(Step):
    """Returns one row too few."""

    requires: ClassVar[tuple[str, ...]] = ("question",)
    provides: ClassVar[pa.Schema] = pa.schema([("n", pa.int32())])

    def __call__(self, table):
        return pa.table({"n": pa.array(range(table.num_rows - 1), pa.int32())})


@settings
class CountWords(Step):
    """Counts words: a step as a user writes one."""

    provides: ClassVar[pa.Schema] = pa.schema([("num_words", pa.int32())])
    requires: ClassVar[tuple[str, ...]] = ("question",)
    factor: int = 1

    def __call__(self, table):
        return pa.table(
            {"num_words": pa.array([self.factor * len(q.split()) for q in table["question"].to_pylist()], pa.int32())}
        )


def test_a_step_of_ones_own(source, tmp_path):
    run = mm.Pipeline(source, CountWords(factor=2), mm.Filter("num_words > 9")).run(tmp_path / "run")
    assert set(run.dataset()["num_words"]) == {10}
    assert "num_words" in mm.apply(CountWords(), run.dataset().remove_columns("num_words")).column_names


def test_a_step_that_loses_rows_is_caught(source, tmp_path):
    with pytest.raises(RunError, match="one row for each row"):
        mm.Pipeline(source, WrongRows()).run(tmp_path / "run")


def test_rows_and_traces_dropped_together(source, teacher, tmp_path):
    """Row drops and trace drops between the same steps keep every verdict beside its response."""
    run = mm.Pipeline(
        source,
        Distill(chat(teacher), num_responses=3),
        mm.Filter("sample_index <> 1", of="responses"),
        mm.Filter("id not like '%7'"),
        Verify(workers=1),
        mm.Filter("verdict = 'correct'", of="responses"),
        mm.AtMost(1, of="responses", order="-sample_index"),
        mm.AtMost(100, order="length(question), id"),
    ).run(tmp_path / "run")
    assert len(run.dataset()) == 100
    gold = {q["id"]: q["answer"] for q in questions(NUMBER)}
    kept = 0
    for row in run.dataset():
        assert not row["id"].endswith("7")
        assert len(row["responses"]) <= 1
        for response, grade in zip(row["responses"], row["verdicts"], strict=True):
            assert response["trace_id"].startswith(row["id"] + "#")
            assert response["sample_index"] != 1
            assert grade["verdict"] == "correct"
            assert gold[row["id"]] in response["text"]
            kept += 1
    lines = run.funnel().traces["distill.responses"]
    assert lines[-1].num_out == kept
    for line in [*lines, *run.funnel().rows]:
        assert line.num_in == line.num_out + sum(line.dropped.values())
    for before, after in itertools.pairwise(lines):
        assert before.num_out == after.num_in


def test_every_id_and_trace_can_be_explained(source, teacher, tmp_path):
    run = pipeline(source, teacher).run(tmp_path / "run", sample=40)
    final = to_sft(run)
    kept_traces, kept_rows = set(final["id"]), set(final["question_id"])
    told = [run.explain(i) for i in run.dataset("rows")["id"]]
    assert len(told) == 40
    assert {t.id for t in told if t.kept} == kept_rows
    traces = [t for one in told for t in one.traces]
    assert len(traces) == 80
    assert {t.id for t in traces if t.kept} == kept_traces
    assert all(t.kept or (t.dropped_by and t.reason) for t in traces + told)
    one = next(t for t in traces if not t.kept)
    assert run.explain(one.id).reason == one.reason
    with pytest.raises(Exception, match="did you mean"):
        run.explain("q1x")


def test_only_rows_for_which_a_condition_holds_are_asked(source, teacher, tmp_path):
    answered = [
        {**q, "id": f"own-{q['id']}", "responses": [f"<think>Add.</think><answer>{q['answer']}</answer>"]}
        for q in questions(300)
    ]
    both = Mix([source, Files(write_jsonl(tmp_path / "answered.jsonl", answered), name="answered")])
    asked = teacher.num_requests
    steps = [
        Distill(chat(teacher), num_responses=2, where="rows.responses is null"),
        Verify(),
        mm.Filter("verdict = 'correct'", of="responses"),
    ]
    run = mm.Pipeline(both, *steps).run(tmp_path / "run")
    assert teacher.num_requests - asked == 2 * NUMBER
    final = to_sft(run)
    own = [row for row in final if row["source"] == "answered"]
    assert len(own) == 300
    assert {row["verdict"] for row in own} == {None}
    assert all(row["completion"][0]["content"].startswith("<think>Add.") for row in own)
    assert {row["verdict"] for row in final if row["source"] == "q"} == {"correct"}
    counted = run.funnel()
    for lines in (counted.rows, *counted.traces.values()):
        assert all(line.num_in == line.num_out + sum(line.dropped.values()) for line in lines)
    assert run.explain("own-q7").kept
    assert run.entries[1].about["where"] == "rows.responses is null"
    again = mm.Pipeline(both, *steps).run(tmp_path / "run")
    assert again.content() == run.content()
    assert teacher.num_requests - asked == 2 * NUMBER
    with pytest.raises(mm.errors.ColumnError, match="nothing"):
        mm.Pipeline(both, Distill(chat(teacher), where="nothing is null"))


def test_a_condition_is_for_steps_that_see_shards():
    with pytest.raises(mm.errors.SettingsError, match="where is for steps of shard scope"):
        ExactDedup(where="id is not null")


def test_a_judge_after_the_teacher_has_gone(source, tmp_path):
    known = questions(NUMBER)
    with SimulatedTeacher(known) as server:
        asked = Distill(chat(server), num_responses=2)
        mm.Pipeline(source, asked, Verify()).run(tmp_path / "run")
    with SimulatedTeacher(known, model="judge") as judge:
        steps = [Distill(chat(server), num_responses=2), Verify(judge=chat(judge, temperature=0.0))]
        run = mm.Pipeline(source, *steps, mm.Filter("verdict = 'correct'", of="responses")).run(tmp_path / "run")
        assert run.complete
        more = Files(write_jsonl(tmp_path / "q.jsonl", questions(NUMBER + 1)), name="q")
        with pytest.raises(mm.errors.EndpointDown, match="cannot reach"):
            mm.Pipeline(more, *steps).run(tmp_path / "run")


def test_a_source_that_changes_while_it_is_read_is_read_again(tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    layouts.write_wemath_sft(copy, [{"question": "What is 1 + 1?", "answer": "2", "images": [layouts.mosaic(1)]}])

    @settings
    class Meddling(WeMathSFT):
        def __iter__(self):
            yield from super().__iter__()
            [shown] = copy.rglob("*.png")
            if shown.read_bytes() == layouts.mosaic(1):
                shown.write_bytes(layouts.mosaic(2))

    def shas():
        run = mm.Pipeline(Meddling(path=copy), ExactDedup()).run(tmp_path / "run")
        return [p.name for p in (run.path / "rows").iterdir()], [
            p["sha256"] for p in run.state().table([("images", Ref("rows", "images"))], 0)["images"][0].as_py()
        ]

    _, seen = shas()
    second, now = shas()
    assert seen != now, "the picture that came meanwhile"
    third, same = shas()
    assert (third, same) == (second, now)
