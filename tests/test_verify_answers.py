"""Answers in the forms that people and models write them: right ones, wrong ones, and the habits of many models."""

import pytest

from mmcurate.errors import SettingsError
from mmcurate.verify import Policy, grade

RIGHT = [
    ("five", "5"),
    ("Five apples", "5"),
    ("twenty-five", "25"),
    ("one hundred and five", "105"),
    ("two and a half", "2.5"),
    ("three quarters", "3/4"),
    ("half", "1/2"),
    ("a dozen", "12"),
    ("五", "5"),
    ("三百二十", "320"),
    ("三分之一", "1/3"),
    ("百分之三十", "30%"),
    ("十二", "12"),
    ("1.5M", "1,500,000"),
    ("$2.5 million", "$2,500,000"),
    ("1 h 30 min", "90 min"),
    ("1 hour and 30 minutes", "1.5 hours"),
    ("5 ft 6 in", "66 inches"),
    ("5'6\"", "66 in"),
    ("2 m 35 cm", "2.35 m"),
    ("212 °F", "100 °C"),
    ("60 mph", "60 miles per hour"),
    ("36 km/h", "10 m/s"),
    ("10 m/h", "10 m/h"),
    ("9.8 m/s^2", "9.8 \\mathrm{m/s^2}"),
    ("5 N·m", "5 N m"),
    ("1 kJ", "1000 J"),
    ("3 \\times 10^{-5} T", "3e-5 T"),
    ("75 cents", "$0.75"),
    ("50%", "0.5"),
    ("50%", "1/2"),
    ("0.5", "50%"),
    ("H2O", "H_2O"),
    ("x>2", "(2, \\infty)"),
    ("x \\in (2, \\infty)", "x > 2"),
    ("2 < x", "x > 2"),
    ("-1 \\le x < 3", "[-1, 3)"),
    ("x < 1 or x > 5", "(-\\infty,1)\\cup(5,\\infty)"),
    ("\\sqrt{2}", "1.414"),
    ("1.41", "\\sqrt{2}"),
    ("\\pi/4", "0.785"),
    ("3.14", "\\pi"),
    ("2\\pi r", "2 r \\pi"),
    ("x^2 - 1", "(x-1)(x+1)"),
    ("\\frac{1}{\\sqrt{2}}", "\\frac{\\sqrt{2}}{2}"),
    ("y = 2x + 3", "y=2x+3"),
    ("y=2x+3", "2x - y + 3 = 0"),
    ("2x+3", "y = 2x+3"),
    ("(2, 3)", "(2,3)"),
    ("x=2, y=3", "(2,3)"),
    ("x = 2, y = 3", "y = 3, x = 2"),
    ("2, 3", "3, 2"),
    ("\\{2,3\\}", "\\{3,2\\}"),
    ("x = 2 \\text{ or } x = 3", "2, 3"),
    ("x_1 = 2, x_2 = 3", "2, 3"),
    ("\\pm 3", "3, -3"),
    ("x = \\pm 3", "x = 3 or x = -3"),
    ("1 \\pm \\sqrt{2}", "1+\\sqrt{2}, 1-\\sqrt{2}"),
    ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "(1, 2)"),
    ("\\begin{bmatrix}1&2\\\\3&4\\end{bmatrix}", "\\begin{pmatrix}1 & 2\\\\ 3 & 4\\end{pmatrix}"),
    ("90^\\circ", "90"),
    ("90°", "\\frac{\\pi}{2}"),
    ("90 degrees", "90^{\\circ}"),
    ("\\angle ABC = 60^\\circ", "60°"),
    ("3:2", "3/2"),
    ("3:2", "6:4"),
    ("3 : 2", "3:2"),
    ("6:30 PM", "18:30"),
    ("half past six", "6:30"),
    ("quarter to seven", "6:45"),
    ("6 o'clock", "6:00"),
    ("6:30 p.m.", "6:30 PM"),
    ("July 4, 2020", "4 July 2020"),
    ("2020-07-04", "July 4, 2020"),
    ("2020年7月4日", "2020-07-04"),
    ("Monday", "Mon"),
    ("January", "Jan"),
    ("red, blue and green", "green, red, blue"),
    ("red, blue", "red and blue"),
    ("Tokyo.", "tokyo"),
    ("yes", "Yes"),
    ("Yes, it is.", "yes"),
    ("是", "yes"),
    ("对", "正确"),
    ("AC", "A,C"),
    ("C and A", "A, C"),
    ("A、C", "AC"),
    ("A C", "AC"),
    ("ABD", "A, B, D"),
    ("C", "(C)"),
    ("答案是C", "C"),
    ("选 C", "C"),
    ("故选：C", "C"),
    ("答案：12厘米", "12 cm"),
    ("12平方厘米", "12 cm^2"),
    ("５０％", "50%"),
    ("-\\frac{1}{2}", "-0.5"),
    ("\\frac{-1}{2}", "-\\frac12"),
    ("-1/2", "\\frac{1}{-2}"),
    ("1{,}000", "1000"),
    ("1\\,000", "1000"),
    ("10,000", "10000"),
    ("2^{10}", "1024"),
    ("5!", "120"),
    ("\\binom{5}{2}", "10"),
    ("\\log_2 8", "3"),
    ("\\ln e^2", "2"),
    ("e^{i\\pi}", "-1"),
    ("\\sin 30^\\circ", "1/2"),
    ("\\overline{AB}", "\\overline{AB}"),
    ("AB", "\\overline{AB}"),
    ("0.\\overline{3}", "\\frac13"),
    ("0.333", "1/3"),
    ("1.2e3", "1200"),
    ("6.02 \\times 10^{23}", "6.02e23"),
    ("$5", "5 dollars"),
    ("5 dollars", "\\$5"),
    ("¥5", "5元"),
    ("(-\\infty, 3]", "x \\leq 3"),
    ("x\\neq 3", "(-\\infty,3)\\cup(3,\\infty)"),
    ("f(x) = x^2+1", "x^2+1"),
    ("f(x)=x^2+1", "y=x^2+1"),
    ("C_1 e^{x} + C_2 e^{-x}", "C_2 e^{-x} + C_1 e^x"),
    ("\\frac{3}{4} \\text{ cup}", "3/4"),
    ("18\\sqrt{3} \\text{ cm}^2", "18\\sqrt3"),
    ("18\\sqrt{3} cm^2", "18\\sqrt{3}"),
    ("25\\pi", "25π"),
    ("25 \\pi square units", "25π"),
    ("approximately 3.5", "3.5"),
    ("about 12", "12"),
    ("There are 12 apples.", "12"),
    ("x = 5 cm", "5"),
    ("7 and 8", "7, 8"),
    ("7 or 8", "8 or 7"),
    ("(a+b)^2", "a^2+2ab+b^2"),
    ("\\frac{a}{b}", "a/b"),
    ("a/b/c", "\\frac{a}{bc}"),
    ("\\sqrt[3]{8}", "2"),
    ("8^{1/3}", "2"),
    ("100\\%", "1"),
    ("1st", "1"),
    ("3rd", "3"),
    ("No solution", "no solutions"),
    ("\\emptyset", "no solution"),
    ("DNE", "does not exist"),
    ("Not enough information", "not enough information"),
    ("2 hours", "120 minutes"),
    ("1/2 hour", "30 min"),
    ("1000 g", "1 kg"),
    ("3.0", "3"),
    ("$12.50", "12.5"),
    ("12.50", "$12.50"),
    ("12.5 dollars", "$12.50"),
    ("x=-3", "−3"),
    ("(1,2),(3,4)", "(3,4), (1,2)"),
    ("[2,3]", "2 \\le x \\le 3"),
    ("\\text{(B)}", "B"),
    ("\\mathrm{B}", "B"),
    ("**B**", "B"),
    ("B.", "B"),
    ("B) because it is", "B"),
    ("option (b)", "B"),
]
WRONG = [
    ("x^2+1", "x^2-1"),
    ("2x", "x^2"),
    ("x+1", "1+y"),
    ("x > 2", "x \\ge 2"),
    ("x < 2", "x > 2"),
    ("(1,2]", "[1,2)"),
    ("(1,2)", "(2,1)"),
    ("\\{1,2\\}", "\\{1,2,3\\}"),
    ("1,2,3", "1,2"),
    ("\\sqrt{3}", "\\sqrt{2}"),
    ("123456789012346", "123456789012345"),
    ("\\sqrt{123456789012346}", "\\sqrt{123456789012345}"),
    ("10^{15}+1", "10^{15}"),
    ("2.71", "e^2"),
    ("1.4", "\\sqrt{2}"),
    ("0.3", "1/3"),
    ("0.67", "2/3"),
    ("3.1", "\\pi"),
    ("22/7", "\\pi"),
    ("x=5", "x=-5"),
    ("x=5", "y=5"),
    ("x=2", "2x"),
    ("5 m", "5 km"),
    ("5 cm", "5 cm^2"),
    ("12 pm", "12 am"),
    ("6:30", "6:31"),
    ("6:30 AM", "6:30 PM"),
    ("12:00", "1:00"),
    ("July 4", "July 5"),
    ("2020-07-04", "2021-07-04"),
    ("Monday", "Tuesday"),
    ("June", "July"),
    ("red, blue", "red, green"),
    ("red", "red, blue"),
    ("A", "A, B"),
    ("ABC", "AB"),
    ("yes", "no"),
    ("not yes", "yes"),
    ("true", "false"),
    ("$5", "5 cents"),
    ("5 apples", "6 apples"),
    ("50%", "0.05"),
    ("5%", "0.5"),
    ("5", "5^2"),
    ("2/3", "3/2"),
    ("-2/3", "2/3"),
    ("(3,4)", "(4,3)"),
    ("3:2", "2:3"),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&3\\\\2&4\\end{pmatrix}"),
    ("\\pm 3", "3"),
    ("3", "\\pm 3"),
    ("1", "1,1,2"),
    ("\\frac{1}{2}x", "\\frac{1}{2x}"),
    ("\\sin x", "\\cos x"),
    ("\\sin x", "\\sin y"),
    ("x^{-1}", "x"),
    ("a_1", "a_2"),
    ("a_n", "a_{n+1}"),
    ("2^{n}", "2^{n+1}"),
    ("n!", "(n+1)!"),
    ("\\log_2 3", "\\log_3 2"),
    ("e", "2.7"),
    ("30°", "60°"),
    ("1e5", "1e6"),
    ("0", "no"),
    ("5 feet", "5 inches"),
    ("one", "two"),
    ("fifteen", "fifty"),
    ("five six", "11"),
    ("五十", "十五"),
    ("12 cm and 13 cm", "12 cm"),
    ("AB", "BC"),
    ("stop", "pots"),
    ("on", "no"),
    ("Co", "CO"),
    ("infinity", "-infinity"),
    ("\\infty", "-\\infty"),
    ("f(2)", "f(3)"),
    ("y = x + 1", "y = x - 1"),
    ("x^2 + y^2 = 4", "x^2 + y^2 = 2"),
    ("x+y=2", "x-y=2"),
    ("R \\setminus \\{1\\}", "R \\setminus \\{2\\}"),
    ("5 ± 2", "5 ± 1"),
    ("1000000001", "1000000000"),
    ("2.50", "2.05"),
    ("1.05", "1.5"),
    ("7 out of 10", "7"),
    ("between 5 and 6", "5"),
    ("at least 5", "5"),
    ("5 or 6", "6"),
    ("5, or maybe 6", "5"),
    ("2x+3y", "3x+2y"),
    ("x", "2"),
    ("2", "x"),
    ("10^{10^{10}}", "10^{10^{9}}"),
    ("5000", "5"),
    ("204_5", "204_6"),
    ("3 m/s", "3 m/s^2"),
    ("5 kg", "5 g"),
    ("5 years", "5 months"),
    ("24", "42"),
    ("3.14159", "3.14160"),
    ("-5", "5"),
    ("A", "B"),
    ("10 minutes", "10 hours"),
    ("3 hours 20 minutes", "3 hours 30 minutes"),
    ("5'6\"", "5'7\""),
    ("1/3 cup", "1/4 cup"),
]
HABITS = [
    "**Answer:** {g}",
    "**Final Answer**\n\n${g}$",
    "**Final Answer:** {g}",
    "Final answer: $\\boxed{{{g}}}$",
    "Therefore, the value is ${g}$.",
    "### Answer\n{g}",
    "### Final Answer\n${g}$",
    "\\[ \\boxed{{{g}}} \\]",
    "Hence the result is\n$$\n{g}\n$$",
    "So, we get: ${g}$",
    "Answer: {g} (as shown above)",
    "<|begin_of_box|>{g}<|end_of_box|>",
    "【答案】{g}",
    "答：{g}",
    "答案为：${g}$。",
    "最终答案是 \\boxed{{{g}}}。",
    "综上所述，答案是${g}$。",
    "The final answer is: $\\boxed{{{g}}}$. I hope it is correct.",
    "#### {g}",
    "The answer is **{g}**.",
    "Thus, the answer is \\({g}\\).",
    "<think>Let me think. 7 + 8.</think>\n\nThe answer is ${g}$.",
    "<think>Perhaps 99?</think><answer>The answer is ${g}$.</answer>",
    "<think>x</think>\n<answer>\n\\boxed{{{g}}}\n</answer>",
    "<think>x</think>\n\\boxed{{{g}}}",
    "**Step 1.** We know 3.\n**Step 2.** Done.\n\n**Answer: {g}**",
    "> **Answer:** ${g}$",
    "Final Answer: The final answer is ${g}$. I hope it is correct.",
    "Based on the figure, the correct answer is {g}. Let me know if you have any questions!",
    "\\text{{The answer is }}\\boxed{{{g}}}",
    "$\\boxed{{\\text{{{g}}}}}$",
    "The answer is:\n\n\\[\n{g}\n\\]\n\nI hope this helps!",
    "```output\n{g}\n```\nThe answer is $\\boxed{{{g}}}$.",
    "ANSWER: {g}",
    "Answer = {g}",
    "Ans: {g}",
    "Ans. {g}",
    "**Solution:** We compute 3 + 4 = 7.\n\n**Final Answer:** \\( {g} \\)",
    "Therefore, the final answer is **\\({g}\\)**.",
    "So the answer to the question is {g}.",
    "The correct answer to the problem is: {g}",
    "Conclusion: the answer equals {g}.",
    '{{"answer": "{g}"}}',
    "<CONCLUSION>{g}</CONCLUSION>",
    "<SUMMARY>I will.</SUMMARY><REASONING>1+1</REASONING><CONCLUSION>\n{g}\n</CONCLUSION>",
    "**Therefore, the answer is:**\n\n**{g}**",
    "The answer is\n\n**{g}**",
    "Final Answer\n{g}",
    "After solving, we obtain ${g}$ as the final answer.",
    "Thus ${g}$ is the answer.",
    "\\[\n\\text{{Final Answer: }} {g}\n\\]",
    "✅ **Final Answer: {g}**",
    "Answer:\n\n{g}",
    "So the final answer is \\boxed{{{g}}} ✓",
    "the answer is {g}</s>",
    "**Answer**: ${g}$.\n\n**Explanation**: because 3 is odd and there are 99 of them.",
    "The answer is ${g}$.\n\nNote: we assumed that 3 holds.",
]
CHOICES = [
    "The correct option is **({l})**",
    "**{l}**",
    "The answer is: **{l}. {t}**",
    "Thus the correct answer is option {l}) {t}.",
    "Answer: ({l})",
    "I would choose {l}.",
    "{l} is correct.",
    "{l}. {t}",
    "({l}) {t}",
    "The best choice is {l}: {t}.",
    "So the answer is ({l}) {t}, since it is larger.",
    "选项{l}正确",
    "故选{l}。",
    "正确答案：{l}",
    "答案是 {l}．",
    "Therefore, the correct choice is: {l}",
    "Option {l} is the correct answer.",
    "**Correct Answer: {l}**",
    "Answer: **{l}**",
    "The answer is {l}.",
    "So it is option ({l}).",
    "<answer>{l}</answer>",
    "<answer>{l}. {t}</answer>",
    "<answer>({l})</answer>",
    "<answer>Option {l}</answer>",
    "$\\boxed{{{l}}}$",
    "$\\boxed{{\\text{{{l}}}}}$",
    "\\boxed{{({l})}}",
    "\\boxed{{\\textbf{{({l})}}}}",
    "\\boxed{{{l}. {t}}}",
    "<|begin_of_box|>{l}<|end_of_box|>",
    "The answer is {t}.",
    "<answer>{t}</answer>",
    "\\boxed{{{t}}}",
    "Among the options, {l} fits best.",
    "Thus, {l} is the answer.",
    "Final Answer: {l}) {t}",
    "The correct answer is:\n\n**({l}) {t}**",
    "Therefore, the answer is {l}\n\nExplanation: because 3 < 4.",
    "My answer: {l}",
    "Hence, option {l}.",
    "A: no. So the answer must be {l}",
    "The correct letter is {l}.",
    "**Answer: ({l}) {t}**\n\nI hope this helps!",
    "Answer:{l}",
    "answer is {l}: {t}",
    "({l})",
    "{l})",
    "{l}:",
    "Choose {l}",
    "I pick option {l}",
    "Select {l}",
    "correct answer - {l}",
]
VALUES = [
    ("5", "6"),
    ("12", "13"),
    ("-3", "3"),
    ("0.5", "0.6"),
    ("\\frac{3}{4}", "\\frac{4}{3}"),
    ("2\\sqrt{3}", "3\\sqrt{2}"),
    ("x^2+1", "x^2-1"),
    ("(1,2)", "(2,1)"),
    ("[0,1)", "(0,1)"),
    ("45^\\circ", "60^\\circ"),
    ("1,234", "1,235"),
    ("3:2", "2:3"),
    ("\\pi", "2\\pi"),
    ("12\\text{ cm}", "13\\text{ cm}"),
    ("2, 3", "2, 4"),
]
OPTIONS = [
    ["12 cm", "15 cm", "18 cm", "21 cm"],
    ["red", "blue", "green", "a cat"],
    ["\\frac{1}{2}", "\\frac{2}{3}", "3", "4"],
    ["Yes", "No", "Maybe", "Cannot be determined"],
]


