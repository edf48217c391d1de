"""Draws small scenes whose answers are known: the embedded data.

A scene is a handful of shapes on a 3x3 grid over a dim background. Everything follows from one seed, and only integer
arithmetic and the documented parts of `random.Random` are used, so that a seed gives the same pixels on every machine.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from PIL.Image import Image

    Grid = Any  # numpy arrays; numpy is imported where it is used

SIDE = 96
CELL = 32

KINDS = (
    "circle", "square", "triangle", "star", "cross", "heart",
    "diamond", "ring", "moon", "arrow", "house", "hourglass",
)  # fmt: skip
CATEGORIES = {
    "figure": ("circle", "square", "triangle", "diamond", "ring"),
    "symbol": ("star", "cross", "heart", "arrow"),
    "object": ("moon", "house", "hourglass"),
}
COLORS = {
    "red": (222, 44, 44),
    "orange": (246, 140, 28),
    "yellow": (248, 226, 62),
    "green": (52, 178, 68),
    "cyan": (70, 214, 226),
    "blue": (52, 88, 226),
    "purple": (158, 66, 200),
    "white": (242, 242, 242),
}
SIZES = {"small": (18, 20), "large": (26, 28)}
TEXTURES = ("solid", "striped", "dotted")
GROUNDS = {"black": (26, 26, 30), "gray": (104, 104, 110), "brown": (98, 66, 44), "teal": (24, 84, 84)}
STYLES = ("plain", "shaded", "checkered")
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "center", "right")

# Kinds that belong together, so that some absent kinds are likelier than others (POPE's adversarial negatives).
THEMES = (
    ("moon", "star", "house", "arrow"),
    ("circle", "square", "triangle", "diamond"),
    ("heart", "ring", "diamond", "star"),
    ("hourglass", "cross", "moon", "ring"),
    ("square", "circle", "house", "cross"),
)

SAMPLE_SEEDS = {
    "pope": range(1_000, 1_500),
    "gqa": range(2_000, 2_500),
    "vsr": range(10_000, 10_500),
    "iconqa": range(11_000, 11_500),
    "hateful_memes": range(12_000, 12_500),
    "scienceqa": range(13_000, 13_500),
    "mme": range(14_000, 14_500),
    "mmbench": range(16_000, 16_500),
    "refcoco": range(17_000, 17_500),
    "vqav2": range(20_000, 20_500),
    "okvqa": range(21_000, 21_500),
    "textvqa": range(22_000, 22_500),
    "vizwiz": range(23_000, 23_500),
    "mmvet": range(30_000, 30_500),
    "llava_bench": range(31_000, 31_500),
}
"""Seeds of the embedded samples, by task."""
FURTHER_SEEDS = range(100_000, 10_000_000, 500)
"""Where the seeds of further samples begin: one of these blocks per task, found by its name."""
TRAIN_SEEDS = range(10_000_000, 2_000_000_000)
"""Seeds that training may use: disjoint from every sample by construction."""

T = TypeVar("T")


def sample_seeds(task: str) -> range:
    """The seeds of a task's embedded sample. Two tasks with the same block need an entry in SAMPLE_SEEDS (tested)."""
    first = FURTHER_SEEDS[zlib.crc32(task.encode()) % len(FURTHER_SEEDS)]
    return SAMPLE_SEEDS.get(task, range(first, first + 500))


@dataclass(frozen=True, slots=True)
class Thing:
    """One shape of a scene."""

    kind: str
    color: str
    size: str
    texture: str
    box: tuple[int, int, int, int]
    """x, y, width, height in pixels."""
    cell: tuple[int, int]
    """row and column on the 3x3 grid."""

    @property
    def row(self) -> str:
        """The row in words: top, middle or bottom."""
        return ROWS[self.cell[0]]

    @property
    def column(self) -> str:
        """The column in words: left, center or right."""
        return COLUMNS[self.cell[1]]


@dataclass(frozen=True, slots=True)
class Scene:
    """What an image shows, and the seed of its noise."""

    seed: int
    things: tuple[Thing, ...]
    """In reading order of their cells."""
    ground: str
    """Colour of the background."""
    style: str
    """Pattern of the background."""

    def count(self, kind: str) -> int:
        """How many things are of this kind."""
        return sum(thing.kind == kind for thing in self.things)

    def unique(self) -> tuple[Thing, ...]:
        """The things that are the only ones of their kind, so that "the star" is one star."""
        return tuple(thing for thing in self.things if self.count(thing.kind) == 1)


