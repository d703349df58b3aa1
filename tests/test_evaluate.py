"""A model's scores: each benchmark's rule on its rows, each measure worked out by hand, what isn't scored, and the recipe."""

import argparse
import dataclasses
import importlib
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.chat.server import ChatServer
from mmcurate.distill import Distill
from mmcurate.errors import RunError, SettingsError
from mmcurate.evaluate import BenchmarkVerify, four_dimensional, lmms_eval_command, score, worst_case
from mmcurate.evaluate.columns import COLUMNS
from mmcurate.evaluate.items import Item
from mmcurate.evaluate.published import SCORES, TASKS
from mmcurate.evaluate.scores import Scores, score_items
from mmcurate.evaluate.tables import summary
from mmcurate.schema import ROW
from mmcurate.sources import DynaMath, MathVision, Mix, Source, WeMath, benchmarks
from mmcurate.step import settings
from mmcurate.verify import Verify, grade
from tests import benchmark_rows as rows
from tests.benchmark_layouts import WRITERS, write_mathvision, write_one
from tests.conftest import ROOT, questions, write_jsonl
from tests.test_recipes import run as run_recipe


@settings
class Given(Source):
    """Rows that bring their answers."""

    rows: Sequence[Any]
    name: str = "given"

    def __iter__(self):
        for row in self.rows:
            yield {"source": self.name, **row}


def items(source, is_right):
    """A source's rows with one verdict each, as a run gives them."""
    for row in source:
        about = {k: v for k, v in row.items() if k not in ROW.names and v is not None}
        if row["answer"]:
            yield Item(row["id"], row["source"], about, bool(is_right(row)), "", 10, False)


def answered(source, said):
    """Rows of a source with an answer each; `said` is by id, or makes it of a row."""
    for row in source:
        text = said(row) if callable(said) else said.get(row["id"])
        yield {**row, "responses": [tagged(text)] if text is not None else None}


MINE = {"id": "mine", "question": "1 + 1?", "answer": "2"}


def scored(found):
    return score_items([*found])[0]


def tagged(text):
    return f"<think>t</think><answer>{text}</answer>"


