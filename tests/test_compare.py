"""A run beside published sets, in their own layouts."""

import io
import json
import os
import subprocess
import sys

import datasets
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mmcurate as mm
from mmcurate.chat import OpenAIChat, SimulatedTeacher
from mmcurate.distill import Distill
from mmcurate.errors import SettingsError, SourceError
from mmcurate.prompts import SYSTEM_PROMPT
from mmcurate.sources import Files
from mmcurate.verify import Verify
from tests.conftest import picture, write_jsonl
from tests.hub_server import serve

RED, BLUE = picture("red"), picture((0, 0, 255, 40), mode="RGBA")  # an export shows blue on white
QUESTIONS = [
    {
        "id": "a",
        "question": "<image>What is the area of the square in the drawing?",
        "answer": "4",
        "images": ["red.png"],
    },
    {
        "id": "b",
        "question": "How tall is the tower that stands behind the house next to the river and the road?",
        "answer": "12 m",
    },
    {"id": "c", "question": "Which is it?", "answer": "B", "options": ["one", "two"], "images": ["blue.png"]},
    {"id": "d", "question": "What is 3 + 4?", "answer": "7"},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "red.png").write_bytes(RED)
    (folder / "blue.png").write_bytes(BLUE)
    source = Files(write_jsonl(folder / "q.jsonl", QUESTIONS), name="llava_cot")
    known = [q | {"images": [folder / i for i in q.get("images", ())]} for q in QUESTIONS]
    with SimulatedTeacher(known, accuracy=1.0, slips=0.0, cut_off=0.0) as server:
        teacher = OpenAIChat(server.model, server.base_url)
        return mm.Pipeline(source, Distill(teacher, num_responses=2), Verify(workers=1)).run(folder / "runs" / "a")


def said(question, answer, *images):
    """A row of OpenMMReasoner-SFT-874K."""
    user = [{"type": "image_url", "text": None, "image_url": {"url": i}} for i in images]
    user += [{"type": "text", "text": question, "image_url": None}]
    system = [{"type": "text", "text": "Think first.", "image_url": None}]
    assistant = [{"type": "text", "text": answer, "image_url": None}]
    return {
        "id": question[:3],
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
            {"role": "assistant", "content": assistant},
        ],
    }


STRICT = "<think>Side 2.</think><answer>{}</answer>"
LLAVA = [
    said(
        "What is the area of the square in the drawing? Answer the question using a single word or phrase.",
        STRICT.format("4"),
        "geoqa+/images/7.png",
    ),
    said("What is the area of the square in the drawing?", STRICT.format("4 cm"), "geoqa+/images/7.png"),
    said(
        "How tall is the tower that stands behind the house next to the river and the main road?",
        "The answer is \\boxed{12 m}.",
    ),
    said(
        "How tall is the tower that stands behind the house next to the river and the main road?", STRICT.format("None")
    ),
]
MMR1 = [said("Which is it?\nA. one\nB. two", STRICT.format("B"), "images/a.png", "images/b.png")]


def test_the_layout_of_the_sft_set(run, tmp_path):
    for name, rows in (("llava_cot", LLAVA), ("mmr1", MMR1)):
        (tmp_path / name).mkdir()
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name / "train-00000-of-00001.parquet")
    found = mm.compare(run, tmp_path)
    assert found.sources.rows == [
        ["llava_cot", 8, 4, 4, 2],
        ["mmr1", 0, 1, 0, 1],
        ["all", 8, 5, 4, 3],
    ]
    prompts = {(r[0], r[1]): r[2:4] for r in found.prompts.rows}
    assert prompts["system prompt", SYSTEM_PROMPT] == [8, 0]
    assert prompts["system prompt", "Think first."] == [0, 5]
    assert prompts["instruction", "Answer the question using a single word or phrase."] == [0, 1]
    formats = {(r[0], r[1]): r[2:4] for r in found.formats.rows}
    assert formats["format", "<think><answer>"] == [8, 4]
    assert formats["format", "box"] == [0, 1]
    assert formats["kind of answer", "none"] == [0, 1]
    assert formats["kind of answer", "number"] == [6, 3]
    assert formats["kind of answer", "choice"] == [2, 1]
    overlap = {r[0]: r[1:4] for r in found.overlap.rows}
    assert overlap["question texts, the same"] == [2, 4, 3], "the square, and the one whose options are listed"
    assert overlap["question texts, near or the same"] == [3, 4, 3], "and the tower, whose road is a main road there"
    assert overlap["pictures"] == [0, 2, 0], "the set has paths alone"
    lengths = {(r[0], r[1]): r[2:] for r in found.lengths.rows}
    assert lengths["pictures", "set"] == [5, 0.8, 0.0, 1.0, 1.8, 2.0]
    assert lengths["response, tokens", "set"][0] == 0
    assert lengths["response, tokens", "run"][0] == 8
    words = [len(m["messages"][2]["content"][0]["text"].split()) for m in LLAVA + MMR1]
    assert lengths["response, words", "set"][1] == sum(words) / 5
    assert found.unread == {}


