"""`ExactDedup` and `NearDedup`: what real sets lose, what is never merged, who stays, and what is computed anew."""

import struct
import zlib

import datasets
import numpy as np
import PIL.Image
import pytest

import mmcurate as mm
from mmcurate.dedup import ExactDedup, NearDedup
from mmcurate.dedup.keep_first import keep_first, ranks
from mmcurate.errors import SettingsError
from mmcurate.sources import Files
from tests.conftest import picture, questions, read_jsonl, write_jsonl
from tests.test_dedup_pictures import chart, encoded, one_digit

# How many rows stay of each set: all, then ExactDedup by question, text and images.
SETS = {
    "algopuzzlevqa": (108, 108, 82, 102),
    "dynamath": (200, 192, 75, 182),
    "gaokao_mm": (20, 20, 20, 15),
    "mathvision": (250, 250, 249, 250),
    "mmk12_eureka": (60, 60, 60, 60),
    "puzzlevqa": (280, 243, 18, 243),
    "scemqa": (80, 80, 80, 78),
    "scibench_img": (40, 40, 40, 36),
}
KEYS = ("id", "question", "options", "answer", "source")


def rows(*given):
    """A data set of rows given as dicts; pictures as bytes, or a `PIL.Image` to be encoded."""
    out = []
    for i, row in enumerate(given):
        images = [encoded(p) if isinstance(p, PIL.Image.Image) else p for p in row.get("images", [])]
        out.append(
            {
                "id": row.get("id", f"r{i}"),
                "source": row.get("source", "s"),
                "question": row.get("question", "What is the value of the largest bar in this chart?"),
                "options": row.get("options", []),
                "answer": row.get("answer"),
                "images": [{"bytes": p, "path": None} for p in images],
            }
        )
    return datasets.Dataset.from_list(out)


def shared(data, name):
    folder = data / "mm" / name
    return datasets.Dataset.from_list(
        [
            {**{k: row[k] for k in KEYS}, "images": [str(folder / p) for p in row["images"]]}
            for row in read_jsonl(folder / "data.jsonl")
        ]
    )


def first_of(step, dataset):
    """Each row's `duplicate_of`, by id."""
    made = mm.apply(step, dataset)
    return dict(zip(made["id"], made["duplicate_of"], strict=True))


def gone(step, dataset):
    return {row: first for row, first in first_of(step, dataset).items() if first is not None}


# Real sets


@pytest.mark.parametrize("name", SETS)
def test_exact_leaves(data, name):
    dataset = shared(data, name)
    left = [len(dataset)] + [
        sum(first is None for first in first_of(ExactDedup(by=by), dataset).values())
        for by in ("question", "text", "images")
    ]
    assert tuple(left) == SETS[name]


@pytest.mark.parametrize("name", SETS)
def test_near_loses_what_exact_does_and_one_wider_margin(data, name):
    dataset = shared(data, name)
    near, exact = gone(NearDedup(), dataset), gone(ExactDedup(), dataset)
    expected = {"mathvision-1050": "mathvision-773"} if name == "mathvision" else {}
    assert near == exact | expected
    assert len(near) - len(exact) <= 0.02 * len(dataset)


def pictures_of(data):
    """The pictures for deduplication, each with the same question; the corrupt one among them."""
    labels = read_jsonl(data / "dedup" / "groups.jsonl")
    paths = [data / "dedup" / row["file"] for row in labels]
    dataset = rows(*({"id": p.name, "images": [p.read_bytes()]} for p in paths))
    return dataset, {p.name: row for p, row in zip(paths, labels, strict=True)}


def test_photometric_variants_are_found(data):
    dataset, labels = pictures_of(data)
    said = gone(NearDedup(), dataset)
    assert all(labels[a]["group"] == labels[b]["group"] for a, b in said.items()), "no merge across groups"
    first = "threatexchange__data__bridge-mods__aaa-orig.jpg"
    variants = {p for p, row in labels.items() if row["transform"].startswith("photometric")} - {first}
    same_bytes = "threatexchange__data__reg-test-input__dih__bridge-1-original.jpg"
    assert len(variants) == 10
    assert said == dict.fromkeys(variants | {same_bytes}, first)


def test_turned_variants_are_found_by_a_setting(data):
    dataset, labels = pictures_of(data)
    said = gone(NearDedup(turned=True), dataset)
    first = "threatexchange__data__bridge-mods__aaa-orig.jpg"
    assert set(said.values()) == {first}
    assert set(said) | {first} == {p for p, row in labels.items() if row["group"] == "bridge"}