def graded(found, out, **more):
    return mm.Pipeline(Given(list(found)), BenchmarkVerify(workers=1, **more)).run(out)


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A local copy of each benchmark, as published."""
    root = tmp_path_factory.mktemp("copies")
    city = {"id": "validation_History_8", "question": "Where is <image 1>?", "options": "[]", "question_type": "open"}
    more = {"mmmu": [{**city, "answer": "['New York', 'NYC']", "image_1": rows.drawings()[0]}]}
    for name in WRITERS:
        published = rows.published(name)
        write_one(root, name, published + more[name] if name in more else published)
    write_mathvision(root / "mathvision", rows.published("mathvision")[:4], split="testmini")
    return root


# --- each benchmark's rule -----------------------------------------------------------------------------------------

RIGHT, WRONG, NONE, OPEN = "correct", "incorrect", "no_answer", "undecided"
SAID = {
    "mathvista-1": {"B": RIGHT, "4": RIGHT, "A": WRONG, "3": WRONG, "A or B": WRONG},
    "mathvista-2": {"A": RIGHT, "B": RIGHT, "5": RIGHT, "C": WRONG},  # a choice that stands twice
    "mathvista-3": {"3.5": RIGHT, "3.46 cm": RIGHT, "3.54": RIGHT, "3.56": WRONG, "3.4": WRONG, "4": WRONG},
    "mathvista-4": {
        "[2014, 2016]": RIGHT,
        "2014, 2016": RIGHT,
        "2016, 2014": WRONG,
        "2014": WRONG,
        "[2014, 2017]": WRONG,
    },
    "mathvista-5": {"14": RIGHT, "fourteen": RIGHT, "14.7": WRONG, "a lot": OPEN},
    "mathvision-1": {"D": RIGHT, "E": WRONG},
    "mathvision-2": {"B": RIGHT, "2": RIGHT, "(C) 3": WRONG},
    "mathvision-2830": {"36/13": RIGHT, "2.77": RIGHT, "2.76": WRONG},
    "mathvision-7": {"4\\pi": RIGHT, "12.57": RIGHT, "12.566": RIGHT, "12.6": WRONG},
    "mathvision-8": {"\\frac{7}{3}": RIGHT, "2.33": RIGHT, "2.3": WRONG},
    "mathvision-9": {"(3, -4)": RIGHT, "(-4, 3)": WRONG},
    "mathverse-5": {"C": RIGHT, "80°": RIGHT, "60°": WRONG, "D": WRONG},  # options in the picture
    "mathverse-6": {"4.4 m": RIGHT, "440 cm": RIGHT, "4.5 m": WRONG},
    "mathverse-7": {"118°": RIGHT, "108°": WRONG},
    "mathverse-13": {"C, D": RIGHT, "D and C": RIGHT, "C": WRONG},
    "dynamath-1-1": {"B": RIGHT, "odd": RIGHT, "even": WRONG},
    "dynamath-2-1": {"12.345": RIGHT, "12.346": RIGHT, "12.3461": WRONG, "12.35": WRONG, "12.3": WRONG},
    "dynamath-3-1": {"7": RIGHT, "7.0005": RIGHT, "8": WRONG},
    "dynamath-5-1": {"y = -3": RIGHT, "-3": RIGHT, "y = 3": WRONG},
    "wemath-3steps_4-3steps_1": {"B": RIGHT, "B. 4": RIGHT, "4": RIGHT, "D": WRONG},
    "logicvista-2": {"B, D": RIGHT, "D and B": RIGHT, "BD": RIGHT, "B": WRONG, "A, B, D": WRONG},
    "logicvista-3": {"3": RIGHT, "4": WRONG},
    "mmmu-validation_Art_9": {
        "A": RIGHT,
        "Monet": RIGHT,
        "Manet": WRONG,
        "C. Turner": WRONG,
        "C": WRONG,
        "5": WRONG,
        "Turner": OPEN,
    },
    "mmmu-validation_Math_6": {"7.25": RIGHT, "7.254": RIGHT, "7.26": WRONG, "7.3": WRONG},
    "mmmu-validation_History_8": {"NYC": RIGHT, "New York": RIGHT, "Boston": OPEN},
    "mmmu_pro-standard10-validation_Math_1": {"J": RIGHT, "slope 9": RIGHT, "slope 8": WRONG},
    "mmmu_pro-vision-validation_Math_1": {"J": RIGHT, "slope 9": RIGHT, "slope 8": WRONG, "K": WRONG},
    "charxiv-0-reasoning": {"Model B": RIGHT, "Model A": OPEN},
    "charxiv-31-reasoning": {"3.50": RIGHT, "3.4": WRONG},
    "charxiv-0-descriptive2": {"Not Applicable": RIGHT},
}


def test_the_rule_of_each_benchmark(copies, tmp_path):
    found = [row for b in benchmarks(path=copies) for row in b if row["id"] in SAID]
    assert {row["id"] for row in found} == set(SAID)
    texts = {id: [*map(tagged, said), "<think>I look at it", ""] for id, said in SAID.items()}
    run = graded(({**row, "responses": texts[row["id"]]} for row in found), tmp_path / "run")
    made = {row["id"]: [grade["verdict"] for grade in row["verdicts"]] for row in run}
    assert made == {id: [*said.values(), NONE, NONE] for id, said in SAID.items()}
    with pytest.raises(RunError, match=r"mathvista-1 has 7 answers, and is scored by one: ask with num_responses=1"):
        score(run)


def test_other_rows_are_graded_as_ever(tmp_path):
    asked = [{**q, "responses": [tagged(q["answer"]), tagged("0.5")]} for q in questions(4)]
    asked.append({"id": "x", "question": "How high?", "answer": "12.345 m", "responses": [tagged("12.3 m"), "no"]})
    asked.append({"id": "y", "question": "Why?", "answer": None, "responses": [tagged("so"), ""]})
    for row in graded(asked, tmp_path / "run"):
        plain = [grade(r["text"], row["answer"] or "", question=row["question"]) for r in row["responses"]]
        assert [g["verdict"] for g in row["verdicts"]] == [g.verdict for g in plain]
        assert ("pass_rate" in row) == (row["answer"] is not None)


class Judge(ChatServer):
    """Says yes, and keeps what it was asked."""

    def reply(self, messages, seed):
        self.told = [*getattr(self, "told", []), json.loads(messages[-1]["content"])]
        return {"role": "assistant", "content": "1"}, "stop"


def test_what_a_judge_is_told(copies, tmp_path):
    said = {
        "mmmu-validation_History_8": "the big apple",
        "mmmu_pro-vision-validation_Math_1": "the steepest",
        "mathvista-5": "a lot",
    }
    drawn = {"problem_version": "Vision Only", "question_for_eval": "Which tree is taller?", "source": "mathverse"}
    tree = {
        **drawn,
        "id": "tree",
        "question": "In the picture.",
        "answer": "the left one",
        "responses": [tagged("left")],
    }
    found = [*answered([r for b in benchmarks(path=copies) for r in b if r["id"] in said], said), tree]
    with Judge(model="judge") as server:
        judge = OpenAIChat("judge", server.base_url, temperature=0.0, max_tokens=8)
        run = graded(found, tmp_path / "run", judge=judge)
    told = {one["known_answer"]: one for one in server.told}
    assert set(told) == {"New York or NYC", "J", "14", "the left one"}
    assert told["the left one"]["question"] == "Which tree is taller?", "a Vision Only row has it in the picture"
    assert told["J"]["options"] == [f"slope {i}" for i in range(12)]
    made = score(run)
    assert made.judge["model"] == "judge"
    assert {s.accuracy for s in made.columns.values()} == {1.0}


# --- measures, worked out by hand ----------------------------------------------------------------------------------


def test_worst_case():
    ten = dict.fromkeys(range(10), True)
    seeds = {"a": ten, "b": ten | {3: False}, "c": dict.fromkeys(range(3), True)}
    assert worst_case(seeds) == 1 / 2  # b has a wrong variant, c lacks seven and doesn't count
    assert worst_case({"c": seeds["c"]}) is None
    assert worst_case(seeds, 3) == 2 / 3


def problem(kind, steps, whole):
    return {f"{kind}steps_{i}": right for i, right in enumerate(steps, 1)} | {f"{kind}steps_multi": whole}


def test_four_dimensional():
    made = four_dimensional(
        {
            "p1": problem(2, [True, True], True),  # mastered
            "p2": problem(2, [True, False], True),  # loose: mastered; strict: by rote
            "p3": problem(3, [False, False, False], True),  # by rote
            "p4": problem(3, [True, True, True], False),  # not generalised
            "p5": problem(2, [True, False], False),  # a step isn't known
            "p6": problem(3, [False, False, False], False),  # the same
            "p7": {"3steps_1": True, "3steps_2": True, "3steps_multi": True},  # a step isn't there
            "p8": {"2steps_1": True, "2steps_2": True},  # the whole isn't there
        }
    )
    assert dataclasses.asdict(made) == {
        "num_problems": 6,
        "num_incomplete": 2,
        "insufficient_knowledge": 2,
        "inadequate_generalization": 1,
        "rote_loose": 1,
        "rote_strict": 2,
        "mastery_loose": 2,
        "mastery_strict": 1,
    }
    # (6 - 0.5 * 1 - 1 - 2) / 6 and (6 - 0.5 * 1 - 2 - 2) / 6
    assert made.score(strict=False) == pytest.approx(2.5 / 6)
    assert made.score(strict=True) == pytest.approx(1.5 / 6)
    assert four_dimensional({}).score(strict=True) is None


def test_the_score_of_all_525_problems():
    """360 of two steps and 165 of three, as published: 1 - (IK + IG / 2 + RM) / 525."""
    two = [problem(2, [i % 2 == 0, i % 3 == 0], i % 5 == 0) for i in range(360)]
    three = [problem(3, [i % 2 == 0, i % 3 == 0, True], i % 4 == 0) for i in range(165)]
    made = four_dimensional({str(i): p for i, p in enumerate(two + three)})
    counts = Counter()
    for p in two + three:
        *steps, whole = p.values()
        counts[("CM" if any(steps) else "RM") if whole else ("IG" if all(steps) else "IK")] += 1
    assert made.num_problems == 525
    assert made.score(strict=False) == (525 - 0.5 * counts["IG"] - counts["RM"] - counts["IK"]) / 525


def test_dynamath(copies):
    """Seed 1 is right ten times, seed 2 nine times, the others never."""
    source = DynaMath(path=copies / "dynamath")
    made = scored(items(source, lambda row: row["seed"] in "12" and row["id"] != "dynamath-2-7"))["dynamath"]
    assert (made.accuracy, made.num_rows, made.num_correct) == (pytest.approx(1 / 7), 70, 19)
    assert made.details == {"average": 19 / 70, "num_seeds": 7, "num_incomplete": 0}
    assert made.tables["subject"]["plane geometry"].score == pytest.approx(1 / 7)
    assert made.tables["level"]["high school"].accuracy == 19 / 70


def test_what_a_sample_tears_apart_is_not_scored(copies):
    """Two variants of each seed make no worst case, and one whole problem of two is what We-Math's score is of."""
    some = DynaMath(path=copies / "dynamath", split=["sample_variant1", "sample_variant2"])
    half = [*items(WeMath(path=copies / "wemath"), lambda row: True)][1:]
    columns = scored([*items(some, lambda row: True), *half, *items(Given([MINE], "mine"), lambda row: False)])
    made = columns["dynamath"]
    assert (made.accuracy, made.highest, made.share_correct) == (None, None, 1.0)
    assert made.details == {"average": 1.0, "num_seeds": 0, "num_incomplete": 7}
    scores = Scores(columns, {}, {}, {}, True)
    said = summary(scores)
    assert "dynamath: scored by 0 seeds that are whole; 7 lack variants, and don't count" in said
    assert "wemath: scored by 1 problems that are whole; 1 lack steps, and don't count" in said
    assert scores.means == {"mean of 2 columns": (0.5, None)}


