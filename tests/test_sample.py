"""Strata, difficulty and lengths: exact columns, and what a run keeps by them."""

import json
import random
from collections import Counter

import datasets
import numpy as np
import pyarrow as pa
import pytest

import mmcurate as mm
from mmcurate.canonical import as_table, canonical
from mmcurate.errors import ColumnError, SettingsError
from mmcurate.sample import Difficulty, Length, Stratified, wilson_interval
from mmcurate.sources import Files
from mmcurate.step import fingerprint
from mmcurate.verify import Verify
from tests.conftest import picture, read_jsonl, write_jsonl

QUESTIONS = [
    {"id": f"{source}{i}", "question": f"What is {i}?", "source": source, "subject": "odd" if i % 2 else "even"}
    for source, number in (("a", 9), ("b", 4), ("c", 1))
    for i in range(number)
]


def stratified(rows, **settings):
    step = Stratified(**settings)
    table = as_table([canonical(r, i, {})[0] for i, r in enumerate(rows)])
    table = step.signatures()(table).append_column("id", table["id"])
    return dict(zip(table["id"].to_pylist(), step(table).to_pylist(), strict=True))


def test_every_first_n_is_balanced():
    made = stratified(QUESTIONS)
    order = sorted(made, key=lambda i: made[i]["stratified_rank"])
    assert sorted(m["stratified_rank"] for m in made.values()) == list(range(14))
    sizes = {"a": 9, "b": 4, "c": 1}
    for n in range(15):
        counts = Counter(i[0] for i in order[:n])
        going_on = [counts[s] for s in sizes if counts[s] < sizes[s]]
        assert max(counts.values(), default=0) <= min(going_on, default=9) + 1


def test_exact_ranks():
    made = stratified(QUESTIONS, seed=3)
    ranks = {i: m["stratified_rank"] for i, m in made.items()}
    assert [ranks[f"a{i}"] for i in range(9)] == [10, 3, 13, 1, 11, 9, 5, 7, 12]
    assert [ranks[f"b{i}"] for i in range(4)] == [6, 4, 2, 8]
    assert ranks["c0"] == 0


def test_ranks_are_of_ids_and_seed():
    shuffled = random.Random(0).sample(QUESTIONS, len(QUESTIONS))
    assert stratified(shuffled) == stratified(QUESTIONS)
    assert stratified(QUESTIONS, seed=1) != stratified(QUESTIONS)
    ranks, fewer = (stratified(rows) for rows in (QUESTIONS, QUESTIONS[1:]))
    of_a = sorted((i for i in fewer if i[0] == "a"), key=lambda i: fewer[i]["stratified_rank"])
    assert of_a == sorted(of_a, key=lambda i: ranks[i]["stratified_rank"]), (
        "a row less leaves the others in their order"
    )


def test_strata_by_several_and_by_metadata():
    rows = [
        *QUESTIONS[:2],
        {"id": "x", "question": "q", "source": ""},
        {"id": "y", "question": "q", "source": "a", "meta": {"k": 3}},
    ]
    by = lambda *names: [m["stratum"] for m in stratified(rows, by=names).values()]  # noqa: E731
    assert by("source", "metadata.subject") == ["a / even", "a / odd", "unknown / unknown", "a / unknown"]
    assert by("metadata.meta.k") == ["unknown", "unknown", "unknown", "3"]
    assert Stratified(by=("metadata.subject", "source", "metadata.meta.k")).signatures().requires == (
        "metadata",
        "source",
    )
    with pytest.raises(SettingsError, match="at least one column"):
        Stratified(by=())


def test_stratified_run(tmp_path):
    source = Files(write_jsonl(tmp_path / "q.jsonl", QUESTIONS))
    pipeline = mm.Pipeline(source, Stratified(by=["source"]), mm.AtMost(6, order="stratified_rank"))
    run = pipeline.run(tmp_path / "run")
    counts = Counter(run.dataset()["source"])
    assert (counts["c"], counts["a"] + counts["b"], abs(counts["a"] - counts["b"])) == (1, 5, 1)
    before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*.arrow")}
    pipeline.run(run.path)
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*.arrow")} == before
    with pytest.raises(ColumnError, match="no column 'difficulty'"):
        mm.Pipeline(source, Stratified(by=("difficulty",))).run(tmp_path / "other")