@pytest.mark.parametrize("golds", [True, False])
def test_perturbed_problems_are_not_merged(data, golds):
    pairs = read_jsonl(data / "dedup" / "text_math_perturb.jsonl")
    merged = 0
    for side in (("a", "b"), ("b", "a")):
        dataset = rows(
            *(
                {"id": f"{i}{s}", "question": pair[s], "answer": pair.get(f"{s}_answer") if golds else None}
                for s in side
                for i, pair in enumerate(pairs)
            )
        )
        said = gone(NearDedup(), dataset)
        merged += sum(a[:-1] == b[:-1] for a, b in said.items())
    assert merged <= 0.02 * 2 * len(pairs)


# What is never merged


def test_golds_that_differ_keep_rows_apart():
    text = {"question": "What is the sum of all the even numbers in the table below?"}
    shown = {"images": [chart(0)[0]]}
    other = {"images": [encoded(chart(0)[0], "JPEG", quality=80)]}
    lettered = {"options": ["(A) 4", "(B) 5"]}
    assert gone(NearDedup(), rows({**text, "answer": "4"}, {**text, "answer": "5"})) == {}
    assert gone(NearDedup(), rows({**shown, "answer": "4"}, {**other, "answer": "5"})) == {}
    assert gone(NearDedup(), rows({**shown, "answer": "4"}, {**other, "answer": "4"})) == {"r1": "r0"}
    assert gone(NearDedup(), rows({**shown, "answer": "4"}, other)) == {}, "only one has a gold"
    assert gone(NearDedup(), rows(shown, other)) == {"r1": "r0"}, "neither has"
    a, b = {**shown, **lettered, "answer": "A"}, {**other, "options": ["5", "4"], "answer": "B"}
    assert gone(NearDedup(), rows(a, b)) == {"r1": "r0"}, "a letter is read through its option"
    assert gone(NearDedup(), rows(a, {**b, "answer": "A"})) == {}
    assert gone(NearDedup(), rows({**shown, "options": ["4", "5"]}, {**other, "options": ["4", "6"]})) == {}
    assert gone(NearDedup(), rows({**shown, "options": ["4", "5"]}, {**other, "options": ["5", "4"]})) == {"r1": "r0"}


def test_texts_and_pictures_must_both_agree():
    long = "In the chart below, which of the named groups has the largest number of members at the end of the year?"
    shown = chart(0)[0]
    small = encoded(shown.resize((360, 270)))
    assert gone(NearDedup(), rows({"question": long, "images": [shown]}, {"question": long, "images": [small]})) == {
        "r1": "r0"
    }
    near = long.replace("the year", "this year")
    assert gone(NearDedup(), rows({"question": long, "images": [shown]}, {"question": near, "images": [small]})) == {
        "r1": "r0"
    }
    for other in (long.replace("largest", "smallest"), "How many bars are there?"):
        assert (
            gone(NearDedup(), rows({"question": long, "images": [shown]}, {"question": other, "images": [small]})) == {}
        )
    assert (
        gone(NearDedup(), rows({"question": long, "images": [shown]}, {"question": long, "images": [one_digit(0)]}))
        == {}
    )
    assert gone(NearDedup(), rows({"question": long, "images": [shown]}, {"question": long})) == {}
    assert gone(NearDedup(), rows({"question": "0^+"}, {"question": "0^-"}, {"question": "0^ +"})) == {"r2": "r0"}


def test_rows_with_several_pictures():
    a, b, c = (chart(seed)[0] for seed in range(3))
    jpeg = {name: encoded(p, "JPEG", quality=85) for name, p in (("a", a), ("b", b), ("c", c))}
    dataset = rows(
        {"images": [a, b]},
        {"images": [jpeg["a"], jpeg["b"]]},
        {"images": [jpeg["b"], jpeg["a"]]},
        {"images": [a, c]},
        {"images": [a]},
        {"images": [jpeg["a"], jpeg["b"], c]},
        {"images": [a, jpeg["b"]]},
    )
    assert gone(NearDedup(), dataset) == {"r1": "r0", "r6": "r0"}
    assert gone(ExactDedup(), dataset) == {}


def test_only_text_and_only_images():
    shown, jpeg = chart(0)[0], encoded(chart(0)[0], "JPEG", quality=85)
    long = "Say in one word which of the many bars in this chart stands for the largest of all the given values."
    dataset = rows(
        {"question": long, "images": [shown]},
        {"question": long.replace("Say in", "Tell in"), "images": [chart(1)[0]]},
        {"question": "How many bars are there?", "images": [jpeg]},
        {"question": "How many bars are there?"},
    )
    assert gone(NearDedup(by="text"), dataset) == {"r1": "r0", "r3": "r2"}
    assert gone(NearDedup(by="images"), dataset) == {"r2": "r0"}
    assert gone(NearDedup(), dataset) == {}


# Who stays


