"""More of GQA's question kinds on drawn scenes (names, relations, logic, comparison, background), and their mix."""

from __future__ import annotations

from collections.abc import Callable

from vlmbench.scenes.questions import (
    Question,
    Step,
    absent_kind,
    article,
    attribute_asked,
    attribute_chosen,
    attribute_verified,
    attributed_existence,
    attributes_and,
    existence,
    exists,
    is_are,
    mentions,
    named,
    place_chosen,
    side_asked,
    side_verified,
    value,
    verify_attribute,
    yes,
)
from vlmbench.scenes.scene import (
    CATEGORIES,
    GROUNDS,
    INVERSE,
    KINDS,
    RELATIONS,
    STYLES,
    Dice,
    Scene,
    Thing,
    object_id,
    relation,
)

# ----------------------------------------------------------------------------------------------------------- names


def _only_one_so(scene: Scene, dice: Dice) -> tuple[Thing, str] | None:
    """A thing with a colour that nothing else has, most of the time; else with such a pattern."""
    attribute = "color" if dice.chance(75) else "pattern"
    words = [value(thing, attribute) for thing in scene.things]
    things = [thing for thing in scene.things if words.count(value(thing, attribute)) == 1]
    return (dice.pick(things), attribute) if things else None


def name_asked(scene: Scene, dice: Dice) -> Question | None:
    """`What is the red thing?`, `Which symbol is red?`"""
    if not (unique := _only_one_so(scene, dice)):
        return None
    thing, attribute = unique
    word = value(thing, attribute)
    category = next(name for name, kinds in CATEGORIES.items() if thing.kind in kinds)
    broad = dice.chance(60)
    texts = (f"What is the {word} thing?", f"Which thing is {word}?") if broad else (f"Which {category} is {word}?",)
    return Question(
        texts,
        thing.kind,
        f"The {word} {'thing' if broad else category} is {article(thing.kind)}.",
        (
            Step("select", named(scene, thing).replace(thing.kind, "thing" if broad else category)),
            Step(f"filter {attribute}", word, (0,)),
            Step("query", "name", (1,)),
        ),
        ("categoryThis" if broad else "categoryAttr", "cat", "query"),
        group="thing" if broad else category,
        mentions=mentions(scene, thing),
        entails=(exists(scene, thing.kind),),
    )


def name_chosen(scene: Scene, dice: Dice) -> Question | None:
    """`Is the red thing a star or a moon?`"""
    if not (unique := _only_one_so(scene, dice)):
        return None
    thing, attribute = unique
    others = [t.kind for t in scene.things if t.kind != thing.kind]
    wrong = dice.pick(others) if others and dice.chance(50) else dice.pick([k for k in KINDS if k != thing.kind])
    word, (first, second) = value(thing, attribute), dice.shuffled((thing.kind, wrong))
    return Question(
        (
            f"Is the {word} thing {article(first)} or {article(second)}?",
            f"What is the {word} thing, {article(first)} or {article(second)}?",
        ),
        thing.kind,
        f"The {word} thing is {article(thing.kind)}.",
        (
            Step("select", named(scene, thing).replace(thing.kind, "thing")),
            Step(f"filter {attribute}", word, (0,)),
            Step("choose name", f"{first}|{second}", (1,)),
        ),
        ("categoryThisChoose", "cat", "choose"),
        group="thing",
        mentions=mentions(scene, thing),
        entails=(exists(scene, thing.kind),),
    )


# ------------------------------------------------------------------------------------------------------- relations


def _pairs(scene: Scene) -> list[tuple[Thing, str, Thing]]:
    things = scene.unique()
    return [(a, name, b) for a in things for b in things if (name := relation(a, b)) is not None]


def related_verified(scene: Scene, a: Thing, name: str, b: Thing) -> Question:
    """`Is the star to the left of the moon?`"""
    truth = relation(a, b) == name
    return Question(
        (f"Is the {a.kind} {name} the {b.kind}?", f"Is the {b.kind} {INVERSE[name]} the {a.kind}?"),
        yes(truth),
        is_are(truth, f"the {a.kind}", f"{name} the {b.kind}"),
        (
            Step("select", named(scene, b)),
            Step("relate", f"{a.kind},{name},s ({object_id(scene, a) if truth else '-'})", (0,)),
            Step("exist", "?", (1,)),
        ),
        ("relVerify", "rel", "verify"),
        mentions=mentions(scene, a, b),
        entails=(exists(scene, a.kind), exists(scene, b.kind)),
    )