def test_a_variant_counts_once():
    """Ten rows of nine variants are no whole seed; a variant that is there twice is right where it is so each time."""

    def seed(name, *variants):
        return [
            Item(f"{name}-{i}", "dynamath", {"seed": name, "variant": v}, right, "", 5, False)
            for i, (v, right) in enumerate(variants)
        ]

    whole = [(v, True) for v in range(1, 11)]
    found = [*seed("1", *whole[:9], (1, True)), *seed("2", *whole, (1, False)), *seed("3", *whole)]
    made = scored(found)["dynamath"]
    assert (made.accuracy, made.details["num_seeds"], made.details["num_incomplete"]) == (1 / 2, 2, 1)
    assert scored(seed("1", *[(None, True)] * 10))["dynamath"].accuracy == 1.0, "a copy may not tell the variant"


def test_wemath(copies):
    """The problem of three steps: only its first step and the whole are right. That of two: both steps, not the whole."""
    right = {"3steps_4-3steps_1", "3steps_4-3steps_multi", "2steps_9-2steps_1", "2steps_9-2steps_2"}
    source = WeMath(path=copies / "wemath")
    made = scored(items(source, lambda row: row["id"].removeprefix("wemath-") in right))["wemath"]
    steps = {"one_step": 3 / 5, "two_step": 0.0, "three_step": 1.0}
    counts = {
        "rote_loose": 0,
        "rote_strict": 1,
        "mastery_loose": 1,
        "mastery_strict": 0,
        "inadequate_generalization": 1,
    }
    assert made.accuracy == 0.75  # (2 - 0.5) / 2
    want = {"score_loose": 0.75, "score_strict": 0.25, **steps, **counts, "num_problems": 2, "num_incomplete": 0}
    assert made.details == {**want, "insufficient_knowledge": 0}


