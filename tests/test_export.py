"""The final set: what a row is, pictures once, odd pictures as the teacher saw them."""

import io

import datasets
import numpy as np
import PIL.Image
import pytest

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.distill import Distill
from mmcurate.errors import RunFolderError
from mmcurate.export import load, to_sft
from mmcurate.prompts import SYSTEM_PROMPT, is_strict
from mmcurate.sources import Files, Procedural
from mmcurate.verify import Verify
from tests.conftest import picture, write_jsonl


def run(source, folder, teacher=None, **settings):
    with SimulatedTeacher(source, **settings) as server:
        chat = OpenAIChat(server.model, server.base_url)
        return mm.Pipeline(
            source, Distill(chat, num_responses=8), Verify(workers=1), mm.Filter("verdict = 'correct'", of="responses")
        ).run(folder)


def test_rows_say_where_they_come_from(tmp_path):
    made = run(Procedural(40), tmp_path / "runs" / "a", slips=0.3)
    final = to_sft(made)
    row = final[0]
    assert row["question_id"] == "procedural-0-000000"
    assert row["id"].startswith("procedural-0-000000#")
    assert (row["source"], row["licence"], row["teacher"], row["verdict"]) == (
        "procedural",
        "Apache-2.0",
        "simulated-teacher",
        "correct",
    )
    assert row["prompt"][0] == {"role": "system", "content": SYSTEM_PROMPT}
    assert row["prompt"][1]["content"].count("<image>") == len(row["images"]) == 1
    assert 0 < row["pass_rate"] <= 1
    assert all(is_strict(r["completion"][0]["content"]) for r in final)
    assert 0 < sum(final["reformatted"]) < len(final)
    assert final.features["images"] == datasets.List(datasets.Image())


def test_a_picture_is_stored_once(tmp_path):
    made = run(Procedural(60), tmp_path / "runs" / "a")
    final = to_sft(made)
    unique = {
        p["path"] for r in final.cast_column("images", datasets.List(datasets.Image(decode=False))) for p in r["images"]
    }
    assert len(final) > 3 * len(unique)
    whole = {
        f.stat().st_ino: f.stat().st_size
        for f in made.path.rglob("*")
        if f.is_file() and f.parent.parent.name == "images"
    }
    pictures = sum(len(r["images"][0]) for r in Procedural(60))
    assert sum(whole.values()) <= 1.1 * pictures
    in_final = sum(f.stat().st_size for f in (made.path / "final" / "images").rglob("*") if f.is_file())
    assert in_final <= 1.1 * pictures


def test_odd_pictures_come_as_the_teacher_saw_them(tmp_path):
    out = io.BytesIO()
    PIL.Image.fromarray(np.full((20, 30), 65_535, np.uint16)).save(out, "PNG")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    files = {
        "sixteen.png": out.getvalue(),
        "clear.png": picture((0, 0, 0, 0), mode="RGBA"),
        "cmyk.jpg": picture((0, 255, 255, 0), mode="CMYK", kind="JPEG"),
        "turned.jpg": picture(size=(40, 20), kind="JPEG", exif=exif),
        "palette.png": picture("black", mode="P"),
        "plain.png": picture("blue"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    rows = [{"id": n, "question": f"What is {n}?", "answer": "5", "images": [n]} for n in files]
    made = run(Files(write_jsonl(tmp_path / "q.jsonl", rows)), tmp_path / "runs" / "a", accuracy=1.0, cut_off=0.0)
    shown = {r["question_id"]: r["images"][0].convert("RGB") for r in to_sft(made)}
    assert len(shown) == 6
    assert shown["sixteen.png"].getpixel((0, 0)) == (255, 255, 255)
    assert shown["clear.png"].getpixel((0, 0)) == (255, 255, 255)
    assert shown["turned.jpg"].size == (20, 40)
    assert shown["cmyk.jpg"].getpixel((5, 5))[0] > 180
    assert shown["plain.png"].getpixel((0, 0)) == (0, 0, 255)


def test_a_final_folder_that_was_moved_loads(tmp_path):
    made = run(Procedural(10), tmp_path / "runs" / "a")
    to_sft(made, tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "moved")
    assert load(tmp_path / "moved")[0]["images"][0].size[0] > 0
    with pytest.raises(RunFolderError, match="no final set"):
        load(tmp_path)


def test_only_correct_traces_leave(tmp_path):
    with SimulatedTeacher(Procedural(20), accuracy=0.5) as server:
        chat = OpenAIChat(server.model, server.base_url)
        made = mm.Pipeline(Procedural(20), Distill(chat), Verify(workers=1)).run(tmp_path / "runs" / "a")
    assert set(to_sft(made)["verdict"]) == {"correct"}
    last = made.funnel().traces["distill.responses"][-1]
    assert last.dropped["verdict: incorrect"] > 0
    assert last.num_out == len(to_sft(made))


@pytest.mark.parametrize("name", ["puzzlevqa", "scemqa", "mmk12_eureka", "gaokao_mm"])
def test_real_sets_through_the_simulated_teacher(data, tmp_path, name):
    source = Files(data / "mm" / name / "data.jsonl")
    made = run(source, tmp_path / "runs" / "a", accuracy=0.9)
    final = to_sft(made)
    assert len(set(final["question_id"])) > 0.85 * len(made.dataset())
    rates = [r for r in made.dataset()["pass_rate"] if r is not None]
    assert sum(rates) / len(rates) > 0.75
    for row in final.select(range(0, len(final), 50)):
        assert len(row["images"]) == row["prompt"][1]["content"].count("<image>") >= 1
    used = sum(f.stat().st_size for f in (made.path / "final" / "images").rglob("*") if f.is_file())
    source_bytes = {i: (data / "mm" / name / i).stat().st_size for r in source for i in map(str, r["images"])}
    assert used <= 1.1 * sum(source_bytes.values())
