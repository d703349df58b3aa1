"""Publishing with the real client of the Hub, over real HTTP, to a hub on loopback: killed, refused, grown, and read back."""

import hashlib
import json
import os
import random
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import datasets
import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import mmcurate as mm
from mmcurate.chat import Faults, OpenAIChat, SimulatedTeacher
from mmcurate.dedup import Decontaminate, ExactDedup
from mmcurate.distill import Distill
from mmcurate.errors import RunError, SettingsError
from mmcurate.export import licences, shards, to_sft
from mmcurate.export.hub import COMMIT_FILES
from mmcurate.export.pictured import FinalSet, Pictured
from mmcurate.sources import Files, Mix, Procedural
from mmcurate.verify import Verify
from tests.conftest import picture, read_jsonl, write_jsonl
from tests.hub_server import Fault, serve

CLIENT = """
import ast, hashlib, json, sys, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "Use .content=", DeprecationWarning)  # the Hub's client, of its own HTTP library
import datasets
import mmcurate as mm
from mmcurate.errors import MMCurateError
from mmcurate.export import shards

datasets.disable_progress_bars()


def push(run, shard_bytes, **settings):
    shards.SHARD_BYTES = shard_bytes
    try:
        pushed = mm.open(run).push_to_hub(**settings)
    except MMCurateError as error:
        return f"{type(error).__name__}: {error}"
    return [pushed.url, pushed.commit, pushed.num_files, pushed.num_bytes]


def load(repo, config, streaming, revision):
    data = datasets.load_dataset(repo, config, split="train", streaming=streaming, revision=revision)
    sizes = None
    if "images" in data.features:
        assert data.features["images"] == datasets.List(datasets.Image()), data.features
        sizes = [p.size for p in next(iter(data))["images"]]
        data = data.cast_column("images", datasets.List(datasets.Image(decode=False)))
    rows = list(data)
    for row in rows:
        for p in row.get("images", []):
            p["bytes"] = hashlib.sha256(p["bytes"]).hexdigest()
    return datasets.get_dataset_config_names(repo, revision=revision), sizes, rows


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"push": push, "load": load}[asked.pop("do")](**asked)), flush=True)
"""
"""What users do, in a process of its own, since the client reads where the Hub is when it is imported."""


