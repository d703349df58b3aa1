"""The most different responses first: exact orders, the guarantee, and in a run."""

import itertools
from collections import defaultdict

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.distill import Distill
from mmcurate.embed import Named
from mmcurate.sample import DiverseResponses, farthest_first, jaccard_distances
from mmcurate.schema import RESPONSES
from mmcurate.sources import Files
from mmcurate.verify import Verify
from tests.conftest import questions, read_jsonl, write_jsonl

A = "First add two and two, then the sum is four."
A2 = "First add two and two, then the sum is four indeed."
B = "Count on your fingers: one, two, three, four."
C = "Doubling a number is shifting its bits to the left by one."


def ranks(*lists):
    rows = [None if r is None else [{"text": t} if isinstance(t, str) else t for t in r] for r in lists]
    made = DiverseResponses()(pa.table({"responses": pa.array(rows, RESPONSES)}))
    assert made.schema == DiverseResponses.provides
    return made["diverse"].to_pylist()


def test_exact():
    assert ranks([A, A, A2, B, C]) == [[0, 4, 3, 1, 2]]
    assert ranks([A, B], [], None, [C], [A, A, A]) == [[0, 1], [], [], [0], [0, 1, 2]]


def test_what_is_the_same():
    tagged = f"<think>{A.upper()}</think>\n\n<answer>4</answer>"
    parts = {"reasoning": A, "text": "<answer>4</answer>"}
    assert ranks([tagged, parts, f"{A} 5", B]) == [[0, 3, 2, 1]]
    assert jaccard_distances([tagged, f"{A} 4"])[0, 1] == 0


def test_nothing_said():
    empty = {"reasoning": None, "text": None}
    assert ranks([empty, "", A, "<think></think>"]) == [[0, 2, 1, 3]]
    assert pa.types.is_large_list(DiverseResponses()(pa.table({"responses": pa.array([], RESPONSES)}))["diverse"].type)


def test_jaccard_distances_by_sets(data):
    groups = defaultdict(list)
    for row in read_jsonl(data / "mm" / "mathvision" / "responses.jsonl"):
        groups[row["id"]].append(row["response"])
    for texts in itertools.islice(groups.values(), 20):
        for words in (1, 3, 8):
            sets = []
            for text in texts:
                w = text.casefold().split()
                sets.append({tuple(w[i : i + words]) for i in range(max(len(w) - words + 1, 1))} if w else set())
            expected = [[1 - len(a & b) / len(a | b) if a | b else 0 for b in sets] for a in sets]
            if all(t.isascii() for t in texts):
                np.testing.assert_allclose(jaccard_distances(texts, words), expected, atol=1e-12)


def test_a_chinese_character_is_a_word():
    assert jaccard_distances(["因为三角形", "因为三角"])[0, 1] == pytest.approx(1 / 3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 3))
def test_guarantee(seed, number, dimensions):
    points = np.random.default_rng(seed).integers(0, 6, (number, dimensions)).astype(float)
    distances = np.abs(points[:, None] - points).sum(axis=2)
    order = farthest_first(distances)
    assert sorted(order) == list(range(number))
    for k in range(2, number + 1):
        least = min(distances[a, b] for a, b in itertools.combinations(order[:k], 2))
        best = max(
            min(distances[a, b] for a, b in itertools.combinations(chosen, 2))
            for chosen in itertools.combinations(range(number), k)
        )
        assert least >= best / 2


def test_equal_to_plain_loops():
    random = np.random.default_rng(0)
    points = random.standard_normal((12, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    order = [min(range(12), key=lambda i: distances[i].sum())]
    while len(order) < 12:
        left = [i for i in range(12) if i not in order]
        order.append(max(left, key=lambda i: min(distances[i, j] for j in order)))
    assert farthest_first(distances).tolist() == order
    shuffle = random.permutation(12)
    assert shuffle[farthest_first(distances[np.ix_(shuffle, shuffle)])].tolist() == order


def test_an_encoder():
    class Vowels:
        def encode(self, items):
            return np.array([[t.count("a"), t.count("e")] for t in items], float)

    data = datasets.Dataset.from_list([{"question": "q", "responses": ["aa", "a", "aaae", "e"]}])
    got = mm.apply(DiverseResponses(encoder=Named(Vowels(), "vowels")), data)
    assert got["diverse"][:] == [[0, 3, 2, 1]]


def test_run_with_a_teacher(tmp_path):
    with SimulatedTeacher(questions(40)) as teacher:
        pipeline = mm.Pipeline(
            Files(write_jsonl(tmp_path / "q.jsonl", questions(40))),
            Distill(OpenAIChat(teacher.model, teacher.base_url), num_responses=8),
            Verify(workers=1),
            mm.Filter("verdict = 'correct'", of="responses"),
            DiverseResponses(),
            mm.AtMost(2, of="responses", order="diverse"),
        )
        run = pipeline.run(tmp_path / "runs" / "a")
        assert max(map(len, run.dataset()["responses"])) == 2
        before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*.arrow")}
        pipeline.run(run.path)
        assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*.arrow")} == before
        more = pipeline.replace("at_most", mm.AtMost(3, of="responses", order="diverse")).run(run.path)
    assert max(map(len, more.dataset()["responses"])) == 3
    changed = set(more.path.rglob("*.arrow")) - set(before)
    assert {p.parent.name for p in changed} == {"at_most"}


def test_run_with_responses_of_the_source(tmp_path):
    rows = [
        {"question": "What is 2 + 2?", "answer": "4", "responses": [f"{t} <answer>4</answer>" for t in (A, A2, B, C)]}
    ]
    rows[0]["responses"][2] = f"{B} <answer>5</answer>"
    rows += [{"question": "And 3?", "answer": "3", "responses": []}, {"question": "And 5?", "answer": "5"}]
    run = mm.Pipeline(
        Files(write_jsonl(tmp_path / "q.jsonl", rows)),
        Verify(workers=1),
        mm.Filter("verdict = 'correct'", of="responses"),
        DiverseResponses(),
        mm.AtMost(2, of="responses", order="diverse"),
    ).run(tmp_path / "run")
    kept = [[r["text"][:20] for r in responses or ()] for responses in run.dataset()["responses"]]
    assert kept == [[A[:20], C[:20]], [], []]


def test_apply():
    data = datasets.Dataset.from_list(
        [{"question": "q", "responses": [A, A2, C]}, {"question": "q2", "responses": None}]
    )
    assert mm.apply(DiverseResponses(), data)["diverse"][:] == [[0, 2, 1], []]
