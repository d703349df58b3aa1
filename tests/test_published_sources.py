"""The recipe's thirteen data sets, each in the layout that it is published in, with what is odd about each."""

import json
import os
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mmcurate as mm
from mmcurate import sources
from mmcurate.answers import gold_options
from mmcurate.canonical import canonical
from mmcurate.errors import SettingsError, SourceError
from mmcurate.sources import (
    MMK12,
    MMR1,
    TQA,
    AlgoPuzzleVQA,
    LLaVACoT,
    MiroMind,
    OpenVLThinker,
    PuzzleVQA,
    ThinkLite,
    ViRL39K,
    WeMathSFT,
    WeMathStandard,
)
from mmcurate.verify import audit
from tests import layouts
from tests.conftest import picture, read_jsonl
from tests.hub_server import serve
from tests.layouts import tiny_png

CHOICE = {"question": "Find angle A.", "options": ["30", "40"], "answer": "40", "images": [tiny_png(1)]}
ROWS = [
    CHOICE,
    {"question": "What is x?", "answer": "12", "images": [tiny_png(2)]},
    {"question": "What is the area?", "answer": "12 cm²", "images": [tiny_png(3)]},
    {"question": "What is y?", "answer": "\\frac{1}{2}", "images": [tiny_png(4)]},
    {"question": "What colour is it?", "answer": "red", "images": [tiny_png(5)]},
    {
        "question": "Which gear?",
        "options": ["the left", "the right", "neither"],
        "answer": "neither",
        "images": [tiny_png(6)],
    },
]
TYPES = ["choice", "number", "number", "math", "text", "choice"]


def taken(source):
    """A source's rows as a run takes them, pictures as bytes, metadata as values."""
    seen, out = {}, []
    for i, raw in enumerate(source):
        row, files = canonical(raw, i, seen)
        by_path = dict(files)
        row["images"] = [by_path[p["path"]] for p in row["images"]]
        out.append({**row, **json.loads(row["metadata"] or "{}")})
    return out


def written(tmp_path, name, rows, **settings):
    """The rows of a source whose layout holds these."""
    layouts.WRITERS[name](tmp_path, rows)
    return taken(getattr(sources, name)(path=tmp_path, **settings))


def notes(source):
    return " | ".join(source.describe()[0]["notes"])


@pytest.mark.parametrize("name", layouts.WRITERS)
def test_every_source_gives_what_was_published(tmp_path, name):
    rows = [row for row in ROWS if row.get("options") or not name.endswith("PuzzleVQA")]
    rows = [{**row, "images": []} for row in rows] if name == "MiroMind" else rows
    layouts.WRITERS[name](tmp_path, iter(rows))
    source = getattr(sources, name)(path=tmp_path)
    got = taken(source)
    assert [row["problem"] for row in got] == [None] * len(rows)
    for row, want in zip(got, rows, strict=True):
        assert row["question"].replace("<image>", "") == want["question"]
        assert row["options"] == want.get("options", [])
        assert row["images"] == want["images"]
        if want.get("options"):
            assert gold_options(row["answer"], row["options"]) == (want["options"].index(want["answer"]),)
        else:
            assert row["answer"] == want["answer"]
        assert row["source"] == source.name
        assert row["licence"] == source.licence
        assert row["id"].startswith(f"{source.name}-")
    assert len({row["id"] for row in got}) == len(got)
    assert [row["answer_type"] for row in got] == [
        t for t, row in zip(TYPES, ROWS, strict=True) if row["question"] in {w["question"] for w in rows}
    ]
    assert [row["id"] for row in source] == [row["id"] for row in got]
    about = source.describe()[0]
    assert about["name"] == source.name
    assert about["rows"] >= 1000
    assert "golds were read from" in notes(source)


def test_ids_never_collide_and_golds_pass_the_audit(tmp_path):
    made = layouts.write_all(tmp_path, ROWS)
    rows = [row for source, folder in made.items() for row in source(path=folder)]
    assert len(made) == 13
    assert len(rows) == len({row["id"] for row in rows}) == 11 * 6 + 2 * 2
    checked = audit(rows, workers=1)
    assert (checked.num_rows, checked.num_without_gold, checked.failures) == (70, 0, [])


def test_a_run_takes_all_thirteen(tmp_path):
    made = layouts.write_all(tmp_path / "sets", ROWS)
    run = mm.Pipeline(sources.Mix([source(path=folder) for source, folder in made.items()])).run(tmp_path / "run")
    assert run.funnel().rows[0].dropped == {}
    assert len(run.dataset()) == 70
    about = json.loads((tmp_path / "run" / "run.json").read_text())["source"]["parts"]
    assert {part["name"] for part in about} == {source.name for source in made}
    assert all(part["notes"] for part in about)


def test_what_was_found_stays_when_a_run_goes_on(tmp_path):
    layouts.write_virl39k(tmp_path, ROWS)
    said = []
    for _ in range(2):
        mm.Pipeline(ViRL39K(path=tmp_path)).run(tmp_path / ".run")
        said.append(json.loads((tmp_path / ".run" / "run.json").read_text())["source"]["parts"][0]["notes"])
    assert said[0] == said[1]
    assert "questions whose options were split from the text: 2" in said[0]


def test_a_line_that_lacks_a_column_is_a_reason(tmp_path):
    rows = [{"id": "a", "question": "Q?", "response": "\\boxed{1}"}, {"id": "b", "question": "Q?"}, {"id": "c"}]
    layouts.lines(tmp_path / "rows.jsonl", rows)
    got = taken(MiroMind(path=tmp_path))
    assert [row["problem"] for row in got] == [
        None,
        "bad row: no 'response'; there are: id, question",
        "bad row: no 'response'; there are: id",
    ]
    (tmp_path / "rows.jsonl").write_text('not json\n{"prompt": 1}\n')
    with pytest.raises(SourceError, match=r"MiroMind: rows.jsonl .* has no column 'question'; there are: prompt"):
        list(MiroMind(path=tmp_path))