def forms(answer):
    return (
        answer,
        f"<think>x</think><answer>{answer}</answer>",
        f"Thus.\n\nSo the final answer is \\boxed{{{answer}}}.",
    )


@pytest.mark.parametrize(("answer", "gold"), RIGHT)
def test_right(answer, gold):
    for response in forms(answer):
        made = grade(response, gold)
        assert made.verdict == "correct", (response, made)


@pytest.mark.parametrize(("answer", "gold"), WRONG)
def test_wrong(answer, gold):
    for response in forms(answer):
        made = grade(response, gold)
        assert made.verdict in ("incorrect", "no_answer", "undecided"), (response, made)


@pytest.mark.parametrize("habit", HABITS)
def test_habits_of_models(habit):
    for gold, other in VALUES:
        if "\\text{{{g}" in habit and "\\" in gold:
            continue
        response = habit.format(g=gold)
        assert grade(response, gold).verdict == "correct", (response, grade(response, gold))
        assert grade(response, other).verdict in ("incorrect", "undecided"), (response, other)


@pytest.mark.parametrize("habit", CHOICES)
def test_habits_in_multiple_choice(habit):
    for options in OPTIONS:
        for i, text in enumerate(options):
            response = habit.format(l="ABCD"[i], t=text)
            for known in (options, ()) if "{l}" in habit else (options,):
                made = grade(response, "ABCD"[i], options=known)
                assert made.verdict == "correct", (response, known, made)
                made = grade(response, "ABCD"[(i + 1) % 4], options=known)
                assert made.verdict == "incorrect", (response, known, made)


