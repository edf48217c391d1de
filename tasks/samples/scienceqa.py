"""The embedded sample of ScienceQA: school questions about drawn shapes, and some that need no picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vlmbench.scenes.scene import KINDS, Dice, Scene, pixels

from .common import scenes, write
from .flat import png

IMAGES = 30
VALIDATION = 4
HINT = "Look at the picture. Each shape in it has a color, a size and a pattern."
MAP = "This is a map of an island. North is at the top."

TEXTS: tuple[tuple[str, tuple[str, ...], int, str, str], ...] = (
    ("Which word names an action?", ("table", "run", "green"), 1, "language science", "verbs"),
    ("Which word can stand for the name Anna?", ("she", "blue"), 0, "language science", "pronouns"),
    ("Which word should have a capital letter?", ("river", "monday", "seven"), 1, "language science", "capitalization"),
    ("Which of these is a color?", ("seven", "under", "walk", "yellow"), 3, "language science", "vocabulary"),
    ("What is needed to boil water?", ("heat", "darkness"), 0, "natural science", "physics"),
    ("Which of these is a plant?", ("a stone", "a cloud", "a tree"), 2, "natural science", "biology"),
    ("What is used to pay in a shop?", ("money", "sand", "leaves", "snow", "wind"), 0, "social science", "economics"),
    ("How many days does a week have?", ("seven", "nine"), 0, "social science", "civics"),
)  # fmt: skip
"""Question, options, place of the right one, subject, topic."""


def _row(question: str, choices: list[str], answer: int, hint: str, about: tuple[str, str]) -> dict[str, Any]:
    return {
        "question": question,
        "choices": choices,
        "answer": answer,
        "hint": hint,
        "image": None,
        "task": "closed choice",
        "subject": about[0],
        "topic": about[1],
        "category": about[1].title(),
        "skill": "Read a drawing" if hint else "Know",
        "lecture": "",
        "solution": "",
    }


def colored(scene: Scene, dice: Dice) -> dict[str, Any] | None:
    """`Which of these shapes is red?`: the only one of its color, among shapes that are there."""
    colors = [thing.color for thing in scene.things]
    fitting = [thing for thing in scene.unique() if colors.count(thing.color) == 1]
    if not fitting or len(scene.unique()) < 2:
        return None
    thing = dice.pick(fitting)
    options = dice.shuffled([one.kind for one in scene.unique()])
    hint = HINT if dice.chance(50) else ""
    question = f"Which of these shapes is {thing.color}?"
    return _row(
        question, options, options.index(thing.kind), hint, ("natural science", "science-and-engineering-practices")
    )


def north(scene: Scene, dice: Dice) -> dict[str, Any] | None:
    """`Which of these is farthest north?`: the only one in its row."""
    rows = sorted(thing.cell[0] for thing in scene.things)
    first = next(thing for thing in scene.things if thing.cell[0] == rows[0])
    if rows.count(rows[0]) != 1 or scene.count(first.kind) != 1 or len(scene.unique()) < 2:
        return None
    options = dice.shuffled([one.kind for one in scene.unique()])
    return _row(
        "Which of these is farthest north?", options, options.index(first.kind), MAP, ("social science", "geography")
    )


def seen(scene: Scene, dice: Dice) -> dict[str, Any]:
    """`Which of these is in the picture?`"""
    here = dice.pick(scene.things).kind
    absent = [kind for kind in KINDS if not scene.count(kind)]
    options = dice.shuffled([here, *dice.shuffled(absent)[: 1 + dice.below(4)]])
    return _row("Which of these is in the picture?", options, options.index(here), "", ("natural science", "physics"))


def problem(number: int, scene: Scene) -> dict[str, Any]:
    """The n-th question with a picture."""
    dice = Dice(scene.seed)
    makers = (colored, north, seen)
    found = makers[number % 3](scene, dice) or colored(scene, dice) or seen(scene, dice)
    return {**found, "image": "image.png"}


def build_scienceqa(folder: Path) -> None:
    """`problems.json`, `pid_splits.json` and `images/SPLIT/PID/image.png`."""
    problems: dict[str, Any] = {}
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number, scene in enumerate(scenes("scienceqa", IMAGES)):
        pid, part = str(2 * number + 1), "val" if number < VALIDATION else "test"
        problems[pid] = problem(number, scene) | {"grade": f"grade{1 + number % 12}", "split": part}
        write(folder / "images" / part / pid / "image.png", png(pixels(scene)))
    for number, (question, choices, answer, subject, topic) in enumerate(TEXTS):
        row = _row(question, list(choices), answer, "", (subject, topic))
        problems[str(2 * number + 2)] = row | {"grade": f"grade{2 + number % 8}", "split": "test"}
    problems = dict(sorted(problems.items(), key=lambda item: int(item[0])))
    for pid, row in problems.items():
        splits[row["split"]].append(pid)
    write(folder / "problems.json", json.dumps(problems, indent=1))
    write(folder / "pid_splits.json", json.dumps(splits, indent=1))