def test_mathverse_is_the_mean_of_its_versions(copies):
    right = {f"mathverse-{i}" for i in (1, 2, 5)}
    (source,) = benchmarks("mathverse", path=copies)
    made = scored(items(source, lambda row: row["id"] in right))["mathverse"]
    parts = {version: (part.num_correct, part.num_rows) for version, part in made.tables["version"].items()}
    assert parts == {
        "Text Dominant": (1, 8),
        "Text Lite": (1, 1),
        "Vision Dominant": (0, 1),
        "Vision Intensive": (0, 1),
        "Vision Only": (1, 2),
    }
    assert made.accuracy == pytest.approx((1 / 8 + 1 + 0 + 0 + 1 / 2) / 5)


def test_columns_and_tables(copies):
    nine = [*benchmarks(path=copies), MathVision(path=copies / "mathvision", split="testmini")]
    columns = scored(items(Mix(nine), lambda row: True))
    assert list(columns) == [c.name for c in COLUMNS] == list(SCORES) == list(TASKS)
    assert [s.num_rows for s in columns.values()] == [7, 9, 4, 13, 70, 7, 4, 8, 3, 2, 5, 20]
    assert {s.accuracy for s in columns.values()} == {1.0}
    means = Scores(columns, {}, {}, {}, True).means
    assert means["mean of all"] == (1.0, pytest.approx(0.543, abs=5e-4))  # the paper's mean of its twelve
    assert means["MMMU-Pro, mean"] == (1.0, pytest.approx((0.441 + 0.406) / 2))
    tables = {(name, table): list(parts) for name, s in columns.items() for table, parts in s.tables.items()}
    assert tables["mathvista", "skill"] == ["geometry reasoning"]
    assert tables["logicvista", "skill"] == ["inductive"]
    four = ["Art & Design", "Health & Medicine", "Humanities & Social Science", "Science"]
    assert tables["mmmu", "discipline"] == four
    assert tables["mmmu", "subject"][:2] == ["Art", "Chemistry"]
    assert tables["charxiv_reasoning", "answer type"] == ["1", "2", "3", "4"]
    assert tables["charxiv_descriptive", "template"] == [str(i) for i in range(1, 20) if i not in (6, 7, 12)]


