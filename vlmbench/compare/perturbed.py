"""A run beside the runs of the same questions under changes: where they lie, and the paired differences.

    RUN/                          the run as it is, an ordinary run's folder
    RUN/perturbations/noise-2/    the same under a change, an ordinary run's folder too
    RUN/perturbations.json        each change against the run as it is, task by task

Each of them is begun, interrupted, gone on with and reported like any run. The plain run is the one that the same
command makes without --perturb: its answers are used where it is there already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlmbench.base.errors import VlmbenchError
from vlmbench.base.files import write_atomically
from vlmbench.compare import compare as comparison
from vlmbench.compare.compare import MetricDifference, TaskComparison
from vlmbench.perturbations.perturbations import Change
from vlmbench.runs.storage import reload as stored
from vlmbench.runs.storage.layout import (
    EARLIER_PERTURBATIONS,
    EARLIER_PERTURBED,
    PERTURBATIONS,
    PERTURBED,
    SCORES,
    perturbed_run,
)
from vlmbench.runs.storage.reload import StoredRun
from vlmbench.runs.storage.run_files import to_json
from vlmbench.stats.paired import holm

FORMAT = 1


@dataclass(frozen=True)
class Ablated:
    """One change, held against the run as it is."""

    change: Change
    folder: Path | None
    """The run under the change; None where nothing was left to ask."""
    left_out: Mapping[str, Mapping[str, int]]
    """By task, how many questions were not asked, by reason."""
    tasks: Sequence[TaskComparison] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """By task, why it cannot be compared."""

    def to_json(self, p_holm: Mapping[str, float | None]) -> dict[str, Any]:
        """For pages and scripts; `p_holm` by task."""
        return {
            "perturbation": self.change.label,
            "what": self.change.words,
            "folder": None if self.folder is None else f"{self.folder.parent.name}/{self.folder.name}",
            "left_out": {key: dict(reasons) for key, reasons in self.left_out.items()},
            "failed": dict(self.failed),
            "tasks": {task.key: _task(task, p_holm.get(task.key)) for task in self.tasks},
        }


@dataclass(frozen=True)
class Series:
    """All changes of a run."""

    plain: StoredRun
    seed: int
    ablated: Sequence[Ablated]

    @property
    def p_holm(self) -> dict[str, dict[str, float | None]]:
        """{change: {task: p}}: p-values of what is shown, corrected over all changes and tasks together."""
        tests = {(one.change.label, task.key): shown(task).paired.p for one in self.ablated for task in one.tasks}
        corrected = holm({"\n".join(key): p for key, p in tests.items()})
        found: dict[str, dict[str, float | None]] = {}
        for label, key in tests:
            found.setdefault(label, {})[key] = corrected[f"{label}\n{key}"]
        return found

    def to_json(self) -> dict[str, Any]:
        """What perturbations.json holds."""
        p_holm = self.p_holm
        return {
            "format": FORMAT,
            "run": {**self.plain.describe(), "path": None},
            "seed": self.seed,
            "scores": {key: dict(task.scores) for key, task in self.plain.tasks.items()},
            "perturbations": [one.to_json(p_holm.get(one.change.label, {})) for one in self.ablated],
        }


def shown(task: TaskComparison) -> MetricDifference:
    """The headline's difference; where it is undefined in one of the runs, that of the first metric that is not.

    A model that sees nothing may never say yes: then it has no F1, but an accuracy.
    """
    return next((one for one in task.differences if not math.isnan(one.paired.difference.value)), task.best)


def _task(task: TaskComparison, p_holm: float | None) -> dict[str, Any]:
    content = task.to_json()
    names = ("headline", "pairs", "only_before", "only_after", "agreement", "same_answers", "differences")
    counts = {"gained": len(task.gained), "lost": len(task.lost)}
    return {**{name: content[name] for name in names}, "shown": shown(task).name, **counts, "p_holm": p_holm}


def finished(run: Path) -> list[Path]:
    """The folders of a run's finished runs under changes, in order of name."""
    folders = [run / PERTURBED, run / EARLIER_PERTURBED]
    found = [one for folder in folders if folder.is_dir() for one in folder.iterdir() if (one / SCORES).is_file()]
    return sorted(found, key=lambda path: path.name)


def series(run: Path, changes: Sequence[Change], left_out: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Series:
    """Hold every change against the finished run. `left_out` is by change; changes of which no run is there had nothing
    to ask.

    Raises StoreError for runs that cannot be read.
    """
    plain = stored.load(run)
    found = [_ablated(plain, run, change, left_out.get(change.label, {})) for change in changes]
    return Series(plain, changes[0].seed if changes else 0, found)


def write(found: Series, run: Path) -> None:
    """Write perturbations.json into the run's folder. Raises StoreError when it cannot be written."""
    with comparison.writing(run / PERTURBATIONS):
        write_atomically(run / PERTURBATIONS, to_json(found.to_json()))
        (run / EARLIER_PERTURBATIONS).unlink(missing_ok=True)


def _ablated(plain: StoredRun, run: Path, change: Change, left_out: Mapping[str, Mapping[str, int]]) -> Ablated:
    folder = perturbed_run(run, change.label)
    if set(left_out) >= set(plain.tasks) and not (folder / SCORES).is_file():
        return Ablated(change, None, left_out)
    other = stored.load(folder)
    tasks: list[TaskComparison] = []
    failed: dict[str, str] = {}
    for key in (key for key in other.tasks if key in plain.tasks):
        pair = [replace(one, tasks={key: one.tasks[key]}) for one in (plain, other)]
        try:
            tasks += comparison.compare(*pair, bars=False).tasks
        except VlmbenchError as error:
            failed[key] = str(error)
    return Ablated(change, folder, left_out, tasks, failed)
