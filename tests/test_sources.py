"""Sources: every file type, ids, pictures, metadata, reasons for rows that can't be used."""

import csv
import json

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mmcurate as mm
from mmcurate.errors import SourceError
from mmcurate.sources import Files, HFDataset, Hub, Mix, Procedural
from tests.conftest import picture, questions, write_jsonl


def test_every_file_type_gives_the_same_rows(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(picture())
    rows = [
        {"id": "a", "question": "Q?", "options": ["1", "2"], "answer": "2", "images": ["pictures/a.png"], "level": 3},
        {"id": "b", "question": "R?", "options": [], "answer": "x", "images": [], "level": 4},
    ]
    write_jsonl(tmp_path / "q.jsonl", rows)
    (tmp_path / "q.json").write_text(json.dumps(rows))
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "q.parquet")
    for name, new in (("q.arrow", pa.ipc.new_file), ("s.arrow", pa.ipc.new_stream)):
        with new(str(tmp_path / name), table.schema) as writer:
            writer.write_table(table)
    with open(tmp_path / "q.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "options": json.dumps(row["options"]), "images": json.dumps(row["images"])})
    want = None
    for name in ("q.jsonl", "q.json", "q.parquet", "q.arrow", "s.arrow", "q.csv"):
        run = mm.Pipeline(Files(tmp_path / name, name="q")).run(tmp_path / "runs" / name)
        got = [
            {**r, "metadata": str(json.loads(r["metadata"])["level"])} for r in run.dataset().remove_columns("images")
        ]
        assert len(got) == 2
        want = want or got
        assert got == want
        assert run.dataset()[0]["images"][0].size == (40, 30)


def test_pictures_as_bytes_and_singular_column(tmp_path):
    table = pa.table({"problem": ["Q?"], "image": pa.array([{"bytes": picture(), "path": "x.png"}]), "solution": ["4"]})
    pq.write_table(table, tmp_path / "q.parquet")
    run = mm.Pipeline(Files(tmp_path / "q.parquet", columns={"question": "problem", "answer": "solution"})).run(
        tmp_path / "run"
    )
    row = run.dataset()[0]
    assert (row["question"], row["answer"], row["id"], row["images"][0].size) == ("Q?", "4", "q-000000", (40, 30))


def test_missing_column_names_what_is_there(tmp_path):
    write_jsonl(tmp_path / "q.jsonl", [{"problem": "Q?", "answer": "1"}])
    with pytest.raises(SourceError, match=r"no column 'question'.*problem, answer"):
        list(Files(tmp_path / "q.jsonl"))


def test_reasons(tmp_path):
    (tmp_path / "cut.png").write_bytes(picture()[:-30])
    rows = [
        {"id": "good", "question": "Q?", "answer": "1"},
        {"id": "missing", "question": "Q?", "answer": "1", "images": ["no.png"]},
        {"id": "cut", "question": "Q?", "answer": "1", "images": ["cut.png"]},
        {"id": "empty", "question": "  ", "answer": "1"},
        {"id": "good", "question": "Another?", "answer": "1"},
        {"id": "options", "question": "Q?", "answer": "7", "options": ["1", "2"]},
        {"id": "tags", "question": "<image> Q?", "answer": "7"},
        {"id": "odd \ud800", "question": "Lone surrogate \udfff?", "answer": "1"},
    ]
    path = tmp_path / "q.jsonl"
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows) + b'{"id": broken\n')
    run = mm.Pipeline(Files(path)).run(tmp_path / "run")
    assert run.dataset()["id"][:] == ["good", "odd ?"]
    dropped = run.funnel().rows[0].dropped
    assert dropped == {
        "missing image": 1,
        "bad image": 1,
        "empty question": 1,
        "duplicate id": 1,
        "answer not among the options": 1,
        "image tags": 1,
        "bad row": 1,
    }
    assert "no.png" in run.explain("missing").reason
    assert "cut off" in run.explain("cut").reason
    assert "'7'" in run.explain("options").reason
    assert "another row" in str(run.explain("good"))


def test_extra_columns_survive(tmp_path):
    write_jsonl(
        tmp_path / "q.jsonl", [{"question": "Q?", "answer": "1", "meta": {"a": [1, 2]}, "level": None, "score": 0.5}]
    )
    row = mm.Pipeline(Files(tmp_path / "q.jsonl")).run(tmp_path / "run").dataset()[0]
    assert json.loads(row["metadata"]) == {"meta": {"a": [1, 2]}, "score": 0.5}


