"""Flat pictures with small print, on which charts, forms and documents are drawn."""

from __future__ import annotations

from typing import Any

from vlmbench.scenes.lettering import HEIGHT, LETTERS, WIDTH
from vlmbench.scenes.scene import SIDE

_MARKS = """
% ##..# ##..# ...#. ..#.. .#... #..## #..##
. ..... ..... ..... ..... ..... .##.. .##..
: ..... .##.. .##.. ..... .##.. .##.. .....
$ ..#.. .#### #.#.. .###. ..#.# ####. ..#..
- ..... ..... ..... ##### ..... ..... .....
+ ..... ..#.. ..#.. ##### ..#.. ..#.. .....
= ..... ..... ##### ..... ##### ..... .....
/ ..... ....# ...#. ..#.. .#... #.... .....
"""
POINTS = {
    **LETTERS,
    **{line[0]: tuple(line[2:].split()) for line in _MARKS.strip().splitlines()},
    " ": ("." * WIDTH,) * HEIGHT,
}
"""Letters, figures and marks: rows of five points."""
PAPER, INK = (242, 242, 242), (16, 16, 16)
PITCH = WIDTH + 1
"""Points from a letter to the next."""

RGB = tuple[int, int, int]


def print_width(text: str, scale: int = 1) -> int:
    """Pixels across."""
    return scale * (len(text) * PITCH - 1)


class Canvas:
    """A square picture that is drawn on; what leaves it is cut off."""

    def __init__(self, paper: RGB = PAPER, side: int = SIDE) -> None:
        import numpy as np

        self.pixels: Any = np.empty((side, side, 3), dtype=np.uint8)
        """(side, side, 3)."""
        self.pixels[:] = paper

    def box(self, x: int, y: int, width: int, height: int, color: RGB) -> None:
        """A filled box."""
        self.pixels[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = color

    def frame(self, x: int, y: int, width: int, height: int, color: RGB = INK) -> None:
        """The lines around a box, inside it."""
        for line in ((x, y, width, 1), (x, y + height - 1, width, 1), (x, y, 1, height), (x + width - 1, y, 1, height)):
            self.box(*line, color)

    def line(self, start: tuple[int, int], end: tuple[int, int], color: RGB = INK) -> None:
        """A straight line of one pixel."""
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(steps + 1):
            x, y = (a + (2 * step * (b - a) + steps) // (2 * steps) for a, b in zip(start, end, strict=True))
            self.box(x, y, 1, 1, color)

    def print(self, text: str, x: int, y: int, color: RGB = INK, scale: int = 1) -> None:
        """Capital letters, figures and marks, from their upper left corner on."""
        for place, letter in enumerate(text):
            for row, points in enumerate(POINTS[letter]):
                for column, point in enumerate(points):
                    if point == "#":
                        left = x + scale * (place * PITCH + column)
                        self.box(left, y + scale * row, scale, scale, color)

    def print_centred(self, text: str, x: int, y: int, color: RGB = INK, scale: int = 1) -> None:
        """The same around a middle."""
        self.print(text, x - print_width(text, scale) // 2, y, color, scale)
