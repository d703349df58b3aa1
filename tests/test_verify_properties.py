"""What holds for every answer: it matches itself, wrapping changes nothing, a changed digit or sign never passes."""

import os
import random
import string
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmcurate.schema import Verdict
from mmcurate.verify import grade
from mmcurate.verify.grade import decide
from tests.conftest import read_jsonl

settings.register_profile("ci", max_examples=150, deadline=None, derandomize=True)
settings.load_profile("ci")

integers = st.integers(-(10**18), 10**18).map(str)
decimals = st.decimals(-(10**6), 10**6, allow_nan=False, allow_infinity=False, places=3).map(str)
fractions = st.builds(lambda a, b: f"\\frac{{{a}}}{{{b}}}", st.integers(-999, 999), st.integers(2, 999))
roots = st.builds(lambda a, b: f"{a}\\sqrt{{{b}}}", st.integers(2, 99), st.sampled_from([2, 3, 5, 6, 7, 10, 11, 13]))
units = st.builds(
    lambda n, u: f"{n} {u}",
    st.integers(1, 9999),
    st.sampled_from(["cm", "m^2", "kg", "m/s", "hours", "apples", "°C", "%"]),
)
names = st.sampled_from("xyzabn")


@st.composite
def polynomials(draw):
    """ "3x^2 - 5x + 7" """
    name, terms = draw(names), []
    for power in range(draw(st.integers(1, 3)), -1, -1):
        factor = draw(st.integers(-20, 20).filter(bool))
        body = "" if power == 0 else name if power == 1 else f"{name}^{power}"
        number = str(abs(factor)) if abs(factor) > 1 or not body else ""
        terms.append(("-" if factor < 0 else "+") + number + body)
    return "".join(terms).removeprefix("+")


numbers = st.one_of(integers, decimals, fractions)
expressions = st.one_of(roots, polynomials(), fractions)
tuples = st.builds(
    lambda parts: "(" + ", ".join(parts) + ")", st.lists(st.one_of(integers, fractions), min_size=2, max_size=4)
)
intervals = st.builds(
    lambda a, b, left, right: f"{left}{a},{a + b}{right}",
    st.integers(-99, 99), st.integers(1, 99), st.sampled_from("(["), st.sampled_from(")]"),
)  # fmt: skip
lists = st.lists(st.integers(-999, 999), min_size=2, max_size=4, unique=True).map(lambda ns: ", ".join(map(str, ns)))
matrices = st.builds(
    lambda a, b, c, d: f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{pmatrix}}", *[st.integers(-99, 99)] * 4
)
answers = st.one_of(numbers, expressions, units, tuples, intervals, lists, matrices, st.sampled_from("ABCDE"))
WRAPPINGS = [
    "{}", "${}$", "\\({}\\)", "  {}\n", "**{}**", "\\boxed{{{}}}", "$$\n{}\n$$", "<answer>{}</answer>", "<think>so</think>\n<answer> {} </answer>",
    "So.\n\nThe answer is ${}$.", "Step 1. We have 3.\n\n\\[ \\boxed{{{}}} \\]\n\nI hope this helps!", "**Final Answer:** ${}$",
]  # fmt: skip


@given(answers)
def test_an_answer_matches_itself_however_it_is_wrapped(answer):
    for wrapping in WRAPPINGS:
        response = wrapping.format(answer)
        made = grade(response, answer)
        assert made.verdict == "correct", (response, made)


@given(answers, answers)
def test_symmetry(one, two):
    there, back = grade(one, two).verdict, grade(two, one).verdict
    if " " not in one + two and "." not in one + two:  # a missing unit and a rounded number are forgiven one way only
        assert (there == "correct") == (back == "correct"), (one, two)


@given(answers, answers)
def test_wrapping_never_changes_a_verdict(answer, gold):
    want = grade(f"<answer>{answer}</answer>", gold).verdict
    for wrapping in WRAPPINGS[-4:]:
        assert grade(wrapping.format(answer), gold).verdict == want, (answer, gold, wrapping)


@given(st.one_of(integers, fractions, roots, polynomials(), tuples, intervals, lists, matrices), st.data())
def test_a_changed_digit_never_passes(answer, data):
    at = data.draw(st.sampled_from([i for i, c in enumerate(answer) if c.isdigit()]))
    changed = answer[:at] + str((int(answer[at]) + data.draw(st.integers(1, 9))) % 10) + answer[at + 1 :]
    if _value(answer) is not None and _value(changed) == _value(answer):
        return  # \frac{0}{5} and \frac{0}{6}
    for response in (changed, f"<answer>{changed}</answer>"):
        made = grade(response, answer)
        assert made.verdict == "incorrect" or _same_set(changed, answer), (changed, answer, made)


