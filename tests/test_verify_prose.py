"""What responses say around their answers: denials, corrections, several answers, comparisons; and plain statements."""

import pytest

from mmcurate.verify import grade

CM = ["12 cm", "15 cm", "18 cm", "20 cm"]
ANIMALS = ["cat", "dog", "cow", "pig"]
START = "We look at the chart in detail and compare the values that are given for each of the bars that it shows.\n\n"

NOT_THE_ANSWER = [
    # what stands before "answer is"
    ("The incorrect answer is D", "D", CM),
    ("I don't think the answer is D", "D", CM),
    ("A common mistake is to think the answer is D. ", "D", CM),
    ("The answer is B. The closest wrong option is C.", "C", CM),
    (START + "A naive answer is 12.", "12", ()),
    (START + "The student's answer is 12, which is wrong.", "12", ()),
    ("The wrong answer is Paris", "Paris", ()),
    # what stands behind it
    ("The answer is 5, which is wrong; the true one is 6", "5", ()),
    (START + "The answer is 12 (or 13).", "12", ()),
    (START + "The answer is 12. Wait, that is wrong. It is 13.", "12", ()),
    (START + "\\boxed{12}\n\nWait, I made a mistake. The correct value is 13.", "12", ()),
    # comparisons, ranges, questions, conditions
    (START + "So the total must be less than 12.", "12", ()),
    (START + "So the total can't be 12.", "12", ()),
    (START + "Hence it ranges from 3 to 12.", "12", ()),
    (START + "It would be a mistake to say that the total is 12.", "12", ()),
    (START + "Is the total 12?", "12", ()),
    (START + "I refer you to page 12.", "12", ()),
    ("There are no 5 apples", "5", ()),
    ("None of the 5 apples is red", "5", ()),
    ("before 1995", "1995", ()),
    ("5 squared", "5", ()),
    ("The answer is 4 to 5", "5", ()),
    # operations beside the number
    ("So the value is √5.", "5", ()),
    ("So the value is 5π.", "5", ()),
    ("So we get 5!.", "5", ()),
    ("So the value is ±5.", "5", ()),
    ("Thus x ≠ 5.", "5", ()),
    ("The answer is the square root of 5.", "5", ()),
    ("The answer is half of $\\sqrt{2}$.", "\\sqrt{2}", ()),
    ("The answer is not $\\frac{1}{2}$.", "\\frac{1}{2}", ()),
    ("$x^2$ is wrong", "x^2", ()),
    ("\\boxed{7 \\text{ million}}", "7", ()),
    ("\\boxed{7\\ldots}", "7", ()),
    # one of several
    (START + "So the two numbers are 3 and 5.", "3", ()),
    (START + "Therefore, x = 6 or x = 4.", "4", ()),
    ("答：甲有15元，乙有20元。", "20", ()),
    ("The answer is 5; 6.", "5", ()),
    ("\\boxed{A}\n\n\\boxed{B}\n\n\\boxed{C}\n\n\\boxed{D}", "D", CM),
    ("The answer is A. The answer is B. The answer is C. The answer is D.", "D", CM),
    ("<answer>A</answer> maybe <answer>B</answer>", "B", CM),
    ("A. 12 cm\nB. 15 cm\nC. 18 cm\nD. 20 cm", "A", CM),
    ("<answer>A (or B)</answer>", "A", CM),
    ("<answer>A, but possibly B</answer>", "A", CM),
    # a letter that is denied, or that names something else
    ("<answer>A. Incorrect</answer>", "A", CM),
    ("<answer>A: no. B: no. C: yes. D: no.</answer>", "A", CM),
    ("Option D does not work.", "D", CM),
    ("Rule out (D)", "D", CM),
    ("选项A是错误的", "A", CM),
    ("A is smaller than B, so C", "A", CM),
    ("A, C, and D are wrong, leaving B.", "A", CM),
    ("B is the least likely answer.", "B", CM),
    ("Triangle A is bigger. ", "A", CM),
    ("Let me first check option A.", "A", CM),
    ("Figure A is the right one", "A", ["Figure B", "Figure A", "neither"]),
    ("The picture shows an animal that is bigger than a cat and lives on a farm.", "A", ANIMALS),
    ("I see no cat in this picture, which shows only grass, trees and a fence.", "A", ANIMALS),
    # words
    ("Nobody thinks it is Paris.", "Paris", ()),
    ("London is the capital, whereas the largest city is Paris.", "Paris", ()),
    ("No ball is red", "red", ()),
    ("Yes - actually no", "Yes", ()),
    ("True. False. True.", "True", ()),
    ("不是5", "5", ()),
    # units, scales, names, order
    ("1,234", "1.234", ()),
    ("1004 m", "1 km", ()),
    ("26 °C", "298 K", ()),
    ("5% increase", "5% decrease", ()),
    ("20 percent", "20 dollars", ()),
    ("5 lakh", "5", ()),
    ("5折", "5", ()),
    ("②③", "23", ()),
    ("5 nm", "5 Nm", ()),
    ("x_1 = 5", "x_2 = 5", ()),
    ("$60^\\circ$", "$60$ rad", ()),
    ("$p \\wedge q$", "$p \\vee q$", ()),
    ("$\\{1,2\\}$", "$(1,2)$", ()),
    ("True, False", "False, True", ()),
    ("Sunday, July 5, 2020", "Monday, July 5, 2020", ()),
]
THE_ANSWER = [
    ("So B.", "B", CM),
    ("1. B", "B", CM),
    ("The answer is B, not A.", "B", CM),
    ("So the answer is (B), since the line ends there, not (A) or (C).", "B", CM),
    ("The answer is (A), since AC = 15 cm.", "A", CM),
    ("A、B、D错误，C正确。", "C", CM),
    ("因此，正确的答案是选项 B。", "B", CM),
    ("【答案】B【解析】略", "B", CM),
    ("It is 15 cm long.", "B", CM),
    ("The answer is B", "15", CM),
    ("B", "45", ["30°", "45°", "60°", "90°"]),
    ("The time is 3:45.", "B", ["3:15", "3:45", "9:15", "9:45"]),
    ("6 to 10", "B", ["1-5", "6-10", "11-15"]),
    ("Only I", "D", ["II only", "III only", "I and II", "I only"]),
    ("A and B", "C", ["cat", "dog", "both A and B", "none of the above"]),
    ("No, it isn't.", "B", ["Yes", "No"]),
    ("Let me see.\n\nA. dog - barks\nB. cat - meows\nC. bird - sings\n\nOnly B matches.", "B", ["dog", "cat", "bird"]),
    ("The answers are A and C.", "AC", ()),
    ("\\overline{AB}", "AB", ()),
    ("②, ③", "②③", ()),
    ("So 12 is the answer.", "12", ()),
    (START + "If we add them, the total is 12.", "12", ()),
    ("She has 8 apples. The answer is 8.\n\nQ: Tom has 4 pens?\nA: He has 10 pens. The answer is 10.", "8", ()),
    ("**Answer: 12**\n\nNote: the answer is rounded to the nearest integer.", "12", ()),
    ("The area is 12\\sqrt{3} square units.", "12\\sqrt{3}", ()),
    ("Thus, the solution set is x > 2.", "x > 2", ()),
    ("The value is 0.5 (50%).", "50%", ()),
    ("The clock shows a quarter past three.", "3:15", ()),
    (START + "Therefore, the ratio of A to B is 9:4.", "9:4", ()),
    ("综上，实数$a$的取值范围为$a\\leq 2$.", "(-\\infty,2]", ()),
    ("小明还剩5个苹果。", "5", ()),
    ("三点半", "3:30", ()),
    ("1. Red\n2. Green\n3. Blue", "red, green, blue", ()),
    ("Carbon dioxide (CO₂)", "carbon dioxide", ()),
    ("all real numbers", "(-\\infty,\\infty)", ()),
    ("n\\pi, n\\in\\mathbb{Z}", "k\\pi, k\\in\\mathbb{Z}", ()),
    ("x=1 or x=2", "x_1=1, x_2=2", ()),
    ("5 N·m", "5 Nm", ()),
    ("\u200b5", "5", ()),
    ("<think>a</think> The picture shows many things, and there are 7 of them in it.<think>Or 5? It is 5.", "7", ()),
    ("The colors are red, green and blue.", "red, green, blue", ()),
]