def test_no_chain_of_small_steps():
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon"
    words = [f"{w}word" for w in words.split()]
    second = ["another", "start", *words[2:]]
    steps = [" ".join(w) for w in (words, second, [*second[:-2], "other", "end"])]
    dataset = rows(*({"question": s} for s in steps))
    step = NearDedup(min_jaccard=0.7)
    assert gone(step, dataset) == {"r1": "r0"}, "the third is like the second only"
    assert gone(step, dataset.select([1, 0, 2])) == {"r0": "r1", "r2": "r1"}
    made = mm.apply(step, dataset)["similarity"]
    assert made[0] is None
    assert made[1] == pytest.approx(16 / 20)
    assert made[2] is None


def test_first_by_priority():
    question = "What is the name of the largest of the bars that are drawn in this chart?"
    near = question.replace("What is", "Tell")
    dataset = rows(
        {"source": "a", "question": question}, {"source": "b", "question": near}, {"source": "c", "question": near}
    )
    assert gone(NearDedup(), dataset) == {"r1": "r0", "r2": "r0"}
    assert gone(NearDedup(priority=("c", "a")), dataset) == {"r0": "r2", "r1": "r2"}
    assert gone(ExactDedup(), dataset) == {"r2": "r1"}
    assert gone(ExactDedup(priority=("c",)), dataset) == {"r1": "r2"}


def test_ranks_are_a_permutation():
    made = ranks(["b", None, "a", "c", "a"], ("a", "b"))
    assert made.tolist() == [2, 3, 0, 4, 1]
    assert ranks([], ()).tolist() == []


def test_keep_first_compares_with_kept_items_only():
    asked = []

    def similarity(item, kept):
        asked.append((item, kept))
        return 0.9 if (item, kept) in {(1, 0), (2, 1), (4, 3)} else 0.0

    pairs = np.array([[0, 1], [2, 1], [1, 2], [3, 4], [4, 2]])
    kept, near = keep_first(6, pairs, similarity)
    assert kept.tolist() == [0, 0, 2, 3, 3, 5]
    assert near.tolist() == [1, 0.9, 1, 1, 0.9, 1]
    assert asked == [(1, 0), (2, 0), (4, 2), (4, 3)], "1 is no kept one, so 2 is compared with what stays for it"
    assert keep_first(3, np.zeros((0, 2), np.int64), similarity)[0].tolist() == [0, 1, 2]


def test_label_conflicts():
    shown = picture("red")
    dataset = rows(
        {"images": [shown], "answer": "4"},
        {"images": [shown], "answer": "5"},
        {"images": [shown], "answer": "4"},
        {"images": [shown], "answer": "5"},
        {"images": [shown], "answer": "4", "options": ["4", "5"]},
        {"images": [picture("blue")], "answer": "5"},
    )
    later = mm.apply(ExactDedup(), dataset)
    assert later["duplicate_of"] == [None, None, "r0", "r1", "r0", None]
    assert later["conflicts_with"] == [None, "r0", None, None, None, None]
    both = mm.apply(ExactDedup(label_conflicts="all"), dataset)
    assert both["duplicate_of"] == later["duplicate_of"]
    assert both["conflicts_with"] == ["r1", "r0", None, None, None, None]


