"""Questions that say the same in other words."""

import datasets
import numpy as np
import pytest

import mmcurate as mm
from mmcurate.dedup import SemanticDedup
from mmcurate.dedup.semantic import _indexed, _whole, near_vectors
from mmcurate.embed import Named
from tests.conftest import picture, read_jsonl


def pairs(data, name, gold):
    rows = []
    for i, row in enumerate(read_jsonl(data / "dedup" / name)):
        if "chinese" not in row.get("kind", ""):
            for side in "ab":
                answer = (row.get(f"{side}_answer") or f"the gold of {i}") if gold else None
                rows.append({"id": f"{i}{side}", "question": row[side], "answer": answer})
    return rows


def joined(rows, step):
    """How many second sides are duplicates of their first, and how many rows are of anything else."""
    found = mm.apply(step, datasets.Dataset.from_list(rows))
    right = sum(of == f"{name[:-1]}a" for name, of in zip(found["id"], found["duplicate_of"], strict=True) if of)
    return right, sum(of is not None for of in found["duplicate_of"]) - right


@pytest.mark.parametrize(("gold", "least"), [(True, 0.68), (False, 0.6)])
def test_rephrased_questions_are_found(data, gold, least):
    rows = pairs(data, "text_gsm8k_rephrased.jsonl", gold)
    right, wrong = joined(rows, SemanticDedup())
    assert right / (len(rows) / 2) >= least
    assert wrong == 0


@pytest.mark.parametrize("gold", [True, False])
def test_perturbed_problems_stay(data, gold):
    rows = pairs(data, "text_math_perturb.jsonl", gold)
    assert sum(joined(rows, SemanticDedup())) <= 0.02 * len(rows) / 2


def test_pictures_golds_and_numbers_must_agree():
    question = "How many apples lie on the table in the picture?"
    again = "In the picture, how many apples are there on the table?"
    red, blue = picture("red"), picture("blue")
    rows = [
        {"id": "a", "question": question, "answer": "3", "images": [red]},
        {"id": "same", "question": again, "answer": "3", "images": [red]},
        {"id": "picture", "question": again, "answer": "3", "images": [blue]},
        {"id": "gold", "question": again, "answer": "4", "images": [red]},
        {"id": "number", "question": again + " There are 2 tables.", "answer": "3", "images": [red]},
    ]
    for row in rows:
        row["images"] = [{"bytes": b, "path": None} for b in row["images"]]
    found = mm.apply(SemanticDedup(), datasets.Dataset.from_list(rows))
    assert found["duplicate_of"] == [None, "a", None, None, None]
    assert 0.75 <= found["similarity"][1] <= 1
    text = mm.apply(SemanticDedup(by="text", same_numbers=False, min_similarity=0.7), datasets.Dataset.from_list(rows))
    assert text["duplicate_of"] == [None, "a", "a", None, "a"]


def test_any_encoder_and_the_threshold(tmp_path):
    class Lengths:
        calls = 0

        def encode(self, texts):
            Lengths.calls += 1
            return np.array([[len(t), 10.0] for t in texts])

    rows = [{"id": str(i), "question": "x" * n, "answer": "1"} for i, n in enumerate((10, 11, 40))]
    step = SemanticDedup(Named(Lengths(), "lengths"), min_similarity=0.99, same_numbers=False)
    pipeline = mm.Pipeline(datasets.Dataset.from_list(rows), step)
    run = pipeline.run(tmp_path / "run")
    assert run.dataset()["duplicate_of"][:] == [None, "0", None]
    calls = Lengths.calls
    looser = SemanticDedup(Named(Lengths(), "lengths"), min_similarity=0.8, same_numbers=False)
    pipeline.replace("semantic_dedup", looser).run(tmp_path / "run")
    assert Lengths.calls == calls + 1  # that one is the check


def test_the_index_finds_what_comparing_all_finds():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3000, 64)).astype(np.float32)
    vectors = np.concatenate([vectors, vectors[:500] + 0.1 * rng.normal(size=(500, 64)).astype(np.float32)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole, indexed = ({tuple(sorted(p)) for p in search(vectors, 0.9).tolist()} for search in (_whole, _indexed))
    assert len(whole) == 500
    assert len(whole & indexed) >= 495
    groups = np.arange(3500) % 2  # each copy is in its original's group
    assert {tuple(sorted(p)) for p in near_vectors(vectors, groups, 0.9).tolist()} == whole
    assert not len(near_vectors(vectors, np.arange(3500), 0.9))


def test_few_rows():
    step = SemanticDedup()
    assert mm.apply(step, datasets.Dataset.from_list([{"id": "a", "question": "One?"}]))["duplicate_of"] == [None]