@pytest.mark.parametrize(("response", "gold", "options"), NOT_THE_ANSWER)
def test_what_is_not_the_answer(response, gold, options):
    made = grade(response, gold, options=options)
    assert made.verdict in ("incorrect", "no_answer", "undecided"), made


@pytest.mark.parametrize(("response", "gold", "options"), THE_ANSWER)
def test_what_is_the_answer(response, gold, options):
    made = grade(response, gold, options=options)
    assert made.verdict == "correct", made


@pytest.mark.parametrize(
    ("response", "gold"),
    [
        ("so \\boxed{5 and then \n" * 3000, "5"),
        ("\\boxed{" * 5000, "5"),
        ("\nQ: x y z" * 8000, "5"),
        ("\\boxed{1} and \\boxed{2}\n" * 3000, "5"),
        ("the answer is that " * 3000, "5"),
        ("\\boxed{" + "\\sin(" * 20 + "x" + ")" * 20 + "}", "x"),
        ("\\boxed{" + ",".join(f"({i}+0,{i})" for i in range(80)) + "}", ",".join(f"(0+{i},{i})" for i in range(80))),
        ("\\boxed{" + "|x" * 800 + "}", "x"),
    ],
)
def test_what_repeats_itself_takes_no_time(response, gold):
    import time

    grade("\\boxed{x \\ggg 2}", "y")  # the worker starts, if it has not
    begin = time.monotonic()
    assert grade(response, gold).verdict != "error"
    assert time.monotonic() - begin < 2
