"""Geometry figures with measures, clocks, grids to count and pattern puzzles."""

from __future__ import annotations

import math
import random

from mmcurate.sources.procedural.canvas import BLACK, COLOURS, GREY, Canvas, Drawn, choices, ink, number_choices

_TRIPLES = [(3, 4, 5), (5, 12, 13), (6, 8, 10), (8, 15, 17), (9, 12, 15), (7, 24, 25), (20, 21, 29), (12, 16, 20)]


def geometry(dice: random.Random, level: int) -> Drawn:
    """A rectangle, a right triangle, or two angles of a triangle."""
    canvas = Canvas()
    colour = ink(dice.choice(list(COLOURS)))
    if level == 1:
        a, b = dice.randint(3, 20), dice.randint(3, 20)
        canvas.draw.rectangle((70, 60, 250, 180), outline=colour, width=3)
        canvas.text(160, 46, f"{a} cm", size=15)
        canvas.text(258, 120, f"{b} cm", size=15, anchor="lm")
        kind = dice.choice(("area", "perimeter"))
        answer = f"{a * b} cm^2" if kind == "area" else f"{2 * (a + b)} cm"
        caption = f"A rectangle with sides of {a} cm and {b} cm."
        return Drawn(canvas.png(), f"What is the {kind} of the rectangle?", [], answer, caption)
    if level == 2:
        left, right = dice.randint(25, 75), dice.randint(25, 75)
        canvas.draw.polygon((50, 195, 270, 195, 50 + 220 * left / (left + right), 50), outline=colour, width=3)
        canvas.text(84, 182, f"{right}°", size=15)
        canvas.text(234, 182, f"{left}°", size=15)
        canvas.text(50 + 220 * left / (left + right), 76, "x", size=16)
        caption = f"A triangle with angles of {right} degrees, {left} degrees and x."
        return Drawn(canvas.png(), "What is the angle x in degrees?", [], f"{180 - left - right}°", caption)
    a, b, c = dice.choice(_TRIPLES)
    factor = dice.randint(1, 4)
    sides = [a * factor, b * factor, c * factor]
    missing = dice.randrange(3)
    names = ["x" if i == missing else str(s) for i, s in enumerate(sides)]
    canvas.draw.polygon((60, 190, 260, 190, 60, 60), outline=colour, width=3)
    canvas.draw.rectangle((60, 178, 72, 190), outline=ink(BLACK))
    canvas.text(46, 125, names[0], size=15)
    canvas.text(160, 206, names[1], size=15)
    canvas.text(174, 112, names[2], size=15, anchor="lm")
    caption = f"A right triangle with legs {names[0]} and {names[1]} and hypotenuse {names[2]}."
    return Drawn(
        canvas.png(), "The triangle has a right angle. What is the length x?", [], str(sides[missing]), caption
    )


def clock(dice: random.Random, level: int) -> Drawn:
    """A clock with two hands."""
    hour, minute = dice.randint(1, 12), dice.choice((range(0, 60, 30), range(0, 60, 5), range(60))[level - 1])
    canvas = Canvas(240, 240)
    canvas.draw.ellipse((15, 15, 225, 225), outline=ink(BLACK), width=3)
    for i in range(1, 13):
        angle = math.radians(30 * i - 90)
        canvas.text(120 + 90 * math.cos(angle), 120 + 90 * math.sin(angle), str(i), size=15)
    for turn, length, width, colour in (
        ((hour % 12) * 30 + minute / 2, 50, 5, BLACK),
        (minute * 6, 78, 3, dice.choice(list(COLOURS))),
    ):
        angle = math.radians(turn - 90)
        canvas.draw.line(
            (120, 120, 120 + length * math.cos(angle), 120 + length * math.sin(angle)), fill=ink(colour), width=width
        )
    shown = f"{hour}:{minute:02d}"
    caption = f"A clock that shows {shown}."
    if level < 3:
        wrong = [
            f"{h}:{m:02d}"
            for h, m in (
                (hour % 12 + 1, minute),
                ((hour + 5) % 12 + 1, minute),
                (hour, (minute + 30) % 60),
                (hour % 12 + 1, (minute + 15) % 60),
            )
        ]
        return Drawn(canvas.png(), "What time does the clock show?", choices(dice, shown, wrong), shown, caption)
    later = dice.choice((10, 25, 40, 55))
    total = (hour % 12) * 60 + minute + later
    answer = f"{(total // 60 - 1) % 12 + 1}:{total % 60:02d}"
    return Drawn(canvas.png(), f"What time will the clock show in {later} minutes?", [], answer, caption)


