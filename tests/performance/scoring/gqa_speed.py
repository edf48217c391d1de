"""How long GQA's test-dev takes to read and score: `python -m tests.performance.scoring.gqa_speed`.

Processor time of one core for 12,578 questions: questions and answers read, every answer scored, all figures with
their breakdowns and intervals. Reading the lines of Python itself (imports) is not counted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.performance.scoring.measure import print_seconds
from tests.tasks.layouts import big_gqa
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder


def main() -> None:
    """Measure and print."""
    choice = choose_task("gqa")
    with tempfile.TemporaryDirectory() as folder:
        root, predictions = big_gqa(Path(folder))
        start = time.process_time()
        found = choice.task.samples(Folder(root), choice.split)
        texts = choice.task.read_predictions(predictions, found)
        read = time.process_time()
    print_seconds(choice, [(s, Response(texts[s.id])) for s in found], read - start)


if __name__ == "__main__":
    main()
