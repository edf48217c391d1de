"""The embedded sample of MM-Vet v2: questions on one drawn scene, and on two with their images in the text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmbench.scenes.scene import Dice, Scene

from .common import jpeg, scenes, write
from .judged import MMVET_QUESTIONS, indented, jpeg_of

IMAGES = 32
PLACES = ("first", "second")


def _differ(one: Scene, other: Scene) -> list[str]:
    """Kinds that only the first of two scenes shows."""
    return [kind for kind in dict.fromkeys(thing.kind for thing in one.things) if not other.count(kind)]


def pair(one: Scene, other: Scene, dice: Dice) -> tuple[str, str, list[str]]:
    """(question, answer, capabilities) on two scenes; {0} and {1} are their images."""
    place = dice.below(2)
    kinds = _differ((one, other)[place], (one, other)[1 - place])
    if kinds and dice.chance(60):
        return (
            "Here are two pictures:<IMG>{0}<IMG>and<IMG>{1}<IMG>Which one shows a "
            f"{dice.pick(kinds)}, the first or the second?",
            f"the {PLACES[place]}",
            ["rec", "seq"],
        )
    counts = len(one.things), len(other.things)
    return (
        "How many things do this picture<IMG>{0}<IMG>and this one<IMG>{1}<IMG>show together?",
        str(sum(counts)),
        ["rec", "math"],
    )


def build_mmvet_v2(folder: Path) -> None:
    """`mm-vet-v2.json` and `images/`: every second question has two images."""
    rows: dict[str, dict[str, Any]] = {}
    drawn = scenes("mmvet_v2", IMAGES)
    while drawn:
        scene, key = drawn.pop(0), f"v2_{len(rows)}"
        dice, names = Dice(scene.seed), [f"{key}_0.jpg"]
        if len(rows) % 2 and drawn:
            other = drawn.pop(0)
            names.append(f"{key}_1.jpg")
            question, answer, capabilities = pair(scene, other, dice)
            question, images = question.format(*names), [jpeg(scene), jpeg(other)]
        else:
            make = MMVET_QUESTIONS[len(rows) // 2 % len(MMVET_QUESTIONS)]
            text, answer, found, picture = make(scene, dice)
            question, capabilities, images = f"{text}<IMG>{names[0]}", list(found), [jpeg_of(picture)]
        rows[key] = {"question": question, "answer": answer, "capability": capabilities, "added_in": "v2"}
        for name, image in zip(names, images, strict=True):
            write(folder / "images" / name, image)
    write(folder / "mm-vet-v2.json", indented(rows))
