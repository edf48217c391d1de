"""The paired differences from the best of each task: the same questions, answered by both.

They are made for the headline alone, so that a board of many models and tasks takes seconds; the site's pairs
(site/comparisons.py) have every metric. A pair that cannot be compared, or is beyond the limit, has no paired gap:
leaders.py says what the two intervals tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from vlmbench.base.errors import VlmbenchError

from ..runs import RunResult, TaskResult
from .leaders import Gap, best_of, rows_on
from .rows import Row

if TYPE_CHECKING:
    from vlmbench.runs.storage.reload import StoredRun

MOST_RECORDS = 300_000
"""Records of all rows that are paired: some 20 seconds and half a gigabyte. Small tasks come first."""
RESAMPLES = 2_000
"""Of metrics that are no mean; fewer than `vlmbench compare` draws: ends differ by hundredths of a point."""


class Opened:
    """Runs with their records, each read once."""

    def __init__(self) -> None:
        self.runs: dict[str, StoredRun] = {}
        """Whole runs by id; whoever else reads some puts them here."""
        self._parts: dict[str, StoredRun] = {}
        self._failed: dict[str, VlmbenchError] = {}

    def cell(self, row: Row, key: str) -> StoredRun:
        """The run that a row shows on a task, with that task alone. Raises StoreError where it cannot be read."""
        run = row.cells[key]
        part = self._parts.get(run.id)
        stored = part if part is not None and key in part.tasks else self.run(run)
        return replace(stored, tasks={key: stored.tasks[key]})

    def run(self, run: RunResult) -> StoredRun:
        """A whole run. Raises StoreError where it cannot be read."""
        if run.id in self._failed:
            raise self._failed[run.id]
        return self.runs.get(run.id) or self.read(run, [task.key for task in run.tasks])

    def row(self, row: Row) -> StoredRun:
        """All that a row shows, as one run. Raises StoreError where it cannot be read."""
        tasks = {key: self.cell(row, key).tasks[key] for key in row.cells}
        return replace(self.cell(row, next(iter(row.cells))), tasks=tasks)

    def read(self, run: RunResult, keys: Sequence[str]) -> StoredRun:
        """Read some tasks of a run; all of them where no other is left. Raises StoreError where it cannot be read."""
        from vlmbench.compare.compare import open_run

        whole = {task.key for task in run.tasks} <= {*keys}
        try:
            stored = open_run(run.folder, () if whole else keys)
        except VlmbenchError as error:
            self._failed[run.id] = error
            raise
        (self.runs if whole else self._parts)[run.id] = stored
        return stored


@dataclass(frozen=True)
class Paired:
    """What the records of a board tell."""

    gaps: Mapping[str, Mapping[str, Gap]]
    """{task: {row id: its paired difference from the task's best}}, of the tasks that were paired."""
    scales: Mapping[str, float]
    """By task, from the least to the largest value of its headline."""


def paired_gaps(rows: Sequence[Row], opened: Opened, most: int = MOST_RECORDS) -> Paired:
    """Pair the rows of the tasks of at most so many records with the best row of each."""
    by_id = {row.id: row for row in rows}
    keys = dict.fromkeys(key for row in rows for key in row.cells)
    chosen = _within({key: rows_on(rows, key) for key in keys}, most)
    for run in {run.id: run for row in rows for key, run in row.cells.items() if key in chosen}.values():
        with suppress(VlmbenchError):  # its cells say so again
            opened.read(run, [task.key for task in run.tasks if task.key in chosen])
    scales = {key: scale for key in chosen if (scale := _scale(rows, opened, key)) is not None}
    gaps: dict[str, dict[str, Gap]] = {}
    for key in chosen:
        results = rows_on(rows, key)
        best = best_of(results, scales.get(key))
        if best is not None and len(results) > 1:
            found = {name: _gap(opened, by_id[best], by_id[name], key) for name in results if name != best}
            gaps[key] = {name: gap for name, gap in found.items() if gap is not None}
    return Paired(gaps, scales)


def _scale(rows: Sequence[Row], opened: Opened, key: str) -> float | None:
    """The range of a task's headline, as the task's own metric tells it; None where no run of it can be read."""
    for row in rows:
        try:
            stored = opened.cell(row, key).tasks[key] if key in row.cells else None
            metrics = stored.metrics(list(stored.answered)) if stored is not None else []
        except VlmbenchError:
            continue
        span = next((one.span for one in metrics if stored is not None and one.name == stored.headline), None)
        if span is not None:
            return span
    return None


def _within(results: Mapping[str, Mapping[str, TaskResult]], most: int) -> list[str]:
    """The tasks of at most so many records together, the small ones first."""
    sizes = {key: sum(one.best.n for one in found.values()) for key, found in results.items()}
    order = sorted(sizes, key=lambda key: sizes[key])
    return [key for key, total in zip(order, accumulate(sizes[key] for key in order), strict=True) if total <= most]


def _gap(opened: Opened, best: Row, row: Row, key: str) -> Gap | None:
    """One paired difference; None where the two cannot be paired, or are of two levels."""
    from vlmbench.compare.compare import compare

    try:
        before, after = opened.cell(best, key), opened.cell(row, key)
        found = compare(before, after, metric="headline", bars=False, resamples=RESAMPLES)
    except VlmbenchError:
        return None
    task = found.tasks[0]
    if task.differing and any(one.refuses for one in task.differing):
        return None
    paired = task.best.paired
    ends = paired.difference
    if ends.value != ends.value:
        return None
    return Gap(ends.value, ends.low, ends.high, paired.p, paired=True)
