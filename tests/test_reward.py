"""The reward: the published one's defects, the strict format, lengths, what isn't scored, and the two trainers that call it."""

import concurrent.futures
import pickle
import subprocess
import sys
import threading

import pytest

from mmcurate.chat import Faults, OpenAIChat
from mmcurate.chat.server import ChatServer
from mmcurate.errors import ColumnError, SettingsError
from mmcurate.reward import Overlong, Reward
from mmcurate.reward.reward import MIN_POOLED
from mmcurate.verify import Policy

FIVE = ["red", "12 cm", "Increases", "Decreases", "None of these"]
WELL = "<think>So it is.</think><answer>{}</answer>"
OPEN = WELL.format("a person on a horse"), "a man riding a horse"
"""A response that no rule grades, and its gold."""


@pytest.mark.parametrize(
    ("answer", "gold", "options"),
    [
        ("Answer: C", "A", ()),
        ("Cannot be determined", "C", ()),
        ("Decreases", "D", ()),
        ("Decreases", "C", FIVE),
        ("Both A and C", "C", ()),
        ("A or B", "B", ()),
        ("CAT", "C", ()),
        ("EFGH", "E", ()),
        ("-123456789", "123456789", ()),
        ("1000000000", "100000000", ()),
        ("x^2+3x+10y", "x^2+3x+10", ()),
        ("not equilateral triangle", "equilateral triangle", ()),
        ("", "", ()),
        ("", "5", ()),
    ],
)
def test_defects_of_the_published_reward(answer, gold, options):
    reward = Reward()
    bare = reward.score(answer, gold, options=options)
    assert (bare.reward, bare.accuracy, bare.format) == (0.0, 0.0, 0.0)
    if answer:
        strict = reward.score(WELL.format(answer), gold, options=options)
        assert (strict.reward, strict.accuracy, strict.format) == (0.1, 0.0, 1.0)
    else:
        assert bare.grade.verdict == "no_answer"
        assert reward.score(WELL.format(answer), gold).reward == 0.0, "an empty answer is no answer and no format"


def test_right_answers():
    assert Reward().score(WELL.format("Decreases"), "D", options=FIVE).reward == 1.0
    assert Reward().score("The answer is \\boxed{B}.", "B").reward == 0.9
    assert Reward(format_weight=0.5).score("The answer is B.", "B").reward == 0.5
    assert Reward(format_weight=0.0).score("The answer is B.", "B").reward == 1.0
    units = Reward(policy=Policy(missing_units=False))
    assert [r.score(WELL.format("12"), "12 cm").accuracy for r in (Reward(), units)] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "strict"),
    [
        ("<think>a</think><answer>B</answer>", True),
        ("\n<think>\na\n\nb\n</think>\n\n<answer>\nB\n</answer>\n", True),
        ("<think>a</think><think>b</think><answer>B</answer>", False),
        ("<think>a</think><answer>A</answer><answer>B</answer>", False),
        ("<answer>B</answer><think>a</think>", False),
        ("Well. <think>a</think><answer>B</answer>", False),
        ("<think>a</think>So<answer>B</answer>", False),
        ("<think>a</think><answer>B</answer>.", False),
        ("<think> </think><answer>B</answer>", False),
        ("<think>a</think><answer>\n</answer>", False),
        ("<think>a<think>b</think></think><answer>B</answer>", False),
        ("<think>a<answer>B</answer></think><answer>B</answer>", False),
        ("<think>a</think><answer><answer>B</answer></answer>", False),
        ("<think>a</think><answer>B", False),
        ("<think>a<answer>B</answer>", False),
        ("<THINK>a</THINK><ANSWER>B</ANSWER>", False),
        ("B", False),
    ],
)
def test_strict_format(text, strict):
    made = Reward().score(text, "B")
    assert made.format == float(strict)
    assert made.reward == pytest.approx(0.9 * made.accuracy + 0.1 * strict)
    assert Reward(format_weight=1.0).score(text, "B").reward == float(strict)


@pytest.mark.parametrize(
    ("num_tokens", "term"),
    [
        (1, 0.0),
        (24_600, 0.0),  # 28,696 - 4,096: the buffer begins
        (24_601, -1 / 4096),
        (25_624, -0.25),
        (26_648, -0.5),
        (28_696, -1.0),
        (40_000, -1.0),
    ],
)
def test_overlong(num_tokens, term):
    assert Reward().score(WELL.format("B"), "B", num_tokens=num_tokens).reward == 1.0, "off unless asked for"
    made = Reward(overlong=Overlong()).score(WELL.format("B"), "B", num_tokens=num_tokens)
    assert (made.overlong, made.reward) == (term, 1.0 + term)
    assert Reward(overlong=Overlong(factor=0.5)).score("A", "B", num_tokens=num_tokens).reward == term / 2


