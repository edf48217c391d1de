"""Questions about drawn scenes, with sure answers: POPE's kind, and GQA's kinds with their semantic programmes.

A maker takes a scene and dice and returns a question, or None where the scene has no room for it. Which answer is
wanted is thrown before the scene is searched, so that no answer can be guessed from its question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vlmbench.scenes.scene import COLORS, KINDS, SIZES, TEXTURES, Dice, Scene, Thing, object_id

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {"color": tuple(COLORS), "size": tuple(SIZES), "pattern": TEXTURES}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of GQA's functional programmes."""

    operation: str
    argument: str
    dependencies: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A question with everything GQA's files say about it."""

    texts: tuple[str, ...]
    """Wordings that mean the same."""
    answer: str
    full: str
    """The answer as a sentence."""
    steps: tuple[Step, ...]
    types: tuple[str, str, str]
    """detailed, semantic, structural."""
    group: str | None = None
    """GQA's global group: what the answer is one of."""
    mentions: tuple[tuple[str, str], ...] = ()
    """Words that stand for a thing, with the thing's id."""
    entails: tuple[Question, ...] = ()
    """Questions whose answers follow from this one's."""

    @property
    def text(self) -> str:
        """The first wording."""
        return self.texts[0]

    def reworded(self, dice: Dice) -> Question:
        """The same question with its wordings in another order."""
        return replace(self, texts=tuple(dice.shuffled(self.texts)))


def article(noun: str) -> str:
    """The noun with a or an."""
    return f"an {noun}" if noun.startswith(("a", "e", "i", "o", "u", "hour")) else f"a {noun}"


def named(scene: Scene, thing: Thing) -> str:
    """A thing as programmes write it: `star (1042)`."""
    return f"{thing.kind} ({object_id(scene, thing)})"


def value(thing: Thing, attribute: str) -> str:
    """What a thing's colour, size or pattern is."""
    return {"color": thing.color, "size": thing.size, "pattern": thing.texture}[attribute]


def yes(truth: bool) -> str:
    """A truth value as an answer."""
    return "yes" if truth else "no"


def is_are(truth: bool, subject: str, noun: str) -> str:
    """A full answer to a verifying question."""
    return f"Yes, {subject} is {noun}." if truth else f"No, {subject} is not {noun}."


def mentions(scene: Scene, *things: Thing) -> tuple[tuple[str, str], ...]:
    """Words that stand for things, with the things' ids."""
    return tuple((thing.kind, object_id(scene, thing)) for thing in things)


def _other(dice: Dice, values: tuple[str, ...], but: str) -> str:
    return dice.pick([value for value in values if value != but])


# ------------------------------------------------------------------------------------------------------- existence


def exists(scene: Scene, kind: str) -> Question:
    """Whether anything of a kind is there, in POPE's words first."""
    matching = [thing for thing in scene.things if thing.kind == kind]
    a = article(kind)
    mark = object_id(scene, matching[0]) if matching else "-"
    return Question(
        (f"Is there {a} in the image?", f"Do you see {a} in the picture?", f"Is there {a} in this picture?"),
        yes(bool(matching)),
        f"Yes, there is {a} in the image." if matching else f"No, there is no {kind} in the image.",
        (Step("select", f"{kind} ({mark})"), Step("exist", "?", (0,))),
        ("exist", "obj", "verify"),
        mentions=mentions(scene, *matching[:1]),
    )


def absent_kind(scene: Scene, dice: Dice) -> str:
    """A kind that is not in the scene."""
    present = {thing.kind for thing in scene.things}
    absent = [kind for kind in KINDS if kind not in present]
    return dice.pick(absent)


def existence(scene: Scene, dice: Dice) -> Question | None:
    """`Is there a star in the image?`"""
    if dice.chance(50):
        return exists(scene, dice.pick(scene.things).kind)
    return exists(scene, absent_kind(scene, dice))