def test_order_matters_where_the_question_asks_for_it():
    asks = "Arrange the numbers in ascending order."
    assert grade("3, 1, 2", "1, 2, 3", question=asks).verdict == "incorrect"
    assert grade("3, 1, 2", "1, 2, 3", question="Which numbers are there?").verdict == "correct"
    assert grade("blue, red", "red, blue", question=asks).verdict == "incorrect"
    assert grade("(3, 1)", "(1, 3)").verdict == "incorrect"


@pytest.mark.parametrize(
    ("answer", "gold", "policy", "verdict"),
    [
        ("12", "12 cm", Policy(missing_units=False), "incorrect"),
        ("12 cm", "12 cm", Policy(missing_units=False), "correct"),
        ("45", "45%", Policy(percent_as_number=False), "incorrect"),
        ("0.45", "45%", Policy(percent_as_number=False), "correct"),
        ("75", "$0.75", Policy(), "incorrect"),
        ("75", "$0.75", Policy(cents_as_dollars=True), "correct"),
        ("0.333", "1/3", Policy(), "correct"),
        ("0.33", "1/3", Policy(), "incorrect"),
        ("0.33", "1/3", Policy(rounding=2), "correct"),
        ("0.333", "1/3", Policy(rounding=None), "incorrect"),
        ("1.414", "\\sqrt{2}", Policy(), "correct"),
        ("1.41", "\\sqrt{2}", Policy(rounding=5), "incorrect"),
        ("\\frac{2}{4}", "\\frac{1}{2}", Policy(), "correct"),
        ("\\frac{2}{4}", "\\frac{1}{2}", Policy(simplified=True), "incorrect"),
        ("\\frac{1}{2}", "\\frac{1}{2}", Policy(simplified=True), "correct"),
        ("12.346", "12.345", Policy(tolerance=0.001), "correct"),
        ("12.3461", "12.345", Policy(tolerance=0.001), "incorrect"),
        ("12.3", "12.345", Policy(tolerance=0.001), "incorrect"),  # a rounded gold otherwise
        ("12.3", "12.345", Policy(), "correct"),
        ("1234.6 cm", "12.345 m", Policy(tolerance=0.001), "correct"),
        ("12.57", "4\\pi", Policy(decimals=2), "correct"),
        ("12.6", "4\\pi", Policy(decimals=2), "incorrect"),
        ("(3.001, -4)", "(3, -4)", Policy(decimals=2), "correct"),
        ("45.67%", "45.7%", Policy(decimals=1), "correct"),
        ("45.6%", "45.7%", Policy(decimals=1), "incorrect"),
        ("x + 0.001", "x", Policy(decimals=2), "incorrect"),  # unknowns have no decimals
    ],
)
def test_policy(answer, gold, policy, verdict):
    assert grade(answer, gold, policy=policy).verdict == verdict


