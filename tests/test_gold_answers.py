"""Options split from a question's text, kinds of answers, and golds as published data sets wrap them."""

import pytest

from mmcurate.answers import answer_type, boxes_in, split_options
from mmcurate.prompts import clean_question
from mmcurate.sources.golds import Gold, clean_gold, gold_of, is_multipart, settled, unboxed

SPLIT = {
    "Find angle A. Choices: A. 30 B. 40": ("Find angle A.", ["30", "40"]),
    "As shown, find x. A. 2 B. 3": ("As shown, find x.", ["2", "3"]),
    "Find BC.\nChoices: (A) 3 (B) 4": ("Find BC.", ["3", "4"]),
    "Which layer is X?\nA. crust\nB. core": ("Which layer is X?", ["crust", "core"]),
    "Q? A、1 B、2 C、3": ("Q?", ["1", "2", "3"]),
    "Q?\nA．1\nB．2": ("Q?", ["1", "2"]),
    "Q?\n（A）1（B）2": ("Q?\n（A）1（B）2", []),
    "Q?\n（A）1\n（B）2": ("Q?", ["1", "2"]),
    "Q\n- A: one\n- B: two": ("Q", ["one", "two"]),
    "Q?\nOptions:\nA. x\nB. y": ("Q?", ["x", "y"]),
    "Q?\nAnswer choices: (A) x (B) y": ("Q?", ["x", "y"]),
    "Q?\nA.30° B.40°\nC.50° D.60°": ("Q?", ["30°", "40°", "50°", "60°"]),
    "Q?\n(A) 3;\n(B) 4;\n(C) 5": ("Q?", ["3", "4", "5"]),
    "Q?\nA. 1.2.\nB.2.3.": ("Q?", ["1.2.", "2.3."]),
    "Q___ (A) $1$ (B) $2$ (C) $3$": ("Q___", ["$1$", "$2$", "$3$"]),
    "Q?\n**A.** x\n**B.** y": ("Q?", ["x", "y"]),
    "Which one?\nA. 1\nB. 2\nC. A and B\nD. none": ("Which one?", ["1", "2", "A and B", "none"]),
    "Is it true?\nA) Yes\nB) No": ("Is it true?", ["Yes", "No"]),
    "Who? (A) A. Smith (B) B. Jones": ("Who?", ["A. Smith", "B. Jones"]),
    "Given points A. B. and C, which?\nA. AB\nB. BC": ("Given points A. B. and C, which?", ["AB", "BC"]),
    "Which one?\na. crust\nb. core\nc. mantle": ("Which one?", ["crust", "core", "mantle"]),
    "The layer is\nOptions:\n(a) crust\n(b) core": ("The layer is", ["crust", "core"]),
    "Which are questions?\nA. Who?\nB. Why?": ("Which are questions?", ["Who?", "Why?"]),
}
WHOLE = [
    "Who is A. Smith? B. Jones knows.",
    "With A. Smith and B. Jones, how many are there?",
    "Draw point A. Find B.",
    "Given A. Find B. Then?",
    "In figures (A) the square and (B) the circle, what is x?",
    "Q? (a) 3 (b) 4",
    "Use the figure.\n(a) Find x.\n(b) Find y.",
    "What follows?\na. How long is it?\nb. How wide is it?",
    "A. x\nB. y",
    "Q?\nA. x",
    "Q?\nA. x\nC. y",
    "Q?\nB. x\nC. y",
    "Q?\nA. x\nB. y\nGive your reasons.",
    "Q?\nA.\nB.\nC.",
    "Which? A. <image> B. <image>",
    "The ratio A: B: C is 1: 2: 3. What is A?",
    "Look at this. A. The tree is tall. B. Is it green?",
    "Angle ABC is 30 degrees. Find BC.",
    "",
]


@pytest.mark.parametrize("text", SPLIT)
def test_options_are_split(text):
    assert split_options(text) == SPLIT[text]


@pytest.mark.parametrize("text", WHOLE)
def test_options_are_left_where_it_is_not_sure(text):
    assert split_options(text) == (text, [])