def relation_verified(scene: Scene, dice: Dice) -> Question | None:
    """Of two things in one row or column."""
    if not (pairs := _pairs(scene)):
        return None
    a, name, b = dice.pick(pairs)
    return related_verified(scene, a, name if dice.chance(50) else INVERSE[name], b).reworded(dice)


def relation_chosen(scene: Scene, dice: Dice) -> Question | None:
    """`Is the star to the left or to the right of the moon?`"""
    if not (pairs := _pairs(scene)):
        return None
    a, name, b = dice.pick(pairs)
    first, second = dice.shuffled((name, INVERSE[name]))
    level = name in RELATIONS[:2]
    return Question(
        (
            f"Is the {a.kind} {first.removesuffix(' of')} or {second} the {b.kind}?"
            if level
            else f"Is the {a.kind} {first} or {second} the {b.kind}?",
        ),
        name.split()[-2] if level else name,
        f"The {a.kind} is {name} the {b.kind}.",
        (
            Step("select", named(scene, b)),
            Step("choose rel", f"{a.kind},{first}|{second},s ({object_id(scene, a)})", (0,)),
        ),
        ("relChooser", "rel", "choose"),
        group="rel",
        mentions=mentions(scene, a, b),
        entails=(related_verified(scene, a, name, b), related_verified(scene, a, INVERSE[name], b)),
    )


def relation_asked(scene: Scene, dice: Dice) -> Question | None:
    """`What is to the left of the star?`, where there is one answer."""
    single: list[tuple[Thing, str, Thing]] = []
    for b in scene.unique():
        for name in RELATIONS:
            related = [a for a in scene.things if relation(a, b) == name]
            if len(related) == 1:
                single.append((related[0], name, b))
    if not single:
        return None
    a, name, b = dice.pick(single)
    relate = Step("relate", f"thing,{name},s ({object_id(scene, a)})", (0,))
    if dice.chance(25):
        return Question(
            (f"What color is the thing {name} the {b.kind}?",),
            a.color,
            f"The thing {name} the {b.kind} is {a.color}.",
            (Step("select", named(scene, b)), relate, Step("query", "color", (1,))),
            ("directOf", "attr", "query"),
            group="color",
            mentions=mentions(scene, b),
            entails=(exists(scene, a.kind), exists(scene, b.kind)),
        )
    return Question(
        (f"What is {name} the {b.kind}?", f"Which thing is {name} the {b.kind}?"),
        a.kind,
        f"The {a.kind} is {name} the {b.kind}.",
        (Step("select", named(scene, b)), relate, Step("query", "name", (1,))),
        ("relS", "rel", "query"),
        group="thing",
        mentions=mentions(scene, b),
        entails=(exists(scene, a.kind), exists(scene, b.kind)),
    )


# ---------------------------------------------------------------------------------------------- logic, comparison


def existence_logic(scene: Scene, dice: Dice) -> Question | None:
    """`Are there both a star and a moon?`, `Is there either a star or a moon?`"""
    kinds_present = dice.shuffled(sorted({thing.kind for thing in scene.things}))
    both, truth = dice.chance(50), dice.chance(50)
    # and: true with two present, false with one; or: true with one, false with none.
    present = int(both) + int(truth)
    absent: list[str] = []
    while len(absent) < 2 - present:
        absent.extend({absent_kind(scene, dice)} - set(absent))
    kinds = dice.shuffled([*kinds_present[:present], *absent])
    if len(kinds) != 2:
        return None
    first, second = (exists(scene, kind) for kind in kinds)
    a, b = (article(kind) for kind in kinds)
    texts = (
        (f"Are there both {a} and {b} in the image?", f"Do you see both {a} and {b}?")
        if both
        else (f"Is there either {a} or {b} in the image?", f"Do you see either {a} or {b}?")
    )
    full = f"{'both ' if both else ''}{a} {'and' if both else 'or'} {b}"
    return Question(
        texts,
        yes(truth),
        f"Yes, there is {full}." if truth else f"No, there is not {full}.",
        (
            first.steps[0],
            Step("exist", "?", (0,)),
            second.steps[0],
            Step("exist", "?", (2,)),
            Step("and" if both else "or", "", (1, 3)),
        ),
        ("existAnd" if both else "existOr", "obj", "logical"),
        mentions=first.mentions + second.mentions,
        entails=(first, second) if both == truth else (),
    )