def attributed(scene: Scene, thing_kind: str, attribute: str, word: str) -> Question:
    """`Is there a red star in the image?`"""
    fitting = [thing for thing in scene.things if thing.kind == thing_kind and value(thing, attribute) == word]
    a = article(f"{word} {thing_kind}")
    mark = object_id(scene, fitting[0]) if fitting else "-"
    return Question(
        (f"Is there {a} in the image?", f"Do you see {a}?"),
        yes(bool(fitting)),
        f"Yes, there is {a}." if fitting else f"No, there is no {word} {thing_kind}.",
        (Step("select", f"{thing_kind} ({mark})"), Step(f"filter {attribute}", word, (0,)), Step("exist", "?", (1,))),
        ("existAttr", "attr", "verify"),
        mentions=mentions(scene, *fitting[:1]),
        entails=(exists(scene, thing_kind),) if fitting else (),
    )


def attributed_existence(scene: Scene, dice: Dice) -> Question | None:
    """The kind is there in any case: what is asked is whether the attribute goes with it."""
    thing = dice.pick(scene.things)
    attribute = dice.pick(("color", "color", "pattern", "size"))
    word = value(thing, attribute)
    if dice.chance(50):
        # A word of another thing, where there is one, so that its presence alone says nothing.
        others = [value(t, attribute) for t in scene.things if value(t, attribute) != word]
        word = dice.pick(others) if others else _other(dice, ATTRIBUTES[attribute], word)
        if any(t.kind == thing.kind and value(t, attribute) == word for t in scene.things):
            return None
    return attributed(scene, thing.kind, attribute, word)


# ------------------------------------------------------------------------------------------------------ attributes


def verify_attribute(scene: Scene, thing: Thing, attribute: str, word: str) -> Question:
    """`Is the star red?`"""
    truth = value(thing, attribute) == word
    return Question(
        (f"Is the {thing.kind} {word}?", f"Does the {thing.kind} look {word}?"),
        yes(truth),
        is_are(truth, f"the {thing.kind}", word),
        (Step("select", named(scene, thing)), Step(f"verify {attribute}", word, (0,))),
        ("verifyAttr", "attr", "verify"),
        mentions=mentions(scene, thing),
        entails=(exists(scene, thing.kind), *([attributed(scene, thing.kind, attribute, word)] if truth else [])),
    )


def attribute_verified(scene: Scene, dice: Dice) -> Question | None:
    """`Is the star red?`, of a unique thing."""
    if not (things := scene.unique()):
        return None
    thing, attribute = dice.pick(things), dice.pick(("color", "color", "size", "pattern"))
    word = value(thing, attribute)
    if dice.chance(50):
        others = [value(t, attribute) for t in scene.things if value(t, attribute) != word]
        word = dice.pick(others) if others and dice.chance(60) else _other(dice, ATTRIBUTES[attribute], word)
    return verify_attribute(scene, thing, attribute, word)


_ASKED = {
    "color": ("What color is the {}?", "Which color does the {} have?", "What is the color of the {}?"),
    "size": ("What size is the {}?", "How large is the {}?"),
    "pattern": ("What pattern does the {} have?", "Which pattern is on the {}?"),
}


def attribute_asked(scene: Scene, dice: Dice) -> Question | None:
    """`What color is the star?`"""
    if not (things := scene.unique()):
        return None
    thing = dice.pick(things)
    attribute = dice.pick(("color", "color", "color", "pattern", "pattern", "size"))
    word = value(thing, attribute)
    return Question(
        tuple(text.format(thing.kind) for text in _ASKED[attribute]),
        word,
        f"The {thing.kind} is {word}.",
        (Step("select", named(scene, thing)), Step("query", attribute, (0,))),
        ("how" if attribute == "size" else "directOf", "attr", "query"),
        group=attribute,
        mentions=mentions(scene, thing),
        entails=(verify_attribute(scene, thing, attribute, word), exists(scene, thing.kind)),
    )


def attribute_chosen(scene: Scene, dice: Dice) -> Question | None:
    """`Is the star red or blue?`"""
    if not (things := scene.unique()):
        return None
    thing, attribute = dice.pick(things), dice.pick(("color", "color", "pattern", "size"))
    word = value(thing, attribute)
    wrong = _other(dice, ATTRIBUTES[attribute], word)
    first, second = dice.shuffled((word, wrong))
    return Question(
        (f"Is the {thing.kind} {first} or {second}?", f"Does the {thing.kind} look {first} or {second}?"),
        word,
        f"The {thing.kind} is {word}.",
        (Step("select", named(scene, thing)), Step(f"choose {attribute}", f"{first}|{second}", (0,))),
        ("chooseAttr", "attr", "choose"),
        group=attribute,
        mentions=mentions(scene, thing),
        entails=(
            verify_attribute(scene, thing, attribute, word),
            verify_attribute(scene, thing, attribute, wrong),
            exists(scene, thing.kind),
        ),
    )


