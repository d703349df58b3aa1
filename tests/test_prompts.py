"""One prompt: suffixes cleaned, pictures in their places, options listed once."""

import pytest

from mmcurate.prompts import clean_question, completion, is_strict, user_text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("What is it? Answer the question using a single word or phrase.", "What is it?"),
        ("What is it?\nAnswer the question using a single word or phrase.", "What is it?"),
        ("Which? Answer with the option's letter from the given choices directly.", "Which?"),
        ("Context: N/A\nWhich one?", "Which one?"),
        ("Which?\nPlease answer directly with a letter.", "Which?"),
        ("Explain how to answer the question using a single word or phrase in a title", None),
        ("Is the answer B?", None),
        ("Answer the question using a single word or phrase.", None),
    ],
)
def test_suffixes(raw, clean):
    assert clean_question(raw) == (clean or raw)


def test_pictures_without_tags_come_first():
    assert user_text("What?", [], 2) == ("<image><image>\nWhat?", [0, 1])


def test_tags_keep_their_places():
    assert user_text("If <image> then <image>?", [], 2) == ("If <image> then <image>?", [0, 1])


def test_numbered_tags_say_which_picture():
    text, order = user_text("Is <image2> like <image1>? Look at <image2>.", [], 2)
    assert (text, order) == ("Is <image> like <image>? Look at image 2.", [1, 0])


def test_numbers_that_are_parts_of_one_picture():
    assert user_text("<image1> shows <image3>", [], 1) == ("<image> shows image 3", [0])


def test_more_tags_than_pictures():
    with pytest.raises(ValueError, match="2 <image> tags, but 1 picture"):
        user_text("<image> and <image>", [], 1)
    with pytest.raises(ValueError, match="1 <image> tag, but 0"):
        user_text("<image1>?", [], 0)


def test_options_are_listed_once():
    assert user_text("Which?", ["1 cm", "2 cm"], 0)[0] == "Which?\nA. 1 cm\nB. 2 cm"
    assert user_text("Which?\nA. 1 cm\nB. 2 cm", ["1 cm", "2 cm"], 0)[0] == "Which?\nA. 1 cm\nB. 2 cm"
    assert user_text("Which?", ["A. 1 cm", "B. 2 cm"], 0)[0] == "Which?\nA. 1 cm\nB. 2 cm"


def test_options_may_be_pictures():
    assert user_text("Which is larger?", ["<image2>", "<image1>", "neither"], 2) == (
        "Which is larger?\nA. <image>\nB. <image>\nC. neither",
        [1, 0],
    )
    with pytest.raises(ValueError, match="2 <image> tags, but 1 picture"):
        user_text("Which is larger?", ["<image>", "<image>"], 1)


def test_strict_traces_stay_to_the_byte():
    text = "<think>\nBecause.\n</think>\n<answer>\\boxed{4}</answer>"
    assert is_strict(text)
    assert completion(text, None, "4") == (text, False)


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ("So it is \\boxed{4}.", None),
        ("<think>So</think>\n\nAnswer: 4", None),
        ("<think>So <answer>4</answer>", None),
        ("<answer>4</answer>", "So it is"),
        ("4", None),
        ("<think></think><answer>4</answer>", None),
        ("<think>a</think><answer>4</answer> and more", None),
    ],
)
def test_other_traces_are_put_into_the_format(text, reasoning):
    made, changed = completion(text, reasoning, "4")
    assert changed
    assert is_strict(made)
    assert made.endswith("<answer>4</answer>")
    if reasoning:
        assert reasoning in made
