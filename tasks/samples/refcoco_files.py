"""Writes the embedded samples of boxes: RefCOCO's expressions that mean one thing of a drawn scene, COCO's instances.

As in the originals, RefCOCO's expressions are short and speak of places, RefCOCO+'s do not, RefCOCOg's are sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vlmbench.scenes.questions import article
from vlmbench.scenes.scene import KINDS as SHAPES
from vlmbench.scenes.scene import SIDE, Dice, Scene, Thing, coverage, make_scene, relation, sample_seeds

from .common import compact, jpeg, scenes, write

IMAGES = 24
THINGS = (4, 7)
"""Things in a scene of COCO's instances: fewest and most."""
FIRST = 900_001
"""The number of the first image, as COCO has them."""
SHORTER = {"to the left of": "left of", "to the right of": "right of"}
PLACES = {"top": "top", "bottom": "bottom", "left": "left", "right": "right"}


def bounds(thing: Thing) -> list[int]:
    """The smallest box around what is drawn of a thing: x, y, width, height."""
    x, y, side, _ = thing.box
    bright, dim = coverage(thing.kind, side, thing.texture)
    drawn = (bright + dim)[:, :, 0] > 0
    rows = [at for at in range(side) if drawn[at].any()]
    columns = [at for at in range(side) if drawn[:, at].any()]
    return [x + columns[0], y + rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]


def only(scene: Scene, thing: Thing, *fields: str) -> bool:
    """Whether no other thing is the same in all these fields."""
    return sum(all(getattr(t, name) == getattr(thing, name) for name in fields) for t in scene.things) == 1


def plain(scene: Scene, thing: Thing) -> Iterator[str]:
    """Expressions without places: RefCOCO+."""
    if only(scene, thing, "kind"):
        yield thing.kind
    if only(scene, thing, "color"):
        yield f"the {thing.color} one"
    if only(scene, thing, "kind", "color"):
        yield f"{thing.color} {thing.kind}"
    if only(scene, thing, "texture"):
        yield f"{thing.texture} thing"
    if only(scene, thing, "kind", "texture"):
        yield f"{thing.texture} {thing.kind}"


def placed(scene: Scene, thing: Thing) -> Iterator[str]:
    """Expressions with places: RefCOCO."""
    for place, name in ((thing.row, "row"), (thing.column, "column")):
        if place in PLACES and only(scene, thing, name):
            yield f"thing at the {place}" if name == "row" else f"thing on the {place}"
    for place, name in ((thing.column, "column"), (thing.row, "row")):
        if place in PLACES and only(scene, thing, "kind", name):
            yield f"{thing.kind} {place}"
    if only(scene, thing, "row", "column") and {thing.row, thing.column} <= PLACES.keys():
        yield f"{thing.row} {thing.column}"
    for name, other in _relations(scene, thing):
        yield f"{thing.kind} {SHORTER.get(name, name)} the {other.kind}"
    yield from plain(scene, thing)


def told(scene: Scene, thing: Thing) -> Iterator[str]:
    """Longer expressions: RefCOCOg."""
    subject = article(f"{thing.size} {thing.color} {thing.kind}")
    pattern = {"solid": "in one color", "striped": "with stripes", "dotted": "with dots"}[thing.texture]
    if only(scene, thing, "kind", "color"):
        yield f"{subject} {pattern}"
    for name, other in _relations(scene, thing):
        yield f"{article(f'{thing.color} {thing.kind}')} {name} {article(f'{other.color} {other.kind}')}"


def _relations(scene: Scene, thing: Thing) -> Iterator[tuple[str, Thing]]:
    """How a thing that is the only one of its kind stands to others that are."""
    for other in scene.unique() if thing in scene.unique() else ():
        if name := relation(thing, other):
            yield name, other


KINDS: dict[str, tuple[Callable[[Scene, Thing], Iterator[str]], int]] = {
    "refcoco": (placed, 3),
    "refcoco+": (plain, 3),
    "refcocog": (told, 2),
}
"""By set: its expressions, and how many of a thing at most."""


def rows(name: str, pictures: Sequence[Scene]) -> list[dict[str, Any]]:
    """The expressions of one set in the layout of MiniGPT-4's files."""
    make, most = KINDS[name]
    made = []
    for number, scene in enumerate(pictures, 1):
        dice = Dice(scene.seed)
        for at, thing in enumerate(scene.things):
            for expression in dice.shuffled(make(scene, thing))[:most]:
                key = f"{stem(number)}_{at}"
                box = [float(side) for side in bounds(thing)]
                made.append({"img_id": key, "sents": expression, "bbox": box, "height": SIDE, "width": SIDE})
    return made


def stem(number: int) -> str:
    """A picture's name as COCO's: 27 letters."""
    return f"COCO_train2014_{number:012d}"


def build_refcoco(folder: Path) -> None:
    """`{refcoco,refcoco+,refcocog}_val.json` and `train2014/`."""
    _write(folder, scenes("refcoco", IMAGES))


def build_refcoco_reg(folder: Path) -> None:
    """The same files of other scenes."""
    _write(folder, scenes("refcoco_reg", IMAGES))


def _write(folder: Path, pictures: Sequence[Scene]) -> None:
    for name in KINDS:
        write(folder / f"{name}_val.json", compact(rows(name, pictures)))
    for number, scene in enumerate(pictures, 1):
        write(folder / "train2014" / f"{stem(number)}.jpg", jpeg(scene))


def build_coco_detection(folder: Path) -> None:
    """`annotations/instances_val2017.json` and `val2017/`: scenes with several things of a kind."""
    drawn = (make_scene(seed, *THINGS) for seed in sample_seeds("coco_detection"))
    pictures = list(islice((scene for scene in drawn if len(scene.unique()) < len(scene.things)), IMAGES))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(pictures, FIRST):
        name = f"{number:012d}.jpg"
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
        for thing in scene.things:
            x, y, width, height = bounds(thing)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": SHAPES.index(thing.kind) + 1,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
        write(folder / "val2017" / name, jpeg(scene))
    categories = [{"id": at, "name": kind, "supercategory": "shape"} for at, kind in enumerate(SHAPES, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write(folder / "annotations" / "instances_val2017.json", compact(content))