def test_a_row_that_could_not_be_read(tmp_path):
    """It is not scored where its benchmark is one plain column; of the others nobody knows the column, version, seed or problem."""
    places = {
        "mathvision": ("split", "test"),
        "mathverse": ("problem_version", "Text Lite"),
        "mmmu": ("subject", "Art"),
    }
    places |= {"mmmu_pro": ("config", "vision"), "charxiv": ("question_type", "reasoning"), "dynamath": ("seed", "1")}
    places |= {"wemath": ("problem_id", "1"), "mathvista": ("task", "t"), "logicvista": ("skill", "s")}
    right = [
        {**MINE, "id": n, "source": n, k: v, "key": "2steps_1", "responses": ["2"]} for n, (k, v) in places.items()
    ]
    bad = [{"id": f"{n}-0000007", "source": n, "_problem": "bad row: no 'question'"} for n in places]
    scores = score(graded([*right, *bad], tmp_path / "run"))
    assert {name: (s.num_rows, s.num_unscored, s.accuracy) for name, s in scores.columns.items()} == {
        **dict.fromkeys(("mathvista", "logicvista", "mmmu"), (2, 1, 0.5)),
        **dict.fromkeys(("mathvision", "mathverse", "mmmu_pro_vision", "charxiv_reasoning"), (1, 0, 1.0)),
        **dict.fromkeys(("dynamath", "wemath"), (1, 0, None)),
    }
    whats = {"mathverse": "problem version", "dynamath": "seed", "wemath": "problem id", "mathvision": "split"}
    whats |= {"mmmu_pro": "config", "charxiv": "question type"}
    assert scores.left_out == {f"{n}: a row that can't be read belongs to no {what}": 1 for n, what in whats.items()}
    assert "mathvision: a row that can't be read belongs to no split, and doesn't count: 1" in str(scores)
    assert scores.means == {"mean of 7 columns": ((3 * 0.5 + 4) / 7, pytest.approx(0.5505, abs=1e-2))}


def test_rows_that_only_name_a_benchmark_are_in_no_mean():
    placed = {"mathvista": {}, "mathvision": {"split": "test"}, "mmmu_pro": {}, "wemath": {}}
    found = [Item(name, name, about, name == "mathvista", "", 5, False) for name, about in placed.items()]
    scores = Scores(scored(found), {}, {}, {}, True)
    assert list(scores.columns) == ["mathvista", "mathvision", "mmmu_pro_other", "wemath_other"]
    assert scores.means["mean of 2 columns"][0] == 0.5


def test_a_part_for_what_tells_no_part():
    levels = (1, 1, None, "", 2)
    found = [Item(str(i), "logicvista", {"skill": s}, i == 0, "", 5, False) for i, s in enumerate(levels)]
    parts = scored([*found, Item("5", "mmmu", {}, True, "", 5, False)])
    assert {k: p.num_rows for k, p in parts["logicvista"].tables["skill"].items()} == {"1": 2, "2": 1, "unknown": 2}
    assert parts["mmmu"].tables == {}, "nothing is known of any"


# --- what isn't scored ---------------------------------------------------------------------------------------------


def test_what_is_not_scored_is_counted_shown_and_never_silently_wrong(tmp_path):
    asked = [
        {"id": "right", "question": "1 + 1?", "answer": "2", "responses": [tagged("2")]},
        {"id": "wrong", "question": "1 + 2?", "answer": "3", "responses": [tagged("4")]},
        {"id": "none", "question": "1 + 3?", "answer": "4", "responses": ["I can't say."]},
        {"id": "open", "question": "What is it?", "answer": "a man riding a horse", "responses": [tagged("a rider")]},
        {"id": "never asked", "question": "1 + 4?", "answer": "5"},
        {"id": "bad", "question": "1 + 5?", "answer": "6", "images": [str(tmp_path / "nowhere.png")]},
        {"id": "no gold", "question": "1 + 6?", "responses": [tagged("7")]},
        {"id": "neither", "question": "1 + 6?", "images": [str(tmp_path / "nowhere.png")]},
        {"id": "dropped", "question": "1 + 7?", "answer": "8", "responses": [tagged("8")]},
    ]
    run = mm.Pipeline(Given(asked), mm.Filter("question <> '1 + 7?'"), BenchmarkVerify(workers=1)).run(tmp_path / "run")
    scores = score(run)
    (made,) = scores.columns.values()
    assert (made.num_rows, made.num_correct, made.num_unscored) == (6, 1, 3)
    assert (made.accuracy, made.highest) == (1 / 6, 4 / 6)
    assert {id: why.partition(":")[0] for id, why in made.unscored} == {
        "open": "undecided",
        "never asked": "no answer was asked for",
        "bad": "missing image",
    }
    assert scores.left_out == {"given: no gold answer": 2, "given: dropped by a filter": 1}
    said = str(scores)
    assert "| given |  16.7 |    66.7 |    6 |          3 |" in said
    assert "given: 1 not scored: undecided: answer tag: no rule compares the gold 'a man riding a horse'" in said
    assert "given: 1 not scored: no answer was asked for" in said
    assert "given: 1 not scored: missing image: " in said
    assert "given: no gold answer, and doesn't count: 2" in said
    scores.save(tmp_path)
    told = json.loads((tmp_path / "scores.json").read_text())["columns"]["given"]
    assert {k: told[k] for k in ("accuracy", "num_rows", "num_correct", "num_unscored")} == {
        "accuracy": 1 / 6,
        "num_rows": 6,
        "num_correct": 1,
        "num_unscored": 3,
    }
    page = (tmp_path / "scores.md").read_text()
    assert page.startswith("# Scores\n\nanswers that the rows bring; judge: none\n")
    assert "| bad" in page
    assert "nowhere.png" in page