def test_twenty_six_options_and_long_texts_take_no_time():
    text = "Which?\n" + "\n".join(f"{letter}. number {letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert len(split_options(text)[1]) == 26
    assert split_options("A. B. " * 20_000)[1] == []
    assert split_options("A. x B. y " * 20_000)[1] == []


TYPES = {
    "choice": ["A", "(C)", "$A$", "B."],
    "number": [
        "12",
        "-17",
        "$12",
        "12 meters.",
        "4 cm²",
        "50%",
        "17^\\circ",
        "$$30^\\circ$$",
        "360 sets",
        "1,234.5",
        "1/2",
        "3/4 cm",
        "12 \\text{ cm}",
        "30${}^\\circ $",
        "$5 \\mathrm{~cm}$",
        "12 km/h",
        "3.5e-3",
        "approximately 5",
    ],
    "math": [
        "\\frac{1}{2}",
        "2π",
        "(1, 2)",
        "x>2",
        ">-2",
        "EB=BD",
        "[2014, 2016]",
        "2\\sqrt{2}",
        "$ < $",
        "x + 1",
        "Na^+",
    ],
    "text": ["red", "increasing", "Yes", "CAT", "the year 2014", "A man is riding a horse on the beach", "well-known"],
    "description": ["word " * 30],
}


@pytest.mark.parametrize(("kind", "answer"), [(kind, answer) for kind, answers in TYPES.items() for answer in answers])
def test_answer_types(kind, answer):
    assert answer_type(answer) == kind


def test_answer_types_with_options():
    assert answer_type("12", ["10", "12"]) == "choice"
    assert answer_type("B", ["10", "12"]) == "choice"
    assert answer_type("A, B", ["10", "12"]) == "choice"
    assert answer_type("13", ["10", "12"]) == "number"
    assert answer_type("E", ["10", "12"]) == "text"


def test_boxes():
    assert [text for _, _, text in boxes_in("\\boxed{\\frac{1}{2}} and \\fbox{3} and \\boxed{ } and \\boxed{4")] == [
        "\\frac{1}{2}",
        "3",
    ]


GOLDS = {
    "<think>\\boxed{9}</think><answer>3</answer>": ("3", "<answer>"),
    "<think>a</think><answer>\\boxed{3}</answer>": ("3", "<answer>"),
    "<think>a</think><answer>1</answer> no <answer>2</answer>": ("2", "<answer>"),
    "<answer>The answer is 3 cm.</answer>": ("3 cm", "<answer>"),
    "<CONCLUSION> B </CONCLUSION>": ("B", "<conclusion>"),
    "<CONCLUSION> The cat is on the mat. </CONCLUSION>": ("The cat is on the mat.", "<conclusion>"),
    "a </think> so \\boxed{\\frac{1}{2}}.": ("\\frac{1}{2}", "\\boxed"),
    "x = $\\boxed{1}$ and y = $\\boxed{2}$": ("1, 2", "\\boxed"),
    "\\boxed{1} or \\boxed{2}": ("1, 2", "\\boxed"),
    "\\boxed{1}. Wait, that is wrong. \\boxed{2}": ("2", "\\boxed"),
    "So the answer is 12.5 m.": ("12.5 m", "the answer is"),
    "**Final answer:** B. 40": ("B", "the answer is"),
    "The answer is 3. No, the answer is 4.": ("4", "the answer is"),
}
NONE = [
    "",
    "I think it is 3.",
    "<answer>None</answer>",
    "<answer> </answer>",
    "<answer>3",
    "<CONCLUSION> 3",
    "<think>so \\boxed{3}",
    "\\boxed{3",
    "The answer is not known.",
    "The answer is " + "a long story " * 10,
]


@pytest.mark.parametrize("response", GOLDS)
def test_golds_are_found(response):
    assert gold_of(response) == Gold(*GOLDS[response])


@pytest.mark.parametrize("response", NONE)
def test_golds_are_never_guessed(response):
    assert gold_of(response) is None


def test_golds_are_cleaned():
    for answer, want in {
        "$$6$$": "6",
        " $ 6 $ ": "6",
        "\\(6\\)": "6",
        "\\[6\\]": "6",
        "\\text{red}": "red",
        "$\\boxed{\\text{red}}$.": "red",
        "**B**": "B",
        "U.S.A.": "U.S.A.",
        "and so on...": "and so on...",
        "$5 to $6": "$5 to $6",
        "$12": "$12",
        "$x$ and $y$": "$x$ and $y$",
        "\\frac{1}{2}": "\\frac{1}{2}",
        "\\text{a}+\\text{b}": "\\text{a}+\\text{b}",
        "$$": "$$",
        ".": ".",
    }.items():
        assert clean_gold(answer) == want, answer
    assert unboxed("\\boxed{a} and \\boxed{b}") == "\\boxed{a} and \\boxed{b}"
    assert unboxed("\\boxed{\\left\\{x\\right.}") == "\\left\\{x\\right."


def test_golds_settle_on_an_option():
    options = ["30", "40 cm", "the left one"]
    for answer, want in {
        "B": "B",
        "(B)": "B",
        "B.": "B",
        "B. 40 cm": "B",
        "B: 40cm": "B",
        "b": "B",
        "(c)": "C",
        "40 cm": "40 cm",
        "The left one.": "the left one",
        "$30$": "30",
        "The correct answer is B.": "B",
        "A, C": "A, C",
        "E": "E",
        "50": "50",
    }.items():
        assert settled(answer, options) == want, answer


def test_parts():
    for parts in (
        "(1) 3; (2) 5",
        "①increasing②decreasing",
        "1. up 2. down",
        "3\n5",
        "$$1$$ $$2$$",
        "x > 2 (or x >= 2)",
    ):
        assert is_multipart(parts), parts
    for one in ("(1)(3)", "①③", "(1) and (3)", "①, ③", "(1, 2)", "1.2", "12", "x > 2 or x < 1", "3, 5"):
        assert not is_multipart(one), one


def test_instructions_around_a_question_go():
    for text in (
        "What is it? Answer the question using a single word or phrase.",
        "What is it? Answer with the option's letter from the given choices directly.",
        "Context: N/A\nWhat is it?",
        "What is it?\nContext: N/A\n",
        "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.\nQuestion: What is it?",
        "Please directly answer the question and provide the correct option letter, e.g., A, B, C, D.\nQuestion: What is it?",
        "Please directly answer the question and provide the final value, e.g., 1, 2.5, 300.\nQuestion: What is it?",
        'Please solve the problem step by step and put your answer in one "\\boxed{}". What is it?',
    ):
        assert clean_question(text) == "What is it?", text
    for text in (
        "Please answer the question and provide the final value",
        "Hint: it is red. What is it?",
    ):
        assert clean_question(text) == text