def test_dataset_as_source(tmp_path):
    import PIL.Image

    data = datasets.Dataset.from_dict(
        {
            "question": ["Q?", "R?"],
            "answer": ["1", "2"],
            "image": [PIL.Image.new("RGB", (8, 6)), PIL.Image.new("L", (9, 7))],
        },
        features=datasets.Features(
            {"question": datasets.Value("string"), "answer": datasets.Value("string"), "image": datasets.Image()}
        ),
    )
    run = mm.Pipeline(data).run(tmp_path / "run")
    assert [i["images"][0].size for i in run.dataset()] == [(8, 6), (9, 7)]
    assert len(HFDataset(data).sample(1)) == 1


def test_hub_reads_a_local_copy_streaming_and_not(tmp_path):
    pq.write_table(pa.Table.from_pylist(questions(3)), tmp_path / "train.parquet")
    for streaming in (False, True):
        source = Hub(str(tmp_path), streaming=streaming, name="mine")
        assert [row["id"] for row in source] == ["q0", "q1", "q2"]
        assert {row["source"] for row in source} == {"mine"}


def test_hub_that_is_not_there():
    with pytest.raises(SourceError, match="nobody/nothing"):
        list(Hub("nobody/nothing"))


def test_mix(tmp_path):
    mix = Mix([Procedural(10), Procedural(5, name="more"), Procedural(3)], caps={"more": 2}, seed=1)
    ids = [row["id"] for row in mix]
    assert len(ids) == len(set(ids)) == 15
    assert sum(i.startswith("more") for i in ids) == 2
    assert sum(i.endswith("@3") for i in ids) == 3
    weighted = Mix([Procedural(30), Procedural(10, name="more")], weights={"procedural": 1, "more": 1})
    assert sum(r["source"] == "more" for r in weighted) == 10
    assert sum(r["source"] == "procedural" for r in weighted) == 10
    assert len(list(Mix([Procedural(30), Procedural(10)], caps=[5, None]))) == 15


def test_sample_is_stable(tmp_path):
    write_jsonl(tmp_path / "q.jsonl", questions(50))
    pipeline = mm.Pipeline(Files(tmp_path / "q.jsonl"))
    one = pipeline.run(tmp_path / "a", sample=10).dataset()["id"][:]
    assert pipeline.run(tmp_path / "b", sample=10).dataset()["id"][:] == one
    assert pipeline.run(tmp_path / "c", sample=10, seed=1).dataset()["id"][:] != one
    write_jsonl(tmp_path / "q.jsonl", questions(51))
    more = pipeline.run(tmp_path / "d", sample=10).dataset()["id"][:]
    assert len(set(one) & set(more)) >= 9


def test_a_source_shows_itself():
    shown = Procedural(30).sample(12)
    assert len(shown) == 12
    assert shown._repr_html_().count("data:image/jpeg;base64") == 12
    assert "<script" not in shown._repr_html_()


def test_procedural_questions_are_checkable():
    from mmcurate.sources.procedural import FAMILIES
    from mmcurate.verify import Verdict, grade

    rows = list(Procedural(240, seed=3))
    assert {r["family"] for r in rows} == set(FAMILIES)
    assert len(FAMILIES) >= 8
    for row in rows:
        if row["options"]:
            assert row["answer"] in row["options"]
            assert len(set(row["options"])) == len(row["options"])
        said = grade(f"<think>t</think><answer>{row['answer']}</answer>", row["answer"], options=row["options"])
        assert said.verdict == Verdict.CORRECT, (row["question"], row["answer"], said)
    assert [r["images"] for r in Procedural(10, seed=3)] == [r["images"] for r in rows[:10]]
    assert rows[0]["images"] != next(iter(Procedural(1, seed=4)))["images"]


@pytest.mark.parametrize("name", ["puzzlevqa", "scemqa", "mmk12_eureka", "gaokao_mm", "mathvision", "dynamath"])
def test_real_sets_have_no_bad_rows(data, tmp_path, name):
    run = mm.Pipeline(Files(data / "mm" / name / "data.jsonl")).run(tmp_path / "run")
    assert run.funnel().rows[0].dropped == {}
    assert {row["source"] for row in run.dataset().remove_columns("images")} == {name}
