"""How long NaturalBench's 7,600 questions take: `python -m tests.performance.scoring.naturalbench_speed [GROUPS]`.

Processor time of one core: rows read from a file, answers read and scored, all figures (groups of three kinds that
overlap, whole and by type), and their intervals as scores.json has them.
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
from vlmbench.tasks.yes_no.naturalbench import ANSWERS, NATURALBENCH, PATTERN, WORDS

GROUPS = 1_900


def write(folder: Path, groups: int) -> None:
    """The hub's rows as JSON lines."""
    rows = []
    for number in range(groups):
        kind = "multiple_choice" if number % 4 == 3 else "yes_no"
        row = {"Index": number, "Question_Type": kind, "Image_0": f"{number}_0.jpg", "Image_1": f"{number}_1.jpg"}
        row |= {f"Question_{n}": f"Is thing {number} {n} in the image, or what is it?" for n in (0, 1)}
        rows.append(row | {field: WORDS[kind][PATTERN[slot]] for slot, field in enumerate(ANSWERS)})
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def main() -> None:
    """Measure and print."""
    dice = random.Random(0)
    texts = ("Yes", "No.", "The answer is B.", "A", "It is not there, so no", "I cannot tell", "B. the dog")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else GROUPS)
        start = time.process_time()
        samples = NATURALBENCH.samples(Folder(Path(folder)), "test")
        read = time.process_time()
    pairs = [(sample, Response(dice.choice(texts))) for sample in samples]
    print_seconds(TaskChoice(NATURALBENCH, "test", "official"), pairs, read - start)


if __name__ == "__main__":
    main()
