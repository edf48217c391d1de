"""Samples of multiple choice about several images: what stands in one of two or three scenes, options that are scenes.

Rows are the hub's (JSON lines), with the benchmark's own marks where an image belongs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

from vlmbench.data.images.places import mark_of
from vlmbench.data.tables.columns import LETTERS
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.families.multiple_choice import MultipleChoice
from vlmbench.scenes.scene import COLORS, Dice, Scene, draw

from .common import encoded, scenes, write

COUNT, SIDE = 24, 96
"""Questions of a sample, and pixels of a side of their images."""
ORDINALS = ("first", "second", "third")
IDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "mmmu": ("validation_{kind}_{number}", ("Art", "Biology", "Math")),
    "mmmu_pro": ("test_{kind}_{number}", ("Art", "Biology", "Math")),
    "muirbench": ("{number}", ("Counting", "Image-Text Matching", "Visual Retrieval")),
    "blink": ("val_{kind}_{number}", ("Jigsaw", "Spatial_Relation", "Visual_Similarity")),
}
"""By benchmark: what an id looks like, and the values of the tag that scores are broken down by."""


@dataclass(frozen=True)
class Item:
    """A question about its own scenes, which `{0}`, `{1}` name in its text and options."""

    scenes: tuple[Scene, ...]
    question: str
    options: tuple[str, ...]
    answer: str
    """The right option, or the answer to an open question."""


Maker = Callable[[list[Scene], Dice], Item]
"""Takes scenes from a pool."""


def colour(pool: list[Scene], dice: Dice) -> Item:
    """One scene, options in words."""
    scene = pool.pop(0)
    thing = scene.unique()[0]
    others = dice.shuffled([color for color in COLORS if color != thing.color])[:3]
    return Item(
        (scene,),
        f"{{0}} What color is the {thing.kind}?",
        tuple(dice.shuffled([thing.color, *others])),
        thing.color,
    )


def which(pool: list[Scene], dice: Dice) -> Item:
    """Two scenes in the question, one of which shows a thing."""
    shown, right, kind = _one_of(pool, 2, dice)
    question = f"Compare {{0}} with {{1}}. Which of them shows a {kind}?"
    options = tuple(f"the {ORDINALS[n]} image" for n in (0, 1))
    return Item(shown, question, options, options[right])


def pictured(pool: list[Scene], dice: Dice) -> Item:
    """Options that are scenes."""
    shown, right, kind = _one_of(pool, 3, dice)
    options = tuple(f"{{{place}}}" for place in range(len(shown)))
    return Item(shown, f"Which image shows a {kind}?", options, options[right])


def open_count(pool: list[Scene], dice: Dice) -> Item:
    """A number, without options."""
    scene = pool.pop(0)
    return Item((scene,), "How many shapes are in {0}?", (), str(len(scene.things)))


def counted(pool: list[Scene], dice: Dice) -> Item:
    """Ten options."""
    return replace(open_count(pool, dice), options=tuple(map(str, range(10))))


def _one_of(pool: list[Scene], count: int, dice: Dice) -> tuple[tuple[Scene, ...], int, str]:
    """Scenes in a drawn order, the place of the one that shows a thing, and the thing's kind."""
    right = pool.pop(0)
    kind = right.things[0].kind
    others = [scene for scene in pool if kind not in {thing.kind for thing in scene.things}][: count - 1]
    for scene in others:
        pool.remove(scene)
    shown = tuple(dice.shuffled([right, *others]))
    return shown, shown.index(right), kind


def build(task: MultipleChoice, files: HubDataset, folder: Path) -> None:
    """The default split's rows, and its images."""
    columns, pool = files.columns, scenes(task.name, 3 * COUNT)
    last = open_count if columns.may_be_open else counted if columns.as_literals else which
    makers: Sequence[Maker] = (colour, which, pictured, last)
    items = [makers[n % 4](pool, Dice(n)) for n in range(COUNT)]
    for number, item in enumerate(items, 1):
        for place, scene in enumerate(item.scenes, 1):
            small = draw(scene).resize((SIDE, SIDE))
            write(folder / "images" / f"{number}_{place}.jpg", encoded(small))
    rows = _rows(task, files, items)
    write(folder / f"{task.splits[0]}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _rows(task: MultipleChoice, files: HubDataset, items: Sequence[Item]) -> Iterator[dict[str, Any]]:
    columns = files.columns
    form, kinds = IDS[task.name]
    for number, (item, kind) in enumerate(zip(items, cycle(kinds), strict=False), 1):
        words = [mark_of(n, task.image_mark) if task.image_mark else f"the {ORDINALS[n - 1]} image" for n in (1, 2, 3)]
        options = [text.format(*words) for text in item.options]
        row: dict[str, Any] = {columns.id: form.format(kind=kind, number=number)}
        row[columns.question] = item.question.format(*words)
        row[str(columns.options)] = repr(options) if columns.as_literals else options
        row["answer"] = LETTERS[item.options.index(item.answer)] if options else item.answer
        if columns.answer != "answer":  # BLINK: made of "(A)"; its prompt holds the options
            row["answer"] = f"({row['answer']})"
            listed = "\n".join(f"({letter}) {text}" for letter, text in zip(LETTERS, options, strict=False))
            row["prompt"] = f"{row[columns.question]}\nSelect from the following choices.\n{listed}"
        row |= {column: kind for column in columns.tags.values() if column not in columns.made}
        names = [f"images/{number}_{place}.jpg" for place in range(1, len(item.scenes) + 1)]
        if len(files.images) > 1:
            row |= dict.fromkeys(files.images) | dict(zip(files.images, names, strict=False))
        else:
            row[files.images[0]] = names
        yield row
