"""The embedded sample of MME: fourteen subtasks, each picture with a question to be answered yes and one no."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmbench.scenes.lettering import Board, board_size, with_boards
from vlmbench.scenes.questions import article
from vlmbench.scenes.scene import COLORS, GROUNDS, INVERSE, KINDS, SIDE, STYLES, Dice, Scene, pixels, relation

from .common import encoded, scenes, write

EACH = 2
"""Pictures a subtask."""
APART = ("posters", "celebrity", "scene", "landmark", "artwork")
"""Subtasks whose official folders keep pictures and questions in folders of their own."""
PLEASE = " Please answer yes or no."
ROOT = "MME_Benchmark_release_version"
WORDS = {"MILK": "leche", "BREAD": "pan", "WATER": "agua", "BOOKS": "libros"}
NAMES = ("ANNA", "OTTO", "EVA", "PAUL")

DrawnQuestion = tuple[str, str, Any]
"""A question to be answered yes, one to be answered no, and the pixels."""


def _other(dice: Dice, values: Iterable[str], but: str) -> str:
    return dice.pick([value for value in values if value != but])


def _signed(scene: Scene, *words: str) -> Any:
    """The scene behind one or two signs."""
    boards = []
    for word, y in zip(words, (8, 60), strict=False):
        width, height = board_size(word, 2)
        boards.append(Board(word, "yellow", 2, (SIDE - width) // 2, y + (16 - height) // 2 + 4))
    return with_boards(scene, tuple(boards))


def _existence(scene: Scene, dice: Dice) -> DrawnQuestion:
    absent = _other(dice, [kind for kind in KINDS if not scene.count(kind)], "")
    there = dice.pick(scene.things).kind
    return f"Is there {article(there)} in this image?", f"Is there {article(absent)} in this image?", pixels(scene)


def _count(scene: Scene, dice: Dice) -> DrawnQuestion:
    many = len(scene.things)
    return f"Are there {many} shapes in the image?", f"Are there {many + 1} shapes in the image?", pixels(scene)


def _position(scene: Scene, dice: Dice) -> DrawnQuestion:
    pairs = [(a, b, name) for a in scene.unique() for b in scene.unique() if (name := relation(a, b))]
    a, b, name = dice.pick(pairs)
    return f"Is the {a.kind} {name} the {b.kind}?", f"Is the {a.kind} {INVERSE[name]} the {b.kind}?", pixels(scene)


def _color(scene: Scene, dice: Dice) -> DrawnQuestion:
    thing = dice.pick(scene.unique())
    return (
        f"Is the {thing.kind} {thing.color}?",
        f"Is the {thing.kind} {_other(dice, COLORS, thing.color)}?",
        pixels(scene),
    )


def _scene(scene: Scene, dice: Dice) -> DrawnQuestion:
    ask = "Is this scene in front of a {} background?"
    return ask.format(scene.ground), ask.format(_other(dice, GROUNDS, scene.ground)), pixels(scene)


def _artwork(scene: Scene, dice: Dice) -> DrawnQuestion:
    ask = "Is the background of this artwork {}?"
    return ask.format(scene.style), ask.format(_other(dice, STYLES, scene.style)), pixels(scene)


def _reading(ask: str, words: tuple[str, ...]) -> Callable[[Scene, Dice], DrawnQuestion]:
    """A question about the word on a sign."""

    def make(scene: Scene, dice: Dice) -> DrawnQuestion:
        word = dice.pick(words)
        return ask.format(word), ask.format(_other(dice, words, word)), _signed(scene, word)

    return make


def _taken(scene: Scene, dice: Dice) -> DrawnQuestion:
    many = len(scene.things)
    ask = "If one shape is taken away, are {} shapes left?"
    return ask.format(many - 1), ask.format(many), pixels(scene)


def _sum(scene: Scene, dice: Dice) -> DrawnQuestion:
    a, b = 10 + dice.below(40), 10 + dice.below(40)
    ask = "Is the sum of the two numbers in the picture {}?"
    return ask.format(a + b), ask.format(a + b + 10), _signed(scene, str(a), str(b))


def _translation(scene: Scene, dice: Dice) -> DrawnQuestion:
    word = dice.pick(tuple(WORDS))
    ask = "Is it right to translate the word on the sign into Spanish as '{}'?"
    return ask.format(WORDS[word]), ask.format(_other(dice, WORDS.values(), WORDS[word])), _signed(scene, word)


def _code(scene: Scene, dice: Dice) -> DrawnQuestion:
    n = 2 + dice.below(7)
    ask = "The sign says what N is. Is the output of print(N + 1) equal to {}?"
    return ask.format(n + 1), ask.format(n + 2), _signed(scene, "N", str(n))


MAKERS: Mapping[str, Callable[[Scene, Dice], DrawnQuestion]] = {
    "existence": _existence,
    "count": _count,
    "position": _position,
    "color": _color,
    "posters": _reading("Is this poster titled {}?", tuple(WORDS)),
    "celebrity": _reading("Does the sign say that the artist is called {}?", NAMES),
    "scene": _scene,
    "landmark": _reading("Is this the place with the sign {}?", ("LAKE", "PARK", "HILL", "FARM")),
    "artwork": _artwork,
    "OCR": _reading('Is the word in the picture "{}"?', ("TEA", "BUS", "KEY", "GYM")),
    "commonsense_reasoning": _taken,
    "numerical_calculation": _sum,
    "text_translation": _translation,
    "code_reasoning": _code,
}


def _apt(found: Iterator[Scene]) -> Scene:
    """The next scene about which every maker can ask."""
    return next(s for s in found if any(relation(a, b) for a in s.unique() for b in s.unique()))


def build_mme(folder: Path) -> None:
    """`MME_Benchmark_release_version/SUBTASK` in both official shapes."""
    from PIL import Image

    found = iter(scenes("mme", 200))
    for subtask, maker in MAKERS.items():
        base = folder / ROOT / subtask
        for number in range(EACH):
            scene = _apt(found)
            yes, no, points = maker(scene, Dice(scene.seed))
            stem = f"{number + 1:04d}"  # the same names in every subtask, as OCR and the cognition subtasks have them
            texts, shown = (base / "questions_answers_YN", base / "images") if subtask in APART else (base, base)
            write(texts / f"{stem}.txt", f"{yes}{PLEASE}\tYes\n{no}{PLEASE}\tNo\n")
            write(shown / f"{stem}.jpg", encoded(Image.fromarray(points, "RGB")))