def reward_row(question, answer, images, **more):
    """A row of OpenMMReasoner-RL-74K."""
    return {
        "data_source": "virl39k",
        "prompt": [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": question}],
        "images": [PIL.Image.open(io.BytesIO(i)) for i in images],
        "ability": "math",
        "reward_model": {"ground_truth": answer, "style": "rule"},
        **more,
    }


@pytest.fixture
def published():
    rows = [
        reward_row("<image>What is the area of the square in the drawing?", "4", [RED], avg_reward=0.5),
        reward_row("<image>Which is it?\nA. one\nB. two", "B", [RED], avg_reward=1.0),
        reward_row("What is 3 + 5?", "8", [], avg_reward=0.0),
    ]
    return datasets.Dataset.from_list(rows).cast_column("images", datasets.List(datasets.Image()))


@pytest.mark.parametrize("streaming", [False, True])
def test_the_layout_of_the_rl_set(run, published, streaming):
    found = mm.compare(run, published.to_iterable_dataset() if streaming else published)
    assert found.sources.rows == [["llava_cot", 4, 0, 4, 0], ["virl39k", 0, 3, 0, 3], ["all", 4, 3, 4, 3]]
    overlap = {r[0]: r[1:4] for r in found.overlap.rows}
    assert overlap == {
        "question texts, the same": [2, 4, 3],
        "question texts, near or the same": [2, 4, 3],  # 3 + 5 is not near 3 + 4
        "pictures": [1, 2, 1],
        "texts with their pictures": [1, 2, 2],
    }
    formats = {(r[0], r[1]): r[2:4] for r in found.formats.rows}
    assert formats["kind of answer", "number"] == [3, 2]
    assert formats["pass rate", "1"] == [4, 1]
    assert formats["pass rate", "between 0 and 1"] == [0, 1]


def test_a_run_beside_its_own_exports(run, tmp_path):
    for final, rows in ((run.to_sft(tmp_path / "sft"), 8), (run.to_rl(tmp_path / "rl"), 4)):
        for dataset in (final, tmp_path / ("sft" if rows == 8 else "rl")):
            found = mm.compare(run.path, dataset)
            assert found.sources.rows[-1] == ["all", rows, rows, 4, 4]
            assert all(r[1] == r[2] == r[3] for r in found.overlap.rows)
            assert all(r[2] == r[3] for r in [*found.prompts.rows, *found.formats.rows])
            run_lengths, set_lengths = found.lengths.rows[::2], found.lengths.rows[1::2]
            assert [r[2:] for r in run_lengths] == [r[2:] for r in set_lengths]


def test_it_shows_itself(run, published):
    found = mm.compare(run, published)
    frames = found.to_pandas()
    assert list(frames) == ["sources", "lengths", "prompts", "formats", "overlap"]
    assert frames["sources"].set_index("source").loc["virl39k", "set rows"] == 3
    assert "rows and different questions by source\n  source" in repr(found)
    assert "<table>" in found._repr_html_()


def test_rows_that_cannot_be_read_are_counted(run, tmp_path):
    path = tmp_path / "rows.parquet"
    rows = [{"messages": json.dumps(m)} for m in (LLAVA[0]["messages"], [{"role": "system", "content": "x"}], 3)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = mm.compare(run, path)
    assert found.sources.rows[-1] == ["all", 8, 1, 4, 1]
    assert sum(found.unread.values()) == 2
    assert "not read: 1 rows" in repr(found)


def test_a_run_without_traces(run, tmp_path):
    pq.write_table(pa.Table.from_pylist(LLAVA), tmp_path / "rows.parquet")
    bare = mm.Pipeline(Files(write_jsonl(tmp_path / "q.jsonl", QUESTIONS[3:]))).run(tmp_path / "bare")
    found = mm.compare(bare, tmp_path / "rows.parquet")
    assert found.sources.rows == [["rows", 0, 4, 0, 2], ["all", 0, 4, 0, 2]]
    assert [r[1:] for r in found.overlap.rows] == [[0, 0, 2, None], [0, 0, 2, None], [0, 0, 0, None], [0, 0, 0, None]]


CODE = """
import sys
import mmcurate as mm
from mmcurate.errors import SourceError
print(mm.compare(sys.argv[1], "owner/set").sources.rows)
try:
    mm.compare(sys.argv[1], "owner/nothing")
except SourceError as error:
    print(error)
"""


def test_every_config_of_a_set_on_the_hub(run, published, tmp_path):
    folder = tmp_path / "hub" / "owner" / "set"
    for name, rows in (("virl39k", published), ("puzzles", published.remove_columns(["data_source", "avg_reward"]))):
        (folder / name).mkdir(parents=True)
        rows.to_parquet(folder / name / "train-00000-of-00001.parquet")
    configs = "".join(f"- config_name: {n}\n  data_files: {n}/*.parquet\n" for n in ("virl39k", "puzzles"))
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    server = serve(tmp_path / "hub")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "any",
    }
    command = [sys.executable, "-c", CODE, str(run.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110)
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stderr
    rows, error = done.stdout.splitlines()
    assert rows == "[['llava_cot', 4, 0, 4, 0], ['virl39k', 0, 3, 0, 3], ['puzzles', 0, 3, 0, 0], ['all', 4, 6, 4, 3]]"
    assert error.startswith("Hub data set 'owner/nothing': ")


def test_what_is_no_set_is_a_clear_error(run, tmp_path):
    with pytest.raises(SettingsError, match="no file or folder that exists"):
        mm.compare(run, tmp_path / "missing")
    with pytest.raises(SettingsError, match="choose one of train, test"):
        mm.compare(
            run, datasets.DatasetDict({"train": datasets.Dataset.from_dict({}), "test": datasets.Dataset.from_dict({})})
        )
    with pytest.raises(SourceError, match="there are no Parquet files"):
        mm.compare(run, tmp_path)
    with pytest.raises(SourceError, match="there are: question, answer"):
        mm.compare(run, datasets.Dataset.from_dict({"question": ["?"], "answer": ["!"]}))
