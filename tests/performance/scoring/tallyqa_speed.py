"""How long TallyQA's 38,589 questions take: `python -m tests.performance.scoring.tallyqa_speed [QUESTIONS]`.

Processor time of one core: the official file read, answers read and scored, accuracy whole, by complexity and by
number, and their intervals as scores.json has them.
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
from vlmbench.tasks.short_answer.counting.tallyqa import TALLYQA

QUESTIONS, IMAGES = 38_589, 25_119
"""About as many images as the test has."""


def write(folder: Path, questions: int) -> None:
    """The official file."""
    dice = random.Random(0)
    rows = [
        {"answer": min(15, int(dice.expovariate(0.5))), "data_source": "amt", "issimple": number % 5 < 3}
        | {"image": f"VG_100K/{dice.randrange(IMAGES)}.jpg", "image_id": number, "question_id": number}
        | {"question": f"How many things of kind {number} are in the picture?"}
        for number in range(questions)
    ]
    (folder / "test.json").write_text(json.dumps(rows), "utf-8")


def main() -> None:
    """Measure and print."""
    dice = random.Random(1)
    texts = ("2", "three", "There are 2 of them.", "no", "I see one thing, or two", "0", "**1**", "Twelve.")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS)
        start = time.process_time()
        samples = TALLYQA.samples(Folder(Path(folder)), "test")
        read = time.process_time()
    pairs = [(sample, Response(dice.choice(texts))) for sample in samples]
    print_seconds(TaskChoice(TALLYQA, "test", "vlmevalkit"), pairs, read - start)


if __name__ == "__main__":
    main()