def test_tokens_and_what_is_cut_off():
    ends = [(100, False), (300, True), (200, False), (None, False), (None, None)]
    made = scored(Item(str(i), "mine", {}, True, "", *end) for i, end in enumerate(ends))["mine"]
    assert (made.mean_tokens, made.cut_off, made.num_rows) == (200.0, 0.25, 5)


class Short(SimulatedTeacher):
    """Refuses one question, as a server does whose context is too short."""

    def reply(self, messages, seed):
        if "What is 1 + 1?" in messages[-1]["content"]:
            from aiohttp import web

            raise web.HTTPBadRequest(text='{"error": {"message": "the prompt is too long"}}')
        return super().reply(messages, seed)


def test_a_request_that_is_refused_is_not_a_wrong_answer(tmp_path):
    with Short(questions(3), accuracy=1.0, slips=0.0, cut_off=0.0) as server:
        model = OpenAIChat(server.model, server.base_url, temperature=0.0)
        pipeline = mm.Pipeline(Given(questions(3)), Distill(model, num_responses=1), BenchmarkVerify(workers=1))
        scores = score(pipeline.run(tmp_path / "run"))
    (made,) = scores.columns.values()
    assert (made.num_rows, made.num_correct, made.num_unscored) == (3, 2, 1)
    ((id, why),) = made.unscored
    assert (id, why.startswith("request failed: "), "the prompt is too long" in why) == ("q1", True, True)
    assert "given: 1 not scored: request failed: " in str(scores)
    assert scores.model["model"] == server.model


class Uncounted(SimulatedTeacher):
    """Sends no usage, as some servers do; and says nothing to one question."""

    async def _chat(self, request):
        made = await super()._chat(request)
        made.text = json.dumps({k: v for k, v in json.loads(made.body).items() if k != "usage"})
        return made


def test_a_server_that_does_not_count_tokens(tmp_path):
    with Uncounted(questions(3)) as server:
        model = OpenAIChat(server.model, server.base_url, temperature=0.0)
        pipeline = mm.Pipeline(Given(questions(3)), Distill(model, num_responses=1), BenchmarkVerify(workers=1))
        (made,) = score(pipeline.run(tmp_path / "run")).columns.values()
    assert (made.num_rows, made.num_unscored, made.mean_tokens) == (3, 0, None)


class BadJudge(ChatServer):
    """Refuses, chats, or thinks until it is cut off."""

    def reply(self, messages, seed):
        from aiohttp import web

        asked = json.loads(messages[-1]["content"])["question"]
        if asked == "refused?":
            raise web.HTTPBadRequest(text='{"error": {"message": "I refuse"}}')
        return {"role": "assistant", "content": "Hm"}, "length" if asked.startswith("cut") else "stop"


def test_what_a_judge_does_not_decide_is_not_scored(tmp_path):
    said = {"answer": "a man riding a horse", "responses": [tagged("a rider")]}
    asked = [{"id": q, "question": q, **said} for q in ("refused?", "chatted?", "cut?", "cut off?")]
    with BadJudge(model="judge") as server:
        judge = OpenAIChat("judge", server.base_url, temperature=0.0, max_tokens=8)
        scores = score(graded(asked, tmp_path / "run", judge=judge))
    (made,) = scores.columns.values()
    assert (made.accuracy, made.highest, made.num_unscored) == (0.0, 1.0, 4)
    assert scores.model == {}
    told = [line for line in str(scores).splitlines() if " not scored" in line and line.startswith("given")]
    assert told[0] == (
        "given: 2 not scored, such as: error: the judge's reply is cut off: raise its max_tokens, or let it not think: 'Hm'"
    )
    assert "given: 1 not scored: error: the judge's reply is neither 1 nor 0: 'Hm'" in told
    assert any("I refuse" in line for line in told)
    assert len(told) == 3


