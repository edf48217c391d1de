"""The embedded sample of IconQA: texts and pictures to choose from, and blanks, about drawn shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vlmbench.scenes.scene import CELL, COLORS, KINDS, Dice, Scene, pixels

from .common import scenes, write
from .flat import png

IMAGES = 30
VALIDATION = 6
"""Pictures of val; the rest are test's."""


def choose_color(scene: Scene, dice: Dice) -> dict[str, Any] | None:
    """`What color is the star?`"""
    if not (things := scene.unique()):
        return None
    thing = dice.pick(things)
    options = dice.shuffled([thing.color, *dice.shuffled([c for c in COLORS if c != thing.color])[: 1 + dice.below(3)]])
    return {
        "question": f"What color is the {thing.kind}?",
        "choices": options,
        "answer": options.index(thing.color),
        "skills": ["geometry", "scene"],
    }


def choose_more(scene: Scene, dice: Dice) -> dict[str, Any]:
    """`Are there more than 3 shapes?`"""
    bound = len(scene.things) - dice.below(2)
    options = dice.shuffled(["yes", "no"])
    return {
        "question": f"Are there more than {bound} shapes?",
        "choices": options,
        "answer": options.index("yes" if len(scene.things) > bound else "no"),
        "skills": ["counting", "comparing"],
    }


def count(scene: Scene) -> dict[str, Any]:
    """`How many shapes are there?`"""
    return {"question": "How many shapes are there?", "answer": str(len(scene.things)), "skills": ["counting"]}


def _cut(scene: Scene, at: int) -> Any:
    """The cell of one thing."""
    row, column = scene.things[at].cell
    return pixels(scene)[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]


def _shown(scene: Scene, other: Scene, dice: Dice) -> tuple[dict[str, Any], list[Any]] | None:
    """`Which shape is in the picture?`: one that is, one or two of another picture that are not."""
    here = {thing.kind for thing in scene.things}
    wrong = [at for at, thing in enumerate(other.things) if thing.kind not in here][: 1 + dice.below(2)]
    if not wrong:
        return None
    options = [_cut(scene, dice.below(len(scene.things))), *(_cut(other, at) for at in wrong)]
    order = dice.shuffled(range(len(options)))
    problem = {
        "question": "Which shape is in the picture?",
        "choices": [f"choice_{number}.png" for number in range(len(order))],
        "answer": order.index(0),
        "skills": ["scene", "geometry"],
    }
    return problem, [options[at] for at in order]


def _problem(number: int, scene: Scene, other: Scene) -> tuple[str, dict[str, Any], list[Any]]:
    """Kind, problem and pictures to choose from of the n-th picture."""
    dice = Dice(scene.seed)
    if number % 3 == 1 and (found := _shown(scene, other, dice)):
        return "choose_img", *found
    if number % 3 == 2:
        return "fill_in_blank", count(scene), []
    color = choose_color(scene, dice) if number % 2 else None
    return "choose_txt", color or choose_more(scene, dice), []


def build_iconqa(folder: Path) -> None:
    """What iconqa_data.zip holds: three lists, and `iconqa/SPLIT/KIND/PID/*.png`."""
    folder = folder / "iconqa_data"
    pictures = scenes("iconqa", IMAGES)
    problems: dict[str, Any] = {}
    splits: dict[str, list[str]] = {}
    skills: dict[str, list[str]] = {}
    for number, scene in enumerate(pictures):
        kind, problem, options = _problem(number, scene, pictures[number - 1])
        pid, part = str(number + 1), "val" if number < VALIDATION else "test"
        skills[pid] = problem.pop("skills")
        problems[pid] = {**problem, "ques_type": kind, "grade": ("prek", "kindergarten", "grade1")[number % 3]}
        problems[pid]["label"] = f"S.{number % 9}"
        splits.setdefault(f"{kind}_{part}", []).append(pid)
        place = folder / "iconqa" / part / kind / pid
        write(place / "image.png", png(pixels(scene)))
        for at, points in enumerate(options):
            write(place / f"choice_{at}.png", png(points))
    assert len({thing.kind for scene in pictures for thing in scene.things}) == len(KINDS)
    for name, content in (("problems", problems), ("pid_splits", splits), ("pid2skills", skills)):
        write(folder / f"{name}.json", json.dumps(content, indent=1))