def test_conciseness_compares_the_scored_responses_to_one_prompt():
    reward = Reward(conciseness=0.2)
    said = [WELL.format(a) for a in ("B", "B", "B", "A", "A")] + [OPEN[0], WELL.format("B"), WELL.format("B")]
    golds = ["B"] * 5 + [OPEN[1], "B", "B"]
    made = reward.scores(
        said, golds, num_tokens=[100, 200, 300, 150, 300, 9000, 50, 50], groups=["q"] * 6 + ["other"] * 2
    )
    # lambda = 0.5 - (length - 100) / 200; the wrong one of 150 tokens would get 0.25, and gets min(0, 0.25)
    assert [s.conciseness for s in made] == [0.5, 0.0, -0.5, 0.0, -0.5, 0.0, 0.0, 0.0]
    rewards = [1.1, 1.0, 0.9, 0.1, 0.0, None, 1.0, 1.0]
    assert [s.reward and round(s.reward, 9) for s in made] == rewards
    assert reward.score(said[0], "B", num_tokens=7).reward == 1.0, "alone there is nothing to compare with"


def test_lengths_must_be_known():
    for reward in (Reward(overlong=Overlong()), Reward(conciseness=0.1)):
        with pytest.raises(SettingsError, match="is on and counts tokens: give num_tokens"):
            reward.score("B", "B")


def test_what_no_rule_decides_is_not_scored():
    made = Reward().score(*OPEN)
    assert made.grade.verdict == "undecided"
    assert (made.reward, made.accuracy, made.format) == (None, None, 1.0)
    assert made.without_none == 0.1
    assert Reward().score(WELL.format("a cat"), None).reward is None, "nor what has no gold"


class Judge(ChatServer):
    """Says what it is told to say."""

    says = "1"

    def reply(self, messages, seed):
        return {"role": "assistant", "content": self.says}, "stop"


def test_a_judge_decides_the_rest_and_its_failure_is_never_a_verdict(tmp_path):
    completions, answer = [WELL.format("B"), OPEN[0], WELL.format("A")], ["B", OPEN[1], "B"]

    def rewards(number, **given):
        judge = OpenAIChat("judge", server.base_url, temperature=0.0, max_retries=0, store=tmp_path / str(number))
        with judge:
            return Reward(judge=judge)(completions=completions, answer=answer, **given)

    logged = {}
    with Judge(model="judge") as server:
        assert rewards(1) == [1.0, 1.0, 0.1]
        assert server.num_requests == 1, "only what no rule decides is asked"
        server.says = "0"
        assert rewards(2) == [1.0, 0.1, 0.1]
        server.says = "perhaps"
        assert rewards(3) == [1.0, None, 0.1]
        server.faults = Faults(failing=1.0)
        assert rewards(4, log_metric=logged.__setitem__) == [1.0, None, 0.1]
    assert (logged["verdict/error"], logged["not_scored"], logged["accuracy"]) == (1 / 3, 1 / 3, 0.5)
    assert rewards(5) == [1.0, None, 0.1], "the endpoint is gone"
    with pytest.raises(SettingsError, match="Reward: judge is str, which can't answer"):
        Reward(judge="judge")


COLUMNS = {
    "answer": ["B", "12 cm", "7", OPEN[1]],
    "options": [["red", "blue"], [], None, []],
    "question": ["Which?", "How long?", "What is 3 + 4?", None],
    "answer_type": ["choice", "number", "number", "text"],
    "prompt": [None] * 4,
}
SAID = [WELL.format("blue"), "The answer is 12 cm", WELL.format("8"), OPEN[0]]


def test_as_trl_calls_it():
    reward = Reward()
    assert (reward.__name__, Reward.__name__) == ("Reward", "Reward")
    metrics, extra = {}, {}
    logs = {"log_metric": metrics.__setitem__, "log_extra": extra.__setitem__, "trainer_state": object()}
    texts = [[{"role": "assistant", "content": said}] for said in SAID]
    parts = [[{"role": "assistant", "content": [{"type": "text", "text": said}]}] for said in SAID]
    for completions in (SAID, texts, parts):
        assert reward(completions=completions, prompts=["?"] * 4, **COLUMNS, **logs) == [1.0, 0.9, 0.1, None]
    parted = [[{"role": "assistant", "reasoning_content": "So it is.", "content": "<answer>blue</answer>"}]]
    assert reward(parted, answer=["B"], options=[["red", "blue"]]) == [1.0], "TRL parts the two for some templates"
    assert metrics == {
        "accuracy": 2 / 3,
        "format": 0.75,
        "not_scored": 0.25,
        "verdict/correct": 0.5,
        "verdict/incorrect": 0.25,
        "verdict/no_answer": 0.0,
        "verdict/undecided": 0.25,
        "verdict/error": 0.0,
    }
    assert extra["verdict"] == ["correct", "correct", "incorrect", "undecided"]
    assert extra["answer_read"] == ["blue", "12 cm", "8", "a person on a horse"]