def test_paths_that_look_like_something_else(tmp_path):
    long = "images/" + "a" * 70
    (tmp_path / "images").mkdir()
    for name in (long, "[1].png"):
        (tmp_path / name).write_bytes(tiny_png(1))
    rows = [
        {"question": "Q?", "answer": "<answer>1</answer>", "images": [name]}
        for name in (long, "[1].png", json.dumps([long]))
    ]
    layouts.lines(tmp_path / "rows.jsonl", rows)
    assert [row["images"] for row in taken(OpenVLThinker(path=tmp_path))] == [[tiny_png(1)]] * 3


# --- LLaVA-CoT -------------------------------------------------------------------------------------------------------


def said(conclusion):
    return f"<SUMMARY> s </SUMMARY>\n\n<REASONING> r </REASONING>\n\n<CONCLUSION> {conclusion} </CONCLUSION>"


def chat(*turns):
    return [{"from": who, "value": text} for q, a in turns for who, text in (("human", q), ("gpt", a))]


def llava(id, *turns, image="geoqa+/images/1.png", **more):
    raw = {"id": id, "conversations": chat(*turns), "image": image} | more
    return {"question": "", "answer": "", "images": [tiny_png(1)], "raw": raw}


def test_llava_cot_golds_and_questions(tmp_path):
    options = "\nA. 30\nB. 40 cm\nC. none"
    letter = "Answer with the option's letter from the given choices directly."
    rows = [
        llava("letter", (f"<image>\nFind it.{options}\n{letter}", said("B"))),
        llava("letter and text", (f"Find it.{options}", said("B: 40 cm"))),
        llava("letter and about the text", (f"Find it.{options}", said("B. 40cm"))),
        llava("text", (f"Find it.{options}", said("40 cm"))),
        llava("sentence", (f"Find it.{options}", said("The correct answer is B."))),
        llava("inline", ("Find angle A. Choices: A. 30 B. 40", said("B"))),
        llava("phrase", ("How many? Answer the question using a single word or phrase.", said("7"))),
        llava("context", ("Context: N/A\nWhich one?\nA. x\nB. y", said("A"))),
        llava("context within", ("Which one?\nContext: N/A\nA. x\nB. y", said("A"))),
        llava("value", ("How tall?", said("The answer is 25°."))),
        llava("no tag", ("How tall?", "It is tall.")),
        llava("open tag", ("How tall?", "<CONCLUSION> 25")),
        llava("outside", (f"Find it.{options}", said("E"))),
        llava("hints", ("How tall?", said("3")), hints=["a"]),
    ]
    got = {row["id"].removeprefix("llava_cot-"): row for row in written(tmp_path, "LLaVACoT", rows)}
    # The file's order of fields puts raw ids over made ones, and the picture of all of them is member 1.
    assert {k: row["answer"] for k, row in got.items()} == {
        "letter": "B",
        "letter and text": "B",
        "letter and about the text": "B",
        "text": "40 cm",
        "sentence": "B",
        "inline": "B",
        "phrase": "7",
        "context": "A",
        "context within": "A",
        "value": "25°",
        "no tag": None,
        "open tag": None,
        "outside": "E",
        "hints": "3",
    }
    assert got["letter"]["question"] == "<image>\nFind it."
    assert got["letter"]["raw_question"].endswith(letter)
    assert got["letter and text"]["raw_answer"] == "B: 40 cm"
    assert got["letter"]["options"] == ["30", "40 cm", "none"]
    assert got["phrase"]["question"] == "How many?"
    assert got["context within"]["question"] == "Which one?"
    assert got["outside"]["options"] == []
    assert got["outside"]["question"].endswith("C. none")
    for name in ("no tag", "open tag"):
        assert got[name]["problem"].startswith("no answer: conversations[1].value has neither <answer>, <CONCLUSION>")
    assert got["letter"]["inner_source"] == "geoqa+"
    assert {row["problem"] for k, row in got.items() if k not in ("no tag", "open tag")} == {None}
    checked = audit(LLaVACoT(path=tmp_path), workers=1)
    assert checked.failures == []


def test_llava_cot_turns(tmp_path):
    turns = [
        ("<image>\nHow many cars? Answer the question using a single word or phrase.", said("4")),
        ("And how many of them are red?", said("2")),
        ("Which is it?\nA. car one\nB. car two", said("B")),
    ]
    one, two, three = written(tmp_path, "LLaVACoT", [llava("q", *turns)])
    assert [row["id"] for row in (one, two, three)] == [f"llava_cot-q/turn{i}" for i in (1, 2, 3)]
    assert one["question"] == "<image>\nHow many cars?"
    assert two["question"] == "Question: How many cars?\nAnswer: 4\n\nQuestion: And how many of them are red?"
    assert three["question"].endswith("\n\nQuestion: Which is it?")
    assert three["options"] == ["car one", "car two"]
    assert [row["answer"] for row in (one, two, three)] == ["4", "2", "B"]
    assert [row["images"] for row in (one, two, three)] == [[tiny_png(1)]] * 3