def test_the_order_of_rows_only_says_who_stays():
    dataset = rows(
        *({"images": [encoded(chart(seed)[0], "JPEG", quality=q)]} for seed in range(5) for q in (95, 80, 60))
    )
    order = np.random.default_rng(0).permutation(len(dataset))
    for some in (dataset, dataset.select(order)):
        said = gone(NearDedup(), some)
        assert len(said) == 10
        assert all(int(a[1:]) // 3 == int(b[1:]) // 3 for a, b in said.items())


@pytest.mark.parametrize("step", [ExactDedup(), NearDedup(), NearDedup(by="text"), NearDedup(by="images", turned=True)])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_few_rows(step, number, tmp_path):
    run = mm.Pipeline(Files(write_jsonl(tmp_path / "q.jsonl", questions(3)), name="q"), step).run(
        tmp_path / "run", sample=number or None
    )
    assert set(run.dataset()["duplicate_of"]) == {None}
    empty = mm.Pipeline(
        Files(write_jsonl(tmp_path / "q.jsonl", questions(3)), name="q"), mm.Filter("false", name="none"), step
    ).run(tmp_path / "empty")
    assert len(empty.dataset()) == 0


# Runs


def signature_files(run):
    return {str(p): p.stat().st_mtime_ns for p in run.path.rglob("*.arrow") if "signature" in str(p)}


def test_other_thresholds_compute_no_signatures(tmp_path):
    rows_ = [
        {**q, "question": f"{q['question']} Say it in as few words as you can, and say why."} for q in questions(40)
    ]
    source = Files(write_jsonl(tmp_path / "q.jsonl", rows_), name="q")
    run = mm.Pipeline(source, NearDedup()).run(tmp_path / "run")
    before = signature_files(run)
    assert before
    for step in (NearDedup(min_jaccard=0.3), NearDedup(by="text"), NearDedup(turned=True, priority=("q",))):
        again = mm.Pipeline(source, step).run(tmp_path / "run")
        assert again.complete
        assert signature_files(again) == before
    again = mm.Pipeline(source, NearDedup(shingle_words=2)).run(tmp_path / "run")
    assert set(signature_files(again)) > set(before)


def damaged():
    """A PNG with some bytes overwritten: its checksums say so."""
    whole = encoded(chart(0)[0], "PNG")
    return whole[:200] + b"\0" * 60 + whole[260:]


def test_a_picture_that_ingest_refuses(tmp_path):
    (tmp_path / "good.png").write_bytes(picture("red"))
    (tmp_path / "bad.png").write_bytes(damaged())
    lines = [
        {"id": "a", "question": "What is the colour?", "images": ["good.png"]},
        {"id": "b", "question": "What is the colour?", "images": ["bad.png"]},
        {"id": "c", "question": "What is the colour?", "images": ["good.png"]},
    ]
    run = mm.Pipeline(Files(write_jsonl(tmp_path / "q.jsonl", lines), name="q"), NearDedup()).run(tmp_path / "run")
    assert dict(zip(run.dataset()["id"], run.dataset()["duplicate_of"], strict=True)) == {"a": None, "c": "a"}
    assert "bad image" in str(run.explain("b"))
    made = mm.apply(NearDedup(), rows(*({"images": [p]} for p in (picture("red"), damaged(), picture("red")))))
    assert made["duplicate_of"] == [None, None, "r0"]


def hollow():
    """A PNG whose checksums are right and that lacks most of its pixels: it is found out when it is decoded."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 500)) + chunk(b"IEND", b"")


def unquantised():
    """A JPEG without its tables."""
    return encoded(chart(0)[0], "JPEG", quality=90).replace(b"\xff\xdb", b"\xff\xfe", 2)


@pytest.mark.parametrize(("bad", "kind"), [(hollow(), "PNG"), (unquantised(), "JPEG")])
def test_a_picture_that_can_not_be_decoded(bad, kind, tmp_path):
    good = [encoded(chart(0)[0], "JPEG", quality=q) for q in (95, 80)]
    lines = [good[0], bad, good[1]]
    made = mm.apply(NearDedup(), rows(*({"images": [p]} for p in lines)))
    assert made["duplicate_of"] == [None, None, "r0"]
    assert [p is None for p in made["picture_problem"]] == [True, False, True]
    assert made["picture_problem"][1].startswith(f"picture 1: cut off or damaged {kind} (")
    for i, data in enumerate(lines):
        (tmp_path / f"{i}.jpg").write_bytes(data)
    source = Files(
        write_jsonl(
            tmp_path / "q.jsonl",
            [{"id": f"r{i}", "question": "What is the largest value?", "images": [f"{i}.jpg"]} for i in range(3)],
        ),
        name="q",
    )
    run = mm.Pipeline(source, NearDedup()).run(tmp_path / "run")
    said = run.dataset()
    assert said["duplicate_of"] == [None, None, "r0"]
    assert said["picture_problem"] == made["picture_problem"]
    kept = mm.Pipeline(source, NearDedup(), mm.Filter("duplicate_of is null and picture_problem is null")).run(
        tmp_path / "run"
    )
    assert kept.dataset()["id"] == ["r0"]


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
    rows_ = [{**q, "question": f"{q['question']} Say it in as few words as you can."} for q in questions(600)]
    source = Files(write_jsonl(tmp_path / "q.jsonl", [*rows_, {**rows_[0], "id": "again"}]), name="q")
    whole = mm.Pipeline(source, NearDedup()).run(tmp_path / "whole")
    call, calls = NearDedup.__call__, []

    def stop(self, table):
        calls.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(NearDedup, "__call__", stop)
    with pytest.raises(KeyboardInterrupt):
        mm.Pipeline(source, NearDedup()).run(tmp_path / "run")
    monkeypatch.setattr(NearDedup, "__call__", call)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.arrow")}
    assert len(before) >= 3
    run = mm.Pipeline(source, NearDedup()).run(tmp_path / "run")
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert run.dataset()["duplicate_of"] == whole.dataset()["duplicate_of"]
    assert run.dataset()["duplicate_of"][-1] == "q0"


def test_a_misspelled_source_in_the_priority():
    rows = datasets.Dataset.from_list([{"id": "a", "question": "One?", "source": "puzzlevqa"}])
    with pytest.raises(SettingsError, match="did you mean 'puzzlevqa'"):
        mm.apply(NearDedup(priority=("puzlevqa",)), rows)
    mm.apply(NearDedup(priority=("another",)), rows)  # it may have no row in a sample
