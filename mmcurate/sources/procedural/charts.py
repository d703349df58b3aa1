"""Bar, line and pie charts, and tables."""

from __future__ import annotations

import random

from mmcurate.sources.procedural.canvas import BLACK, COLOURS, GREY, LIGHT, Canvas, Drawn, choices, ink, number_choices

_TOPICS = [
    ("Books sold", ("Ana", "Ben", "Cho", "Dev", "Eva", "Finn", "Gia", "Hugo")),
    ("Rain in mm", ("Oslo", "Lima", "Cairo", "Perth", "Quito", "Delhi", "Bern", "Kyoto")),
    ("Goals", ("Reds", "Blues", "Lions", "Hawks", "Wolves", "Stars", "Bears", "Rams")),
    ("Visitors", ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Hol")),
]


def _series(dice: random.Random, level: int) -> tuple[str, list[str], list[int]]:
    """Returns a title, three to seven names, and a different value for each."""
    title, names = dice.choice(_TOPICS)
    count = 2 + level + dice.randint(1, 2)
    step = (10, 5, 1)[level - 1]
    values = [v * step for v in dice.sample(range(1, 100 // step), count)]
    return title, list(names[:count]), values


def _question(
    dice: random.Random, level: int, title: str, names: list[str], values: list[int]
) -> tuple[str, list[str], str]:
    thing = title[0].lower() + title[1:]
    kind = dice.randrange(4 if level > 1 else 2)
    a, b = dice.sample(range(len(names)), 2)
    if kind == 0:
        best = dice.choice((max, min))
        which = "highest" if best is max else "lowest"
        right = names[values.index(best(values))]
        return f"Which has the {which} value of {thing}?", choices(dice, right, names), right
    if kind == 1:
        return f"What is the value of {thing} for {names[a]}?", number_choices(dice, values[a], level), str(values[a])
    if kind == 2:
        if values[a] < values[b]:
            a, b = b, a
        return (
            f"By how much is the value for {names[a]} larger than that for {names[b]}?",
            [],
            str(values[a] - values[b]),
        )
    if level == 3:
        limit = sorted(values)[len(values) // 2]
        return f"How many have a value of {thing} of at least {limit}?", [], str(sum(v >= limit for v in values))
    return f"What is the sum of the values for {names[a]} and {names[b]}?", [], str(values[a] + values[b])


def _caption(kind: str, title: str, names: list[str], values: list[int]) -> str:
    return f"A {kind} of {title}: " + ", ".join(f"{n} {v}" for n, v in zip(names, values, strict=True)) + "."


def bar_chart(dice: random.Random, level: int) -> Drawn:
    """Bars of different heights, the value written over each."""
    title, names, values = _series(dice, level)
    canvas = Canvas()
    canvas.text(160, 14, title, size=15)
    canvas.draw.line((30, 30, 30, 205, 310, 205), fill=ink(BLACK), width=2)
    width = 270 / len(names)
    colours = dice.sample(list(COLOURS), len(names))
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        x, top = 36 + i * width, 204 - value * 1.55
        canvas.draw.rectangle((x, top, x + width * 0.7, 203), fill=ink(colours[i]))
        canvas.text(x + width * 0.35, top - 8, str(value), size=12)
        canvas.text(x + width * 0.35, 218, name, size=12)
    question, options, answer = _question(dice, level, title, names, values)
    return Drawn(canvas.png(), question, options, answer, _caption("bar chart", title, names, values))


def line_chart(dice: random.Random, level: int) -> Drawn:
    """A line through labelled points."""
    title, names, values = _series(dice, level)
    canvas = Canvas()
    canvas.text(160, 14, title, size=15)
    for y in range(45, 206, 32):
        canvas.draw.line((30, y, 310, y), fill=ink(LIGHT))
    canvas.draw.line((30, 30, 30, 205, 310, 205), fill=ink(BLACK), width=2)
    step = 250 / (len(names) - 1)
    points = [(45 + i * step, 200 - value * 1.5) for i, value in enumerate(values)]
    colour = dice.choice(list(COLOURS))
    canvas.draw.line(points, fill=ink(colour), width=2)
    for (x, height), name, value in zip(points, names, values, strict=True):
        canvas.draw.ellipse((x - 3, height - 3, x + 3, height + 3), fill=ink(colour))
        canvas.text(x, height - 10, str(value), size=12)
        canvas.text(x, 218, name, size=12)
    question, options, answer = _question(dice, level, title, names, values)
    return Drawn(canvas.png(), question, options, answer, _caption("line chart", title, names, values))


def pie_chart(dice: random.Random, level: int) -> Drawn:
    """A pie whose parts are percentages, with a legend."""
    title, names, _ = _series(dice, level)
    step = (10, 5, 1)[level - 1]
    cuts = sorted(dice.sample(range(1, 100 // step), len(names) - 1))
    values = [(b - a) * step for a, b in zip([0, *cuts], [*cuts, 100 // step], strict=True)]
    colours = dice.sample(list(COLOURS), len(names))
    canvas, angle = Canvas(), -90.0
    canvas.text(160, 14, f"{title}, share", size=15)
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        end = angle + value * 3.6
        canvas.draw.pieslice((20, 35, 205, 220), angle, end, fill=ink(colours[i]), outline=ink(BLACK))
        angle = end
        canvas.draw.rectangle((218, 45 + 24 * i, 230, 57 + 24 * i), fill=ink(colours[i]))
        canvas.text(235, 51 + 24 * i, f"{name} {value}%", size=12, anchor="lm")
    caption = _caption("pie chart, in percent,", title, names, values)
    a, b = dice.sample(range(len(names)), 2)
    if level == 1 and values.count(max(values)) == 1:
        right = names[values.index(max(values))]
        question, options, answer = "Which part is the largest?", choices(dice, right, names), right
    elif level < 3:
        question, options, answer = f"What share does {names[a]} have, in percent?", [], f"{values[a]}%"
    else:
        question, options, answer = (
            f"What share do {names[a]} and {names[b]} have together?",
            [],
            f"{values[a] + values[b]}%",
        )
    return Drawn(canvas.png(), question, options, answer, caption)


def table(dice: random.Random, level: int) -> Drawn:
    """A table of numbers with a header row and names."""
    title, names, _ = _series(dice, level)
    columns = ["2021", "2022", "2023", "2024"][: 1 + level]
    names = names[: 3 + level]
    cells = [[dice.randint(1, 99) for _ in columns] for _ in names]
    canvas = Canvas(320, 60 + 24 * len(names))
    canvas.text(160, 14, title, size=15)
    width = 220 / len(columns)
    for j, year in enumerate(columns):
        canvas.text(90 + (j + 0.5) * width, 38, year, size=13)
    for i, name in enumerate(names):
        y = 50 + 24 * i
        canvas.draw.line((10, y, 310, y), fill=ink(GREY))
        canvas.text(14, y + 12, name, anchor="lm")
        for j, value in enumerate(cells[i]):
            canvas.text(90 + (j + 0.5) * width, y + 12, str(value))
    i, j = dice.randrange(len(names)), dice.randrange(len(columns))
    caption = (
        f"A table of {title}: "
        + "; ".join(
            f"{name} " + ", ".join(f"{c} {v}" for c, v in zip(columns, row, strict=True))
            for name, row in zip(names, cells, strict=True)
        )
        + "."
    )
    column = [row[j] for row in cells]
    if level == 1:
        question, options, answer = (
            f"What is the value for {names[i]} in {columns[j]}?",
            number_choices(dice, column[i], level),
            str(column[i]),
        )
    elif level == 2:
        question, options, answer = f"What is the sum of all values in {columns[j]}?", [], str(sum(column))
    else:
        first, last = cells[i][0], cells[i][-1]
        question = f"By how much did the value for {names[i]} change from {columns[0]} to {columns[-1]}? Give a negative number for a fall."
        options, answer = [], str(last - first)
    return Drawn(canvas.png(), question, options, answer, caption)