def test_llava_cot_descriptions_are_a_setting(tmp_path):
    prose = (
        "The picture shows a wide green valley with a small river, "
        + "some trees and a few houses under a blue sky " * 3
    )
    rows = [
        llava(
            "ask", ("Describe this photo in detail.", said("A dog on a lawn beside a red ball.")), image="coco/1.png"
        ),
        llava("prose", ("What might happen next?", said(prose)), image="coco/2.png"),
        llava("captioned", ("What is it?", said("A vase.")), image="wikiart/3.png"),
        llava("choice", ("Describe it: which fits?\nA. a dog\nB. a cat", said("A")), image="coco/4.png"),
        llava("short", ("What do you see in the corner?", said("dog")), image="coco/5.png"),
    ]
    got = {row["id"]: row for row in written(tmp_path, "LLaVACoT", rows)}
    for name in ("ask", "prose", "captioned"):
        row = got[f"llava_cot-{name}"]
        assert row["problem"].startswith("open description: conversations[1].value")
        assert "descriptions=True" in row["problem"]
        assert row["images"] == []
    assert [got[f"llava_cot-{name}"]["problem"] for name in ("choice", "short")] == [None, None]
    source = LLaVACoT(path=tmp_path, descriptions=True)
    with_them = {row["id"]: row for row in taken(source)}
    assert {row["problem"] for row in with_them.values()} == {None}
    assert {k.removeprefix("llava_cot-"): row["answer_type"] for k, row in with_them.items()} == {
        "ask": "description",
        "prose": "description",
        "captioned": "description",
        "choice": "choice",
        "short": "text",
    }
    assert with_them["llava_cot-ask"]["answer"] == "A dog on a lawn beside a red ball"
    assert "open descriptions: 3" in notes(source)
    assert "541.6K" in notes(source)
    assert source.fingerprint() != LLaVACoT(path=tmp_path).fingerprint()


def test_llava_cot_rows_that_do_not_fit(tmp_path):
    rows = [
        {"question": "How many?", "answer": "3"},  # no picture
        llava("missing", ("How many?", said("3")), image="sqa/train/7/image.png"),
        {"question": "", "answer": "3", "images": [tiny_png(2)], "raw": {"conversations": "x"}},
        {"question": "", "answer": "3", "images": [tiny_png(2)], "raw": {"conversations": []}},
        {
            "question": "",
            "answer": "3",
            "images": [tiny_png(2)],
            "raw": {"conversations": [{"from": "who", "value": ""}]},
        },
        {"question": "  ", "answer": "3", "images": [tiny_png(2)]},
        {"question": "Twice?", "answer": "3", "images": [tiny_png(2)], "raw": {"id": "0"}},
    ]
    layouts.write_llava_cot(tmp_path, rows)
    text = (tmp_path / "train.jsonl").read_text().splitlines()
    gone = json.loads(text[1]) | {"image": "sqa/train/8/image.png"}
    (tmp_path / "train.jsonl").write_text("\n".join([text[0], json.dumps(gone), *text[2:], '{"id": cut']) + "\n")
    problems = [row["problem"] for row in taken(LLaVACoT(path=tmp_path))]
    assert problems[:6] == [
        "no image: image is empty, and the question is about one",
        "missing image: sqa/train/8/image.png",
        "bad row: conversations is no list of turns",
        "no answer: conversations has no turn with a question and a response",
        "bad row: conversations[0].from is 'who', neither a user nor a model",
        "empty question: conversations[0].value is empty",
    ]
    assert problems[6] is None
    assert problems[7].startswith("bad row: train.jsonl line 8 isn't JSON")
    rows = list(LLaVACoT(path=tmp_path))
    assert [row["id"] for row in rows[::6]] == ["llava_cot-0", "llava_cot-0~2"]


@pytest.mark.parametrize("prefix", ["", "images/", "LLaVA-CoT/"])
def test_llava_cot_zip_parts(tmp_path, prefix):
    import random

    drawn = random.Random(0)
    rows = [{**CHOICE, "images": [tiny_png(i, 16) + drawn.randbytes(3000)]} for i in range(40)]
    for i, row in enumerate(rows):
        row["images"] = [picture(size=(20 + i, 30)) + b""]
    layouts.write_llava_cot(tmp_path, rows, part_bytes=500, prefix=prefix)
    assert len(list(tmp_path.glob("image.zip.part-*"))) > 8
    got = taken(LLaVACoT(path=tmp_path))
    assert [row["images"] for row in got] == [row["images"] for row in rows]
    assert {row["problem"] for row in got} == {None}
    (tmp_path / "image.zip.part-ac").rename(tmp_path / "elsewhere")
    with pytest.raises(
        SourceError, match=r"part of the zip is missing between image.zip.part-ab and image.zip.part-ad"
    ):
        taken(LLaVACoT(path=tmp_path))
    (tmp_path / "elsewhere").rename(tmp_path / "image.zip.part-ac")
    sorted(tmp_path.glob("image.zip.part-*"))[-1].unlink()
    with pytest.raises(SourceError, match=r"is no whole zip file.*part missing or cut off"):
        taken(LLaVACoT(path=tmp_path))


def test_a_damaged_member_is_a_reason(tmp_path):
    layouts.write_llava_cot(tmp_path, [{**CHOICE, "images": [tiny_png(i)]} for i in range(3)])
    part = tmp_path / "image.zip.part-aa"
    data = bytearray(part.read_bytes())
    data[data.index(tiny_png(1)) + 50] ^= 255
    part.write_bytes(data)
    got = [row["problem"] for row in taken(LLaVACoT(path=tmp_path))]
    assert (got[0], got[2]) == (None, None)
    assert got[1].startswith("bad image: picture 1: member geoqa+/images/1.png of image.zip.part-aa is damaged")