def environment(url, folder, **more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    return kept | {
        "HF_ENDPOINT": url,
        "HF_TOKEN": "hf_of_the_tests",
        "HF_HOME": str(folder / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **more,
    }


class Client:
    """A user of a hub; `with` it, and it is gone afterwards."""

    def __init__(self, url, folder, **more):
        self.folder = folder
        with open(folder / "stderr", "a") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CLIENT],
                env=environment(url, folder, **more),
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def send(self, **asked):
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    def ask(self, **asked):
        self.send(**asked)
        answer = self.process.stdout.readline()
        assert answer, (self.folder / "stderr").read_text()[-3000:]
        return json.loads(answer)


@pytest.fixture(scope="module")
def hubs(tmp_path_factory):
    """A hub and a user of it."""
    folder = tmp_path_factory.mktemp("hubs")
    server = serve(folder / "hub")
    with Client(server.url, folder) as client:
        yield server, client
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(hubs, request):
    """The hub as it is in the beginning, with a repository for this test alone."""
    server, server.client = hubs
    server.forget()
    server.repo = "me/" + re.sub(r"\W+", "-", request.node.name)[:60].strip("-.")
    return server


def push(hub, run, shard_bytes=500 << 20, **settings):
    """Pushes as a user does; returns the url, the commit and what was sent, or the error."""
    return hub.client.ask(do="push", run=str(run.path), shard_bytes=shard_bytes, **{"repo": hub.repo, **settings})


def load(hub, config, streaming=False, revision=None):
    """Returns the names of the configs, the sizes of the first row's pictures, and the rows."""
    return hub.client.ask(do="load", repo=hub.repo, config=config, streaming=streaming, revision=revision)


def files(hub):
    """The folder with what was published."""
    return hub.root / hub.repo


def wanted(run):
    """The rows of the run's final set as `load` returns them, by their ids."""
    out = {}
    for row in to_sft(run).cast_column("images", datasets.List(datasets.Image(decode=False))):
        data = [Path(p["path"]) for p in row["images"]]
        hashes = [hashlib.sha256(p.read_bytes()).hexdigest() for p in data]
        shown = [{"bytes": h, "path": p.name} for h, p in zip(hashes, data, strict=True)]
        out[row["id"]] = {**row, "images": shown, "image_sha256": [p.stem for p in data]}
    return out


def answered(rows, folder, each):
    """A run of questions that come with that many answers each, which nobody checks."""
    folder.mkdir(exist_ok=True)
    for row in rows:
        row["responses"] = [f"<think>The {i}th way.</think><answer>{row['answer']}</answer>" for i in range(each)]
    return mm.Pipeline(Files(write_jsonl(folder / "q.jsonl", rows), name="answered")).run(folder / "run")


def distilled(source, folder, *steps, each=4, **settings):
    with SimulatedTeacher(source, **settings) as server:
        chat = OpenAIChat(server.model, server.base_url, temperature=0.7)
        return mm.Pipeline(
            source,
            *steps,
            Distill(chat, num_responses=each),
            Verify(workers=1),
            mm.Filter("verdict = 'correct'", of="responses"),
        ).run(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two sources with duplicates, benchmark questions, wrong answers and a bad row."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "a.png").write_bytes(picture("green"))
    rows = [
        {"id": f"f{i}", "question": f"What is {i} + {i}?", "answer": str(2 * i), "images": ["a.png"]} for i in range(30)
    ]
    rows.append({"id": "bad", "question": "", "answer": "1"})
    mine = Files(write_jsonl(folder / "mine set.jsonl", rows), licence="cc-by-nc-4.0")
    return distilled(
        Mix([Procedural(60), mine, Procedural(10)]),
        folder / "runs" / "a",
        ExactDedup(),
        Decontaminate(against=[Procedural(5)]),
        mm.Filter("duplicate_of is null"),
        mm.Filter("benchmark_match is null"),
        accuracy=0.6,
    )


def test_pushed_and_read_back(hub, run):
    url, commit, num_files, _ = push(hub, run)
    assert url == f"{hub.url}/datasets/{hub.repo}"
    assert hub.private == {hub.repo: True}
    assert commit == hub.head(hub.repo, "main")
    assert num_files == 4 + 3
    assert hub.commits[-1]["added"] == ["README.md", "funnel.json", "run.json"]
    assert not any("README.md" in c["added"] for c in hub.commits[:-1])
    rows = wanted(run)
    for streaming in (False, True):
        names, sizes, got = load(hub, "sft", streaming)
        assert names == ["sft", "sft-procedural", "sft-mine_set", "questions", "responses"]
        assert {row["id"]: row for row in got} == rows
        assert sizes == [list(mm.open(run.path).dataset()[0]["images"][0].size)]
    by_source = [row for name in names[1:3] for row in load(hub, name)[2]]
    assert by_source == got
    # What is there needs no second upload, whatever it is that asks.
    seen = len(hub.requests)
    again = push(hub, run)
    assert again == [url, commit, 0, 0]
    assert {method for method, path, _ in hub.requests[seen:] if "lfs" in path or "commit" in path} == set()


def test_the_whole_story_is_there(hub, run):
    push(hub, run)
    run = mm.open(run.path)
    questions = load(hub, "questions")[2]
    assert len(questions) == 101
    assert not any("match_question" in row or "match_picture" in row for row in questions)
    assert sum(row["benchmark_match"] is not None for row in questions) == 2 * 5, "five of them twice"
    responses = load(hub, "responses", streaming=True)[2]
    assert len(responses) == run.funnel().traces["distill.responses"][0].num_in
    for row in questions + responses:
        told = run.explain(row.get("trace_id") or row["id"])
        assert (row["kept"], row["dropped_by"], row["reason"]) == (
            told.kept,
            told.dropped_by or None,
            told.reason or None,
        )
        if "trace_id" in row:
            assert (row["verdict"], row["text"]) == (told.facts["verify.verdict"], told.facts["text"])
    assert {row["dropped_by"] for row in questions} >= {None, "source", "filter", "filter_2"}
    assert {row["trace_id"] for row in responses if row["kept"]} == set(wanted(run))


def test_both_final_sets(hub, tmp_path):
    made = distilled(Procedural(16), tmp_path / "runs" / "a", each=2)
    sft, rl = made.to_sft(), made.to_rl()
    push(hub, made)
    names, sizes, got = load(hub, "rl", streaming=True)
    assert names == ["sft", "rl", "questions", "responses"]
    assert sizes == [list(rl[0]["images"][0].size)]
    columns = ("id", "prompt", "answer", "answer_type", "options", "pass_rate", "num_scored", "source")
    assert [{c: row[c] for c in columns} for row in got] == rl.select_columns(columns).to_list()
    assert len(load(hub, "sft")[2]) == len(sft)
    told = {row["id"]: row for row in load(hub, "questions")[2]}
    for id, row in told.items():
        known = made.explain(id)
        assert (row["kept"], row["dropped_by"]) == (known.kept, known.dropped_by or None)


def test_answers_that_never_came_are_there(hub, tmp_path):
    with SimulatedTeacher(Procedural(6), faults=Faults(failing=0.4)) as server:
        chat = OpenAIChat(server.model, server.base_url, max_retries=0)
        made = mm.Pipeline(Procedural(6), Distill(chat, num_responses=4)).run(tmp_path / "runs" / "a")
    num_in, num_out = made.funnel().traces["distill.responses"][0].num_in, len(to_sft(made))
    push(hub, made)
    rows = load(hub, "responses")[2]
    assert len(rows) == num_in == 24
    lost = [row for row in rows if row["text"] is None]
    assert 0 < len(lost) == 24 - num_out
    assert {row["dropped_by"] for row in lost} == {"distill"}
    assert all(row["reason"].startswith("no answer: ") and not row["kept"] for row in lost)


def test_the_card(hub, run):
    push(hub, run)
    text = (files(hub) / "README.md").read_text()
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == ["apache-2.0", "cc-by-nc-4.0"]
    assert header["size_categories"] == ["n<1K"]
    assert [c["config_name"] for c in header["configs"] if c.get("default")] == ["sft"]
    infos = {i["config_name"]: i for i in header["dataset_info"]}
    assert infos["sft"]["splits"][0]["num_examples"] == len(to_sft(run))
    assert {"name": "images", "list": "image"} in infos["sft"]["features"]
    for said in (
        "| mine set | cc-by-nc-4.0 | 31 | **no commercial use** |",
        "| filter | 100 | 90 |",
        "**simulated-teacher**, 4 answers a question",
        '"temperature": 0.7',
        "<think>your reasoning</think>",
        "no judge",
        "compared every question, its text and its pictures, with: procedural",
        'load_dataset("' + hub.repo + '", "sft"',
        f"mmcurate=={run.manifest['mmcurate']}",
        "mine set: its revision",
    ):
        assert said in text, said
    manifest = (files(hub) / "run.json").read_text()
    for local in (str(run.path.parent.parent), "127.0.0.1"):
        assert local not in text.replace(hub.url, "")
        assert local not in manifest
    assert json.loads((files(hub) / "funnel.json").read_text()) == mm.open(run.path).funnel().to_json()


def test_killed_and_pushed_again(hub, tmp_path, run):
    dice, kills = random.Random(3), 0
    for _ in range(4):
        target = len(hub.requests) + dice.randrange(4, 50)
        with Client(hub.url, tmp_path) as client:
            client.send(do="push", run=str(run.path), repo=hub.repo, shard_bytes=4000)
            while client.process.poll() is None and len(hub.requests) < target:
                time.sleep(0.002)
                if client.process.stdout.fileno() in select.select([client.process.stdout], [], [], 0)[0]:
                    break  # it was quicker
            else:
                kills += 1
    assert kills >= 2
    push(hub, run, 4000)
    assert {row["id"]: row for row in load(hub, "sft")[2]} == wanted(run)
    assert len(hub.objects) > 25, "several commits"
    assert hub.sent == {oid: len(data) for oid, data in hub.objects.items()}, "nothing is uploaded twice"
    assert len({path for c in hub.commits for path in c["added"] if "/" in path}) == len(hub.objects)
    assert not list((run.path / ".push").glob("*.parquet"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/commit/", 429, headers={"Retry-After": "2"}),
        Fault("POST", "/commit/", 412, times=2),
        Fault("POST", "/commit/", 503, skip=1),
        Fault("POST", "/commit/", 0, skip=1),
        Fault("POST", "/commit/", -1, times=2),
        Fault("POST", "validate-yaml", 500),
        Fault("PUT", "/lfs/", 500),
        Fault("PUT", "/lfs/", 0),
        Fault("POST", "/batch", 429, headers={"Retry-After": "1"}),
        Fault("POST", "/preupload/", 0),
        Fault("GET", "/tree/", 502),
        Fault("POST", "/create", 504),
    ],
    ids=lambda f: f"{f.method} {f.part} {f.status}",
)
def test_what_passes_is_waited_for(hub, run, fault):
    hub.faults.append(fault)
    begin = time.monotonic()
    assert isinstance(push(hub, run), list)
    assert fault.times == 0
    assert time.monotonic() - begin > float(fault.headers.get("Retry-After", 0))
    assert len(load(hub, "sft", streaming=True)[2]) == len(wanted(run))
    added = [path for c in hub.commits for path in c["added"] if "/" in path]
    assert len(added) == len(set(added)) == 4
    assert hub.sent == {oid: len(data) for oid, data in hub.objects.items()} or fault.part == "/lfs/"


def test_what_does_not_pass_is_said(hub, tmp_path, run):
    hub.faults.append(Fault("POST", "/preupload/", 403, times=99))
    said = push(hub, run)
    assert said.startswith("RunError: couldn't send data/sft-procedural/")
    assert "403" in said
    assert "pass token=" in said
    with Client(hub.url, tmp_path, HF_HUB_OFFLINE="1") as client:
        said = client.ask(do="push", run=str(run.path), repo=hub.repo, shard_bytes=1 << 20)
    assert said.startswith("RunError: couldn't make ")
    assert "offline" in said.lower()


def grown(folder, numbers):
    """A run of so many questions, two to a picture; the same folder again makes it another."""
    folder.mkdir(exist_ok=True)
    rows = []
    for i in numbers:
        (folder / f"{i // 2}.png").write_bytes(picture((i % 256, i // 256, 0), size=(90, 90)))
        asked = {"question": f"What is {i} + {i}?", "answer": str(2 * i), "images": [f"{i // 2}.png"]}
        rows.append({"id": f"q{i}", "licence": "MIT", **asked})
    return answered(rows, folder, 4)


def test_a_run_that_grew(hub, tmp_path):
    made = grown(tmp_path / "g", [*range(100), *range(200, 900)])
    push(hub, made, 50_000)
    assert len(hub.objects) > 20
    made = grown(tmp_path / "g", range(940))
    push(hub, made, 50_000)
    rows = load(hub, "sft")[2]
    assert {row["id"]: row for row in rows} == wanted(made)
    assert len(rows) == 4 * 940
    removed = [path for c in hub.commits for path in c["removed"]]
    sft = [p for p in removed if "sft" in p]
    assert 0 < len(sft) < 0.5 * len([p for c in hub.commits for p in c["added"] if "sft" in p and p not in removed])
    there = {str(p.relative_to(files(hub))) for p in (files(hub) / "data").rglob("*.parquet")}
    header = yaml.safe_load((files(hub) / "README.md").read_text().split("---\n")[1])
    assert there == {p for c in header["configs"] for p in c["data_files"][0]["path"]}
    assert not hub.untrue, "no commit left a card that names what isn't there"


def test_few_files_a_commit_and_uploads_in_parts(hub, run):
    hub.part_bytes = 1000
    push(hub, run, 1000)
    assert len(hub.objects) > 60
    assert max(len(c["added"]) + len(c["removed"]) for c in hub.commits) <= COMMIT_FILES < 100
    assert any("/lfs-complete/" in path for _, path, _ in hub.requests)
    assert {row["id"]: row for row in load(hub, "sft")[2]} == wanted(run)
    push(hub, run)  # large again: more than a commit's files go
    assert max(len(c["added"]) + len(c["removed"]) for c in hub.commits) <= COMMIT_FILES
    assert not hub.untrue
    assert len(list((files(hub) / "data").rglob("*.parquet"))) == 4


def test_a_hub_that_takes_shards_for_small_files(hub, run):
    hub.lfs_suffixes = (".never",)
    push(hub, run)
    assert not hub.objects
    assert {row["id"]: row for row in load(hub, "sft")[2]} == wanted(run)
    assert not list((run.path / ".push").glob("*.parquet"))


def test_without_pictures(hub, run):
    push(hub, run, images=False)
    kept = b"".join(hub.objects.values())
    assert b"\x89PNG" not in kept
    rows = load(hub, "sft")[2]
    mine = wanted(run)
    assert {row["id"]: row for row in rows} == {
        k: {c: v for c, v in r.items() if c != "images"} for k, r in mine.items()
    }
    assert "The pictures aren't here" in (files(hub) / "README.md").read_text()


def test_a_branch(hub, run):
    push(hub, run, revision="v1")
    assert {c["revision"] for c in hub.commits} == {"v1"}
    assert len(load(hub, "sft", revision="v1")[2]) == len(wanted(run))


def test_repositories_of_others(hub, run):
    push(hub, run, private=False)
    assert hub.private == {hub.repo: False}
    assert "is public, and private=True asks for a private one" in push(hub, run)
    (hub.root / "me/other").mkdir()
    (hub.root / "me/other/train.csv").write_text("a\n1\n")
    said = push(hub, run, repo="me/other", private=False)
    assert said.startswith("RunError: me/other holds something else already ('train.csv'")
    assert [p.name for p in (hub.root / "me/other").iterdir()] == ["train.csv"]


@pytest.mark.parametrize(
    ("licence", "word"),
    [
        ("Apache 2.0", "free"),
        ("Apache License 2.0", "free"),
        ("MIT License", "free"),
        ("CC BY-SA 4.0", "free"),
        ("cc0", "free"),
        ("CC BY-NC 4.0", "non-commercial"),
        ("other (research, NC)", "non-commercial"),
        ("apache-2.0; README adds non-commercial terms", "non-commercial"),
        ("CC BY-ND 4.0", "forbidden"),
        ("cc-by-nc-nd-4.0", "forbidden"),
        ("CC BY-SA 4.0, no training use", "forbidden"),
        ("may not be used as training set", "forbidden"),
        ("evaluation only", "forbidden"),
        ("All rights reserved", "forbidden"),
        ("other", "unknown"),
        ("standard", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_what_licences_allow(licence, word):
    assert licences.allows(licence) == word


def test_licences_are_checked():
    counts = {("free", "MIT"): 5, ("mine", None): 2, ("bench", "no training use"): 3}
    free, unknown = {("free", "MIT"): 5}, {("free", "MIT"): 5, ("mine", None): 2}
    licences.check(free, private=False, licence_ok=())
    licences.check(unknown, private=True, licence_ok=())
    licences.check(counts, private=False, licence_ok=["mine", "no training use"])
    with pytest.raises(
        RunError, match=r"to a public repository.*2 rows of 'mine' \(no licence is known\).*private=True"
    ):
        licences.check(unknown, private=False, licence_ok=())
    with pytest.raises(RunError, match="3 rows of 'bench' \\('no training use'\\)"):
        licences.check(counts, private=True, licence_ok=())
    with pytest.raises(SettingsError, match=r"licence_ok names 'mien'.*did you mean 'mine'"):
        licences.check(counts, private=False, licence_ok=["mien"])


def test_a_forbidden_licence_reaches_no_hub(hub, tmp_path):
    rows = [{"id": "a", "question": "1 + 1?", "answer": "2", "licence": "CC BY-SA 4.0, no training use"}]
    made = mm.Pipeline(Files(write_jsonl(tmp_path / "bench.jsonl", rows))).run(tmp_path / "runs" / "a")
    said = push(hub, made)
    assert said.startswith("RunError: not pushed: ")
    assert "1 rows of 'bench'" in said
    assert not hub.requests
    assert isinstance(push(hub, made, licence_ok=["bench"]), list)
    assert load(hub, "questions")[2][0]["id"] == "a"


def stored(path):
    """Returns how many bytes of a Parquet file are pictures, and how many row groups it has."""
    meta = pq.read_metadata(path)
    columns = [meta.row_group(g).column(i) for g in range(meta.num_row_groups) for i in range(meta.num_columns)]
    kept = [c.total_compressed_size for c in columns if c.path_in_schema == "images.list.element.bytes"]
    return sum(kept), meta.num_row_groups


def test_pictures_are_stored_once(data, hub, tmp_path):
    """8 traces a picture, real pictures: all that is published, over the pictures."""
    rows = []
    for name in ("puzzlevqa", "mmk12_eureka", "gaokao_mm"):
        for row in read_jsonl(data / "mm" / name / "data.jsonl"):
            shown = [str(data / "mm" / name / p) for p in row["images"]]
            rows.append({k: row[k] for k in ("id", "question", "options", "answer", "source")} | {"images": shown})
    made = answered(rows, tmp_path / "q", 8)
    push(hub, made)
    mine = wanted(made)
    assert len(mine) > 7.5 * len(made.dataset())
    unique = sum(p.stat().st_size for p in (made.path / "final" / "images").rglob("*.*"))
    text = sum(len(json.dumps({**row, "images": None}, ensure_ascii=False).encode()) for row in mine.values())
    published = sum(len(o) for o in hub.objects.values())
    assert published <= 1.1 * unique
    assert published <= 1.01 * unique + 0.2 * text
    pictures = sum(stored(p)[0] for p in (files(hub) / "data").rglob("sft-*/*.parquet"))
    assert unique < pictures < 1.01 * unique
    assert load(hub, "sft-puzzlevqa", streaming=True)[1] is not None


def test_questions_with_one_picture_lie_together(tmp_path, monkeypatch):
    """Pictures that far-away questions share are stored once though many row groups are written."""
    folder = tmp_path / "q"
    folder.mkdir()
    for i in range(40):
        noise = np.random.default_rng(i).integers(0, 255, (60, 60, 3), np.uint8)
        PIL.Image.fromarray(noise).save(folder / f"{i}.png")
    rows = [
        {"id": f"q{i}", "question": f"What is {i} + {i}?", "answer": str(2 * i), "images": [f"{i % 40}.png"]}
        for i in range(200)
    ]
    made = answered(rows, folder, 4)
    monkeypatch.setattr(shards, "ROW_GROUP_BYTES", 2_000_000)
    final = FinalSet(to_sft(made))
    part = Pictured(final, np.arange(200))
    ratios = []
    for order in (part.order, np.arange(200)):
        part.order = order
        (shard,) = shards.plan("sft", part)
        shards.write(tmp_path / "x.parquet", part, shard)
        kept, num_groups = stored(tmp_path / "x.parquet")
        assert num_groups > 3
        ratios.append(kept / final.picture_bytes.sum())
    assert ratios[0] < 1.2 < 3 < ratios[1]


def test_a_row_group_is_never_too_large(tmp_path, monkeypatch):
    made = grown(tmp_path / "g", range(64))
    monkeypatch.setattr(shards, "ROW_GROUP_BYTES", 10_000)
    part = Pictured(FinalSet(to_sft(made)), np.arange(64))
    tables = [part.with_pictures(t) for t in part.tables(0, 64)]
    assert sum(t.num_rows for t in tables) == 4 * 64
    assert max(t.num_rows for t in tables) < 30
    sizes = [sum(len(p["bytes"]) for row in t["images"].to_pylist() for p in row) for t in tables]
    assert max(sizes) <= 10_000


def test_cuts_move_little():
    dice = np.random.default_rng(0)
    chances, sizes = dice.integers(0, 2**64, 5000, np.uint64), dice.integers(1 << 20, 9 << 20, 5000)

    def parts(c, s):
        return [(c[a:b].tobytes(), int(s[a:b].sum())) for a, b in shards.cut(c, s)]

    before = parts(chances, sizes)
    assert all(shards.SHARD_BYTES / 2 <= size <= 1.6 * shards.SHARD_BYTES for _, size in before[:-1])
    for place in (0, 2500, 4999):
        after = parts(np.insert(chances, place, 7), np.insert(sizes, place, 5 << 20))
        assert len({name for name, _ in after} - {name for name, _ in before}) <= 4


def test_a_picture_that_is_gone(tmp_path):
    made = grown(tmp_path / "g", range(8))
    final = FinalSet(to_sft(made))
    part = Pictured(final, np.arange(8))
    (table,) = part.tables(0, 8)
    Path(next(iter(final.place.values()))).unlink()
    with pytest.raises(RunError, match=r"this picture of the final set is gone; remove the folder"):
        part.with_pictures(table)
    assert pa.types.is_list(table["images"].type)
