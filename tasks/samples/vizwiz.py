"""The embedded sample of VizWiz-VQA: pictures taken badly, spoken questions, and some that cannot be answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmbench.scenes.questions import article
from vlmbench.scenes.scene import KINDS, SAMPLE_SEEDS, Dice, Scene, blurred, make_scene, pixels

from .common import compact, encoded, write
from .people import ask, sure

IMAGES = 36
HIDDEN = 4
"""Of them, how many are test's, whose answers are not given."""
THANKS = ("", "", "", " Thank you.", " Please.")
HOPELESS = "What does the label say?", "What is the expiration date?", "What is the price of this?", "Who is this?"
"""Asked of an image that shows nothing of the kind."""


def _asked(dice: Dice, scene: Scene) -> tuple[str, str]:
    """(question, answer) about a picture of a single thing."""
    (thing,) = scene.things
    same = dice.chance(50)
    other = thing.kind if same else dice.pick([kind for kind in KINDS if kind != thing.kind])
    return dice.pick(
        (
            ("What color is this?", thing.color),
            ("What is this?", thing.kind),
            ("Can you tell me what this is?", thing.kind),
            (f"What color is this {thing.kind}?", thing.color),
            (f"Is this {article(other)}?", "yes" if same else "no"),
            ("How many things are in front of me?", "1"),
        )
    )


def spoilt(dice: Dice, scene: Scene, hopeless: bool) -> Any:
    """The picture as taken: a little dark or out of focus, or so much that nothing can be seen."""
    import numpy as np

    grid = pixels(scene).astype(np.int64)
    dark = dice.chance(50)
    if hopeless:
        return grid * 2 // 100 if dark else blurred(grid, 14, 3)
    if dice.chance(50):
        return grid * (45 + dice.below(25)) // 100 if dark else blurred(grid, 1, 1)
    return grid


def asked(dice: Dice, scene: Scene) -> tuple[str, str, bool]:
    """(question, answer, whether the picture shows nothing)."""
    text, answer = _asked(dice, scene)
    hopeless = dice.chance(22)
    if hopeless or dice.chance(18):
        answer = "unanswerable"
        text = text if hopeless else dice.pick(HOPELESS)
    return text, answer, hopeless


def row(dice: Dice, scene: Scene, number: int, part: str) -> tuple[dict[str, Any], bool]:
    """(a row of the annotation file, whether the picture shows nothing)."""
    text, answer, hopeless = asked(dice, scene)
    kind = "unanswerable" if answer == "unanswerable" else "other"
    kind = "yes/no" if answer in ("yes", "no") else "number" if answer.isdecimal() else kind
    said = [{"answer_confidence": sure(dice, answer, one), "answer": one} for one in ask(dice, answer)]
    made = {
        "image": f"VizWiz_{part}_{number:08d}.jpg",
        "question": text + dice.pick(THANKS),
        "answers": said,
        "answer_type": kind,
        "answerable": int(answer != "unanswerable"),
    }
    return made, hopeless


def build_vizwiz(folder: Path) -> None:
    """`val.json` with answers, `test.json` without; pictures in `val/` and `test/`."""
    import numpy as np
    from PIL import Image

    parts: dict[str, list[dict[str, Any]]] = {"val": [], "test": []}
    for index, seed in enumerate(SAMPLE_SEEDS["vizwiz"][:IMAGES]):
        part = "val" if index < IMAGES - HIDDEN else "test"
        dice, scene = Dice(seed), make_scene(seed, 1, 1)
        made, hopeless = row(dice, scene, len(parts[part]), part)
        parts[part].append(made if part == "val" else {name: made[name] for name in ("image", "question")})
        grid = np.clip(spoilt(dice, scene, hopeless), 0, 255).astype(np.uint8)
        write(folder / part / made["image"], encoded(Image.fromarray(grid, "RGB")))
    for part, rows in parts.items():
        write(folder / f"{part}.json", compact(rows))
