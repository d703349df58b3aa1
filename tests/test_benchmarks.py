"""The nine benchmarks, each in the layout that it is published in: what is odd about each, and whether they are stayed clear of."""

import io
import json
import subprocess
import sys

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmcurate as mm
from mmcurate import pictures
from mmcurate.answers import LETTERS, gold_options
from mmcurate.dedup import Decontaminate
from mmcurate.errors import SettingsError, SourceError
from mmcurate.prompts import user_text
from mmcurate.sources import (
    MMMU,
    CharXiv,
    DynaMath,
    LogicVista,
    MathVerse,
    MathVision,
    MathVista,
    MMMUPro,
    Procedural,
    WeMath,
    benchmarks,
)
from mmcurate.sources.charxiv_questions import TEMPLATES, descriptive_question
from mmcurate.sources.golds import by_letter
from mmcurate.sources.wemath import options_in_line
from mmcurate.verify import audit, grade
from tests import benchmark_rows as rows
from tests.benchmark_layouts import WRITERS, write_one
from tests.conftest import read_jsonl
from tests.hub_server import serve
from tests.test_published_sources import hub_environment, taken

NAMES = list(WRITERS)


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A folder with a local copy of each."""
    root = tmp_path_factory.mktemp("benchmarks")
    for name in NAMES:
        write_one(root, name, rows.published(name))
    return root


@pytest.fixture(scope="module")
def read(copies):
    """The rows of each, by their ids without the name."""
    return {b.name: {r["id"].removeprefix(f"{b.name}-"): r for r in taken(b)} for b in benchmarks(path=copies)}


def columns(found, *names):
    return {id: tuple(row.get(n) for n in names) for id, row in found.items()}


# --- all of them ---------------------------------------------------------------------------------------------------

AMBIGUOUS = ["wemath-2steps_9-2steps_multi", "mmmu-validation_Public_Health_7"]
"""Their options are letters in another order: an "A" may mean the first option or the one that says A."""


def test_every_gold_is_accepted(copies):
    found = {b.name: audit(b, workers=1) for b in benchmarks(path=copies)}
    assert {name: a.num_without_gold for name, a in found.items() if a.num_without_gold} == {"logicvista": 1}
    assert [f.id for a in found.values() for f in a.failures] == AMBIGUOUS
    counts = {name: a.num_rows for name, a in found.items()}
    assert counts == dict(zip(NAMES, (7, 9, 13, 70, 7, 5, 7, 5, 25), strict=True))


def test_every_row_is_whole(read):
    problems = {r["id"]: r["problem"] for found in read.values() for r in found.values() if r["problem"]}
    assert problems == {"logicvista-4": "no answer: answer is empty"}
    for name, found in read.items():
        for row in found.values():
            assert row["source"] == name
            assert row["licence"]
            assert row["images"], row["id"]
            assert all(option.strip() for option in row["options"])
            assert not row["options"] or gold_options(row["answer"], row["options"]), row["id"]


def test_licences_as_publishing_reads_them(copies):
    said = {b.name: b.describe()[0]["licence"] for b in benchmarks(path=copies)}
    assert said == {
        "mathvista": "CC-BY-SA-4.0, no training use",
        "mathvision": "MIT",
        "mathverse": "MIT",
        "dynamath": "Apache-2.0",
        "wemath": "CC-BY-NC-4.0",
        "logicvista": "Apache-2.0",
        "mmmu": "Apache-2.0",
        "mmmu_pro": "Apache-2.0",
        "charxiv": "CC-BY-SA-4.0",
    }


HUB = """
import json
from mmcurate import pictures
from mmcurate.sources import benchmarks
found = {b.name: [{**r, "images": [pictures.as_struct(p)["sha256"] for p in r["images"]]} for r in b] for b in benchmarks()}
print(json.dumps(found, default=str))
"""


def test_all_nine_from_the_hub(tmp_path, copies):
    hub = tmp_path / "hub"
    for benchmark in benchmarks():
        place = hub / benchmark.id
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(copies / benchmark.name)
    server = serve(hub)
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", HUB],
            capture_output=True,
            text=True,
            env=hub_environment(server, tmp_path / "home"),
            timeout=110,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stderr[-3000:]
    want = {
        b.name: [{**r, "images": [pictures.as_struct(p)["sha256"] for p in r["images"]]} for r in b]
        for b in benchmarks(path=copies)
    }
    assert json.loads(done.stdout) == json.loads(json.dumps(want, default=str))


def test_which_benchmarks(tmp_path, copies):
    assert [b.name for b in benchmarks()] == NAMES
    assert [(b.name, b.path) for b in benchmarks(["mmmu", "charxiv"], path=copies)] == [
        ("mmmu", copies / "mmmu"),
        ("charxiv", copies / "charxiv"),
    ]
    assert [b.name for b in benchmarks("wemath")] == ["wemath"]
    with pytest.raises(SettingsError, match="there is no 'mathvist'; did you mean 'mathvista'"):
        benchmarks(["mathvist"])
    with pytest.raises(SettingsError, match=r"MathVista: there is no .*nowhere/mathvista"):
        benchmarks(path=tmp_path / "nowhere")


def test_other_splits_and_columns_are_named(tmp_path, copies):
    with pytest.raises(SourceError, match=r"has no data/test-\*\.parquet.*\(splits: testmini\)"):
        list(MathVista(path=copies / "mathvista", split="test"))
    with pytest.raises(SourceError, match=r"MMMU: .* has no column 'question'"):
        list(MMMU(path=copies / "mmmu_pro", files="vision/*.parquet"))
    with pytest.raises(SettingsError, match="config 'reasonings'; did you mean 'reasoning'"):
        CharXiv(config=("reasonings",))
    write_one(
        tmp_path,
        "mathvista",
        rows.shown([{"pid": "9", "question": "How many dots?"}], "decoded_image", 0),
        split="test",
    )
    (unlabelled,) = taken(MathVista(path=tmp_path / "mathvista", split="test"))
    assert unlabelled["problem"] == "no answer: answer is empty"
    assert len(unlabelled["images"]) == 1


# --- one by one ----------------------------------------------------------------------------------------------------


def test_mathvista(read):
    found = read["mathvista"]
    assert columns(found, "question", "options", "answer", "precision", "published_answer_type") == {
        "1": ("Find the length of side AB.", ["3", "4"], "4", None, "text"),
        "2": ("Which bar is the highest?", ["5", "5", "7"], "5", None, "text"),
        "3": ("How wide is the card on this ruler? (Unit: cm)", [], "3.5", 1, "float"),
        "4": ("In which years did sales fall?", [], "[2014, 2016]", None, "list"),
        "5": ("How many people are there in the image?", [], "14", None, "integer"),
        "6": ("如图所示，求∠A的度数是多少？", ["30°", "45°"], "30°", None, "text"),
        "7": ("Which planet is it?", [f"planet {c}" for c in "pqrstuvw"], "planet w", None, "text"),
    }
    assert gold_options(found["2"]["answer"], found["2"]["options"]) == (0,)
    assert found["3"]["match_text"] == "How wide is the card on this ruler?"
    assert found["3"]["raw_question"] == "How wide is the card on this ruler?"
    assert "raw_question" not in found["1"]
    assert found["3"]["unit"] == "cm"
    assert found["1"]["task"] == "geometry problem solving"
    assert found["1"]["skills"] == ["geometry reasoning"]
    assert found["1"]["inner_source"] == "GeoQA+"


def test_mathvision(read):
    found = read["mathvision"]
    assert columns(found, "options", "answer") == {
        "1": (list("ABCDE"), "D"),
        "2": (["1", "2", "3", "4", "5"], "B"),
        "3": ([f"<image{i}>" for i in range(2, 7)], "C"),
        "2830": ([], "\\frac{36}{13}"),
        "5": ([], "12"),
        "59": ([], "C"),
        "7": ([], "4 \\pi"),
        "8": ([], "7/3"),
        "9": ([], "(3,-4)"),
    }
    assert all(len(row["images"]) == 1 for row in found.values())
    assert found["2830"]["raw_answer"] == "\frac{36}{13}"
    assert found["5"]["raw_answer"] == "$\\boxed{12}$"
    assert (found["1"]["level"], found["1"]["subject"]) == (2, "counting")
    for id in ("2", "3"):  # parts of one picture
        text, order = user_text(found[id]["question"], found[id]["options"], 1)
        assert (text.count("<image>"), order) == (1, [0])
    assert text.endswith("A. image 2\nB. image 3\nC. image 4\nD. image 5\nE. image 6")


def test_mathverse(read):
    found = read["mathverse"]
    angles = ["40°", "60°", "80°", "100°"]
    whole = "As shown in the figure, DE is parallel to BC and angle A is 80°. What is angle EDC?"
    assert [found[str(i)]["problem_version"] for i in range(1, 6)] == rows.VERSIONS
    assert [found[str(i)]["match_text"] for i in range(1, 6)] == [whole] * 5
    assert {found[str(i)]["problem_index"] for i in range(1, 6)} == {"1"}
    assert columns(found, "question", "options", "answer") == {
        "1": (whole, angles, "C"),
        "2": ("As shown in the figure, what is angle EDC?", angles, "C"),
        "3": ("What is angle EDC?", angles, "C"),
        "4": ("Find angle EDC.", angles, "C"),
        "5": ("Answer the question in the picture.", [], "C"),
        "6": ("How high is the tree?", [], "4.4 m"),
        "7": ("What is angle B?", [], "118°"),
        "8": ("What is the true bearing of P from Q?", [], "090^\\circ T"),
        "9": ("How long is x?", [], "6.4"),
        "10": ("Which angle is right?", angles, "B"),
        "11": ("Which two are right?", angles, "C, D"),
        "12": ("Is f even?", ["True", "False"], "True"),
        "13": ("Answer the question in the picture.", [], "C, D"),
    }
    assert columns(found, "raw_answer")["7"] == ("118掳",)
    assert columns(found, "raw_answer")["9"] == ("6.4 (rounded to one decimal place)",)
    assert found["5"]["question_for_eval"].startswith(whole)
    assert [found[id]["answer_type"] for id in ("1", "6", "8", "12", "13")] == [
        "choice",
        "number",
        "math",
        "choice",
        "choice",
    ]
    assert grade("<answer>D, C</answer>", found["13"]["answer"], question=found["13"]["question"]).verdict == "correct"
    assert grade("<answer>C</answer>", found["13"]["answer"], question=found["13"]["question"]).verdict == "incorrect"


def test_mathverse_without_pictures(tmp_path):
    folder = write_one(
        tmp_path,
        "mathverse",
        [{"sample_index": "1", "question": "What is x?", "answer": "3"}],
        config="testmini_text_only",
    )
    (row,) = taken(MathVerse(path=folder, config="testmini_text_only"))
    assert (row["images"], row["answer"], row["problem"]) == ([], "3", None)


def test_dynamath(read):
    found = read["dynamath"]
    assert list(found)[:3] == ["1-1", "2-1", "3-1"]
    assert list(found)[-1] == "302-10"
    assert [found[f"2-{v}"]["variant"] for v in range(1, 11)] == list(range(1, 11))
    first = {seed: found[f"{seed}-1"] for seed in ("1", "2", "3", "4", "5", "6", "302")}
    assert columns(first, "seed", "answer", "published_answer_type", "tolerance") == {
        "1": ("1", "B", "multiple choice", None),
        "2": ("2", "12.345", "float", 0.001),
        "3": ("3", "7", "int", 0.001),
        "4": ("4", "5:00", "single answer", None),
        "5": ("5", "y = -3", "text", None),
        "6": ("6", "(0.886, -0.465)", "text", None),
        "302": ("302", "3.0", "float", 0.001),
    }
    assert (first["1"]["question"], first["1"]["options"]) == (
        "Is the function even or odd?",
        ["even", "odd", "neither"],
    )
    one, other = found["302-1"], found["302-2"]
    assert (one["question"], one["images"]) == (other["question"], other["images"])
    assert (one["answer"], other["answer"], other["problem"]) == ("3.0", "4.0", None)


def test_dynamath_in_one_file(tmp_path):
    """The layout of kcz358/DynaMath, but for `question_id`: a seed comes ten times."""
    folder = write_one(tmp_path, "dynamath", rows.published("dynamath"))
    (folder / "data" / "sample_variant3-00000-of-00001.parquet").rename(folder / "data" / "test-00000-of-00001.parquet")
    found = taken(DynaMath(path=folder, split="test"))
    assert [row["id"] for row in found][:2] == ["dynamath-1", "dynamath-2"]
    assert {row.get("variant") for row in found} == {None}


def test_wemath(read):
    found = read["wemath"]
    assert columns(found, "options", "answer", "problem_id", "key") == {
        "3steps_4-3steps_1": (["3", "4", "5", "No correct answer"], "B", "3steps_4", "3steps_1"),
        "3steps_4-3steps_2": (["3", "4", "3", "No correct answer"], "D", "3steps_4", "3steps_2"),
        "3steps_4-3steps_3": (["left", "right", "behind"], "C", "3steps_4", "3steps_3"),
        "3steps_4-3steps_multi": (["shape ;B.", "shape ;C.", "shape D", "none"], "A", "3steps_4", "3steps_multi"),
        "2steps_9-2steps_1": (["3 cm", "4 cm", "5 cm"], "B", "2steps_9", "2steps_1"),
        "2steps_9-2steps_2": (["1", "2", "3; F. No correct answer"], "A", "2steps_9", "2steps_2"),
        "2steps_9-2steps_multi": (["B", "A", "AB", "O"], "B", "2steps_9", "2steps_multi"),
    }
    assert found["3steps_4-3steps_1"]["knowledge_concept"] == "Area of Circles"


SHAPES = {
    "A. 3; B. 4; C. 5": ["3", "4", "5"],
    "A.3;B.4;C.5": ["3", "4", "5"],
    "A. x;y; B. z": ["x;y", "z"],
    "A. shape ;B.; B. shape ;C.; C. no": ["shape ;B.", "shape ;C.", "no"],
    "A．3；4; B．4; C．5": ["3；4", "4", "5"],
    "A. 3 cm B. 4 cm C. 5 cm": ["3 cm", "4 cm", "5 cm"],
    "A. 3; B. 4 C. 5; D. 6": ["3", "4", "5", "6"],
    "A. 1; B. 2; C. 3; F. 4": ["1", "2", "3; F. 4"],
    "A. 1; B. 2;": ["1", "2"],
    "  A. 1 ;  B. 2": ["1", "2"],
    "A. Line AB. It is long; B. No": ["Line AB. It is long", "No"],
    "": [],
    "3 or 4": [],
}


@pytest.mark.parametrize("text", SHAPES)
def test_options_in_one_line(text):
    assert options_in_line(text) == SHAPES[text]


PIECE = st.text(st.sampled_from("xyz 0123456789;°²√()abcd"), min_size=1, max_size=12).map(
    lambda t: " ".join(t.strip(" ;").split())
)


@given(
    st.lists(PIECE.filter(bool), min_size=2, max_size=7),
    st.sampled_from([". ", ".", "．"]),
    st.sampled_from(["; ", ";", " ;"]),
)
def test_options_in_one_line_come_back(options, stop, between):
    text = between.join(f"{LETTERS[i]}{stop}{option}" for i, option in enumerate(options))
    assert options_in_line(text) == options


def test_a_letter_that_is_another_options_text():
    options = ["B", "A", "AB", "O"]
    assert [by_letter(letter, options) for letter in "ABC"] == ["B", "A", "C"]
    assert [gold_options(by_letter(letter, options), options) for letter in "ABCD"] == [(0,), (1,), (2,), (3,)]
    assert by_letter("(B)", ["3", "4"]) == "(B)"
    assert by_letter("J", ["3", "4"]) == "J"
    assert by_letter("3 cm", []) == "3 cm"


def test_logicvista(read):
    found = read["logicvista"]
    assert columns(found, "options", "answer", "answer_type", "licence") == {
        "1": ([], "C", "choice", "Apache-2.0"),
        "2": ([], "B, D", "choice", "unknown"),
        "3": ([], "3", "number", "unknown"),
        "4": ([], None, None, "unknown"),
        "5": (["10", "12", "14", "16"], "C", "choice", "unknown"),
    }
    assert found["5"]["question"] == "How many triangles? Select answers from A-D."
    assert (found["1"]["skill"], found["1"]["broad_capability"]) == (["inductive"], ["diagram"])
    asked = found["2"]["question"]
    said = {"B, D": "correct", "D and B": "correct", "BD": "correct", "B": "incorrect", "A, B, D": "incorrect"}
    assert {s: str(grade(f"<answer>{s}</answer>", "B, D", question=asked).verdict) for s in said} == said


def test_mmmu(read):
    found = read["mmmu"]
    raw = {row["id"]: row for row in rows.published("mmmu")}
    assert columns(found, "options", "answer", "question_type", "subject") == {
        "validation_Art_9": (["Monet", "Manet"], "A", "multiple-choice", "Art"),
        "validation_Chemistry_4": ([], "MgS", "open", "Chemistry"),
        "validation_Math_5": ([], "C", "open", "Math"),
        "validation_Math_6": ([], "7.25", "open", "Math"),
        "validation_Physics_2": (["<image 2>", "<image 3>", "It's none"], "B", "multiple-choice", "Physics"),
        "validation_Physics_3": (["<image 1>", "<image 2>"], "B", "multiple-choice", "Physics"),
        "validation_Public_Health_7": (["B", "A", "O", "AB"], "B", "multiple-choice", "Public_Health"),
    }
    assert found["validation_Chemistry_4"]["accepted_answers"] == ["MgS", "MgS"]
    assert found["validation_Chemistry_4"]["raw_answer"] == "['$MgS$', 'MgS']"
    gap = "validation_Physics_3"  # image_1 and image_3 are empty
    assert found[gap]["question"] == "Compare <image 1> with <image 2>: which is brighter?"
    assert found[gap]["images"] == [raw[gap]["image_2"], raw[gap]["image_4"]]
    several = "validation_Physics_2"
    text, order = user_text(found[several]["question"], found[several]["options"], 3)
    assert text == "Which lens of <image> gives the picture?\nA. <image>\nB. <image>\nC. It's none"
    assert [found[several]["images"][i] for i in order] == [raw[several][f"image_{i}"] for i in (1, 2, 3)]


def mmmu_row(**more):
    return {"id": "validation_Math_1", "question": "Which?", "options": "['a', 'b']", "answer": "A", **more}


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            {"question": "Compare <image 1> and <image 3>."},
            "missing image: the text names <image 3>, and image_3 is empty",
        ),
        ({"options": "['a', '<image 2>']"}, "missing image: the text names <image 2>, and image_2 is empty"),
        ({"options": "['a', 'b"}, "bad row: options is no list: \"['a', 'b\""),
        ({"options": "{'a': 1}"}, "bad row: options is no list but dict: \"{'a': 1}\""),
        ({"answer": ""}, "no answer: answer is empty"),
        ({"question": ""}, "empty question: question is empty"),
        ({"answer": "D"}, "answer not among the options: 'D', the options are ['a', 'b']"),
    ],
)
def test_mmmu_rows_that_do_not_fit(tmp_path, more, problem):
    folder = write_one(tmp_path, "mmmu", [mmmu_row(image_1=rows.drawings()[0], **more)])
    (row,) = taken(MMMU(path=folder))
    assert row["problem"] == problem


@pytest.mark.parametrize(
    ("answer", "accepted"), [("['2', 'two']", ["2", "two"]), ("[0, 1]", None), ("[a, b]", None), ("C", None)]
)
def test_mmmu_open_golds(tmp_path, answer, accepted):
    row = mmmu_row(image_1=rows.drawings()[0], options="[]", answer=answer, question_type="open")
    (row,) = taken(MMMU(path=write_one(tmp_path, "mmmu", [row])))
    assert row.get("accepted_answers") == accepted
    assert row["answer"] == (accepted[0] if accepted else answer)


def test_mmmu_pro(read):
    found = read["mmmu_pro"]
    raw = rows.published("mmmu_pro")
    standard = found["standard10-validation_Physics_2"]
    text, order = user_text(standard["question"], standard["options"], 4)
    assert text == "Which lens gives the picture <image>?\nA. <image>\nB. <image>\nC. <image>\nD. none"
    # In the order of the tags: 4, then 3, 1, 2 as the options were shuffled.
    want = [raw["standard (10 options)"][0][f"image_{i}"] for i in (4, 3, 1, 2)]
    assert [standard["images"][i] for i in order] == want
    nested = found["standard10-validation_Accounting_29"]
    assert (nested["options"], nested["answer"]) == (["$6,000", "$4,000, $2,000", "$8,000"], "B")
    assert len(found["standard10-validation_Math_1"]["options"]) == 12
    assert {row["subject"] for row in found.values()} == {"Physics"}
    vision = found["vision-validation_Math_1"]
    assert (vision["question"], vision["options"], vision["answer"]) == ("Answer the question in the picture.", [], "J")
    assert (vision["config"], vision["match_text"]) == ("vision", "")
    assert vision["drawn_options"] == [f"slope {i}" for i in range(12)]
    assert vision["images"] == [raw["vision"][1]["image"]]


def test_mmmu_pro_by_config_and_file(copies):
    folder = copies / "mmmu_pro"
    assert [r["id"] for r in MMMUPro(path=folder, config="vision")] == [
        "mmmu_pro-vision-validation_Physics_2",
        "mmmu_pro-vision-validation_Math_1",
    ]
    (file,) = (folder / "vision").iterdir()
    assert [r["config"] for r in MMMUPro(path=file)] == ["vision", "vision"]
    with pytest.raises(SourceError, match=r"has no standard \(4 options\)/test"):
        list(MMMUPro(path=folder, config="standard (4 options)"))
    assert MMMUPro(path=folder).fingerprint() != MMMUPro(path=folder, config="vision").fingerprint()


def first_lines(found, prefix):
    return [found[f"{prefix}-descriptive{i}"]["question"].split("\n")[0] for i in (1, 2, 3, 4)]


def test_charxiv(read):
    found = read["charxiv"]
    assert first_lines(found, "0") == [
        "For the current plot, what is the label of the x-axis?",
        "For the current plot, what is the label of the y-axis?",
        "For the current plot, what is the difference between consecutive numerical tick values on the x-axis?",
        "What is the number of subplots?",
    ]
    assert first_lines(found, "7")[1:3] == [
        "For the subplot at row 2 and column 3, how many lines are there?",
        "For the subplot at row 2 and column 3, what are the names of the labels in the legend?",
    ]
    assert first_lines(found, "12")[:2] == [
        "For the bottom-left inset, what is its title?",
        "For the bottom-left inset, do any lines intersect?",
    ]
    assert found["12-descriptive1"]["answer"] == "Not Applicable"
    assert 'Answer "Not Applicable" if' in found["12-descriptive1"]["question"]
    assert (found["7-descriptive4"]["template"], found["7-descriptive4"]["answer"]) == (18, "2 by 3")
    assert found["7-descriptive1"]["match_text"] == found["0-descriptive1"]["match_text"]
    reasons = {id: row for id, row in found.items() if id.endswith("reasoning")}
    assert columns(reasons, "match_text", "answer", "reasoning_a_type") == {
        "0-reasoning": ("Which curve peaks first?", "Model B", 1),
        "7-reasoning": ("Do both curves meet?", "Yes", 2),
        "12-reasoning": ("What is the loss at epoch 5?", "0.01", 3),
        "31-reasoning": ("By how much does it fall?", "3.50", 4),
        "40-reasoning": ("How many curves cross the line?", "3", 4),
    }
    assert found["31-reasoning"]["question"].endswith("\nAnswer with a number with 2 decimal places.")
    assert found["40-reasoning"]["question"].endswith("\nAnswer with an exact integer.")
    assert len({row["question"].split("\n")[1] for row in reasons.values()}) == 5


def test_charxiv_by_kind_and_what_does_not_fit(tmp_path):
    bad = rows.charxiv(
        {"subplot_row": None}, (2, 20, None, 18), ("Epoch",) * 4, "Which?", "a", 5, figure_path="images/9.jpg"
    )
    folder = write_one(tmp_path, "charxiv", rows.shown([bad], "image", 0))
    assert {r["id"]: r["problem"] for r in taken(CharXiv(path=folder))} == {
        "charxiv-9-reasoning": "bad row: reasoning_a_type 5 is none of 1 to 4",
        "charxiv-9-descriptive1": "bad row: descriptive_q1: neither subplot_row with subplot_col nor subplot_loc says which plot is meant",
        "charxiv-9-descriptive2": "bad row: descriptive_q2: template 20 is none of 1 to 19",
        "charxiv-9-descriptive3": "bad row: descriptive_q3: template None is none of 1 to 19",
        "charxiv-9-descriptive4": None,
    }
    assert [r["id"] for r in CharXiv(path=folder, config="reasoning")] == ["charxiv-9-reasoning"]


def test_charxiv_templates():
    assert list(TEMPLATES) == list(range(1, 20))
    assert len({asked for asked, _ in TEMPLATES.values()}) == 19
    absent = {t for t in TEMPLATES if "Not Applicable" in descriptive_question(t, None, 0, 0)}
    assert absent == {1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15}


# --- staying clear of them -----------------------------------------------------------------------------------------


def encoded(data):
    """A picture as another data set has it: as a JPEG."""
    out = io.BytesIO()
    pictures.pixels(data).save(out, "JPEG", quality=80)
    return out.getvalue()


def asked(row):
    """A benchmark's question as another data set has it."""
    return row.get("match_text") or row["question"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_row_of_each_is_found_among_others(copies, read):
    train = [
        {"id": f"{name}|{id}", "question": asked(row), "images": [encoded(p) for p in row["images"]]}
        for name, found in read.items()
        for id, row in found.items()
    ]
    others = [
        {
            "id": f"other|{i}",
            "question": q["question"],
            "images": [encoded(pictures.as_struct(p)["bytes"]) for p in q["images"]],
        }
        for i, q in enumerate(Procedural(60, seed=11))
    ]
    table = datasets.Dataset.from_list(
        [{**r, "images": [{"bytes": p, "path": None} for p in r["images"]]} for r in train + others]
    )
    found = mm.apply(Decontaminate(against=benchmarks(path=copies)), table)
    hits = dict(zip(found["id"], found["benchmark_match"], strict=True))
    assert [id for id, hit in hits.items() if id.startswith("other|") and hit] == []
    missed = [
        id for id, hit in hits.items() if not id.startswith("other|") and not (hit or "").startswith(id.split("|")[0])
    ]
    assert missed == []
    kinds = dict(zip(found["id"], found["match_kind"], strict=True))
    assert kinds["mathverse|5"] == "question"  # by question_for_eval
    assert kinds["mmmu_pro|vision-validation_Math_1"] == "picture"
    shown = dict(zip(found["id"], found["match_question"], strict=True))
    assert shown["mmmu_pro|vision-validation_Math_1"] == "Answer the question in the picture."


def test_templates_match_nobody_by_their_text(copies, read):
    texts = [asked(row) for id, row in read["charxiv"].items() if "descriptive" in id]
    texts += [row["question"] for id, row in read["charxiv"].items() if "descriptive" in id]
    texts += [row["question"] for row in read["dynamath"].values()]
    texts += ["Answer the question in the picture."]
    table = datasets.Dataset.from_list([{"id": str(i), "question": text} for i, text in enumerate(texts)])
    found = mm.apply(Decontaminate(against=benchmarks(path=copies)), table)
    assert [(t, m) for t, m in zip(texts, found["benchmark_match"], strict=True) if m] == []
    long = next(iter(read["mathverse"].values()))["match_text"]
    table = datasets.Dataset.from_list(
        [{"id": "a", "question": "What is the true bearing of P from Q?"}, {"id": "b", "question": long}]
    )
    found = mm.apply(Decontaminate(against=benchmarks(["mathverse"], path=copies)), table)
    assert found["benchmark_match"] == ["mathverse:mathverse-8", "mathverse:mathverse-1"], (
        "its versions are one problem"
    )


def test_a_row_without_a_gold_is_stayed_clear_of(copies, read):
    row = read["logicvista"]["4"]
    mine = [{"id": "a", "question": row["question"], "images": [{"bytes": encoded(row["images"][0]), "path": None}]}]
    found = mm.apply(Decontaminate(against=[LogicVista(path=copies / "logicvista")]), datasets.Dataset.from_list(mine))
    assert found["benchmark_match"] == ["logicvista:logicvista-4"]


# --- real rows -----------------------------------------------------------------------------------------------------


def real(data, name):
    folder = data / "mm" / name
    return [
        {**r, "images": [(folder / p).read_bytes() for p in r["images"]]} for r in read_jsonl(folder / "data.jsonl")
    ]


def test_real_rows_of_mathvision(tmp_path, data):
    mine = real(data, "mathvision")
    published = [
        {
            "id": r["id"].removeprefix("mathvision-"),
            "question": r["question"],
            "options": r["options"],
            "answer": r["answer"],
            "decoded_image": r["images"][0],
            "level": r["meta"]["level"],
            "subject": r["subject"],
        }
        for r in mine
    ]
    source = MathVision(path=write_one(tmp_path, "mathvision", published))
    found = taken(source)
    assert [r["problem"] for r in found if r["problem"]] == []
    assert [(r["id"], r["options"], r["images"]) for r in found] == [
        (r["id"], r["options"], r["images"][:1]) for r in mine
    ]
    checked = audit(source, workers=1)
    assert (checked.num_rows, checked.failures) == (250, [])


def test_real_rows_of_dynamath(tmp_path, data):
    variants = {"base": 1, "t1": 2, "t2": 3, "t3": 4, "t4": 5, "t5": 6, "t6": 7, "t7": 8, "t8": 9, "t9": 10, "t10": 11}
    by_variant = {}
    for r in real(data, "dynamath"):
        row = {
            "id": r["meta"]["seed"],
            "question": r["question"],
            "ground_truth": r["answer"],
            "answer_type": r["meta"]["answer_type"],
            "decoded_image": r["images"][0],
        }
        by_variant.setdefault(variants[r["meta"]["variant"]], []).append(row)
    folder = write_one(tmp_path, "dynamath", by_variant)
    source = DynaMath(path=folder, split=[f"sample_variant{v}" for v in sorted(by_variant)])
    found = taken(source)
    assert len(found) == 200
    assert [r["problem"] for r in found if r["problem"]] == []
    choices = [r for r in found if r["published_answer_type"] == "multiple choice"]
    assert len(choices) > 20
    assert [r["question"] for r in choices if not r["options"]] == []
    assert audit(source, workers=1).failures == []


def test_what_stands_behind_the_rows(copies):
    source = WeMath(path=copies / "wemath")
    list(source)
    (told,) = source.describe()
    assert (told["name"], told["rows"], told["path"]) == ("wemath", 1740, str(copies / "wemath"))
