"""How long COCO's captions take to read and score: `python -m tests.performance.scoring.captions_speed`.

Processor time of one core for 5,000 captions and 25,000 references in the form of dataset_coco.json: captions and
references read, tokenized and compared, all figures with intervals. One text in four has something that is no plain
word: a possessive, a number, an abbreviation, quotation marks.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.performance.scoring.measure import print_seconds_of_files

IMAGES, PEOPLE = 5_000, 5
FIRST = 391_895
SUBJECTS = [
    "a man",
    "a woman",
    "two dogs",
    "a group of people",
    "a black and white cat",
    "a red train",
    "several giraffes",
]
VERBS = ("riding", "standing next to", "looking at", "sitting on", "holding", "walking along", "lying in front of")
RARE = ("a man's hand", "2 cups", 'an "open" sign', "half-eaten pizza", "a t-shirt, black", "St. Louis", "50% of it")


def text(dice: random.Random, words: list[str]) -> str:
    """A caption of some twelve words of a vocabulary in which a few are frequent."""
    what = dice.choice(RARE) if dice.random() < 0.25 else f"a {words[int(len(words) * dice.random() ** 3)]}"
    more = [words[int(len(words) * dice.random() ** 3)] for _ in range(dice.randint(1, 4))]
    caption = f"{dice.choice(SUBJECTS)} {dice.choice(VERBS)} {what} with {' and '.join(more)}"
    return caption[0].upper() + caption[1:] + dice.choice(("", ".", ".", " ."))


def write(root: Path) -> tuple[Path, Path]:
    """Karpathy's file of COCO and results."""
    dice = random.Random(0)
    words = ["".join(dice.choice("aeioubcdfglmnprst") for _ in range(dice.randint(3, 9))) for _ in range(9_000)]
    images = [
        {
            "filepath": "val2014",
            "filename": f"COCO_val2014_{FIRST + number:012d}.jpg",
            "cocoid": FIRST + number,
            "split": "test",
            "sentences": [{"raw": text(dice, words), "sentid": PEOPLE * number + n} for n in range(PEOPLE)],
        }
        for number in range(IMAGES)
    ]
    (root / "dataset_coco.json").write_text(json.dumps({"images": images, "dataset": "coco"}), "utf-8")
    results = [{"image_id": image["cocoid"], "caption": text(dice, words)} for image in images]
    (root / "results.json").write_text(json.dumps(results), "utf-8")
    return root, root / "results.json"


if __name__ == "__main__":
    print_seconds_of_files("coco_captions@official", write)
