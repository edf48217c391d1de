"""What is said about scenes in training: captions, descriptions, lists, and rows in LLaVA's format."""

from __future__ import annotations

import itertools

import pytest

from vlmbench.scenes import captions as scene_text
from vlmbench.scenes import lists as scene_lists
from vlmbench.scenes.lettering import signs
from vlmbench.scenes.lists import LENGTH, MAKERS, listing
from vlmbench.scenes.scene import COLORS, KINDS, Dice, Scene, make_scene, relation


def test_caption_names_everything() -> None:
    scene = make_scene(1_001)
    said = scene_text.caption(scene)
    assert said[0].isupper()
    assert said.endswith(f"on a {scene.style} {scene.ground} background.")
    assert sum(said.lower().count(kind) for kind in KINDS) == len(scene.things)
    for thing in scene.things:
        assert scene_text.phrase(thing) in said.lower()


def test_description_is_of_a_thing_that_is_there() -> None:
    dice = Dice(1)
    for seed in range(200):
        scene = make_scene(seed)
        question, answer = scene_text.description(scene, dice)
        fitting = [t for t in scene.things if t.kind in answer and t.color in answer and t.texture in answer]
        assert fitting, (question, answer)


def test_short_turns_are_balanced() -> None:
    dice, answers = Dice(2), []
    for seed in range(300):
        turns = scene_text.short_turns(make_scene(seed), dice, 4, existence=4, suffix=scene_text.SUFFIX)
        assert all(question.endswith(scene_text.SUFFIX) for question, _ in turns)
        answers += [answer for _, answer in turns]
    assert 0.45 < answers.count("yes") / len(answers) < 0.55


def test_llava_rows_have_the_official_form() -> None:
    row = scene_text.llava_row("7", "scene.jpg", [("What?", "this"), ("Where?", "here")])
    assert row == {
        "id": "7",
        "image": "scene.jpg",
        "conversations": [
            {"from": "human", "value": "<image>\nWhat?"},
            {"from": "gpt", "value": "this"},
            {"from": "human", "value": "Where?"},
            {"from": "gpt", "value": "here"},
        ],
    }


def entries(words: list[str], known: list[bool]) -> list[tuple[tuple[str, ...], str]]:
    """The list taken apart at its values."""
    found, keys = [], list[str]()
    for word, answer in zip(words, known, strict=True):
        if answer:
            found.append((tuple(keys), word))
            keys = []
        else:
            keys.append(word)
    assert not keys
    return found


def only(scene: Scene, kind: str) -> dict[str, str]:
    (thing,) = [thing for thing in scene.things if thing.kind == kind]
    return {
        "color": thing.color,
        "size": thing.size,
        "pattern": thing.texture,
        "side": thing.column,
        "row": thing.row,
    }


def truth(scene: Scene, keys: tuple[str, ...]) -> str:
    """What the value must be: found another way than the makers do."""
    count = scene.count
    yes = {True: "yes", False: "no"}
    if keys[0] == "A":
        return letter(scene, keys)
    if keys[0] == "many":
        return str(count(keys[1]) or len(scene.things))
    if keys[0] in ("both", "either"):
        rule = all if keys[0] == "both" else any
        return yes[rule(count(kind) > 0 for kind in keys[1:])]
    if keys[0] == "same":
        return yes[only(scene, keys[2])[keys[1]] == only(scene, keys[3])[keys[1]]]
    if keys[0] == "is":
        return yes[keys[2] in only(scene, keys[1]).values()]
    if keys[0] == "there":
        return yes[count(keys[1]) > 0]
    if keys[0] == "thing":
        return next((thing.kind for thing in scene.things if thing.color == keys[1]), "no")
    if keys[0] in ("color", "size", "pattern", "side", "row"):
        return only(scene, keys[1])[keys[0]] if count(keys[1]) else "no"
    return place(scene, keys, yes)


def letter(scene: Scene, keys: tuple[str, ...]) -> str:
    """`A red B blue color star`, `A star B moon thing`, `A red B blue red`."""
    marked = [at for at, key in enumerate(keys) if key in scene_lists.LETTERS]
    options = {keys[at + 1]: keys[at] for at in marked}
    asked = keys[marked[-1] + 2 :]
    if asked == ("thing",):
        (right,) = [kind for kind in options if scene.count(kind)]
    else:
        right = only(scene, asked[1])[asked[0]] if len(asked) == 2 else asked[0]
    return options[right]


def place(scene: Scene, keys: tuple[str, ...], yes: dict[bool, str]) -> str:
    def holds(a: str, word: str, b: str) -> bool:
        one, two = (next(thing for thing in scene.things if thing.kind == kind) for kind in (a, b))
        return word in (relation(one, two) or "").split()

    if len(keys) == 3:
        return yes[holds(*keys)]
    if keys[1] in KINDS:
        (mark,) = [thing for thing in scene.things if thing.kind == keys[1]]
        found = [t.kind for t in scene.things if keys[0] in (relation(t, mark) or "").split()]
        return found[0] if found else "no"
    return next((t.kind for t in scene.things if (t.row, t.column) == keys), "no")


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_lists_are_true(maker: scene_lists.Maker) -> None:
    dice = Dice(3)
    for seed in range(60):
        scene = make_scene(seed, 1, 6)
        words, known = listing(scene, dice, (maker,))
        assert len(words) <= LENGTH
        for keys, value in entries(words, known):
            assert value == truth(scene, keys), (seed, keys, value)


def test_lists_of_signs_are_true() -> None:
    dice = Dice(5)
    for _ in range(200):
        boards = signs(dice)[:2]
        words, known = listing(Scene(0, (), "black", "plain"), dice, boards=boards)
        for (sign, key), value in entries(words, known):
            assert sign == "sign"
            said = boards[key == "bottom"] if key in ("top", "bottom") else next(b for b in boards if b.color == key)
            assert value == ("number" if said.word.isdecimal() else said.word.lower())


def test_lists_cannot_be_known_without_the_scene() -> None:
    """Values differ between scenes for the same keys."""
    seen: dict[tuple[str, ...], set[str]] = {}
    dice = Dice(4)
    for seed in range(1500):
        for keys, value in entries(*listing(make_scene(seed), dice)):
            seen.setdefault(keys, set()).add(value)
    common = [values for keys, values in seen.items() if keys[0] in ("there", "color", "thing")]
    assert len(common) == 12 + 12 + len(COLORS)
    assert all(len(values) > 1 for values in common)
    assert len(set(itertools.chain(*seen.values()))) > 30
