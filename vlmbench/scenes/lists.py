"""Short dense exercises about a drawn scene: keys and values, one token each, most of them one look-up away.

`star red ring no moon blue`: each value is predicted at its key. A dozen answers in two dozen tokens, where questions
give one answer in a dozen: looking up forms in seconds here, and questions then only have to use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from vlmbench.scenes.lettering import Board
from vlmbench.scenes.questions import ATTRIBUTES, value, yes
from vlmbench.scenes.scene import COLORS, COLUMNS, INVERSE, KINDS, RELATIONS, ROWS, Dice, Scene, Thing, relation

Entry = tuple[tuple[str, ...], str]
"""Keys, and the value that follows from them."""

LETTERS = ("A", "B", "C", "D", "E")
LENGTH = 30
"""Words in a list, at most."""


def _kinds(scene: Scene, dice: Dice) -> Iterator[tuple[str, Thing | None]]:
    """Kinds that are there once, or not at all, in random order."""
    single = {thing.kind: thing for thing in scene.unique()}
    for kind in dice.shuffled(KINDS):
        if kind in single or not scene.count(kind):
            yield kind, single.get(kind)


def _property(thing: Thing, name: str) -> str:
    return {"side": thing.column, "row": thing.row}.get(name) or value(thing, name)


def _one_property(scene: Scene, dice: Dice) -> Iterator[Entry]:
    name = dice.pick((*ATTRIBUTES, "side", "row"))
    for kind, thing in _kinds(scene, dice):
        yield (name, kind), _property(thing, name) if thing else "no"


def _any_property(scene: Scene, dice: Dice) -> Iterator[Entry]:
    things = scene.unique()
    while things:
        thing, name = dice.pick(things), dice.pick((*ATTRIBUTES, "side", "row"))
        yield (name, thing.kind), _property(thing, name)


def _existence(scene: Scene, dice: Dice) -> Iterator[Entry]:
    for kind in dice.shuffled(KINDS):
        yield ("there", kind), yes(scene.count(kind) > 0)


def _names(scene: Scene, dice: Dice) -> Iterator[Entry]:
    for color in dice.shuffled(COLORS):
        kinds = [thing.kind for thing in scene.things if thing.color == color]
        if len(kinds) < 2:
            yield ("thing", color), kinds[0] if kinds else "no"


def _cells(scene: Scene, dice: Dice) -> Iterator[Entry]:
    kinds = {(thing.row, thing.column): thing.kind for thing in scene.things}
    for place in dice.shuffled((row, column) for row in ROWS for column in COLUMNS):
        yield place, kinds.get(place, "no")


def _fits(scene: Scene, dice: Dice) -> Iterator[Entry]:
    things = scene.unique()
    while things:
        thing, name = dice.pick(things), dice.pick(tuple(ATTRIBUTES))
        words = [value(other, name) for other in scene.things] if dice.chance(50) else list(ATTRIBUTES[name])
        word = value(thing, name) if dice.chance(40) else dice.pick(words)
        yield ("is", thing.kind, word), yes(word == value(thing, name))


def _neighbours(scene: Scene, dice: Dice) -> Iterator[Entry]:
    pairs = [(a, name, b) for a in scene.unique() for b in scene.unique() if (name := relation(a, b))]
    while pairs:
        a, name, b = dice.pick(pairs)
        relation_name = name if dice.chance(50) else INVERSE[name]
        yield (a.kind, _short(relation_name), b.kind), yes(relation_name == name)


def _next(scene: Scene, dice: Dice) -> Iterator[Entry]:
    for thing in dice.shuffled(scene.unique()):
        for name in RELATIONS:
            neighbours = [other.kind for other in scene.things if relation(other, thing) == name]
            if len(neighbours) < 2:
                yield (_short(name), thing.kind), neighbours[0] if neighbours else "no"


def _short(name: str) -> str:
    return name.split()[2] if name.endswith(" of") else name


def _same(scene: Scene, dice: Dice) -> Iterator[Entry]:
    pairs = [(a, b) for a in scene.unique() for b in scene.unique() if a != b]
    while pairs:
        (a, b), name = dice.pick(pairs), dice.pick(tuple(ATTRIBUTES))
        yield ("same", name, a.kind, b.kind), yes(value(a, name) == value(b, name))


def _both(scene: Scene, dice: Dice) -> Iterator[Entry]:
    present = tuple({thing.kind: None for thing in scene.things})
    absent = tuple(kind for kind in KINDS if kind not in present)
    while True:
        first, second = (dice.pick(present if dice.chance(55) else absent) for _ in range(2))
        word, rule = dice.pick((("both", all), ("either", any)))
        yield (word, first, second), yes(rule(kind in present for kind in (first, second)))


def _counts(scene: Scene, dice: Dice) -> Iterator[Entry]:
    """How many of a kind, and of everything."""
    for kind in dice.shuffled([*dict.fromkeys(thing.kind for thing in scene.things), "thing"]):
        yield ("many", kind), str(len(scene.things) if kind == "thing" else scene.count(kind))


def _options(scene: Scene, dice: Dice) -> Iterator[Entry]:
    """Words by letter, and the letter of one of them: the word itself, or what is so coloured, sized, ..."""
    things = scene.unique()
    while things:
        thing, name = dice.pick(things), dice.pick((*ATTRIBUTES, "kind", "color"))
        words: Sequence[str] = KINDS if name == "kind" else ATTRIBUTES[name]
        right = thing.kind if name == "kind" else value(thing, name)
        wrong = [word for word in words if word != right and not (name == "kind" and scene.count(word))]
        order = dice.shuffled([right, *dice.shuffled(wrong)[: 1 + dice.below(3)]])
        key = (right,) if dice.chance(30) else ("thing",) if name == "kind" else (name, thing.kind)
        marked = tuple(part for letter, word in zip(LETTERS, order, strict=False) for part in (letter, word))
        yield (*marked, *key), LETTERS[order.index(right)]


def _signs(boards: Sequence[Board], dice: Dice) -> Iterator[Entry]:
    """What each sign says, by its place or colour."""
    while True:
        index = dice.below(len(boards))
        board, other = boards[index], boards[1 - index] if len(boards) > 1 else None
        key = ("top", "bottom")[index] if dice.chance(50) or (other and other.color == board.color) else board.color
        yield ("sign", key), "number" if board.word.isdecimal() else board.word.lower()


Maker = Callable[[Scene, Dice], Iterator[Entry]]
FIRST: tuple[Maker, ...] = (_one_property, _existence, _names, _cells)
MAKERS: tuple[Maker, ...] = (
    *FIRST,
    _any_property,
    _fits,
    _neighbours,
    _next,
    _same,
    _both,
    _counts,
    _options,
    _options,
)
WORDS = (
    *("many", "sign", "number", "unclear", *LETTERS, *map(str, range(10))),
    *("thing", "there", "is", "side", "row", "both", "either", "same", *ATTRIBUTES, *map(_short, RELATIONS)),
)
"""Words of the lists beside those of the scenes."""


def listing(
    scene: Scene, dice: Dice, makers: tuple[Maker, ...] = MAKERS, boards: Sequence[Board] = ()
) -> tuple[list[str], list[bool]]:
    """Words of one list, and which of them can be known."""
    words: list[str] = []
    answers: list[bool] = []
    for keys, answer in _signs(boards, dice) if boards else dice.pick(makers)(scene, dice):
        if len(words) + len(keys) + 1 > LENGTH:
            break
        words += [*keys, answer]
        answers += [*[False] * len(keys), True]
    return words, answers
