"""Sheets of answers for people to grade: a seeded draw of whole images, written as CSV, and read back.

The judge's grade is not in the sheet: people would follow it. An answer is known by its text's hash, so that labels are
never counted for another answer.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.base.errors import DataError, UsageError
from vlmbench.data.files import Row, read_rows, read_table
from vlmbench.runs.storage.reload import Item, StoredRun, StoredTask, text_hash
from vlmbench.scoring.bounds import extremes

COLUMNS = ("task", "sample_id", "answer_hash", "images", "question", "target", "answer", "scale", "grade")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""

Labels = Mapping[str, Mapping[str, float]]
"""By task key and sample id: people's grade."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The grades of a benchmark."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


def scale_of(task: StoredTask) -> Scale:
    """From the worst grade to the best, as the benchmark scores one answer. Raises UsageError where it has none."""
    item = next(iter(graded(task)), None)
    if item is None:
        raise UsageError(f"{task.key}: no answer has a grade", hint="grade them: `vlmbench score RUN --judge ...`")
    ends = extremes(task.choice.task, task.choice.protocol, item.sample, len(item.score.verdicts))
    worst, best = (end.value for end in ends)
    if worst is None or best is None:
        raise UsageError(f"{task.key} has no scale of grades for one answer", hint="label another benchmark")
    return Scale(worst, best)


def graded(task: StoredTask) -> list[Item]:
    """Answers with a grade and a text."""
    return [item for item in task.answered.values() if item.score.value is not None and math.isfinite(item.score.value)]


def draw(task: StoredTask, count: int, seed: int) -> list[Item]:
    """At least `count` graded answers, all of an image's together, images in an order that the seed decides."""
    clusters: dict[str, list[Item]] = {}
    for item in graded(task):
        clusters.setdefault(item.sample.cluster, []).append(item)
    order = sorted(clusters, key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest())
    found: list[Item] = []
    for name in order:
        if len(found) >= count:
            break
        found += clusters[name]
    return found


def write(path: Path, run: StoredRun, count: int, seed: int) -> int:
    """Write the sheet of all tasks that were named; returns how many answers it has. Raises UsageError."""
    file = io.StringIO(newline="")
    table = csv.writer(file)
    table.writerow(COLUMNS)
    rows = [row for task in run.tasks.values() for row in _rows(task, count, seed)]
    table.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file.getvalue(), "utf-8-sig")  # spreadsheets take files without the mark for another encoding
    return len(rows)


def _rows(task: StoredTask, count: int, seed: int) -> Iterator[list[str]]:
    scale = scale_of(task)
    for item in draw(task, count, seed):
        sample = item.sample
        images = " ".join(image.name for image in sample.images)
        target = "" if sample.target is None else str(sample.target)
        texts = (images, sample.question, target, item.text)
        yield [task.key, sample.id, text_hash(item.text), *map(_cell, texts), str(scale), ""]


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def read(path: Path, run: StoredRun) -> Labels:
    """The grades of a filled sheet, .csv or .jsonl; rows without a grade are left out.

    Raises DataError for an unknown task or question, a question that is there twice, another answer than the run's, and
    a grade that is no number on the scale.
    """
    found: dict[str, dict[str, float]] = {}
    scales: dict[str, Scale] = {}
    for row in read_rows(path) if path.suffix in (".json", ".jsonl") else read_table(path):
        told = row.values.get("grade")
        text = "" if told is None else str(told).strip()
        if not text:
            continue
        task, key = run.tasks.get(row.text("task")), row.key("sample_id")
        if task is None:
            hint = f"the run has: {', '.join(run.tasks)}"
            raise row.error("task", f"{row.text('task')!r:.60} is no task of the run", hint)
        item = task.answered.get(key)
        if item is None:
            raise row.error("sample_id", f"{key!r:.60} is no graded answer of {task.key}", "label this run's own sheet")
        if key in found.setdefault(task.key, {}):
            raise row.error("sample_id", f"{key!r:.60} is there twice", "leave one grade")
        if row.text("answer_hash").strip() != text_hash(item.text):
            what = "the label is of another answer than the run's"
            raise row.error("answer_hash", what, "draw a new sheet: `vlmbench judge label RUN`")
        scales.setdefault(task.key, scale_of(task))
        found[task.key][key] = _grade(row, text, scales[task.key])
    if not found:
        raise DataError("no row has a grade", where=str(path), hint="fill in the column grade")
    return found


def _grade(row: Row, text: str, scale: Scale) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not scale.low <= value <= scale.high:
        raise row.error(
            "grade", f"{text!r:.40} is no number from {scale}", "grades are numbers on the benchmark's scale"
        )
    return value


def pairs(task: StoredTask, labels: Mapping[str, float]) -> tuple[list[tuple[float, float, str]], Sequence[Item]]:
    """((people's grade, judge's grade, cluster) of the labelled answers, the other graded ones)."""
    labelled, others = [], []
    for item in graded(task):
        if item.sample.id in labels:
            labelled.append((labels[item.sample.id], float(item.score.value or 0.0), item.sample.cluster))
        else:
            others.append(item)
    return labelled, others
