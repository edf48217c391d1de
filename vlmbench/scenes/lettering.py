"""Words in pictures: letters of five by seven points, drawn here, on boards in front of a drawn background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vlmbench.scenes.scene import COLORS, SIDE, Dice, Scene, pixels

WIDTH, HEIGHT = 5, 7
_ROWS = """
A .###. #...# #...# ##### #...# #...# #...#
B ####. #...# #...# ####. #...# #...# ####.
C .###. #...# #.... #.... #.... #...# .###.
D ####. #...# #...# #...# #...# #...# ####.
E ##### #.... #.... ####. #.... #.... #####
F ##### #.... #.... ####. #.... #.... #....
G .###. #...# #.... #.### #...# #...# .###.
H #...# #...# #...# ##### #...# #...# #...#
I .###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.
J ..### ...#. ...#. ...#. ...#. #..#. .##..
K #...# #..#. #.#.. ##... #.#.. #..#. #...#
L #.... #.... #.... #.... #.... #.... #####
M #...# ##.## #.#.# #.#.# #...# #...# #...#
N #...# ##..# ##..# #.#.# #..## #..## #...#
O .###. #...# #...# #...# #...# #...# .###.
P ####. #...# #...# ####. #.... #.... #....
Q .###. #...# #...# #...# #.#.# #..#. .##.#
R ####. #...# #...# ####. #.#.. #..#. #...#
S .#### #.... #.... .###. ....# ....# ####.
T ##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..
U #...# #...# #...# #...# #...# #...# .###.
V #...# #...# #...# #...# #...# .#.#. ..#..
W #...# #...# #...# #.#.# #.#.# ##.## #...#
X #...# #...# .#.#. ..#.. .#.#. #...# #...#
Y #...# #...# .#.#. ..#.. ..#.. ..#.. ..#..
Z ##### ....# ...#. ..#.. .#... #.... #####
0 .###. #...# #..## #.#.# ##..# #...# .###.
1 ..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.
2 .###. #...# ....# ..##. .#... #.... #####
3 ##### ...#. ..#.. ...#. ....# #...# .###.
4 ...#. ..##. .#.#. #..#. ##### ...#. ...#.
5 ##### #.... ####. ....# ....# #...# .###.
6 ..##. .#... #.... ####. #...# #...# .###.
7 ##### ....# ...#. ..#.. .#... .#... .#...
8 .###. #...# #...# .###. #...# #...# .###.
9 .###. #...# #...# .#### ....# ...#. .##..
"""
LETTERS = {line[0]: tuple(line[2:].split()) for line in _ROWS.strip().splitlines()}
MARGIN = 3
"""Points of board around a word."""


@dataclass(frozen=True, slots=True)
class Board:
    """A word on a coloured board."""

    word: str
    color: str
    scale: int
    """Pixels a point of a letter."""
    x: int
    y: int

    @property
    def width(self) -> int:
        """Pixels across, margins included."""
        return board_size(self.word, self.scale)[0]

    @property
    def height(self) -> int:
        """Pixels down."""
        return board_size(self.word, self.scale)[1]


def board_size(word: str, scale: int) -> tuple[int, int]:
    """Width and height of a board in pixels."""
    return scale * (len(word) * (WIDTH + 1) - 1) + 2 * MARGIN, scale * HEIGHT + 2 * MARGIN


def letters(word: str, scale: int) -> Any:
    """The word's points as a (height, width) array of truth values."""
    import numpy as np

    rows = [".".join(LETTERS[letter][row] for letter in word) for row in range(HEIGHT)]
    points = np.array([[point == "#" for point in row] for row in rows])
    return points.repeat(scale, axis=0).repeat(scale, axis=1)


def with_boards(scene: Scene, boards: tuple[Board, ...]) -> Any:
    """The scene's pixels with boards in front: bright boards, dark letters."""
    import numpy as np

    canvas = pixels(scene).astype(np.int64)
    grain = canvas - canvas.mean(axis=2, keepdims=True).astype(np.int64)
    for board in boards:
        assert 0 <= board.x <= SIDE - board.width and 0 <= board.y <= SIDE - board.height, board
        color = np.array(COLORS[board.color], dtype=np.int64)
        face = np.broadcast_to(color, (board.height, board.width, 3)).copy()
        face[:1] = face[-1:] = face[:, :1] = face[:, -1:] = color // 2
        inner = face[MARGIN:-MARGIN, MARGIN:-MARGIN]
        inner[letters(board.word, board.scale)] = 16
        canvas[board.y : board.y + board.height, board.x : board.x + board.width] = face
    return np.clip(canvas + grain % 5 - 2, 0, 255).astype(np.uint8)


# ------------------------------------------------------------------------------------------------- what signs say

LEXICON = (
    "OPEN", "STOP", "EXIT", "CAFE", "TAXI", "MILK", "SALE", "BOOKS", "NORTH", "PARK", "HOTEL", "BANK", "LAKE", "FARM",
    "MUSIC", "BREAD", "FRESH", "QUIET", "PIANO", "JUICE", "ZEBRA", "WATER", "VIOLIN", "KEY", "BUS", "TEA", "GYM",
    "RAIN", "SNOW", "WIND", "FOG", "HAIL", "SUN", "HEAT", "FROST", "CLOUD", "DEW", "ICE", "STORM", "IS",
    "GOOD", "NICE", "FINE", "BAD", "UGLY", "EVIL", "ANNA", "OTTO", "EVA", "PAUL", "HILL", "FISH", "N",
)  # fmt: skip
"""Every word that stands on a sign, in any sample."""
BRIGHT = ("orange", "yellow", "green", "cyan", "white")
"""Colours on which dark letters stand out."""
LARGEST = 900
"""Numbers on signs are below."""


def line(dice: Dice, words: tuple[str, ...], color: str, top: int, bottom: int) -> tuple[Board, ...]:
    """Words beside each other, as large as fits, somewhere between two heights, in the middle or not."""
    fits = [
        scale
        for scale in (3, 2)
        if sum(board_size(word, scale)[0] for word in words) + 4 * len(words) <= SIDE
        and board_size("A", scale)[1] <= bottom - top
    ]
    scale = dice.pick(fits) if fits else 2
    sizes = [board_size(word, scale) for word in words]
    room = SIDE - sum(width for width, _ in sizes) - 4 * (len(words) - 1)
    x, y = room // 2 if dice.chance(40) else dice.below(room + 1), top + dice.below(bottom - top - sizes[0][1] + 1)
    rows = []
    for word, (width, _) in zip(words, sizes, strict=True):
        rows.append(Board(word, color, scale, x, y))
        x += width + 4
    return tuple(rows)


def signs(dice: Dice) -> tuple[Board, ...]:
    """One sign; or two, one over the other; or a sign over a line of two."""

    def word() -> str:
        return str(dice.below(LARGEST)) if dice.chance(20) else dice.pick(LEXICON)

    colors = dice.shuffled(BRIGHT)
    second = colors[0] if dice.chance(40) else colors[1]
    kind = dice.below(5)
    if kind == 0:
        return line(dice, (word(),), colors[0], 1, SIDE - 1)
    upper = line(dice, (word(),), colors[0], 1, SIDE // 2)
    if kind == 4:
        short = dice.pick([word for word in LEXICON if len(word) <= 4])
        return *upper, *line(dice, ("IS", short), second, SIDE // 2, SIDE - 1)
    return *upper, *line(dice, (word(),), second, SIDE // 2, SIDE - 1)
