"""The embedded samples of benchmarks that ask for counts: scenes with three to nine things, some of one kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.scenes.scene import COLORS, KINDS, SIZES, Dice, Scene, make_scene, sample_seeds

from .common import jpeg, write
from .vqa import plural

COUNT = 24
FEWEST, MOST = 3, 9
"""Things in a scene."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A question for a number."""

    text: str
    count: int
    simple: bool
    """Whether it asks for a kind, or all things, without more."""


def counted(scene: Scene, dice: Dice) -> Iterator[Counted]:
    """Questions about a scene, in a drawn order: kinds that are there or not, colours, sizes, places."""
    things = scene.things
    kind, color, size = dice.pick(things).kind, dice.pick(tuple(COLORS)), dice.pick(tuple(SIZES))
    shown, row = dice.pick(things).color, dice.pick(("top", "bottom"))
    found = [
        Counted(f"How many {plural(kind)} are there?", scene.count(kind), True),
        Counted(f"How many {plural(other)} are there?", scene.count(other), True)
        if (other := dice.pick(KINDS)) != kind
        else Counted("How many things are there?", len(things), True),
        Counted("How many shapes are in the image?", len(things), True),
        Counted(f"How many {color} shapes are there?", sum(one.color == color for one in things), False),
        Counted(f"How many of the shapes are {shown}?", sum(one.color == shown for one in things), False),
        Counted(f"How many {size} shapes are there?", sum(one.size == size for one in things), False),
        Counted(f"How many shapes are in the {row} row?", sum(one.row == row for one in things), False),
    ]
    yield from dice.shuffled(found)


def pictures(task: str) -> list[Scene]:
    """The scenes of a sample."""
    return [make_scene(seed, FEWEST, MOST) for seed in sample_seeds(task)[:COUNT]]


def build_countbenchqa(folder: Path) -> None:
    """The hub's rows, with captions that name the number, and images/."""
    rows = []
    for number, scene in enumerate(pictures("countbenchqa"), 1):
        total, name = len(scene.things), f"images/{number}.jpg"
        row = {"text": f"A picture of {total} shapes", "question": "How many shapes are there in the image?"}
        rows.append(json.dumps({"image": name, **row, "number": total}) + "\n")
        write(folder / name, jpeg(scene))
    write(folder / "test.jsonl", "".join(rows))


def build_pixmo_count(folder: Path) -> None:
    """lmms-eval's rows, and images/."""
    rows = []
    for number, scene in enumerate(pictures("pixmo_count"), 1):
        simple = [one for one in counted(scene, Dice(scene.seed)) if one.simple]
        one = max(simple, key=lambda one: one.count) if number % 2 else simple[0]
        name = f"images/{number}.jpg"
        rows.append(json.dumps({"image": name, "question": f"<image>{one.text}", "answer": str(one.count)}) + "\n")
        write(folder / name, jpeg(scene))
    write(folder / "test.jsonl", "".join(rows))


def build_tallyqa(folder: Path) -> None:
    """test.json and VG_100K/: two questions about every second scene, one about the others."""
    rows: list[dict[str, Any]] = []
    for number, scene in enumerate(pictures("tallyqa"), 1):
        asked = list(counted(scene, Dice(scene.seed)))
        kinds = (True, False) if number % 2 else (number % 4 == 0,)
        for simple in kinds:
            one = next(one for one in asked if one.simple == simple)
            row: dict[str, Any] = {
                "answer": one.count,
                "data_source": "imported_genome" if simple else "amt",
                "issimple": simple,
            }
            row |= {"image": f"VG_100K/{number}.jpg", "image_id": number, "question": one.text}
            rows.append(row | {"question_id": 30_000_000 + len(rows)})
        write(folder / "VG_100K" / f"{number}.jpg", jpeg(scene))
    write(folder / "test.json", json.dumps(rows, indent=1) + "\n")