def _shape(canvas: Canvas, kind: str, x: float, y: float, size: float, colour: str) -> None:
    if kind == "circle":
        canvas.draw.ellipse((x - size, y - size, x + size, y + size), fill=ink(colour))
    elif kind == "square":
        canvas.draw.rectangle((x - size, y - size, x + size, y + size), fill=ink(colour))
    else:
        canvas.draw.polygon((x, y - size, x - size, y + size, x + size, y + size), fill=ink(colour))


def grid(dice: random.Random, level: int) -> Drawn:
    """Coloured shapes in a grid, some of which are to be counted."""
    side = 2 + level
    colours = dice.sample(list(COLOURS), 1 + level)
    kinds = ["circle", "square", "triangle"][: 1 + min(level, 2)]
    cells = [[(dice.choice(colours), dice.choice(kinds)) for _ in range(side)] for _ in range(side)]
    canvas = Canvas(240, 240)
    step = 230 / side
    for r, row in enumerate(cells):
        for c, (colour, kind) in enumerate(row):
            x, y = 5 + step * (c + 0.5), 5 + step * (r + 0.5)
            canvas.draw.rectangle((x - step / 2, y - step / 2, x + step / 2, y + step / 2), outline=ink(GREY))
            _shape(canvas, kind, x, y, step * 0.3, colour)
    flat = [cell for row in cells for cell in row]
    caption = "A grid of shapes, row by row: " + "; ".join(", ".join(f"{a} {b}" for a, b in row) for row in cells) + "."
    colour, kind = dice.choice(flat)
    if level == 1:
        count, what = sum(c == colour for c, _ in flat), f"{colour} shapes"
        return Drawn(canvas.png(), f"How many {what} are there?", number_choices(dice, count, 2), str(count), caption)
    if level == 2:
        count, what = sum(cell == (colour, kind) for cell in flat), f"{colour} {kind}s"
    else:
        count, what = sum(k == kind and c != colour for c, k in flat), f"{kind}s that are not {colour}"
    return Drawn(canvas.png(), f"How many {what} are there?", [], str(count), caption)


def pattern(dice: random.Random, level: int) -> Drawn:
    """A row whose next member is to be found: colours that repeat, or numbers that grow by a rule."""
    canvas = Canvas(360, 110)
    if level == 1:
        period = dice.sample(list(COLOURS), dice.randint(2, 3))
        shown = [period[i % len(period)] for i in range(6)]
        answer = period[6 % len(period)]
        for i, colour in enumerate(shown):
            _shape(canvas, "circle", 30 + 48 * i, 55, 18, colour)
        canvas.text(30 + 48 * 6, 55, "?", size=26)
        caption = "Circles in a row: " + ", ".join(shown) + ", and a question mark."
        return Drawn(canvas.png(), "Which colour comes next?", choices(dice, answer, list(COLOURS)), answer, caption)
    first, step = dice.randint(1, 12), dice.randint(2, 9)
    if level == 2:
        numbers = [first + step * i for i in range(6)]
    else:
        numbers = [first]
        for i in range(5):
            numbers.append(
                numbers[-1] + step + i * dice.choice((1, 2)) if i < 1 else 2 * numbers[-1] - numbers[-2] + step % 3 + 1
            )
    hidden = dice.randint(2, 5)
    for i, number in enumerate(numbers):
        _shape(canvas, "square", 32 + 58 * i, 55, 24, "teal" if i == hidden else "orange")
        canvas.text(32 + 58 * i, 55, "?" if i == hidden else str(number), size=16)
    caption = "Numbers in a row: " + ", ".join("?" if i == hidden else str(n) for i, n in enumerate(numbers)) + "."
    return Drawn(canvas.png(), "Which number belongs in place of the question mark?", [], str(numbers[hidden]), caption)
