"""What CharXiv asks: the templates of its descriptive questions, and what an answer to a reasoning question must be.

After Wang et al. 2024 (arXiv 2406.18521): the nineteen template numbers and four answer types are theirs, with the conditions of
each; the wording is this project's.
"""

from __future__ import annotations

from typing import Any

_WRITTEN = "Give only what is explicitly written"
_ABSENT = 'Answer "Not Applicable" if'
_X = "An axis that subplots share counts. Where there is an x-axis at the bottom and one at the top, the bottom one counts."
_Y = (
    "An axis that subplots share counts. Where there is a y-axis on the left and one on the right, the left one counts."
)
_TICK = "Leave out units and scales that stand apart from the tick, as in the axis label or in a corner of the plot."
_STEP = "the axis has no explicit ticks, they are not numbers, or their difference is not the same everywhere."
_LINES = "Grid lines, tick marks and auxiliary horizontal or vertical lines don't count."
_NO_LINES = f"{_ABSENT} the plot has no lines or is no line plot."
_LEGEND = "Only labels that concern this plot count, also where the legend stands outside it."
_NO_LEGEND = f"{_ABSENT} there is no legend that concerns this plot."
_NO_BAR = f"Leave out a percent sign. {_ABSENT} there is no colour bar with explicit values that concerns this plot."

TEMPLATES: dict[int, tuple[str, str]] = {
    1: ("what is its title?", f"{_WRITTEN}. {_ABSENT} there is no title, or a letter alone."),
    2: ("what is the label of the x-axis?", f"{_WRITTEN}. {_X} {_ABSENT} there is none."),
    3: ("what is the label of the y-axis?", f"{_WRITTEN}. {_Y} {_ABSENT} there is none."),
    4: ("what is the leftmost labelled tick on the x-axis?", f"{_WRITTEN}. {_X} {_TICK}"),
    5: ("what is the rightmost labelled tick on the x-axis?", f"{_WRITTEN}. {_X} {_TICK}"),
    6: ("what is the spatially lowest labelled tick on the y-axis?", f"{_WRITTEN}. {_Y} {_TICK}"),
    7: ("what is the spatially highest labelled tick on the y-axis?", f"{_WRITTEN}. {_Y} {_TICK}"),
    8: (
        "what is the difference between consecutive numerical tick values on the x-axis?",
        f"{_X} {_TICK} {_ABSENT} {_STEP}",
    ),
    9: (
        "what is the difference between consecutive numerical tick values on the y-axis?",
        f"{_Y} {_TICK} {_ABSENT} {_STEP}",
    ),
    10: ("how many lines are there?", f"{_LINES} {_NO_LINES}"),
    11: ("do any lines intersect?", f'Answer "Yes" or "No". {_LINES} {_NO_LINES}'),
    12: ("how many discrete labels are there in the legend?", f"{_LEGEND} {_NO_LEGEND}"),
    13: (
        "what are the names of the labels in the legend?",
        f"Give them from top to bottom, then from left to right, with commas between them. {_LEGEND} {_NO_LEGEND}",
    ),
    14: (
        "what is the difference between the maximum and minimum values of the tick labels on the continuous legend (the colour bar)?",
        _NO_BAR,
    ),
    15: ("what is the maximum value of the tick labels on the continuous legend (the colour bar)?", _NO_BAR),
    16: (
        "what is the general trend of the data from left to right?",
        'Answer in a few words, such as "increases" or "decreases, then stays level".',
    ),
    17: (
        "what is the total number of explicitly labelled ticks across all axes?",
        "Axes that subplots share count too.",
    ),
    18: (
        "what is the layout of the subplots?",
        'Answer as "n by m" with n rows and m columns; "1 by 1" if there are no subplots.',
    ),
    19: ("what is the number of subplots?", 'Answer "1" if there are no subplots.'),
}
"""For each template the question, which all figures share, and what its answer must be."""
_WHOLE_FIGURE = (18, 19)

_REASONING = {
    1: (
        "Answer with text that is explicitly written in the chart. Separate several terms with commas. Give full names of subplots and "
        "labels, unless the question asks for something else, such as a letter."
    ),
    2: "Where the question gives options, answer with one of them; follow what else it asks for. Otherwise a short phrase is enough.",
    3: "Answer with a number that is explicitly written in the chart, even if it is an approximate value; it may be part of a text.",
}


def descriptive_question(template: Any, where: Any, row: Any, column: Any) -> str:
    """Returns a descriptive question in full.

    Args:
        template: its number.
        where: the place of the subplot in words, where subplots form no grid; else None.
        row, column: the place in the grid; row 0 where there is but one plot.

    Raises:
        ValueError: there is no such template, or no such place.
    """
    if template not in TEMPLATES:
        raise ValueError(f"template {template!r} is none of 1 to {len(TEMPLATES)}")
    asked, answer = TEMPLATES[template]
    if template in _WHOLE_FIGURE:
        return f"{asked[0].upper()}{asked[1:]}\n{answer}"
    if where:
        place = str(where)
    elif row is None or (row and column is None):
        raise ValueError("neither subplot_row with subplot_col nor subplot_loc says which plot is meant")
    else:
        place = f"the subplot at row {int(row)} and column {int(column)}" if row else "the current plot"
    return f"For {place}, {asked}\n{answer}"


def reasoning_question(asked: str, answer_type: Any, gold: str) -> str:
    """Returns a reasoning question in full.

    Args:
        asked: the question.
        answer_type: 1 text in the chart, 2 other text, 3 a number in the chart, 4 another number.
        gold: of type 4, as many decimals are asked for as it has.

    Raises:
        ValueError: there is no such type.
    """
    if answer_type == 4:
        decimals = len(gold.partition(".")[2].strip())
        answer = (
            f"Answer with a number with {decimals} decimal places." if decimals else "Answer with an exact integer."
        )
    elif answer_type in _REASONING:
        answer = _REASONING[answer_type]
    else:
        raise ValueError(f"reasoning_a_type {answer_type!r} is none of 1 to 4")
    return f"{asked}\n{answer}"
