"""The embedded sample of Hateful Memes: nothing hateful. Signs speak well or ill of the weather; ill counts as 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vlmbench.scenes.lettering import Board, board_size, with_boards
from vlmbench.scenes.scene import SAMPLE_SEEDS, SIDE, Dice, make_scene

from .common import write
from .flat import png

IMAGES = 32
THINGS = ("RAIN", "SNOW", "WIND", "FOG", "HAIL", "SUN", "HEAT", "FROST", "CLOUD", "DEW", "ICE", "STORM")
WORDS = {"GOOD": 0, "NICE": 0, "FINE": 0, "BAD": 1, "UGLY": 1, "EVIL": 1}
"""What is said, and its label by the rule made up for this sample."""
BRIGHT = ("orange", "yellow", "green", "cyan", "white")
SCALE = 2
FILES = {"dev_seen": range(0, 20), "test_seen": range(20, 32), "dev_unseen": range(4, 24), "test_unseen": range(16, 32)}
"""Which pictures are in which file; as in the real set, seen and unseen files overlap."""


def meme(seed: int, number: int) -> tuple[str, int, Any]:
    """Words, label and pixels of the n-th picture, drawn from a seed."""
    dice = Dice(seed)
    ill = number % 2
    thing = THINGS[number % len(THINGS)]
    word = dice.pick([word for word, label in WORDS.items() if label == ill])
    color = dice.pick(BRIGHT)
    middle = (SIDE - board_size(thing, SCALE)[0]) // 2
    left = (SIDE - board_size("IS", SCALE)[0] - board_size(word, SCALE)[0] - 4) // 2
    right = left + board_size("IS", SCALE)[0] + 4
    signs = (
        Board(thing, color, SCALE, middle, 4),
        Board("IS", color, SCALE, left, 68),
        Board(word, color, SCALE, right, 68),
    )
    scene = make_scene(seed)
    return f"{thing} is {word}".lower(), ill, with_boards(scene, signs)


def build_hateful_memes(folder: Path) -> None:
    """`{dev,test}_{seen,unseen}.jsonl` and `img/`."""
    rows = []
    for number in range(IMAGES):
        text, label, points = meme(SAMPLE_SEEDS["hateful_memes"][number], number)
        key = 1_000 + number
        rows.append({"id": key, "img": f"img/{key:05d}.png", "label": label, "text": text})
        write(folder / "img" / f"{key:05d}.png", png(points))
    for name, which in FILES.items():
        write(folder / f"{name}.jsonl", "".join(json.dumps(rows[number]) + "\n" for number in which))
