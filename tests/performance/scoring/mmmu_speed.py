"""How long MMMU's 10,500 questions take: `python -m tests.performance.scoring.mmmu_speed [QUESTIONS]`.

Processor time of one core: rows read from a file, answers read and scored (guesses included), all figures, and their
intervals as scores.json has them. One question in 17 is open, as in the validation split.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.performance.scoring.measure import print_seconds
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder
from vlmbench.tasks.multiple_choice.several_images.disciplines import SUBJECTS
from vlmbench.tasks.multiple_choice.several_images.mmmu import IMAGES, MMMU

QUESTIONS = 10_500


def write(folder: Path, questions: int) -> None:
    """The hub's rows as JSON lines."""
    rows = []
    for number in range(questions):
        options = [] if number % 17 == 0 else [f"thing {number} {n}" for n in range(2 + number % 4)]
        row: dict[str, object] = {
            "id": f"validation_{SUBJECTS[number * 30 // questions]}_{number}",
            "options": repr(options),
        }
        row |= {**dict.fromkeys(IMAGES), "image_1": f"{number}.jpg", "question": f"<image 1> What is thing {number}?"}
        rows.append(row | {"answer": "AB"[number % 2] if options else "['4', 'four']"})
    (folder / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def main() -> None:
    """Measure and print."""
    dice = random.Random(0)
    texts = ("A", "(B)", "The answer is B.", "I cannot tell", "So it is the fourth, as 2 + 2 = 4", "It must be C here")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS)
        start = time.process_time()
        samples = MMMU.samples(Folder(Path(folder)), "val")
        read = time.process_time()
    pairs = [(sample, Response(dice.choice(texts))) for sample in samples]
    print_seconds(TaskChoice(MMMU, "val", "official"), pairs, read - start)


if __name__ == "__main__":
    main()