def test_unpacked_pictures_and_none_at_all(tmp_path):
    layouts.write_llava_cot(tmp_path, [CHOICE])
    assert LLaVACoT(path=tmp_path).fingerprint()
    (tmp_path / "image.zip.part-aa").unlink()
    with pytest.raises(
        SourceError, match=r"LLaVACoT: the rows name pictures such as 'geoqa\+/images/0.png'.*image.zip.part-\*"
    ):
        list(LLaVACoT(path=tmp_path))
    (tmp_path / "geoqa+" / "images").mkdir(parents=True)
    (tmp_path / "geoqa+" / "images" / "0.png").write_bytes(tiny_png(9))
    assert taken(LLaVACoT(path=tmp_path))[0]["images"] == [tiny_png(9)]
    before = LLaVACoT(path=tmp_path).fingerprint()
    assert before
    assert before == LLaVACoT(path=tmp_path).fingerprint()
    assert before == LLaVACoT(path=tmp_path / "train.jsonl").fingerprint()
    (tmp_path / "geoqa+" / "images" / "0.png").write_bytes(tiny_png(10))
    assert LLaVACoT(path=tmp_path).fingerprint() != before


def test_a_path_never_leads_out_of_the_folder(tmp_path):
    (tmp_path / "secret.png").write_bytes(tiny_png(1))
    inside = tmp_path / "set"
    inside.mkdir()
    outside = [
        llava("up", ("Q?", said("1")), image="../secret.png"),
        llava("root", ("Q?", said("1")), image=str(tmp_path / "secret.png")),
    ]
    layouts.write_llava_cot(inside, [{**row, "images": []} for row in outside])
    assert {row["problem"].split(":")[0] for row in taken(LLaVACoT(path=inside))} == {"missing image"}


# --- OpenVLThinker, We-Math2.0-SFT -----------------------------------------------------------------------------------


def test_openvlthinker_layouts(tmp_path):
    said = "<think>hm \\boxed{9}</think>\n<answer>3</answer>"
    user = {"role": "user", "content": "<image>How many?"}
    rows = [
        {"messages": [{"role": "system", "content": "s"}, user, {"role": "assistant", "content": said}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How many?"}]},
                {"role": "assistant", "content": said},
            ]
        },
        {"conversations": [{"from": "human", "value": "<image>How many?"}, {"from": "gpt", "value": said}]},
        {"query": "<image>How many?", "response": said},
        {"question": "<image>How many?", "answer": said},
        {"question": "<image>How many?", "answer": "3"},
    ]
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(tiny_png(1))
    import base64

    coded = base64.b64encode(tiny_png(1)).decode()
    forms = ["pictures/a.png", coded, f"data:image/png;base64,{coded}", {"path": "pictures/a.png", "bytes": None}]
    for row in rows:
        for form in forms:
            layouts.lines(tmp_path / "rows.jsonl", [{**row, "images": [form]}])
            (got,) = taken(OpenVLThinker(path=tmp_path))
            assert (got["question"], got["answer"], got["images"]) == ("<image>How many?", "3", [tiny_png(1)])
            assert got["problem"] is None


def test_openvlthinker_last_turn_and_reasons(tmp_path):
    def row(*turns):
        return {"messages": [{"role": r, "content": c} for q, a in turns for r, c in (("user", q), ("assistant", a))]}

    rows = [
        row(("How many?", "<answer>3</answer>"), ("And red?", "<answer>1</answer>")),
        row(("How many?", "<answer>None</answer>")),
        row(("How many?", "<think>so 3, no")),
        row(("<image>How many?", "<answer>3</answer>")),
        row(("How many?", "<answer>\\boxed{3}</answer>")),
        {"messages": [{"role": "user", "content": "How many?"}]},
    ]
    layouts.lines(tmp_path / "rows.jsonl", rows)
    got = taken(OpenVLThinker(path=tmp_path))
    assert got[0]["question"] == "Question: How many?\nAnswer: 3\n\nQuestion: And red?"
    assert got[0]["answer"] == "1"
    assert [row["problem"] and row["problem"].split(" has ")[0] for row in got] == [
        None,
        "no answer: messages[1].content",
        "no answer: messages[1].content",
        "image tags: the question",
        None,
        "no answer: messages",
    ]
    assert got[4]["answer"] == "3"
    assert "<answer> (4)" not in notes(OpenVLThinker(path=tmp_path))
    (tmp_path / "rows.jsonl").write_text('{"prompt": "x", "chosen": "y"}\n')
    with pytest.raises(
        SourceError,
        match=r"OpenVLThinker: rows.jsonl of folder .* has no column 'messages' or .*there are: prompt, chosen",
    ):
        list(OpenVLThinker(path=tmp_path))


def test_wemath_sft_text_only_and_boxed(tmp_path):
    rows = [
        ROWS[1],
        {"question": "What is 1 + 1?", "answer": "2"},
        {
            "question": "",
            "answer": "",
            "raw": {
                "messages": [
                    {"role": "user", "content": "Find x."},
                    {"role": "assistant", "content": "So $x = \\boxed{12}$."},
                ],
                "images": [],
            },
        },
    ]
    got = written(tmp_path, "WeMathSFT", rows)
    assert [row["answer"] for row in got] == ["12", "2", "12"]
    assert [len(row["images"]) for row in got] == [1, 0, 0]
    assert {row["problem"] for row in got} == {None}
    source = WeMathSFT(path=tmp_path)
    list(source)
    assert "<answer> (2), \\boxed (1)" in notes(source)


# --- MMR1, MiroMind --------------------------------------------------------------------------------------------------