def test_many_reasons_are_told_in_few_lines():
    why = [f"undecided: way {i}: {i}" for i in range(7)] + [f"missing image: {i}.png" for i in range(9)]
    found = [Item("same id", "mine", {}, False, w, 5, False) for w in why]
    scores = Scores(scored(found), {}, {}, {}, True)
    assert len(scores.columns["mine"].unscored) == 16, "rows of one id are rows each"
    lines = [line for line in summary(scores).splitlines() if line.startswith("mine: ")]
    assert lines[0] == "mine: 9 not scored, such as: missing image: 0.png"
    assert lines[-1] == "mine: 3 not scored for other reasons, which scores.json names"
    assert len(lines) == 6


def test_several_golds_a_cut_answer_and_options_that_name_letters(tmp_path):
    """What one gold leaves open isn't wrong by another; what was cut off has no answer; of the options B and A the letter A is the first."""
    several = {"source": "mmmu", "question_type": "open", "accepted_answers": ["4", "a small herd"], "answer": "4"}
    letters = {"source": "mmmu_pro", "config": "vision", "drawn_options": ["B", "A"], "answer": "A"}
    cut = {"text": "so 1 + 1 is 2, the answer is 2, but", "finish_reason": "length"}
    asked = [
        {"id": "several", "question": "How many?", **several, "responses": [tagged("5")]},
        {"id": "letters", "question": "In the picture.", **letters, "responses": [tagged("(A) B"), tagged("(B) A")]},
        {**MINE, "id": "cut", "responses": [cut, {**cut, "finish_reason": "stop"}]},
    ]
    made = {row["id"]: [g["verdict"] for g in row["verdicts"]] for row in graded(asked, tmp_path / "run")}
    assert made == {"several": [OPEN], "letters": [RIGHT, WRONG], "cut": [NONE, WRONG]}


def test_the_version_of_the_verifier_is_part_of_it_and_told_to_trainers(tmp_path):
    """What `Verify` changes is graded anew by what builds on it, and a final set names that number."""
    assert BenchmarkVerify.version // 100 == Verify.version
    run = graded([{**MINE, "responses": [tagged("2")]}], tmp_path / "run")
    run.to_rl()
    about = json.loads((run.path / "final_rl" / "mmcurate.json").read_text())
    assert about["verifiers"] == {"benchmark_verify": Verify.version}


def test_a_run_that_measures_nothing(tmp_path):
    with pytest.raises(
        RunError, match=r"none of 1 questions has an answer, so nothing can be measured: no answer was .* another"
    ):
        score(graded([MINE], tmp_path / "unanswered"))
    with pytest.raises(RunError, match="no question has a gold answer, so nothing can be measured; give rows"):
        score(graded([{**MINE, "answer": None, "responses": ["2"]}], tmp_path / "no gold"))


def test_a_run_without_verdicts(tmp_path):
    with pytest.raises(RunError, match="no step graded answers; put a BenchmarkVerify"):
        score(mm.Pipeline(Given(questions(2))).run(tmp_path / "run"))


def test_the_commands_for_official_numbers():
    said = lmms_eval_command("me/model", ["wemath", "dynamath", "mine"])
    assert "--tasks wemath_testmini_thinking,dynamath \\" in said
    assert "model=me/model," in said
    assert lmms_eval_command("me/model", ["mine"]) == ""


# --- the recipe ----------------------------------------------------------------------------------------------------


def test_the_nine_benchmarks_through_the_recipe(copies, tmp_path):
    local = [part for name in WRITERS for part in ("--benchmark", f"{name}={copies / name}")]
    out = tmp_path / "run"
    with SimulatedTeacher(Mix(benchmarks(path=copies))) as model, Judge(model="judge") as judge:
        known = ("--model", f"{model.model}={model.base_url}", *local)
        said = run_recipe("openmmr_eval", *known, out=out).stdout
        told = json.loads((out / "scores.json").read_text())
        requests = model.num_requests
        nine = mm.Pipeline(
            Mix(benchmarks(path=copies)),
            mm.Filter("answer is not null"),
            Distill(OpenAIChat(model.model, model.base_url, temperature=0.0), num_responses=1),
        )
        nine.run(tmp_path / "without_testmini" / "run")
        assert model.num_requests == 2 * requests, "testmini is part of the test"
        local = [part for name in ("charxiv", "mathvision") for part in ("--benchmark", f"{name}={copies / name}")]
        more = ("--judge", f"judge={judge.base_url}", "--only", "charxiv,mathvision_testmini,charxiv")
        run_recipe("openmmr_eval", *known[:2], *local, *more, out=out)
    assert list(told["columns"]) == [c.name for c in COLUMNS]
    assert told["left_out"] == {"logicvista: no gold answer": 1}
    assert {k: told["model"]["asked"][k] for k in ("temperature", "max_tokens")} == {
        "temperature": 0.0,
        "max_tokens": 49_152,
    }
    assert model.num_requests == 2 * requests, "what was answered isn't asked again, whatever is scored, and by whom"
    judged = json.loads((out / "scores.json").read_text())
    assert list(judged["columns"]) == ["mathvision_testmini", "charxiv_reasoning", "charxiv_descriptive"]
    name = "charxiv_descriptive"
    assert told["columns"][name]["num_unscored"] > 0 == judged["columns"][name]["num_unscored"]
    assert judged["columns"][name]["accuracy"] == told["columns"][name]["highest"]
    assert judged["columns"][name]["num_rows"] == told["columns"][name]["num_rows"], (
        "a benchmark named twice is asked once"
    )
    assert "| CharXiv descriptive" in said
    assert "--tasks mathvista_testmini_cot_reward," in said
    assert str(score(mm.open(out))).startswith("| ")