def test_lengths_come_from_the_tokens():
    ids = [[5] * 9 + [2], [5] * 20, [5] * 18 + [2], [5] * 3 + [2]]
    made = Reward(overlong=Overlong(max_length=20, buffer=4))(SAID, completion_ids=ids, **COLUMNS)
    assert made == pytest.approx([1.0, 0.9 - 1.0, 0.1 - 0.75, None])
    made = Reward(conciseness=1.0)(SAID, completion_ids=ids, id=["a", "a", "b", "b"], **COLUMNS)
    assert made == pytest.approx([1.0 + 0.5, 0.9 - 0.5, 0.1, None])


def test_a_response_that_was_cut_off_has_no_answer():
    """Where TRL's tokens end with no end-of-sequence token; a whole `<answer>` still is one."""
    said = ["First the answer is 7", "The answer is 7", WELL.format("7"), "<think>a</think><answer>7"]
    ids = [[5, 5, 5], [5, 5, 2], [5, 5, 5], [5, 5, 5]]
    given = {"completion_ids": ids, "answer": ["7"] * 4}
    logged = {}
    made = Reward(eos_token_ids=(2, 0))(said, **given, log_metric=logged.__setitem__)
    assert made == [0.0, 0.9, 1.0, 0.0]
    assert (logged["verdict/no_answer"], logged["not_scored"]) == (0.5, 0.0), "wrong, and not left out"
    assert Reward()(said, **given)[0] == 0.9, "which tokens end a response wasn't said"


def test_columns_that_are_missing():
    with pytest.raises(ColumnError) as error:
        Reward()(SAID, prompts=SAID, solution=["B"] * 4, id=["q"] * 4, trainer_state=None)
    assert str(error.value) == (
        "Reward needs the column 'answer', and the data set has: solution, id; rename yours to 'answer'"
    )
    with pytest.raises(ColumnError, match="needs the column 'id', and the data set has: solution, answer"):
        Reward(conciseness=0.1)(SAID, completion_ids=[[1]] * 4, solution=SAID, answer=SAID)
    with pytest.raises(SettingsError, match="2 responses, and 1 of the other arguments"):
        Reward().scores(["a", "b"], ["a"])


@pytest.mark.parametrize("wrong", [{"format_weight": 1.1}, {"conciseness": -1.0}, {"overlong": 4096}, {"weight": 0.1}])
def test_wrong_settings(wrong):
    with pytest.raises(SettingsError, match=f"Reward: .*{next(iter(wrong))}"):
        Reward(**wrong)
    with pytest.raises(SettingsError, match="buffer = 4,096 must be at most max_length = 1,024"):
        Overlong(max_length=1024)


def numbers(count):
    """Responses of which every third is right, every third wrong, and every third undecided; and their rewards."""
    said = [
        (WELL.format(i), str(i)) if i % 3 == 0 else (WELL.format(i), "x") if i % 3 == 1 else OPEN for i in range(count)
    ]
    return *map(list, zip(*said)), [(1.0, 0.1, None)[i % 3] for i in range(count)]


def test_many_are_graded_by_workers_that_stay():
    reward, (said, answer, wanted) = Reward(workers=1), numbers(2 * MIN_POOLED)

    def workers():
        return [t for t in threading.enumerate() if t.name.startswith("mmcurate-worker")]

    before = workers()
    assert reward(said[:12], answer=answer[:12]) == wanted[:12]
    assert workers() == before, "a few are graded without"
    assert reward(said, answer=answer) == wanted
    started = workers()
    assert reward(said, answer=answer) == wanted
    assert workers() == started != []


def test_in_threads_and_other_processes():
    """Where the published reward has math-verify raise, and swallows it."""
    reward = Reward()
    said, answer, wanted = ([WELL.format("$\\gcd(4, 6)$"), *SAID[:1]], ["2", "A"], [1.0, 0.1])
    assert reward.score(said[0], answer[0]).grade.method == "math-verify"
    options = [[], ["red", "blue"]]
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        made = threads.map(lambda _: reward(said, answer=answer, options=options), range(3))
        assert list(made) == [wanted] * 3
    code = "import pickle, sys; r, said, answer = pickle.load(sys.stdin.buffer); print(r(said, answer=answer))"
    given = pickle.dumps((Reward(judge=OpenAIChat("judge", "http://127.0.0.1:9/v1")), said[:1], answer[:1]))
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], input=given, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[1.0]"


def test_fingerprint():
    made = [Reward(), Reward(format_weight=0.2), Reward(policy=Policy(rounding=4)), Reward(overlong=Overlong())]
    assert len({r.fingerprint() for r in made}) == 4
    assert Reward(workers=9).fingerprint() == Reward().fingerprint()
