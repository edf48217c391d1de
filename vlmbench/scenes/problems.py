"""Problems in mathematics with a figure: rectangles, triangles, circles, lines in a grid, dots, rows of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vlmbench.scenes.canvas import INK, Canvas
from vlmbench.scenes.scene import COLORS, SIDE, Dice

TRIPLES = ((3, 4, 5), (6, 8, 10), (5, 12, 13), (8, 15, 17), (9, 12, 15))
"""Sides of right triangles."""
SHADES = ("red", "orange", "green", "blue", "purple", "cyan")
CELLS, CELL = 8, 10
"""Of the grid that lines are plotted in: cells across, and pixels of one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with its answer."""

    kind: str
    """geometry, function or puzzle."""
    about: str
    """What is asked for: area, length, angle, value, count, ..."""
    told: str
    """What the figure shows, in words."""
    question: str
    answer: str
    answer_type: str
    """integer, float (with one decimal place) or list."""
    draw: Callable[[Canvas], None]
    latex: str = ""
    """The answer as a formula, where it is not its text."""

    @property
    def pixels(self) -> Any:
        """The figure, (side, side, 3)."""
        canvas = Canvas()
        self.draw(canvas)
        return canvas.pixels


def problem(dice: Dice, number: int) -> Problem:
    """A problem of one of all kinds, in turn."""
    return MAKERS[number % len(MAKERS)](dice)


def options(dice: Dice, answer: int, count: int) -> list[str]:
    """The answer among other whole numbers near it, in a drawn order."""
    near = [answer + step for step in (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5) if answer + step >= 0]
    return [str(value) for value in dice.shuffled([answer, *dice.shuffled(near)[: count - 1]])]


# ------------------------------------------------------------------------------------------------------------ geometry


def _rectangle(dice: Dice) -> Problem:
    width, height = 3 + dice.below(7), 2 + dice.below(6)
    color, area = COLORS[dice.pick(SHADES)], dice.chance(50)

    def draw(canvas: Canvas) -> None:
        across, down = 7 * width, 7 * height
        left, top = (SIDE - across) // 2, (SIDE - down) // 2 + 4
        canvas.box(left, top, across, down, color)
        canvas.frame(left, top, across, down)
        canvas.print_centred(str(width), SIDE // 2, top - 10)
        canvas.print(str(height), left + across + 3, top + down // 2 - 3)

    told = f"The sides of a rectangle are {width} and {height}."
    what, answer = ("area", width * height) if area else ("perimeter", 2 * (width + height))
    return Problem(
        "geometry",
        "area" if area else "length",
        told,
        f"What is the {what} of the rectangle?",
        str(answer),
        "integer",
        draw,
    )


def _triangle(dice: Dice) -> Problem:
    across, up, longest = dice.pick(TRIPLES)
    scale = 70 // max(across, up)

    def draw(canvas: Canvas) -> None:
        corner = (16, SIDE - 16)
        right, top = (16 + scale * across, corner[1]), (16, corner[1] - scale * up)
        for start, end in ((corner, right), (corner, top), (top, right)):
            canvas.line(start, end)
        canvas.frame(corner[0], corner[1] - 5, 6, 6)
        canvas.print_centred(str(across), (corner[0] + right[0]) // 2, corner[1] + 4)
        canvas.print(str(up), 2, (corner[1] + top[1]) // 2 - 3)
        canvas.print("X", (right[0] + top[0]) // 2 + 5, (right[1] + top[1]) // 2 - 8)

    told = f"The two short sides of a right triangle are {across} and {up} long."
    question = "How long is the side x of the right triangle?"
    return Problem("geometry", "length", told, question, str(longest), "integer", draw)


def _circle(dice: Dice) -> Problem:
    radius = 2 + dice.below(8)
    color = COLORS[dice.pick(SHADES)]

    def draw(canvas: Canvas) -> None:
        middle, size = SIDE // 2, 36
        for y in range(-size, size + 1):
            half = int((size * size - y * y) ** 0.5)
            canvas.box(middle - half, middle + y, 2 * half + 1, 1, color)
        canvas.line((middle, middle), (middle + size, middle))
        canvas.print_centred(str(radius), middle + size // 2, middle - 10)

    told, answer = f"The radius of a circle is {radius}.", 2 * 3.14 * radius
    question = "What is the circumference of the circle? Take 3.14 for pi."
    return Problem("geometry", "length", told, question, f"{answer:.1f}", "float", draw, latex=f"{2 * radius} \\pi")


# ----------------------------------------------------------------------------------------------------------- functions


def _grid(canvas: Canvas) -> None:
    """Axes from 0 to 8."""
    far = 12 + CELLS * CELL
    for place in range(CELLS + 1):
        shade = INK if not place else (200, 200, 200)
        canvas.line((12 + place * CELL, SIDE - 12), (12 + place * CELL, SIDE - far), shade)
        canvas.line((12, SIDE - 12 - place * CELL), (far, SIDE - 12 - place * CELL), shade)
        if place % 2 == 0:
            canvas.print_centred(str(place), 12 + place * CELL, SIDE - 8)
            canvas.print(str(place), 4, SIDE - 15 - place * CELL)


def _function(dice: Dice) -> Problem:
    slope, start = dice.pick((-1, 1)), dice.below(3)
    first = start if slope > 0 else CELLS - start
    x = 1 + dice.below(5)
    color = COLORS[dice.pick(SHADES)]

    def draw(canvas: Canvas) -> None:
        _grid(canvas)
        last = CELLS - start
        ends = [(12 + at * CELL, SIDE - 12 - (first + slope * at) * CELL) for at in (0, last)]
        canvas.line(ends[0], ends[1], color)
        canvas.line((ends[0][0], ends[0][1] + 1), (ends[1][0], ends[1][1] + 1), color)

    said = f"{first} + x" if slope > 0 else f"{first} - x"
    question = f"What is the value of the function at x = {x}?"
    return Problem("function", "value", f"The line is y = {said}.", question, str(first + slope * x), "integer", draw)


# ------------------------------------------------------------------------------------------------------------- puzzles


def _dots(dice: Dice) -> Problem:
    rows = [1 + dice.below(5) for _ in range(3)]
    color = COLORS[dice.pick(SHADES)]

    def draw(canvas: Canvas) -> None:
        for row, count in enumerate(rows):
            for place in range(count):
                canvas.box(8 + 17 * place, 14 + 27 * row, 11, 11, color)

    told = f"There are {rows[0]}, {rows[1]} and {rows[2]} squares in three rows."
    return Problem("puzzle", "count", told, "How many squares are there?", str(sum(rows)), "integer", draw)


def _boxes(canvas: Canvas, texts: Sequence[str]) -> None:
    """A row of framed numbers."""
    for place, text in enumerate(texts):
        canvas.frame(4 + 23 * place, 34, 20, 24)
        canvas.print_centred(text, 14 + 23 * place, 43)


def _sequence(dice: Dice) -> Problem:
    first, step, missing = 1 + dice.below(9), 2 + dice.below(7), 1 + dice.below(3)
    values = [first + step * place for place in range(4)]
    shown = ["" if place == missing else str(value) for place, value in enumerate(values)]
    told = f"The numbers {', '.join(text or 'x' for text in shown)} grow by the same step."
    return Problem(
        "puzzle", "value", told, "Which number is missing?", str(values[missing]), "integer", lambda c: _boxes(c, shown)
    )


def _smallest(dice: Dice) -> Problem:
    values = dice.shuffled(range(10, 60))[:4]
    told = f"The numbers are {', '.join(map(str, values))}."
    low, second = sorted(values)[:2]
    question = "Which are the two smallest numbers, the smallest first?"
    return Problem(
        "puzzle", "list", told, question, f"[{low}, {second}]", "list", lambda c: _boxes(c, [str(v) for v in values])
    )


MAKERS: Sequence[Callable[[Dice], Problem]] = (_rectangle, _function, _dots, _triangle, _sequence, _circle, _smallest)
