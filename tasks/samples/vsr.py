"""The embedded sample of VSR: statements about where drawn shapes stand, true and false in turn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from vlmbench.scenes.scene import INVERSE, Dice, Scene, Thing, relation

from .common import jpeg, scenes, write

IMAGES = 32
EACH = 2
"""Statements about a picture and split."""
NAMES = {"to the left of": "left of", "to the right of": "right of", "above": "above", "below": "below"}
"""The scene graph's relations in VSR's words."""


def pairs(scene: Scene) -> list[tuple[Thing, Thing, str]]:
    """Pairs of shapes, each the only one of its kind, whose relation nobody would doubt."""
    found = []
    for a, b in combinations(scene.unique(), 2):
        if (name := relation(a, b)) is not None:
            found += [(a, b, name), (b, a, INVERSE[name])]
    return found


def rows(scene: Scene, image: str, dice: Dice, start: int) -> list[dict[str, Any]]:
    """Statements in VSR's fields. Shapes never touch, so that touching is always false and detached always true."""
    made = []
    for number, (a, b, name) in enumerate(dice.shuffled(pairs(scene))[:EACH], start):
        true = number % 2 == 0
        said = NAMES[name if true else INVERSE[name]]
        if dice.chance(25):
            said = "detached from" if true else "touching"
        made.append(
            {
                "image": image,
                "image_link": f"http://images.cocodataset.org/train2017/{image}",
                "caption": f"The {a.kind} is {said} the {b.kind}.",
                "label": int(true),
                "relation": said,
                "subj": a.kind,
                "obj": b.kind,
                "annotator_id": 1,
                "vote_true_validator_id": "[]",
                "vote_false_validator_id": "[]",
            }
        )
    return made


def pictures() -> Sequence[Scene]:
    """Scenes with enough to say about."""
    return [scene for scene in scenes("vsr", 120) if len(pairs(scene)) >= EACH][:IMAGES]


def build_vsr(folder: Path) -> None:
    """`data/splits/{zeroshot,random}/{test,dev}.jsonl` and `images/`."""
    splits: dict[str, list[dict[str, Any]]] = {}
    for number, scene in enumerate(pictures()):
        image = f"{900_000 + scene.seed:012d}.jpg"
        part = "test" if number < IMAGES - 4 else "dev"
        for kind in ("zeroshot", "random"):
            made = splits.setdefault(f"{kind}/{part}", [])
            made += rows(scene, image, Dice(scene.seed + (kind == "random")), len(made))
        write(folder / "images" / image, jpeg(scene))
    for split, made in splits.items():
        if split.startswith("random"):
            kept = ("image", "image_link", "caption", "label", "relation", "annotator_id")
            made = [{name: row[name] for name in kept} | {"reference_frame": None} for row in made]
        write(folder / "data" / "splits" / f"{split}.jsonl", "".join(json.dumps(row) + "\n" for row in made))