def test_stratified_apply():
    data = datasets.Dataset.from_list(QUESTIONS)
    got = mm.apply(Stratified(), data)
    assert dict(zip(got["id"], got["stratified_rank"], strict=True)) == {
        i: m["stratified_rank"] for i, m in stratified(QUESTIONS).items()
    }
    assert mm.apply(Stratified(by=("metadata.subject",)), data)["stratum"][:3] == ["even", "odd", "even"]
    assert mm.apply(Stratified(), data.select([0]))["stratified_rank"][:] == [0]
    assert stratified([]) == {}


def test_wilson_interval():
    """Against numbers in print, and against the equation whose roots the interval's ends are."""
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3
    rates, counts = np.array([81 / 263, 15 / 148, 0, 1 / 29]), np.array([263, 148, 20, 29])
    low, high = wilson_interval(rates, counts, 0.95)
    np.testing.assert_allclose(low.round(4), [0.2553, 0.0624, 0, 0.0061])
    np.testing.assert_allclose(high.round(4), [0.3662, 0.1605, 0.1611, 0.1718])
    rates, counts = np.meshgrid(np.linspace(0, 1, 9), [1, 2, 8, 64])
    for confidence, z in ((0.95, 1.959963984540054), (0.5, 0.6744897501960817)):
        for ends in wilson_interval(rates.ravel(), counts.ravel(), confidence):
            off = (rates.ravel() - ends) ** 2 - z**2 * ends * (1 - ends) / counts.ravel()
            np.testing.assert_allclose(off, 0, atol=1e-12)


def test_wilson_against_scipy():
    stats = pytest.importorskip("scipy.stats", reason="scipy isn't installed")
    for k, n, confidence in ((0, 3, 0.9), (3, 3, 0.9), (5, 8, 0.95), (1, 1000, 0.99)):
        expected = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
        low, high = wilson_interval(np.array([k / n]), np.array([n]), confidence)
        np.testing.assert_allclose([low[0], high[0]], [expected.low, expected.high], atol=1e-12)


def difficulty(rates, counts, **settings):
    table = pa.table({"pass_rate": pa.array(rates, pa.float64()), "num_scored": pa.array(counts, pa.int32())})
    made = Difficulty(**settings)(table)
    assert made.schema == Difficulty.provides
    return made.to_pydict()


def test_difficulty():
    made = difficulty([1, 0.875, 0.75, 0.5, 0.25, 0.125, 0, None, None], [8, 8, 8, 8, 8, 8, 8, 0, None])
    assert made["difficulty"] == ["always", "easy", "easy", "medium", "hard", "hard", "never", None, None]
    assert (made["pass_rate_low"][6], made["pass_rate_high"][0]) == (0, 1)
    assert (round(made["pass_rate_low"][3], 4), round(made["pass_rate_high"][3], 4)) == (0.2152, 0.7848)
    assert made["pass_rate_low"][7:] == made["pass_rate_high"][7:] == [None, None]
    assert difficulty([0.5, 0.6], [8, 8], easy=0.6, hard=0.5)["difficulty"] == ["hard", "easy"]
    assert difficulty([], [])["difficulty"] == []
    with pytest.raises(SettingsError, match=r"hard = 0.8 must be less than easy = 0.75"):
        Difficulty(hard=0.8)


def test_difficulty_run(tmp_path):
    right, wrong = "<answer>4</answer>", "<answer>5</answer>"
    answers = {
        "always": [right] * 4,
        "easy": [right] * 3 + [wrong],
        "medium": [right, wrong],
        "never": [wrong],
        "none": [],
    }
    rows = [{"id": name, "question": "2 + 2?", "answer": "4", "responses": said} for name, said in answers.items()]
    run = mm.Pipeline(
        Files(write_jsonl(tmp_path / "q.jsonl", rows)), Verify(workers=1), Difficulty(), Stratified(by=("difficulty",)),
        mm.Filter("difficulty in ('easy', 'medium', 'hard')"),
    ).run(tmp_path / "run")  # fmt: skip
    assert run.dataset()["id"][:] == ["easy", "medium"]
    assert run.dataset(after="difficulty")["difficulty"][:] == ["always", "easy", "medium", "never", None]
    assert run.dataset(after="stratified")["stratum"][-1] == "unknown"
    rated = mm.apply(Difficulty(), datasets.Dataset.from_list([{"question": "q", "pass_rate": 0.5, "num_scored": 2}]))
    assert rated["difficulty"][:] == ["medium"]
    with pytest.raises(ColumnError, match="needs the column 'pass_rate'"):
        mm.apply(Difficulty(), datasets.Dataset.from_list([{"question": "q"}]))