@given(st.one_of(integers, fractions, roots, units))
def test_a_changed_sign_never_passes(answer):
    if _value(answer) == 0:
        return
    turned = answer[1:] if answer.startswith("-") else f"-{answer}"
    assert grade(turned, answer).verdict == "incorrect", (turned, answer)
    assert grade(answer, turned).verdict == "incorrect", (answer, turned)


def _value(text):
    """The exact value of an integer or a \\frac, or None."""
    if text.lstrip("-").isdigit():
        return Fraction(int(text))
    if text.startswith("\\frac"):
        top, bottom = text[6:-1].split("}{")
        return Fraction(int(top), int(bottom)) if int(bottom) else None
    return None


def _same_set(one, two):
    """Whether two lists of integers are the same set."""
    try:
        return {int(p) for p in one.split(",")} == {int(p) for p in two.split(",")}
    except ValueError:
        parts = [[_value(p.strip()) for p in t.strip("()").split(",")] for t in (one, two)]
        return None not in parts[0] and parts[0] == parts[1]


@given(st.text(max_size=200), st.text(max_size=60))
@example("\\boxed{", "}")
@example("\ud800", "\udfff")
def test_any_text_gets_a_verdict(response, gold):
    made = decide(response, gold, [], None, lambda a, b: None)
    assert made.verdict in set(Verdict)
    if gold.strip() and made.extracted and made.extracted == gold.strip():
        assert made.verdict != "incorrect"


TOKENS = [
    "\\frac", "{", "}", "\\sqrt", "^", "_", "(", ")", "[", "]", "\\boxed{", "<answer>", "</answer>", "<think>", "</think>", "$", "|", "\\\\",
    "\\begin{pmatrix}", "&", "\\end{pmatrix}", "\\{", "\\text{", "!", "%", "°", "\\pm", "=", "<", "\\le", ",", ";", ":", "/", "*", "-", "\x00",
    "\ud800", "９", "一", "\\sum_{i=1}^{", "\\infty", "10^{10^{10}}", "\\binom{5}{2}", "\\log_", "A", "(B)", " or ", " not ", "1e999", "\u202e", "\n",
    "\\overline{", "\\cup", "\\in", "π", "½", "²", "**", "####", "答案", *string.digits,
]  # fmt: skip


def mutated(text, rng):
    parts = list(text)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(parts) + 1) if rng.random() < 0.5 else max(0, len(parts) - rng.randrange(60))
        kind = rng.random()
        if kind < 0.5:
            parts[at:at] = [rng.choice(TOKENS)]
        elif kind < 0.75:
            del parts[at : at + rng.randint(1, 8)]
        else:
            parts[at:at] = parts[at : at + rng.randint(1, 30)]
    return "".join(parts)


def fuzzed(data, num, seed):
    """Grades mutated real responses against mutated golds; math-verify left out, since any of them may be its last."""
    rng = random.Random(seed)
    rows = {r["id"]: r for r in read_jsonl(data / "mm" / "mathvision" / "data.jsonl")}
    pairs = [
        (r["response"], r["gold"], r.get("options") or [], r.get("question"))
        for r in read_jsonl(data / "verifier" / "dev.jsonl")
    ]
    pairs += [(r["response"], r["gold"], [], None) for r in read_jsonl(data / "verifier" / "unit_pairs_dev.jsonl")] * 3
    for r in read_jsonl(data / "mm" / "mathvision" / "responses.jsonl"):
        row = rows[r["id"]]
        pairs.append((r["response"], row["answer"], row["options"], row["question"]))
    for _ in range(num):
        response, gold, options, question = rng.choice(pairs)
        if rng.random() < 0.3:
            gold = mutated(gold, rng)
        made = decide(mutated(response, rng), gold, options, question, lambda a, b: None)
        assert made.verdict in set(Verdict)


def test_mutated_responses(data):
    fuzzed(data, 3000, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_100_000_mutated_responses(data):
    fuzzed(data, 100_000, seed=int(os.environ.get("MMCURATE_TEST_SEED", "7")))
