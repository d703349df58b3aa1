"""The audit: a source's own golds as responses."""

import datasets
import pytest

import mmcurate as mm
from mmcurate.errors import ColumnError, SettingsError
from mmcurate.sources import Files, Procedural
from mmcurate.verify import GoldAudit, Policy, audit
from tests.conftest import write_jsonl

ROWS = [
    {"id": "ok", "question": "Which?", "options": ["3 cm", "4 cm"], "answer": "B"},
    {"id": "none", "question": "Which?", "options": ["3 cm", "4 cm"], "answer": "C"},
    {"id": "words", "question": "What is it?", "answer": "a man riding a horse"},
    {"id": "open", "question": "Describe it."},
    {"id": "several", "question": "How many?", "answer": "The answer is 5. Or the answer is 6. Or the answer is 7."},
]


def test_bad_golds_are_listed(tmp_path):
    found = audit(Files(write_jsonl(tmp_path / "rows.jsonl", ROWS)))
    assert (found.num_rows, found.num_without_gold) == (5, 1)
    assert [(f.id, f.wrapping, f.grade.verdict) for f in found.failures] == [
        ("none", "row", "undecided"),
        ("several", "bare", "no_answer"),
    ]
    assert found.share == 0.5
    assert "2 of 4 golds fail (50.00%)" in repr(found)
    assert "none of the options" in repr(found)
    assert list(found.to_pandas()["id"]) == ["none", "several"]
    assert "<table>" in found._repr_html_()


def test_a_data_set_with_other_names():
    table = datasets.Dataset.from_list(
        [{"problem": "How many?", "gt": "5 apples"}, {"problem": "How many?", "gt": "7"}]
    )
    found = audit(table, columns={"question": "problem", "answer": "gt"}, workers=1)
    assert (found.num_rows, found.failures) == (2, [])
    with pytest.raises(ColumnError, match="audit needs the column 'answer'; the rows have problem, gt"):
        audit(table)
    with pytest.raises(SettingsError, match="'gold'"):
        audit(table, columns={"gold": "gt"})


def test_the_demo_questions_pass():
    found = audit(Procedural(60), policy=Policy(missing_units=False))
    assert found.failures == [], found


@pytest.mark.parametrize("name", ["puzzlevqa", "dynamath", "mathvision", "scemqa", "scibench_img", "gaokao_mm"])
def test_real_questions_pass(data, name):
    found = audit(Files(data / "mm" / name / "data.jsonl"))
    assert found.num_rows >= 20
    assert found.failures == [], found


def test_golds_that_are_whole_solutions(data):
    found = audit(Files(data / "mm" / "mmk12_eureka" / "data.jsonl"))
    assert found.share <= 0.15, found


def test_golds_that_are_not_accepted_are_marked_in_a_run(tmp_path):
    rows = [
        {"id": "fine", "question": "What is 6 times 7?", "answer": "42"},
        {"id": "letter", "question": "Which?", "options": ["red", "blue"], "answer": "B"},
        {"id": "none", "question": "Why?"},
        {"id": "several", "question": "Solve for x.", "answer": "x = 2 or maybe x = 3, the answer is 7"},
    ]
    source = Files(write_jsonl(tmp_path / "q.jsonl", rows))
    run = mm.Pipeline(source, GoldAudit(), mm.Filter("gold_problem is null", name="good_gold")).run(tmp_path / "run")
    told = {row["id"]: row["gold_problem"] for row in run.dataset(after="gold_audit")}
    bad = {failure.id: failure for failure in audit(rows).failures}
    assert set(bad) == {i for i, problem in told.items() if problem}
    for i, failure in bad.items():
        assert told[i].startswith(f"{failure.grade.verdict} as {failure.wrapping}: ")
    assert run.explain(next(iter(bad))).dropped_by == "good_gold"
