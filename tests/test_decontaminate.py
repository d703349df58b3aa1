"""Benchmarks found among training questions: re-worded, re-encoded, resized, re-coloured, cropped; and nothing else."""

import io
import random
import warnings
from pathlib import Path

import datasets
import PIL.Image
import PIL.ImageDraw
import PIL.ImageEnhance
import pytest

import mmcurate as mm
from mmcurate import pictures
from mmcurate.dedup import Decontaminate
from mmcurate.errors import SettingsError
from mmcurate.sources import Files, HFDataset, Procedural
from tests.conftest import picture, read_jsonl, write_jsonl

SETS = ("algopuzzlevqa", "dynamath", "gaokao_mm", "mathvision", "mmk12_eureka", "puzzlevqa", "scemqa", "scibench_img")
WORDS = [("find", "determine"), ("what is", "what's"), ("how many", "what number of"), ("shown", "displayed")]
WORDS += [
    ("figure", "picture"),
    ("image", "picture"),
    ("missing", "absent"),
    ("calculate", "compute"),
    ("given", "known"),
]


def shared(data, name):
    """The rows of one shared set."""
    folder = data / "mm" / name
    keep = ("id", "question", "options", "answer")
    return [
        {**{k: r[k] for k in keep}, "source": name, "images": [str(folder / p) for p in r["images"]]}
        for r in read_jsonl(folder / "data.jsonl")
    ]


def reworded(text, rng):
    out, changes = text, 0
    for old, new in rng.sample(WORDS, len(WORDS)):
        at = out.lower().find(old)
        if at >= 0 and changes < 2:
            out, changes = out[:at] + new + out[at + len(old) :], changes + 1
    return out if changes else "Please answer: " + out


