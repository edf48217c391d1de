"""Words in pictures: letters of five by seven points, drawn here, on boards in front of a drawn background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vlmbench.scenes import COLORS, SIDE, Scene, pixels

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