def test_one_distance_of_two():
    with pytest.raises(SettingsError, match=r"tolerance = 0.001 and decimals = 2 both say how close"):
        Policy(tolerance=0.001, decimals=2)


def test_words_where_a_number_is_known_are_left_open():
    assert grade("<answer>a lot</answer>", "5").verdict == "undecided"


def test_several_answer_tags_are_no_answer():
    everything = "".join(f"<answer>{c}</answer>" for c in "ABCD")
    assert grade(f"<think>x</think>{everything}", "D").verdict == "no_answer"
    assert grade("<think>x</think><answer>5</answer> Wait, I forgot one. <answer>6</answer>", "6").verdict == "correct"


def test_boxes_of_one_answer_count_together():
    assert grade("So $x = \\boxed{1}$ and $y = \\boxed{2}$.", "1, 2").verdict == "correct"
    assert grade("So $x = \\boxed{1}$ and $y = \\boxed{2}$.", "2").verdict == "incorrect"
    assert grade("First \\boxed{1}.\n\nBut no, that was wrong: \\boxed{2}", "2").verdict == "correct"


def test_what_models_say_at_the_end_does_not_count():
    said = "There are 3 dots in each group.\n\nI hope this helps! Let me know if you have 2 more questions."
    assert grade(said, "3").verdict == "correct"
    said = "Sure!\n\nThe largest city is:\n\n(D) Tokyo\n\nTokyo is a hub.\n\nI hope this helps!</s>"
    assert grade(said, "tokyo", options=["hong kong", "osaka", "shanghai", "tokyo"]).verdict == "correct"


@pytest.mark.parametrize("said", ["5", "A", "B", "(B) 5", "The answer is 5."])
def test_options_that_repeat_a_text_are_one_answer(said):
    assert grade(said, "A", options=["5", "5", "7"]).verdict == "correct"
    assert grade(said, "C", options=["5", "5", "7"]).verdict == "incorrect"


def test_not_applicable_is_an_answer():
    assert grade("So.\n\nThe final answer is Not Applicable", "Not Applicable").verdict == "correct"
    assert grade("The answer is not clear to me.", "Not Applicable").verdict != "correct"
    assert grade("The answer is not 5 but 6.", "5").verdict != "correct"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("G. a hexagon", "incorrect"),
        ("(F) hexagon", "incorrect"),
        ("the hexagon", "undecided"),
        ("E. coli", "undecided"),  # an abbreviation of the fourth
        ("X-ray imaging", "undecided"),
    ],
)
def test_a_letter_that_no_option_has(said, verdict):
    options = ["a triangle", "a circle", "a square", "Escherichia coli"]
    assert grade(f"<answer>{said}</answer>", "A", options=options).verdict == verdict