class Dice:
    """Choices made with `random()` alone, whose values Python documents as stable."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, n: int) -> int:
        """A whole number in 0..n-1."""
        return int(self._random.random() * n)

    def chance(self, percent: int) -> bool:
        """True so many times in a hundred."""
        return self.below(100) < percent

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """The items in a new order."""
        pool = list(items)
        for last in range(len(pool) - 1, 0, -1):
            other = self.below(last + 1)
            pool[last], pool[other] = pool[other], pool[last]
        return pool

    def noise(self, n: int) -> bytes:
        """n bytes."""
        return self._random.randbytes(n)


def make_scene(seed: int, fewest: int = 3, most: int = 5) -> Scene:
    """The scene that belongs to a seed, with `fewest` to `most` things."""
    dice = Dice(seed)
    count = fewest + dice.below(most - fewest + 1)
    kinds = _kinds(dice, count)
    cells = dice.shuffled((row, column) for row in range(3) for column in range(3))[:count]
    things: list[Thing] = []
    for kind, cell in zip(kinds, cells, strict=True):
        like = dice.pick(things) if things and dice.chance(22) else None  # now and then two of one colour
        things.append(_thing(dice, kind, like.color if like else dice.pick(tuple(COLORS)), cell))
    things.sort(key=lambda thing: thing.cell)
    return Scene(seed, tuple(things), dice.pick(tuple(GROUNDS)), dice.pick(STYLES))


def _kinds(dice: Dice, count: int) -> list[str]:
    """Kinds of one theme more often than others; now and then a kind twice."""
    theme = dice.pick(THEMES)
    kinds: list[str] = []
    while len(kinds) < count:
        kind = dice.pick(theme) if dice.chance(55) else dice.pick(KINDS)
        if kind not in kinds or dice.chance(12):
            kinds.append(kind)
    return kinds


def _thing(dice: Dice, kind: str, color: str, cell: tuple[int, int]) -> Thing:
    size, texture = dice.pick(tuple(SIZES)), dice.pick(TEXTURES)
    low, high = SIZES[size]
    side = low + dice.below(high - low + 1)
    slack = CELL - side - 2  # one free pixel on each side of the cell
    loose = min(slack, 6)
    x, y = (
        CELL * place + 1 + (slack - loose) // 2 + dice.below(loose + 1)
        for place in (cell[1], cell[0])
    )  # fmt: skip
    return Thing(kind, color, size, texture, (x, y, side, side), cell)


# ---------------------------------------------------------------------------------------------------------- drawing
# A kind is a set of points in the square -100..100 (u to the right, v downwards), given as a rule over integer grids.


def _polygon(u: Grid, v: Grid, *points: tuple[int, int]) -> Grid:
    """Even-odd rule in whole numbers."""
    inside = (u * 0) != 0
    for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
        crosses = (y1 > v) != (y2 > v)
        side = (u - x1) * (y2 - y1) - (v - y1) * (x2 - x1)
        inside = inside ^ (crosses & ((side < 0) if y2 > y1 else (side > 0)))
    return inside


_OUTLINES: dict[str, tuple[tuple[int, int], ...]] = {
    "triangle": ((0, -94), (98, 86), (-98, 86)),
    "star": (
        (0, -100), (25, -30), (97, -28), (40, 16), (60, 86), (0, 45), (-60, 86), (-40, 16), (-97, -28), (-25, -30),
    ),
    "diamond": ((0, -99), (68, 0), (0, 99), (-68, 0)),
    "arrow": ((0, -98), (88, -4), (36, -4), (36, 96), (-36, 96), (-36, -4), (-88, -4)),
    "house": (
        (0, -98), (98, -14), (74, -14), (74, 94), (24, 94), (24, 30), (-24, 30), (-24, 94), (-74, 94), (-74, -14),
        (-98, -14),
    ),
    "hourglass": ((-84, -96), (84, -96), (12, 0), (84, 96), (-84, 96), (-12, 0)),
    "heart": ((-95, -18), (95, -18), (0, 96)),
}  # fmt: skip


def _disc(u: Grid, v: Grid, x: int, y: int, radius: int) -> Grid:
    return (u - x) ** 2 + (v - y) ** 2 <= radius**2


def mask(kind: str, side: int, shrink: int = 100) -> Grid:
    """The points of a kind on a square grid of side x side points; shrunk about the middle to that many percent."""
    import numpy as np

    steps = (2 * np.arange(side, dtype=np.int64) + 1 - side) * 10_000 // (side * shrink)
    v, u = np.meshgrid(steps, steps, indexing="ij")
    round_kinds: dict[str, Callable[[], Grid]] = {
        "circle": lambda: _disc(u, v, 0, 0, 96),
        "square": lambda: (abs(u) <= 86) & (abs(v) <= 86),
        "cross": lambda: ((abs(u) <= 32) & (abs(v) <= 95)) | ((abs(v) <= 32) & (abs(u) <= 95)),
        "ring": lambda: _disc(u, v, 0, 0, 97) & ~_disc(u, v, 0, 0, 52),
        "moon": lambda: _disc(u, v, 4, 0, 95) & ~_disc(u, v, 48, -14, 76),
        "heart": lambda: _disc(u, v, -48, -36, 51) | _disc(u, v, 48, -36, 51) | _polygon(u, v, *_OUTLINES["heart"]),
    }
    return round_kinds[kind]() if kind in round_kinds else _polygon(u, v, *_OUTLINES[kind])


_FINE = 4  # sub-pixels per side


def _texture(texture: str, side: int) -> Grid:
    """Which sub-pixels of a thing are dark."""
    import numpy as np

    y, x = np.meshgrid(np.arange(side * _FINE), np.arange(side * _FINE), indexing="ij")
    if texture == "striped":
        return (x + y) % 28 < 12
    if texture == "dotted":
        middle = side * _FINE // 2
        dx, dy = (x - middle + 14) % 28 - 14, (y - middle + 14) % 28 - 14
        return dx * dx + dy * dy <= 81
    return (x < 0) & (y < 0)


@cache
def coverage(kind: str, side: int, texture: str) -> tuple[Grid, Grid]:
    """How many of a pixel's 16 sub-pixels are bright and how many are dark, for each pixel of a thing's box."""
    shape = mask(kind, side * _FINE)
    dark = _texture(texture, side) & mask(kind, side * _FINE, shrink=84)  # the rim stays bright
    bright, dim = (
        part.reshape(side, _FINE, side, _FINE).sum(axis=(1, 3))[:, :, None] for part in (shape & ~dark, shape & dark)
    )
    return bright, dim


@cache
def _background(ground: str, style: str) -> Grid:
    import numpy as np

    base = np.array(GROUNDS[ground], dtype=np.int64)
    y, x = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    gain = {
        "plain": x * 0 + 100,
        "shaded": 70 + 70 * y // SIDE,
        "checkered": 86 + 34 * ((x // 8 + y // 8) % 2),
    }[style]
    return base[None, None, :] * gain[:, :, None] // 100


def pixels(scene: Scene) -> Grid:
    """The scene as a (96, 96, 3) array of bytes."""
    import numpy as np

    area = _FINE * _FINE
    canvas = _background(scene.ground, scene.style).copy()
    for thing in scene.things:
        x, y, side, _ = thing.box
        bright, dim = coverage(thing.kind, side, thing.texture)
        spot = canvas[y : y + side, x : x + side]
        color = np.array(COLORS[thing.color], dtype=np.int64)
        spot[:] = (spot * (area - bright - dim) + color * bright + color * 9 // 20 * dim + area // 2) // area
    grain = np.frombuffer(Dice(scene.seed + (1 << 40)).noise(SIDE * SIDE), dtype=np.uint8).astype(np.int64) % 13 - 6
    return np.clip(canvas + grain.reshape(SIDE, SIDE, 1), 0, 255).astype(np.uint8)


def blurred(grid: Grid, radius: int, times: int) -> Grid:
    """Each pixel the mean of the square around it, several times over; whole numbers only."""
    import numpy as np

    side = 2 * radius + 1
    for _ in range(times):
        for axis in (0, 1):
            pad = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
            wide = np.pad(grid, pad, mode="edge").astype(np.int64)
            total = np.insert(wide.cumsum(axis=axis), 0, 0, axis=axis)
            length = grid.shape[axis]
            grid = (total.take(range(side, side + length), axis) - total.take(range(length), axis)) // side
    return grid


def draw(scene: Scene) -> Image:
    """The scene as an image."""
    from PIL import Image

    return Image.fromarray(pixels(scene), "RGB")


# ------------------------------------------------------------------------------------------------------ scene graph

RELATIONS = ("to the left of", "to the right of", "above", "below")
INVERSE = dict(zip(RELATIONS, ("to the right of", "to the left of", "below", "above"), strict=True))


def relation(a: Thing, b: Thing) -> str | None:
    """How a stands to b; only said of things in one row or in one column, where it is beyond doubt."""
    if a.cell[0] == b.cell[0] and a.cell[1] != b.cell[1]:
        return RELATIONS[0] if a.cell[1] < b.cell[1] else RELATIONS[1]
    if a.cell[1] == b.cell[1] and a.cell[0] != b.cell[0]:
        return RELATIONS[2] if a.cell[0] < b.cell[0] else RELATIONS[3]
    return None


def object_id(scene: Scene, thing: Thing) -> str:
    """The id of a thing in the scene graph."""
    return f"{scene.seed}{thing.cell[0]}{thing.cell[1]}"


def scene_graph(scene: Scene) -> dict[str, Any]:
    """The scene in the layout of GQA's scene graph files."""
    objects = {}
    for thing in scene.things:
        x, y, w, h = thing.box
        links = [
            {"name": name, "object": object_id(scene, other)}
            for other in scene.things
            if (name := relation(thing, other)) is not None
        ]
        objects[object_id(scene, thing)] = {
            "name": thing.kind,
            "x": x, "y": y, "w": w, "h": h,
            "attributes": [thing.color, thing.size, thing.texture],
            "relations": links,
        }  # fmt: skip
    return {
        "width": SIDE,
        "height": SIDE,
        "location": scene.ground,
        "weather": scene.style,
        "objects": objects,
    }