def same(scene: Scene, dice: Dice) -> Question | None:
    """`Do the star and the moon have the same color?`"""
    things, attribute = scene.unique(), dice.pick(("color", "color", "pattern"))
    wanted, alike = dice.chance(50), dice.chance(60)
    every = ((a, b, value(a, attribute) == value(b, attribute)) for a in things for b in things if a != b)
    pairs = [(a, b) for a, b, equal in every if equal == wanted]
    if not pairs:
        return None
    a, b = dice.pick(pairs)
    word = "same" if alike else "different"
    ask = f"the same {attribute}" if alike else f"different {attribute}s"
    return Question(
        (f"Do the {a.kind} and the {b.kind} have {ask}?",),
        yes(wanted == alike),
        f"{yes(wanted == alike).title()}, they {'have' if wanted else 'do not have'} the same {attribute}.",
        (Step("select", named(scene, a)), Step("select", named(scene, b)), Step(f"{word} {attribute}", "", (0, 1))),
        ("twoSame" if alike else "twoDifferent", "attr", "compare"),
        mentions=mentions(scene, a, b),
        entails=(exists(scene, a.kind), exists(scene, b.kind)),
    )


def larger(scene: Scene, dice: Dice) -> Question | None:
    """`Which is larger, the star or the moon?`"""
    things = scene.unique()
    pairs = [(a, b) for a in things for b in things if a.size != b.size]
    if not pairs:
        return None
    a, b = dice.pick(pairs)
    word = dice.pick(("larger", "smaller"))
    winner = a if (a.size == "large") == (word == "larger") else b
    return Question(
        (f"Which is {word}, the {a.kind} or the {b.kind}?",),
        winner.kind,
        f"The {winner.kind} is {word}.",
        (Step("select", named(scene, a)), Step("select", named(scene, b)), Step(f"choose {word}", "", (0, 1))),
        ("comparativeChoose", "attr", "compare"),
        mentions=mentions(scene, a, b),
        entails=(
            verify_attribute(scene, a, "size", a.size),
            verify_attribute(scene, b, "size", b.size),
        ),
    )


# ------------------------------------------------------------------------------------------------ the whole picture


def background(scene: Scene, dice: Dice) -> Question | None:
    """`What color is the background?`, asked, verified and chosen."""
    pattern = dice.chance(35)
    word, words = (scene.style, STYLES) if pattern else (scene.ground, tuple(GROUNDS))
    property_name = "pattern" if pattern else "color"
    wrong = dice.pick([candidate for candidate in words if candidate != word])
    scenery, shape = Step("select", "scene"), dice.below(4)
    if shape == 0:
        shown = word if dice.chance(50) else wrong
        return Question(
            (f"Is the background {shown}?",),
            yes(shown == word),
            is_are(shown == word, "the background", shown),
            (scenery, Step(f"verify {property_name}", shown, (0,))),
            ("placeVerify", "global", "verify"),
        )
    if shape == 1:
        first, second = dice.shuffled((word, wrong))
        return Question(
            (f"Is the background {first} or {second}?",),
            word,
            f"The background is {word}.",
            (scenery, Step(f"choose {property_name}", f"{first}|{second}", (0,))),
            ("placeChoose", "global", "choose"),
            group=f"background {property_name}",
        )
    text = "Which pattern does the background have?" if pattern else "What color is the background?"
    return Question(
        (text,),
        word,
        f"The background is {word}.",
        (scenery, Step("query", property_name, (0,))),
        ("place", "global", "query"),
        group=f"background {property_name}",
    )


# ----------------------------------------------------------------------------------------------------------- the mix

Maker = Callable[[Scene, Dice], Question | None]

MIX: tuple[tuple[Maker, int], ...] = (
    (attribute_asked, 30),
    (side_asked, 7),
    (name_asked, 11),
    (relation_asked, 8),
    (background, 6),
    (attribute_verified, 7),
    (attributed_existence, 4),
    (existence, 4),
    (side_verified, 2),
    (relation_verified, 3),
    (attributes_and, 6),
    (existence_logic, 8),
    (attribute_chosen, 4),
    (name_chosen, 2),
    (relation_chosen, 1),
    (place_chosen, 2),
    (same, 4),
    (larger, 2),
)
"""Makers and their weights; the structural types come out near GQA testdev's shares."""

_BAG = tuple(maker for maker, weight in MIX for _ in range(weight))


def ask(scene: Scene, dice: Dice) -> Question:
    """A question of the mix that has an answer in this scene."""
    while True:
        if question := dice.pick(_BAG)(scene, dice):
            return question.reworded(dice)


def ask_many(scene: Scene, dice: Dice, count: int) -> list[Question]:
    """Different questions of the mix about one scene."""
    questions: dict[str, Question] = {}
    for _ in range(8 * count):
        question = ask(scene, dice)
        questions.setdefault(question.text, question)
        if len(questions) == count:
            break
    return list(questions.values())
