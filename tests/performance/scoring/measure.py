"""Measures scoring: CPU seconds from samples and responses to metrics with intervals."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder
from vlmbench.scoring.score import score_responses, summarise

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.samples import Sample


def print_seconds(choice: TaskChoice, pairs: Sequence[tuple[Sample, Response]], read: float) -> None:
    """Score and summarise, and print how long that took beside `read`, the seconds spent on reading the samples."""
    start = time.process_time()
    scored = score_responses(choice.task, choice.protocol, pairs)
    middle = time.process_time()
    entry = summarise(choice, scored)
    end = time.process_time()
    figures = sum(isinstance(value, dict) and "low" in value for value in entry.values())
    print(f"{len(pairs):,} questions: read {read:.2f} s, scored {middle - start:.2f} s, ", end="")
    print(f"{figures} figures with intervals {end - middle:.2f} s")


def print_seconds_of_files(spec: str, write: Callable[[Path], tuple[Path, Path]]) -> None:
    """Measure questions and answers that `write` puts into a folder: it returns the data folder and the answer file."""
    choice = choose_task(spec)
    with tempfile.TemporaryDirectory() as folder:
        root, answers = write(Path(folder))
        start = time.process_time()
        found = choice.task.samples(Folder(root), choice.split)
        texts = choice.task.read_predictions(answers, found)
        read = time.process_time()
    print_seconds(choice, [(sample, Response(texts[sample.id])) for sample in found], read - start)