def encoded(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def changed(image, rng):
    """Ten ways in which a picture comes back."""
    w, h = image.size

    def cut(share):
        edges = [rng.uniform(0, share) for _ in range(4)] if rng.random() < 0.5 else [share] * 4
        return image.crop((round(edges[0] * w), round(edges[1] * h), w - round(edges[2] * w), h - round(edges[3] * h)))

    def resized(by):
        return image.resize((max(1, round(w * by)), max(1, round(h * by))), PIL.Image.Resampling.BICUBIC)

    return {
        "re-encoded 80": encoded(image, "JPEG", quality=80),
        "re-encoded 50": encoded(image, "JPEG", quality=50),
        "webp": encoded(image, "WEBP", quality=70),
        "smaller": encoded(resized(0.6)),
        "larger": encoded(resized(1.4)),
        "brighter": encoded(PIL.ImageEnhance.Brightness(image).enhance(rng.choice([0.92, 1.08]))),
        "more contrast": encoded(PIL.ImageEnhance.Contrast(image).enhance(rng.choice([0.9, 1.12]))),
        "more colour": encoded(PIL.ImageEnhance.Color(image).enhance(rng.choice([0.8, 1.25]))),
        "cropped": encoded(cut(0.02)),
        "all of it": encoded(PIL.ImageEnhance.Brightness(resized(0.8)).enhance(1.04), "JPEG", quality=75),
    }


def recall(data, num_rows, num_procedural, side):
    """Plants rows of the shared sets among drawn ones; returns the share found by kind, and what else was hit."""
    rng = random.Random(0)
    rows = [row for name in SETS for row in shared(data, name)]
    train = [
        {"id": f"drawn|{i}", "question": q["question"], "options": list(q.get("options") or ()), "answer": q["answer"]}
        | {"images": [pictures.as_struct(p)["bytes"] for p in q["images"]]}
        for i, q in enumerate(Procedural(num_procedural))
    ]
    for row in rng.sample([r for r in rows if r["images"]], num_rows):
        with open(row["images"][0], "rb") as file:
            image = pictures.pixels(file.read())
        image.thumbnail((side, side))
        rest = [Path(p).read_bytes() for p in row["images"][1:]]
        for kind, data_ in changed(image, rng).items():
            train.append({**row, "id": f"{kind}|{row['id']}", "images": [data_, *rest]})
        with open(row["images"][0], "rb") as file:
            same = file.read()
        train.append(
            {**row, "id": f"re-worded|{row['id']}", "question": reworded(row["question"], rng), "images": [same, *rest]}
        )
        train.append({**train[-2], "id": f"all and re-worded|{row['id']}", "question": reworded(row["question"], rng)})
    for row in train:
        row["images"] = [{"bytes": b, "path": None} for b in row["images"]]
        row.pop("source", None)
    found = mm.apply(
        Decontaminate(against=[HFDataset(datasets.Dataset.from_list(rows))]), datasets.Dataset.from_list(train)
    )
    counts = {}
    for name, match in zip(found["id"], found["benchmark_match"], strict=True):
        counts.setdefault(name.partition("|")[0], []).append(match is not None)
    return {kind: sum(hits) / len(hits) for kind, hits in counts.items()}


def check(found):
    assert found.pop("drawn") == 0
    short = {kind: share for kind, share in found.items() if share < (0.8 if kind == "cropped" else 0.95)}
    assert not short, short


def test_planted_rows_are_found_by_kind(data):
    check(recall(data, 24, 100, 480))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_planted_among_five_thousand(data):
    found = recall(data, 200, 5000, 1600)
    print(found)
    check(found)


@pytest.mark.parametrize("name", SETS)
def test_shared_sets_do_not_overlap(data, name):
    others = [row for other in SETS if other != name for row in shared(data, other)][::2]
    mine = datasets.Dataset.from_list(shared(data, name)[::2])
    found = mm.apply(Decontaminate(against=[HFDataset(datasets.Dataset.from_list(others))]), mine)
    assert [m for m in found["benchmark_match"] if m] == []


# --- texts ---------------------------------------------------------------------------------------------------------

LONG = "A farmer has 12 sheep and buys 7 more at the market, then sells 5 of them to his neighbour. How many are left?"


def matches(train, bench, **options):
    rows = [{"id": str(i), "answer": "1", **row} for i, row in enumerate(train)]
    source = HFDataset(
        datasets.Dataset.from_list([{"id": f"b{i}", **row} for i, row in enumerate(bench)]), name="bench"
    )
    found = mm.apply(Decontaminate(against=[source], **options), datasets.Dataset.from_list(rows))
    return list(zip(found["benchmark_match"], found["match_kind"], strict=True))


def test_text_alone():
    train = [
        {"question": LONG},
        {"question": LONG.upper().replace(",", " ,")},
        {"question": LONG.replace("neighbour", "friend")},
        {"question": LONG.replace("12", "13")},  # another problem
        {"question": f"Read this story and answer. {LONG} Explain how you know, and write the result as one number."},
        {"question": "How many are left?"},
    ]
    hit = ("bench:b0", "text")
    assert matches(train, [{"question": LONG}]) == [hit, hit, hit, (None, None), hit, (None, None)]


def test_short_and_template_texts_need_a_picture():
    shown = [{"question": "What is x?", "images": [{"bytes": picture(), "path": None}]}]
    assert matches([{"question": "What is x?"}], shown) == [(None, None)]
    question = "What is the value of the largest bar of the chart that is shown here?"
    train = [{"question": question, "images": [{"bytes": picture("white"), "path": None}]}]
    bench = [{"question": question, "images": [{"bytes": picture(c, (60, 40)), "path": None}]} for c in ("red", "blue")]
    assert matches(train, bench) == [(None, None)]
    bare = [{"question": question, "images": []}]
    assert matches(bare, bench) == [(None, None)]  # asked of two pictures: a template
    assert matches(bare, bench[:1]) == [("bench:b0", "text")]
    assert matches(train, bench[:1], by="text") == [("bench:b0", "text")]


def drawing(label):
    image = PIL.Image.new("RGB", (240, 180), "white")
    draw = PIL.ImageDraw.Draw(image)
    draw.rectangle((30, 40, 150, 140), outline="black", width=3)
    draw.text((80, 80), label, fill="black", font_size=28)
    return {"bytes": encoded(image), "path": None}


def test_pictures_and_words_together():
    bench = [{"question": "What is the area of the rectangle in the picture?", "images": [drawing("12")]}]
    same, other = drawing("12"), drawing("57")
    smaller = PIL.Image.open(io.BytesIO(same["bytes"])).resize((160, 120), PIL.Image.Resampling.BICUBIC)
    train = [
        {
            "question": "Find the area of the rectangle in the picture.",
            "images": [{"bytes": encoded(smaller), "path": None}],
        },
        {"question": "What is the area of the rectangle in the picture?", "images": [other]},
        {"question": "Which colour has its border?", "images": [same]},
    ]
    hit = ("bench:b0", "question")
    assert matches(train, bench) == [hit, (None, None), (None, None)]
    assert matches(train, bench, by="images") == [("bench:b0", "picture"), (None, None), ("bench:b0", "picture")]
    wordless = [{"question": "", "images": [same]}]  # as MMMU-Pro's vision rows
    assert matches(train, wordless) == [("bench:b0", "picture"), (None, None), ("bench:b0", "picture")]


# --- what may be given, and what is shown --------------------------------------------------------------------------


def test_what_against_takes():
    for wrong, said in (([], "is empty"), ("mathvista", "takes a list"), ([3], "not int")):
        with pytest.raises(SettingsError, match=said):
            Decontaminate(against=wrong)


def test_a_damaged_benchmark_row_is_compared_by_what_is_left(tmp_path):
    rows = [{"id": "x", "question": LONG, "images": ["gone.png"]}, {"id": "y", "question": "", "images": []}]
    write_jsonl(tmp_path / "bench.jsonl", rows)
    ours = datasets.Dataset.from_list([{"id": "a", "question": LONG}])
    found = mm.apply(Decontaminate(against=[Files(tmp_path / "bench.jsonl")]), ours)
    assert found["benchmark_match"] == ["bench:x"]


def test_one_run_against_another_and_the_report(tmp_path, data):
    questions = shared(data, "mathvision")[:12]
    write_jsonl(tmp_path / "sft.jsonl", questions[:8])
    write_jsonl(tmp_path / "rl.jsonl", questions[6:])
    sft = mm.Pipeline(Files(tmp_path / "sft.jsonl")).run(tmp_path / "sft")
    rl = mm.Pipeline(
        Files(tmp_path / "rl.jsonl"), Decontaminate(against=[mm.open(sft.path)]), mm.Filter("benchmark_match is null")
    )
    run = rl.run(tmp_path / "rl")
    assert [(line.num_in, line.num_out) for line in run.funnel().rows] == [(6, 6), (6, 4)]
    page = run.report().path.read_text()
    assert "decontaminate: in a benchmark" in page
    assert page.count("data:image/jpeg") >= 4
    told = run.explain(questions[6]["id"])
    assert told.facts["decontaminate.benchmark_match"].endswith(questions[6]["id"])
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "rl").rglob("*.arrow")}
    rl.replace("decontaminate", Decontaminate(against=[mm.open(sft.path)], min_overlap=0.5)).run(tmp_path / "rl")
    kept = [p for p in before if "signatures" in str(p)]
    assert kept
    assert all(p.stat().st_mtime_ns == before[p] for p in kept)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rl.run(tmp_path / "rl")
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())


def test_a_short_question_without_pictures_hits_itself_only():
    train = [{"question": "Compute sin 45°."}, {"question": "Compute cos 45°."}, {"question": "Compute sin 60°."}]
    assert matches(train, [{"question": "compute  sin 45°"}]) == [("bench:b0", "text"), (None, None), (None, None)]
    shown = [{"question": "compute  sin 45°", "images": [{"bytes": picture(), "path": None}]}]
    assert matches(train, shown) == [(None, None)] * 3