def attributes_and(scene: Scene, dice: Dice) -> Question | None:
    """`Is the star red and large?`"""
    if not (things := scene.unique()):
        return None
    thing = dice.pick(things)
    first, second = dice.shuffled(ATTRIBUTES)[:2]
    words = [value(thing, first), value(thing, second)]
    if dice.chance(50):
        index = dice.below(2)
        words[index] = _other(dice, ATTRIBUTES[(first, second)[index]], words[index])
    parts = [verify_attribute(scene, thing, name, word) for name, word in zip((first, second), words, strict=True)]
    truth = all(part.answer == "yes" for part in parts)
    return Question(
        (f"Is the {thing.kind} {words[0]} and {words[1]}?", f"Is the {thing.kind} both {words[0]} and {words[1]}?"),
        yes(truth),
        is_are(truth, f"the {thing.kind}", f"{words[0]} and {words[1]}"),
        (
            Step("select", named(scene, thing)),
            Step(f"verify {first}", words[0], (0,)),
            Step(f"verify {second}", words[1], (0,)),
            Step("and", "", (1, 2)),
        ),
        ("verifyAttrAnd", "attr", "logical"),
        mentions=mentions(scene, thing),
        entails=(*(parts if truth else ()), exists(scene, thing.kind)),
    )


def side_asked(scene: Scene, dice: Dice) -> Question | None:
    """`On which side of the picture is the star?`"""
    things = [thing for thing in scene.unique() if thing.column != "center"]
    if not things:
        return None
    thing = dice.pick(things)
    return Question(
        (f"On which side of the picture is the {thing.kind}?", f"On what side of the image is the {thing.kind}?"),
        thing.column,
        f"The {thing.kind} is on the {thing.column} of the picture.",
        (Step("select", named(scene, thing)), Step("query", "hposition", (0,))),
        ("positionQuery", "attr", "query"),
        group="hposition",
        mentions=mentions(scene, thing),
        entails=(exists(scene, thing.kind),),
    )


def place_chosen(scene: Scene, dice: Dice) -> Question | None:
    """`Is the star at the top or at the bottom of the picture?`"""
    upright = dice.chance(50)
    things = [t for t in scene.unique() if (t.row != "middle" if upright else t.column != "center")]
    if not things:
        return None
    thing = dice.pick(things)
    words = dice.shuffled(("top", "bottom") if upright else ("left", "right"))
    preposition = "at" if upright else "on"
    return Question(
        (f"Is the {thing.kind} {preposition} the {words[0]} or {preposition} the {words[1]} of the picture?",),
        answer := thing.row if upright else thing.column,
        f"The {thing.kind} is {preposition} the {answer} of the picture.",
        (Step("select", named(scene, thing)), Step(f"choose {'v' if upright else 'h'}position", "|".join(words), (0,))),
        ("positionChoose", "attr", "choose"),
        group="vposition" if upright else "hposition",
        mentions=mentions(scene, thing),
        entails=(exists(scene, thing.kind),),
    )


def side_verified(scene: Scene, dice: Dice) -> Question | None:
    """`Is the star on the left side of the picture?`"""
    things = [thing for thing in scene.unique() if thing.column != "center"]
    if not things:
        return None
    thing, side = dice.pick(things), dice.pick(("left", "right"))
    truth = thing.column == side
    return Question(
        (f"Is the {thing.kind} on the {side} side of the picture?", f"Is the {thing.kind} on the {side}?"),
        yes(truth),
        is_are(truth, f"the {thing.kind}", f"on the {side} side of the picture"),
        (Step("select", named(scene, thing)), Step("verify hposition", side, (0,))),
        ("positionVerify", "attr", "verify"),
        mentions=mentions(scene, thing),
        entails=(exists(scene, thing.kind),),
    )