def test_a_held_out_set_through_the_recipe(tmp_path):
    no_gold = [
        {"id": "no gold", "question": "What is 1 + 100?"},
        {"id": "empty", "question": "1 + 101?", "answer": " "},
    ]
    held_out = write_jsonl(tmp_path / "held_out.jsonl", [*questions(20), *no_gold])
    with SimulatedTeacher(held_out) as model:
        known = ("--model", f"{model.model}={model.base_url}", "--questions", held_out)
        said = run_recipe("openmmr_eval", *known, "--max-tokens", 64, out=tmp_path / "run").stdout
    made = json.loads((tmp_path / "run" / "scores.json").read_text())["columns"]["held_out"]
    assert (made["num_rows"], made["num_unscored"], list(made["tables"]["answer type"])) == (20, 0, ["number"])
    assert made["accuracy"] == made["num_correct"] / 20
    assert model.num_requests == 20, "what has no gold isn't asked"
    assert re.search(r"dropped by has_gold: not: answer IS NOT NULL +1\n.*has_gold: .*trim.* +1\n", said)
    assert "official numbers" not in said


def test_what_the_recipe_refuses(tmp_path):
    held_out = write_jsonl(tmp_path / "q.jsonl", [{"question": "1 + 1?"}])
    with Judge(model="m") as server:
        for options, told in (
            (["--only", "mmmu"], "--model is missing"),
            (["--model", f"m={server.base_url}", "--questions", held_out], "no question has a gold answer"),
        ):
            done = run_recipe("openmmr_eval", *options, out=tmp_path / "no", check=False)
            assert (done.returncode, told in done.stderr.splitlines()[-1]) == (2, True), done.stderr
            assert "Traceback" not in done.stderr
    assert server.num_requests == 0


@pytest.fixture
def recipe(monkeypatch):
    """The recipe's module."""
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    for name in ("common", "openmmr_eval"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("openmmr_eval")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--only", "mmmuu"], "did you mean 'mmmu'"),
        (
            ["--questions", "q.jsonl", "--only", "mmmu"],
            "--questions is a set of its own: leave --only and --benchmark out",
        ),
        (["--questions", "q.jsonl", "--benchmark", "mmmu=x"], "--questions is a set of its own"),
        (
            ["--only", "charxiv,mmmu", "--benchmark", "mathvista=x"],
            "--benchmark mathvista=x: --only leaves mathvista out",
        ),
    ],
)
def test_options_that_would_be_ignored(recipe, monkeypatch, capsys, options, told):
    monkeypatch.setattr(sys, "argv", ["openmmr_eval.py", "--model", "m=http://127.0.0.1:9/v1", *options])
    with pytest.raises(SystemExit) as ended:
        recipe.main()
    assert (ended.value.code, told in capsys.readouterr().err) == (2, True)


def test_a_model_and_a_prompt_on_the_command_line(recipe, tmp_path):
    common, options = recipe.common, argparse.Namespace(store=None, prompt=str(tmp_path / "p.txt"))
    model = common.chat(options, "--model", "a/b=c=http://node:8000/v1?key=x")
    assert (model.model, model.base_url) == ("a/b=c", "http://node:8000/v1?key=x")
    assert common.chat(options, "--model", "m=vllm:4").tensor_parallel_size == 4
    for text in ("m=vllm:x", "m", "=http://x/v1", "m=node:8000"):
        with pytest.raises(SettingsError, match=r"must be MODEL=URL, such as \w+=http://node1:8000/v1, or \w+=vllm:8"):
            common.chat(options, "--model", text)
    (tmp_path / "p.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"p.txt: no UTF-8 text .* save it as UTF-8"):
        common.prompt(options)