def test_mmr1_brings_its_traces(tmp_path):
    def row(text, n=1):
        turns = [{"from": "human", "value": "<image>Find BC."}, {"from": "gpt", "value": text}]
        return {"question": "", "answer": "", "images": [tiny_png(n)], "raw": {"conversations": turns}}

    rows = [
        row("<think>\\boxed{1}</think> so \\boxed{\\frac{1}{2}}"),
        row("<think>t</think><answer>7</answer>"),
        row("<think>t</think>So the final answer is **12 cm**."),
        row("<think>t</think>So it goes."),
        row("<think>never ends \\boxed{3}"),
        row("Thus $x = \\boxed{1}$ and $y = \\boxed{2}$."),
        row("First \\boxed{4}. Wait, no. It is \\boxed{5}."),
        row("  "),
    ]
    got = written(tmp_path, "MMR1", rows)
    assert [row["answer"] for row in got] == ["\\frac{1}{2}", "7", "12 cm", None, None, "1, 2", "5", None]
    assert [row["problem"] for row in got] == [None] * 7 + ["no response: conversations[1].value is empty"]
    one = got[0]["responses"][0]
    assert one["text"] == "<think>\\boxed{1}</think> so \\boxed{\\frac{1}{2}}"
    assert (one["teacher"], one["trace_id"]) == ("Gemini-2.5", "mmr1-0000000#0")
    assert got[0]["verdicts"] == [None]
    assert got[0]["images"] == [tiny_png(1)]