@pytest.fixture
def tokenizer(tmp_path):
    """A tokenizer of single characters that adds a token at the start, as real ones do."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    made = Tokenizer(models.WordLevel({"[UNK]": 0, "[BOS]": 1}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    made.post_processor = processors.TemplateProcessing(single="[BOS] $A", special_tokens=[("[BOS]", 1)])
    made.enable_truncation(5)
    made.enable_padding(length=9)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_length_of_responses(tokenizer):
    step = Length(str(tokenizer))
    data = datasets.Dataset.from_list(
        [{"question": "q", "responses": ["four", "", "1234567890"]}, {"question": "r", "responses": None}]
    )
    assert mm.apply(step, data)["length"][:] == [[4, 0, 10], []]
    thoughts = [[{"text": "ab", "reasoning": "cdefg"}, {"text": None, "reasoning": None}]]
    table = pa.table({"responses": pa.array(thoughts, as_table([]).schema.field("responses").type)})
    assert step(table)["length"].to_pylist() == [[7, 0]]
    assert step(table.slice(0, 0)).schema == Length.provides


def test_length_of_questions(tokenizer):
    step = Length(str(tokenizer), of="question")
    data = datasets.Dataset.from_list([{"question": "Two?", "options": ["2", "3"], "images": [picture()]}])
    assert mm.apply(step, data)["length"][:] == [len("<image>") + len("Two?") + len("A. 2") + len("B. 3") + 3]
    assert step.requires == ("question", "options", "images")


def test_length_run(tmp_path, tokenizer):
    rows = [
        {"question": "q", "responses": ["four", "seventeen"]},
        {"question": "a longer question", "responses": ["a"]},
    ]
    run = mm.Pipeline(
        Files(write_jsonl(tmp_path / "q.jsonl", rows)),
        Length(str(tokenizer)),
        mm.Filter("length <= 8", of="responses"),
        Length(str(tokenizer), of="question", name="asked"),
        mm.Filter("asked.length < 8"),
    ).run(tmp_path / "run")
    assert [[r["text"] for r in rs] for rs in run.dataset()["responses"]] == [["four"]]


def test_a_tokenizer_counts_by_its_content(tmp_path, tokenizer):
    before = fingerprint(Length(str(tokenizer)))
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    assert fingerprint(Length(str(moved))) == before
    changed = json.loads(tokenizer.read_text())
    changed["truncation"] = None
    tokenizer.write_text(json.dumps(changed))
    assert fingerprint(Length(str(tokenizer))) != before
    assert fingerprint(Length("Qwen/Qwen3-8B")) == fingerprint(Length("Qwen/Qwen3-8B")) != before


def test_wrong_tokenizers(tmp_path):
    for name in ("nowhere.json", "./nowhere", str(tmp_path)):
        with pytest.raises(SettingsError, match=r"there is no tokenizer.json"):
            Length(name)
    with pytest.raises(SettingsError, match="'nobody/nothing' can't be loaded"):
        Length("nobody/nothing").check()


def test_real_responses(data):
    """The bundled tokenizer of StaticText, as a real one."""
    from mmcurate.embed.text import _TOKENIZER, _static_file

    texts = [r["response"] for r in read_jsonl(data / "mm" / "mathvision" / "responses.jsonl")[:200]]
    got = mm.apply(
        Length(str(_static_file(_TOKENIZER))), datasets.Dataset.from_list([{"question": "q", "responses": texts}])
    )
    lengths = np.array(got["length"][0])
    assert 1.5 < sum(map(len, texts)) / lengths.sum() < 4.5, "characters a token"
