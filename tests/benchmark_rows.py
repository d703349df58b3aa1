"""Rows of the nine benchmarks as published, invented: every form of a gold and of options, and what is odd about each."""

import functools
import itertools

from mmcurate import pictures
from mmcurate.sources import Procedural


@functools.cache
def drawings():
    """Pictures that differ, as bytes."""
    found = (pictures.as_struct(p)["bytes"] for q in Procedural(180, seed=3) for p in q["images"])
    return list(dict.fromkeys(found))


def shown(rows, name, start, every=1):
    """Rows with a picture each from `start` on; `every` rows share one."""
    return [{name: drawings()[start + i // every], **row} for i, row in enumerate(rows)]


MC = {"question_type": "multi_choice", "answer_type": "text"}
MATHVISTA = [
    {"pid": "1", "question": "Find the length of side AB.", "choices": ["3", "4"], "answer": "4", **MC},
    {"pid": "2", "question": "Which bar is the highest?", "choices": ["5", "5", "7"], "answer": "5", **MC},
    {
        "pid": "3",
        "question": "How wide is the card on this ruler?",
        "unit": "cm",
        "precision": 1.0,
        "answer": "3.5",
        "answer_type": "float",
    },
    {"pid": "4", "question": "In which years did sales fall?", "answer": "[2014, 2016]", "answer_type": "list"},
    {"pid": "5", "question": "How many people are there in the image?", "answer": "14"},
    {"pid": "6", "question": "如图所示，求∠A的度数是多少？", "choices": ["30°", "45°"], "answer": "30°", **MC},
    {
        "pid": "7",
        "question": "Which planet is it?",
        "choices": [f"planet {c}" for c in "pqrstuvw"],
        "answer": "planet w",
        **MC,
    },
]

LETTERS = ["A", "B", "C", "D", "E"]
MATHVISION = [
    {"id": "1", "question": "Which piece fits?\n<image1>", "options": LETTERS, "answer": "D"},
    {
        "id": "2",
        "question": "From <image1> to <image2>: how many squares of <image3> change?",
        "options": ["1", "2", "3", "4", "5"],
        "answer": "B",
    },
    {
        "id": "3",
        "question": "Which tile is missing?\n<image1>",
        "options": [f"<image{i}>" for i in range(2, 7)],
        "answer": "C",
    },
    {"id": "2830", "question": "What is the length of AB?\n<image1>", "answer": "\frac{36}{13}"},
    {"id": "5", "question": "What is the area of the figure?\n<image1>", "answer": "$\\boxed{12}$"},
    {"id": "59", "question": "Which of the five paths is the shortest?\n<image1>", "answer": "C"},
    {"id": "7", "question": "How long is the arc?\n<image1>", "answer": "$4 \\pi$"},
    {"id": "8", "question": "What part is shaded?\n<image1>", "answer": "7/3  "},
    {"id": "9", "question": "Where is the vertex?\n<image1>", "answer": "(3,-4)"},
]

ANGLES = "Choices:\nA:40°\nB:60°\nC:80°\nD:100°"
CHOICE = {"question_type": "multi-choice"}
VERSIONS = ["Text Dominant", "Text Lite", "Vision Intensive", "Vision Dominant", "Vision Only"]
WHOLE = f"As shown in the figure, DE is parallel to BC and angle A is 80°. What is angle EDC?\n{ANGLES}"
TEXTS = [
    WHOLE,
    f"As shown in the figure, what is angle EDC?\n{ANGLES}",
    f"What is angle EDC?\n{ANGLES}",
    f"Find angle EDC.\n{ANGLES}",
    "",
]
MATHVERSE = [
    {
        "sample_index": str(i),
        "problem_index": "1",
        "problem_version": version,
        "question": text,
        "question_for_eval": WHOLE,
        "answer": "C",
        **CHOICE,
    }
    for i, (version, text) in enumerate(zip(VERSIONS, TEXTS, strict=True), 1)
] + [
    {"sample_index": "6", "question": "How high is the tree?", "answer": "4.4 m "},
    {"sample_index": "7", "question": "What is angle B?", "answer": "118掳"},
    {"sample_index": "8", "question": "What is the true bearing of P from Q?", "answer": "090^\\circ T"},
    {"sample_index": "9", "question": "How long is x?", "answer": "6.4 (rounded to one decimal place)"},
    {"sample_index": "10", "question": f"Which angle is right?\n{ANGLES}", "answer": "(B)", **CHOICE},
    {"sample_index": "11", "question": f"Which two are right?\n{ANGLES}", "answer": "C\nD", **CHOICE},
    {"sample_index": "12", "question": "Is f even?\nChoices:\nA. True\nB. False", "answer": "True", **CHOICE},
    {
        "sample_index": "13",
        "problem_version": "Vision Only",
        "question": "",
        "question_for_eval": f"Which two angles of the kite are right angles?\n{ANGLES}",
        "answer": "C\nD",
        **CHOICE,
    },
]
for row in MATHVERSE:
    row.setdefault("problem_index", row["sample_index"])
    row.setdefault("question_for_eval", row["question"])

PARITY = {
    "question": "Is the function even or odd? choice: (A) even (B) odd (C) neither",
    "answer_type": "multiple choice",
}
DYNAMATH = [
    {"id": "1", **PARITY, "ground_truth": "B"},
    {"id": "2", "question": "What is the sum of the two bars?", "ground_truth": "12.345"},
    {"id": "3", "question": "How many cubes are there?", "ground_truth": "7", "answer_type": "int"},
    {"id": "4", "question": "What time is it?", "ground_truth": "5:00", "answer_type": "single answer"},
    {"id": "5", "question": "What is the equation of the line?", "ground_truth": "y = -3", "answer_type": "text"},
    {"id": "6", "question": "Where do the circles meet?", "ground_truth": "(0.886, -0.465)", "answer_type": "text"},
    {"id": "302", "question": "How long is the red line of the figure?", "ground_truth": "3.0"},
]

WEMATH = [
    {"ID": "3steps_4", "key": "3steps_1", "option": "A. 3; B. 4; C. 5; D. No correct answer", "answer": "B"},
    {"ID": "3steps_4", "key": "3steps_2", "option": "A. 3; B. 4; C. 3; D. No correct answer", "answer": "D"},
    {"ID": "3steps_4", "key": "3steps_3", "option": "A．left; B．right; C．behind", "answer": "C"},
    {
        "ID": "3steps_4",
        "key": "3steps_multi",
        "option": "A. shape ;B.; B. shape ;C.; C. shape D; D. none",
        "answer": "A",
    },
    {"ID": "2steps_9", "key": "2steps_1", "option": "A. 3 cm B. 4 cm; C. 5 cm", "answer": "B"},
    {"ID": "2steps_9", "key": "2steps_2", "option": "A. 1; B. 2; C. 3; F. No correct answer", "answer": "A"},
    {"ID": "2steps_9", "key": "2steps_multi", "option": "A. B; B. A; C. AB; D. O", "answer": "A"},
]
STEPS = [
    "radius",
    "diameter",
    "position",
    "area of the shaded shape",
    "side",
    "number of cubes",
    "blood type of the child",
]
WEMATH = [
    {"question": f"As shown in the figure, what is the {s}? ( )", **row} for s, row in zip(STEPS, WEMATH, strict=True)
]

LOGICVISTA = [
    {"id": "1", "question": "Which comes next? Select from A, B, C, D.", "answer": "C", "liscenced": "yes"},
    {"id": "2", "question": "Which two of the shapes A to D complete the series?", "answer": "B, D"},
    {"id": "3", "question": "Which statement is true? Select from 1-5", "answer": "3"},
    {"id": "4", "question": "Which gear turns left? Select from A-D.", "answer": ""},
    {"id": "5", "question": "How many triangles? Select answers from A-D. \n A) 10 B) 12 C) 14 D) 16", "answer": "C"},
]

MMMU = [
    {"id": "validation_Art_9", "question": "<image 1> Who painted it?", "options": "['Monet', 'Manet']", "answer": "A"},
    {
        "id": "validation_Physics_2",
        "question": "Which lens of <image 1> gives the picture?",
        "options": '["<image 2>", "<image 3>", "It\'s none"]',
        "answer": "B",
    },
    {
        "id": "validation_Physics_3",
        "question": "Compare <image 2> with <image 4>: which is brighter?",
        "options": "['<image 2>', '<image 4>']",
        "answer": "B",
    },
    {
        "id": "validation_Chemistry_4",
        "question": "Which salt of <image 1> dissolves?",
        "options": "[]",
        "answer": "['$MgS$', 'MgS']",
        "question_type": "open",
    },
    {
        "id": "validation_Math_5",
        "question": "Which node of <image 1> is the root?",
        "options": "[]",
        "answer": "C",
        "question_type": "open",
    },
    {
        "id": "validation_Math_6",
        "question": "How long is x in <image 1>?",
        "options": "[]",
        "answer": "7.25",
        "question_type": "open",
    },
    {
        "id": "validation_Public_Health_7",
        "question": "Which blood type does <image 1> show?",
        "options": "['B', 'A', 'O', 'AB']",
        "answer": "A",
    },
]
MMMU_PICTURES = [(1,), (1, 2, 3), (2, 4), (1,), (1,), (1,), (1,)]

MMMU_PRO = {
    "standard (10 options)": [
        {
            "id": "validation_Physics_2",
            "question": "Which lens gives the picture <image 4>?",
            "options": "['<image 3>', '<image 1>', '<image 2>', 'none']",
            "answer": "B",
        },
        {
            "id": "validation_Accounting_29",
            "question": "What does the table <image 1> give?",
            "options": "['$6,000', ['$4,000', '$2,000'], '$8,000']",
            "answer": "B",
        },
        {
            "id": "validation_Math_1",
            "question": "What is the slope of <image 1>?",
            "options": str([f"slope {i}" for i in range(12)]),
            "answer": "J",
        },
    ],
    "vision": [
        {"id": "validation_Physics_2", "options": "['a', 'b', 'c', 'none']", "answer": "B"},
        {"id": "validation_Math_1", "options": str([f"slope {i}" for i in range(12)]), "answer": "J"},
    ],
}
MMMU_PRO_PICTURES = [(1, 2, 3, 4), (1,), (1,)]


def charxiv(where, templates, golds, asked, gold, answer_type, **more):
    return {
        **where,
        **{f"descriptive_q{i}": t for i, t in enumerate(templates, 1)},
        **{f"descriptive_a{i}": g for i, g in enumerate(golds, 1)},
        "reasoning_q": asked,
        "reasoning_a": gold,
        "reasoning_a_type": answer_type,
        **more,
    }


GRID = {"subplot_row": 2, "subplot_col": 3, "num_subplots": 6}
LOC = {"subplot_row": None, "subplot_col": None, "subplot_loc": "the bottom-left inset"}
NA = "Not Applicable"
ONE = {"subplot_row": 0, "subplot_col": 0}
CHARXIV = [
    charxiv(
        ONE,
        (2, 3, 8, 19),
        ("Epoch", NA, "0.5", "1"),
        "Which curve peaks first?",
        "Model B",
        1,
        figure_path="images/0.jpg",
    ),
    charxiv(
        GRID,
        (2, 10, 13, 18),
        ("Epoch", "3", "a, b", "2 by 3"),
        "Do both curves meet?",
        "Yes",
        2,
        figure_path="images/7.jpg",
    ),
    charxiv(
        LOC,
        (1, 11, 16, 15),
        (NA, "No", "increases", "80"),
        "What is the loss at epoch 5?",
        "0.01",
        3,
        figure_path="images/12.jpg",
    ),
    charxiv(
        ONE,
        (3, 4, 5, 17),
        ("Loss", "0", "10", "14"),
        "By how much does it fall?",
        "3.50",
        4,
        figure_path="images/31.jpg",
    ),
    charxiv(
        ONE,
        (2, 3, 9, 14),
        ("Steps", NA, NA, NA),
        "How many curves cross the line?",
        "3",
        4,
        figure_path="images/40.jpg",
    ),
]


def with_images(rows, lists, start):
    """Rows whose columns `image_<i>` are filled for these numbers."""
    place = itertools.count(start)
    return [
        {**{f"image_{i}": drawings()[next(place)] for i in numbers}, **row}
        for row, numbers in zip(rows, lists, strict=True)
    ]


def dynamath():
    """Ten variants with a picture each; the second has another gold for seed 302 and its picture."""
    out = {}
    for variant in range(1, 11):
        rows = shown(DYNAMATH, "decoded_image", 100 + 7 * (variant - 1))
        out[variant] = [*rows[:-1], {**rows[-1], "decoded_image": drawings()[99]}]
    out[2][-1]["ground_truth"] = "4.0"
    return out


def published(name):
    """The rows of a benchmark, with pictures of their own, as its writer takes them."""
    if name == "mathverse":  # the first three versions show the same picture
        first, rest = shown(MATHVERSE[:3], "image", 16, 3), shown(MATHVERSE[3:], "image", 17)
        return first + rest
    if name == "dynamath":
        return dynamath()
    if name == "mmmu":
        return with_images(MMMU, MMMU_PICTURES, 74)
    if name == "mmmu_pro":
        standard, vision = MMMU_PRO.values()
        rows = with_images(standard, MMMU_PRO_PICTURES, 84), shown(vision, "image", 90)
        return dict(zip(MMMU_PRO, rows, strict=True))
    rows, column, start = {
        "mathvista": (MATHVISTA, "decoded_image", 0),
        "mathvision": (MATHVISION, "decoded_image", 7),
        "wemath": (WEMATH, "image_path", 61),
        "logicvista": (LOGICVISTA, "image", 68),
        "charxiv": (CHARXIV, "image", 92),
    }[name]
    return shown(rows, column, start)