def test_mmr1_tars_are_walked_once_and_only_as_far_as_needed(tmp_path):
    rows = [{**CHOICE, "images": [tiny_png(i)]} for i in range(50)]
    layouts.write_mmr1(tmp_path, rows, part_rows=10)
    assert len(list(tmp_path.glob("part_*.tar"))) == 5
    source = MMR1(path=tmp_path)
    pictures = [row["images"][0] for row in source]
    assert pictures[3].read_bytes() == tiny_png(3)
    tars = source._album._tars
    assert len(tars._paths) == 1
    assert pictures[25].read_bytes() == tiny_png(25)
    assert len(tars._paths) == 3
    assert [p.read_bytes() for p in pictures] == [tiny_png(i) for i in range(50)]
    with pytest.raises(FileNotFoundError) as caught:
        sources.archives.Member(source._album, "images/none.png").read_bytes()
    assert caught.value.filename == "images/none.png"
    data = (tmp_path / "part_0002.tar").read_bytes()
    (tmp_path / "part_0002.tar").write_bytes(data[: len(data) // 3 + 100])
    again = MMR1(path=tmp_path)
    with pytest.raises(SourceError, match=r"part_0002.tar can't be read as a tar.*fetch it again"):
        taken(again)


def test_mmr1_array_faults(tmp_path):
    layouts.write_mmr1(tmp_path, [CHOICE] * 3)
    whole = (tmp_path / "sft.json").read_text()
    (tmp_path / "sft.json").write_text(whole[:-30])
    with pytest.raises(SourceError, match=r"sft.json: can't be read as json: element 2 isn't whole JSON"):
        list(MMR1(path=tmp_path))
    (tmp_path / "sft.json").write_text(whole.replace('"conversations"', '"chats"'))
    with pytest.raises(
        SourceError, match=r"MMR1: sft.json .* has no column 'conversations' or 'messages'; there are: chats, images"
    ):
        list(MMR1(path=tmp_path))


def test_miromind(tmp_path):
    rows = [
        {"question": "What is 2 + 2?", "answer": "4", "id": "m1"},
        {"question": "Both?", "answer": "", "raw": {"response": "<think>a</think> x = $\\boxed{1}$ and $\\boxed{2}$"}},
        {"question": "None?", "answer": "", "raw": {"response": "<think>a \\boxed{3}</think> Done."}},
        {"question": "Thinking?", "answer": "", "raw": {"response": "<think>a \\boxed{3}"}},
        {"question": "Empty?", "answer": "", "raw": {"response": None}},
    ]
    got = written(tmp_path, "MiroMind", rows)
    assert [row["answer"] for row in got] == ["4", "1, 2", None, None, None]
    assert [row["problem"] for row in got] == [None] * 4 + ["no response: response is empty"]
    assert [len(row["responses"]) for row in got] == [1] * 5
    assert got[0]["id"] == "miromind_m1-m1"


# --- the RL sources --------------------------------------------------------------------------------------------------


def test_virl39k(tmp_path):
    tags = {"images": [tiny_png(1), tiny_png(2)]}
    rows = [
        {"question": "Find BC.", "options": ["3", "4"], "answer": "4", "id": "GeoX-12", "images": [tiny_png(1)]},
        {
            "question": "Solve.",
            "answer": "",
            "id": "odd",
            "raw": {"answer": "\\boxed{\\left\\{\\eqalign{x=1\\\\y=2}\\right.", "image": []},
        },
        {"question": "Angle?", "answer": "17^\\circ", "id": "unit", "images": [tiny_png(3)]},
        {
            "question": "",
            "answer": "",
            "id": "untagged",
            **tags,
            "raw": {"question": "Compare them.", "answer": "\\boxed{5}"},
        },
        {"question": "Text only?", "answer": "2", "id": "text"},
        {"question": "Word?", "answer": "\\text{red}", "id": "word", "images": [tiny_png(4)]},
        {"question": "Nothing?", "answer": "", "id": "none", "images": [tiny_png(4)]},
        {
            "question": "Rated?",
            "answer": "1",
            "id": "rated",
            "raw": {"PassRate_32BTrained": -1.0, "PassRate_7BBase": 0.25},
        },
    ]
    got = {row["id"].removeprefix("virl39k-"): row for row in written(tmp_path, "ViRL39K", rows)}
    assert got["GeoX-12"]["answer"] == "B"
    assert (got["GeoX-12"]["question"], got["GeoX-12"]["options"]) == ("<image>Find BC.", ["3", "4"])
    assert got["odd"]["answer"] == "\\left\\{\\eqalign{x=1\\\\y=2}\\right."
    assert (got["unit"]["answer"], got["unit"]["answer_type"]) == ("17^\\circ", "number")
    assert got["untagged"]["images"] == [tiny_png(1), tiny_png(2)]
    assert got["untagged"]["problem"] is None
    assert got["text"]["problem"] is None
    assert got["word"]["answer"] == "red"
    assert got["none"]["problem"] == "no answer: answer is empty"
    assert "pass_rate_32b" not in got["rated"]
    assert got["rated"]["pass_rate_7b"] == 0.25
    source = ViRL39K(path=tmp_path)
    assert audit(source, workers=1).failures == []
    assert "unbalanced braces, which lost their \\boxed alone: 1" in notes(source)


def test_thinklite(tmp_path):
    small = picture(size=(12, 9))
    rows = [
        {"question": "What is x?", "answer": "12", "images": [small]},
        {"question": "y?", "answer": "", "images": [small]},
    ]
    got = written(tmp_path, "ThinkLite", rows)
    assert (got[0]["answer"], got[0]["images"], got[0]["id"]) == ("12", [small], "thinklite_vl_hard-0")
    assert got[1]["problem"] == "no answer: answer is empty"
    table = pa.table(
        {
            "problem": ["<image>Which?"],
            "choices": [["one", "two"]],
            "ground_truth": ["B"],
            "answer": ["long"],
            "image": [small],
        }
    )
    pq.write_table(table, tmp_path / "ThinkLite-VL-Hard-11k.parquet")
    (row,) = taken(ThinkLite(path=tmp_path))
    assert (row["options"], row["answer"], row["id"]) == (["one", "two"], "B", "thinklite_vl_hard-0000000")


@pytest.mark.parametrize(
    "style",
    [
        ("\n", "{}. {}", "\n"),
        ("\n", "({}) {}", " "),
        (" Choices: ", "{}. {}", " "),
        ("\n", "{}) {}", "\n"),
        ("\nOptions:\n", "{}. {}", "\n"),
        ("\n", "- {}: {}", "\n"),
        ("\n", "{}、{}", "\n"),
        ("\n", "{}．{}", "\n"),
        ("\n", "（{}）{}", "\n"),
    ],
)
def test_tqa_options_in_any_style(tmp_path, style):
    row = {"question": "Which layer is X?", "options": ["crust", "core", "mantle"], "answer": "core"}
    text = "<image>" + layouts.asked(row, *style)
    raw = [
        {"question": "", "answer": "", "images": [tiny_png(1)], "raw": {"problem": text, "answer": a}}
        for a in ("B", "core", "b. core", "(B)", "B. core")
    ]
    got = written(tmp_path, "TQA", raw)
    assert [row["options"] for row in got] == [["crust", "core", "mantle"]] * 5
    assert {row["question"] for row in got} == {"<image>Which layer is X?"}
    assert {gold_options(row["answer"], row["options"]) for row in got} == {(1,)}
    assert got[0]["raw_question"] == text


def test_splits_are_named(tmp_path):
    layouts.write_tqa(tmp_path, [CHOICE], split="train")
    layouts.write_tqa(tmp_path, [CHOICE, CHOICE], split="test")
    assert [row["id"] for row in TQA(path=tmp_path)] == ["tqa-train-000000"]
    assert [row["id"] for row in TQA(path=tmp_path, split="test")] == ["tqa-test-000000", "tqa-test-000001"]
    with pytest.raises(
        SourceError, match=r"TQA: folder .* has no data/val-\*.parquet or .*; there are: .*\(splits: test, train\)"
    ):
        list(TQA(path=tmp_path, split="val"))
    with pytest.raises(
        SourceError, match=r"WeMathStandard: folder .* has no data/standard-\*.parquet .*splits: test, train"
    ):
        list(WeMathStandard(path=tmp_path))
    with pytest.raises(SettingsError, match=r"TQA: there is no .*nowhere"):
        TQA(path=tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="did you mean 'split'"):
        TQA(path=tmp_path, spilt="test")


def test_wemath_standard_reads_its_split_alone(tmp_path):
    rows = [{**CHOICE, "id": "7"}, {**CHOICE, "id": "7"}, {"question": "x?", "answer": "3", "images": [tiny_png(1)]}]
    got = written(tmp_path, "WeMathStandard", rows)
    assert [row["id"] for row in got] == ["wemath_standard-7", "wemath_standard-7~2", "wemath_standard-2"]
    assert got[0]["knowledge_levels"] == ["Geometry", "Plane", "Triangles", "Angles"]
    assert got[0]["knowledge"] == "Angle sum"
    assert got[0]["images"] == [tiny_png(1)]
    source = WeMathStandard(path=tmp_path)
    list(source)
    assert "rows that repeat an id of the data set" in notes(source)


def test_wemath_pro_empty_rows_and_variants(tmp_path):
    rows = [
        {
            "question": "Find it.",
            "answer": "24",
            "images": [tiny_png(1)],
            "raw": {"question_id": "12", "difficulty": "base"},
        },
        {
            "question": "Find it.",
            "answer": "25",
            "images": [tiny_png(2)],
            "raw": {"question_id": "12", "difficulty": "xy"},
        },
        {"question": "", "answer": "25", "images": [tiny_png(3)]},
        {"question": "Find it.", "answer": "", "images": [tiny_png(4)]},
        {"question": "Find it.", "answer": "1", "images": [tiny_png(4)], "raw": {"question": None, "answer": None}},
    ]
    got = written(tmp_path, "WeMathPro", rows)
    assert [row["id"] for row in got[:2]] == ["wemath_pro-12-base", "wemath_pro-12-xy"]
    assert got[0]["knowledge_points"] == ["Area"]
    assert [row["problem"] for row in got] == [
        None,
        None,
        "empty question: question is empty",
        "no answer: answer is empty",
        "empty question: question is empty",
    ]


MMK12_GOLDS = {
    "$$6$$": "6",
    "$-17$": "-17",
    "30°": "30°",
    "25°.": "25°",
    "18.": "18",
    "12 meters.": "12 meters",
    ">-2": ">-2",
    "$$30^\\circ$$": "30^\\circ",
    "$$A$$": "A",
    "$ < $": "<",
    "$$\\dfrac{3}{2}$$": "\\dfrac{3}{2}",
    "\\boxed{7}": "7",
    "\\text{increasing}": "increasing",
    "From the problem, 30 of 150 students are so tall, 30/150 = 0.2. So 1,500 * 0.2 = 300 people; Thus, it is 300.": "300",
    "(1, 2)": "(1, 2)",
    "①③": "①③",
    "(1)(3)": "(1)(3)",
}
MMK12_PARTS = [
    "(1)1. increasing 2. increases increasing (2)1. decreasing 2. decreases decreasing",
    "(1)3;(2)3, quadrilateral;(3)equal;(4)3, 9;(5)3.",
    "254.4\n267.12",
    "$$4$$,$$6$$ $$-4$$,$$0$$",
    "$$x \\geqslant 2$$(or $$x > 2$$)",
    "① increasing; ② decreasing",
]


def test_mmk12_golds(tmp_path):
    rows = [
        {"question": f"Q{i}?", "answer": "", "raw": {"answer": a}}
        for i, a in enumerate([*MMK12_GOLDS, *MMK12_PARTS, ""])
    ]
    got = written(tmp_path, "MMK12", rows)
    values, parts = got[: len(MMK12_GOLDS)], got[len(MMK12_GOLDS) : -1]
    assert [row["answer"] for row in values] == list(MMK12_GOLDS.values())
    assert {row["problem"] for row in values} == {None}
    assert values[0]["raw_answer"] == "$$6$$"
    assert [row["problem"].split(":")[0] for row in parts] == ["several answers"] * len(MMK12_PARTS)
    assert got[-1]["problem"] == "no answer: answer is empty"
    assert audit([row for row in MMK12(path=tmp_path) if "_problem" not in row], workers=1).failures == []


def test_mmk12_pictures_and_the_test_split(tmp_path):
    bad = {"bytes": b"no picture", "path": "x.png"}
    rows = [{"question": "Text only?", "answer": "6"}, {"question": "Bad?", "answer": "6", "raw": {"image": bad}}]
    got = written(tmp_path, "MMK12", rows)
    assert [row["images"] for row in got] == [[], []]
    assert got[0]["problem"] is None
    assert got[1]["problem"].startswith("bad image: picture 1: not a picture")
    for mode in ("RGBA", "L", "P", "1"):
        folder = tmp_path / mode
        folder.mkdir()
        data = picture(1, size=(5, 5), mode=mode) if mode in ("L", "P", "1") else picture(mode=mode)
        (row,) = written(folder, "MMK12", [{"question": "Q?", "answer": "6", "images": [data]}])
        assert (row["images"], row["problem"]) == ([data], None)
    texts = ["Q?\nA. one\nB. two\nC. three", "Q?\nA、one\nB、two\nC、three", "Q?\nA.one\nB.two\nC.2.3."]
    layouts.write_mmk12(tmp_path, [{"question": t, "answer": "", "raw": {"answer": "B"}} for t in texts], split="test")
    got = taken(MMK12(path=tmp_path, split="test"))
    assert [row["options"] for row in got] == [["one", "two", "three"], ["one", "two", "three"], ["one", "two", "2.3."]]
    assert {row["answer"] for row in got} == {"B"}


def test_mmk12_real_golds(data, tmp_path):
    rows = read_jsonl(data / "mm" / "mmk12_eureka" / "data.jsonl")
    made = [{"question": r["question"], "id": r["id"], "answer": "", "raw": {"answer": r["answer"]}} for r in rows]
    got = written(tmp_path, "MMK12", made)
    several = [row["raw_answer"] if "raw_answer" in row else row["answer"] for row in got if row["problem"]]
    assert len(got) == 60
    assert len(several) == 7, several
    checked = audit([row for row in MMK12(path=tmp_path) if "_problem" not in row], workers=1)
    assert checked.failures == [], checked


def test_puzzlevqa_real_rows(data, tmp_path):
    folder = data / "mm" / "puzzlevqa"
    real = read_jsonl(folder / "data.jsonl")
    rows = [{**r, "images": [(folder / r["images"][0]).read_bytes()], **r["meta"]} for r in real]
    got = written(tmp_path, "PuzzleVQA", rows)
    assert [(r["question"], r["options"], r["answer"], r["images"]) for r in got] == [
        (r["question"], [str(o) for o in r["options"]], str(r["answer"]), r["images"]) for r in rows
    ]
    assert {r["problem"] for r in got} == {None}
    assert {r["answer_type"] for r in got} == {"choice"}
    assert got[0]["caption"] == real[0]["meta"]["caption"]
    assert audit(PuzzleVQA(path=tmp_path), workers=1).failures == []


def test_puzzlevqa_numbers_and_texts(tmp_path):
    def write(options, answers, kind):
        (tmp_path / "data").mkdir(exist_ok=True)
        image = {"bytes": tiny_png(1), "path": "1.png"}
        table = pa.table(
            {"image": [image] * 2, "question": ["Q?"] * 2, "options": options, "answer": pa.array(answers, kind)}
        )
        pq.write_table(table, tmp_path / "data" / "train-00000-of-00001.parquet")
        return [(r["options"], r["answer"], r["problem"]) for r in taken(PuzzleVQA(path=tmp_path))]

    want = [(["3", "4", "5"], "4", None), (["6", "7", "8"], "8", None)]
    assert write([[3, 4, 5], [6, 7, 8]], ["4", "8"], pa.string()) == want
    assert write([["3", "4", "5"], ["6", "7", "8"]], [4, 8], pa.int64()) == want
    assert write([["3", "4", "5"], ["6", "7", "8"]], [4.0, 8.0], pa.float64()) == want


def test_algopuzzlevqa_real_rows(data, tmp_path):
    folder = data / "mm" / "algopuzzlevqa"
    real = read_jsonl(folder / "data.jsonl")
    rows = [{**r, "images": [(folder / r["images"][0]).read_bytes()]} for r in real]
    got = written(tmp_path, "AlgoPuzzleVQA", rows)
    assert [(r["question"], r["options"], r["answer"], r["images"]) for r in got] == [
        (r["question"].strip(), [str(o) for o in r["options"]], str(r["answer"]), r["images"]) for r in rows
    ]
    assert {r["problem"] for r in got} == {None}
    assert all("solution" not in r for r in got)
    assert audit(AlgoPuzzleVQA(path=tmp_path), workers=1).failures == []


# --- from the Hub ----------------------------------------------------------------------------------------------------

HUB = """
import json, sys
from pathlib import Path
from mmcurate import pictures, sources
from mmcurate.errors import SourceError
out = {}
for name in sys.argv[1].split(","):
    source = getattr(sources, name)()
    rows = [{**row, "images": [pictures.as_struct(p)["sha256"] for p in row["images"]]} for row in source]
    out[name] = [rows, source.describe()[0]["revision"], source.fingerprint() == getattr(sources, name)().fingerprint()]
print(json.dumps(out))
for make in (lambda: sources.TQA(split="val"), lambda: sources.TQA(id="no/where"), lambda: sources.TQA(files="*.csv")):
    try:
        list(make())
    except SourceError as error:
        print(error)
"""


def hub_environment(server, home):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    return clean | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def test_every_source_from_the_hub(tmp_path):
    from mmcurate import pictures

    want = {}
    for name, write in layouts.WRITERS.items():
        folder = tmp_path / "hub" / getattr(sources, name)().id
        folder.mkdir(parents=True)
        rows = [row for row in ROWS if row.get("options") or not name.endswith("PuzzleVQA")]
        rows = [{**row, "images": []} for row in rows] if name == "MiroMind" else rows
        write(folder, rows, **({"part_bytes": 300} if name == "LLaVACoT" else {}))
        source = getattr(sources, name)(path=folder)
        want[name] = [{**row, "images": [pictures.as_struct(p)["sha256"] for p in row["images"]]} for row in source]
    server = serve(tmp_path / "hub")
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", HUB, ",".join(layouts.WRITERS)],
            capture_output=True,
            text=True,
            env=hub_environment(server, tmp_path / "home"),
            timeout=110,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stderr[-3000:]
    first, *errors = done.stdout.splitlines()
    for name, (rows, revision, same) in json.loads(first).items():
        assert rows == want[name], name
        assert re.fullmatch("[0-9a-f]{40}", revision)
        assert same
    # Zips are read in place: only data files, loose pictures and tars were downloaded.
    fetched = {p.name for p in (tmp_path / "home").rglob("*") if p.is_symlink() or p.is_file()}
    assert {"train.jsonl", "39Krelease.parquet", "sft.json", "part_0000.tar"} <= fetched
    assert not [name for name in fetched if ".zip" in name]
    assert re.search(r"Hub data set 'WaltonFuture/TQA' at \w{10} has no data/val-\*.parquet", errors[0])
    assert "(splits: train)" in errors[0]
    assert "Hub data set 'no/where': RepositoryNotFoundError" in errors[1]
    assert "path=" in errors[1]
    assert re.search(r"Hub data set 'WaltonFuture/TQA' at \w{10} has no \*.csv", errors[2])


def test_a_network_that_breaks_is_no_missing_picture(tmp_path):
    folder = tmp_path / "hub" / "Xkev" / "LLaVA-CoT-100k"
    folder.mkdir(parents=True)
    layouts.write_llava_cot(folder, [CHOICE])
    server = serve(tmp_path / "hub")
    code = """
import sys
from pathlib import Path
from mmcurate.errors import SourceError
from mmcurate.canonical import canonical
from mmcurate.sources import LLaVACoT
rows = list(LLaVACoT())
Path(sys.argv[1]).unlink()
try:
    print(canonical(rows[0], 0, {})[0]["problem"])
except SourceError as error:
    print("SourceError", error)
"""
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, str(folder / "image.zip.part-aa")],
            capture_output=True,
            text=True,
            env=hub_environment(server, tmp_path / "home"),
            timeout=110,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert re.match(r"SourceError Hub data set 'Xkev/LLaVA-CoT-100k' at \w{10}: ", done.stdout), done.stderr[-2000:]


def test_offline_says_what_to_do():
    code = """
from mmcurate.errors import SourceError
from mmcurate.sources import TQA
source = TQA()
assert source.fingerprint() is None
try:
    list(source)
except SourceError as error:
    print(error)
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.startswith("Hub data set 'WaltonFuture/TQA': OfflineModeIsEnabled"), done.stderr
    assert "path=" in done.stdout


# --- fingerprints ----------------------------------------------------------------------------------------------------


def test_fingerprints_follow_the_files(tmp_path):
    layouts.write_virl39k(tmp_path, ROWS)
    before = ViRL39K(path=tmp_path).fingerprint()
    assert before
    assert ViRL39K(path=tmp_path).fingerprint() == before
    assert ViRL39K(path=tmp_path, files="39K*.parquet").fingerprint() != before
    os.utime(tmp_path / "images.zip", ns=(1, 1))
    assert ViRL39K(path=tmp_path).fingerprint() != before
    assert ViRL39K(path=tmp_path / "39Krelease.parquet").fingerprint() == ViRL39K(path=tmp_path).fingerprint()
