"""Facility location against naive greedy, against the best possible, and in a run."""

import itertools
import json
import math
import subprocess
import sys

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmcurate as mm
from mmcurate.embed import Named, StaticText, unit
from mmcurate.sample import FacilityLocation, facility_location
from mmcurate.sources import Files
from tests.conftest import picture, read_jsonl, write_jsonl

UNIT = 65_536


def clustered(number, dimensions=16, clusters=20, seed=0):
    random = np.random.default_rng(seed)
    centres = random.standard_normal((clusters, dimensions))
    return (centres[random.integers(0, clusters, number)] + 0.5 * random.standard_normal((number, dimensions))).astype(
        np.float32
    )


def similarities(vectors):
    vectors = unit(vectors)
    return np.clip((vectors @ vectors.T * np.float32(UNIT)).astype(np.int64), 0, UNIT - 1)


def naive(vectors, num):
    """Greedy picking that computes every gain again."""
    similar = similarities(vectors)
    cover, picked, gains = np.zeros(len(similar), np.int64), [], []
    for _ in range(num):
        gain = np.maximum(similar - cover[:, None], 0).sum(axis=0)
        gain[picked] = -1
        picked.append(int(gain.argmax()))
        gains.append(gain[picked[-1]])
        cover = np.maximum(cover, similar[:, picked[-1]])
    return picked, np.array(gains) / UNIT


def value(vectors, picked):
    return similarities(vectors)[:, list(picked)].max(axis=1).sum() / UNIT


@pytest.mark.parametrize("vectors", [clustered(300), clustered(300, 3), np.eye(50, dtype=np.float32)])
def test_equal_to_naive_greedy(vectors):
    picked, gains = facility_location(vectors, 40)
    expected, expected_gains = naive(vectors, 40)
    assert picked.tolist() == expected
    assert (gains == expected_gains).all()
    assert gains.sum() == pytest.approx(value(vectors, picked))
    assert (picked.dtype, gains.dtype) == (np.int64, np.float64)


def test_real_questions(data):
    texts = [r["question"] for s in ("mathvision", "mmk12_eureka") for r in read_jsonl(data / "mm" / s / "data.jsonl")]
    vectors = StaticText().encode(texts)
    picked, _ = facility_location(vectors, 30)
    assert picked.tolist() == naive(vectors, 30)[0]
    randoms = [np.random.default_rng(s).choice(len(texts), 30, replace=False) for s in range(5)]
    assert value(vectors, picked) > 1.05 * max(value(vectors, r) for r in randoms)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 4), st.integers(2, 4))
def test_guarantee(seed, number, num, dimensions):
    num = min(num, number)
    vectors = np.random.default_rng(seed).standard_normal((number, dimensions)).astype(np.float32)
    best = max(value(vectors, chosen) for chosen in itertools.combinations(range(number), num))
    got = value(vectors, facility_location(vectors, num)[0])
    assert got >= (1 - 1 / math.e) * best - 1e-9
    assert got <= best + 1e-9


def test_more_pairs_than_memory():
    vectors = clustered(2000)
    exact = facility_location(vectors, 100)[1].sum()
    picked, gains = facility_location(vectors, 100, max_pairs=2**16)
    assert len(set(picked.tolist())) == 100
    assert gains.sum() == pytest.approx(value(vectors, picked))
    assert gains.sum() > 0.99 * exact
    again, _ = facility_location(vectors, 100, max_pairs=2**16)
    assert (picked == again).all()
    all_sampled, _ = facility_location(vectors, 100, max_pairs=1)
    assert value(vectors, all_sampled) > 0.98 * exact
    assert (facility_location(vectors, 100, seed=1, max_pairs=2**16)[0] != picked).any()


def test_edges():
    none = np.zeros((0, 4), np.float32)
    assert [a.tolist() for a in facility_location(none, 3)] == [[], []]
    one = np.ones((1, 4), np.float32)
    assert facility_location(one, 5)[0].tolist() == [0]
    twins = np.array([[1, 0], [0, 0], [1, 0], [0, 2], [-1, 0]], np.float32)
    picked, gains = facility_location(twins, 9)
    assert picked.tolist() == [0, 3, 4, 1, 2], "twins and empty ones add nothing and come last"
    np.testing.assert_allclose(gains, [2, 1, 1, 0, 0], atol=1e-4)


def test_two_tiles():
    """More rows than one tile has: pairs across tiles are found in both directions."""
    vectors = np.repeat(np.eye(8, dtype=np.float32), [4096, 1, 2, 3, 4, 5, 6, 7], axis=0)[::-1]
    picked, gains = facility_location(vectors, 8)
    assert np.round(gains).astype(int).tolist() == [4096, 7, 6, 5, 4, 3, 2, 1]
    assert picked.tolist() == [28, 0, 7, 13, 18, 22, 25, 27]


def test_without_numba(tmp_path):
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import json; from tests.test_facility_location import clustered, facility_location\n"
        "v = clustered(700); print(json.dumps([facility_location(v, 50, max_pairs=m)[0].tolist() for m in (None, 2**14)]))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    vectors = clustered(700)
    assert json.loads(done.stdout) == [facility_location(vectors, 50, max_pairs=m)[0].tolist() for m in (None, 2**14)]


QUESTIONS = ["How many cats?", "How many cats are there?", "Integrate x^2.", "Integrate x^3.", "Where is Paris?"]


class Counting:
    def __init__(self):
        self.num_items = 0

    def encode(self, items):
        self.num_items += len(items)
        return StaticText().encode(items) if isinstance(items[0], str) else [np.asarray(i)[0, 0] for i in items]


def test_run(tmp_path):
    source = Files(write_jsonl(tmp_path / "q.jsonl", [{"question": q} for q in QUESTIONS]), name="q")
    counting = Counting()

    def run(num_rows):
        step = FacilityLocation(num_rows, encoder=Named(counting, "counting"))
        return mm.Pipeline(source, step, mm.AtMost(num_rows, order="diverse_rank")).run(tmp_path / "run")

    ranks = run(3).dataset()["diverse_rank"]
    assert sorted(ranks) == [0, 1, 2]
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.arrow")}
    num_items = counting.num_items
    run(3)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.arrow")} == files
    assert len(run(4).dataset()) == 4
    assert counting.num_items == num_items + 2, "only what check() asks: no question is encoded again"


def test_pictures_count_where_there_is_an_image_encoder():
    data = datasets.Dataset.from_list(
        [{"question": "Which colour?", "images": [picture(c)]} for c in ("red", "red", "blue", "lime")]
    )
    text = mm.apply(FacilityLocation(3), data)
    assert text["diverse_rank"][:] == [0, 1, 2, None]
    both = mm.apply(FacilityLocation(3, image_encoder=Named(Counting(), "first pixel")), data)
    assert both["diverse_rank"][:] == [0, None, 1, 2]


def test_apply():
    ranks = mm.apply(FacilityLocation(3), datasets.Dataset.from_list([{"question": q} for q in QUESTIONS]))
    assert ranks["diverse_rank"][:] == [None, 0, 1, None, 2]
    assert mm.apply(FacilityLocation(3), datasets.Dataset.from_list([{"question": "x"}]))["diverse_rank"][:] == [0]
