"""A run beside its perturbed runs: where they lie, and the paired differences.

    RUN/                          the plain run, an ordinary run's folder
    RUN/perturbations/noise-2/    the same questions perturbed, an ordinary run's folder too
    RUN/perturbations.json        each perturbation against the plain run, task by task

Each of them is started, interrupted, resumed and reported like any run. The plain run is the one that the same command
makes without --perturb: its answers are used where they exist.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlmbench.base.errors import VlmbenchError
from vlmbench.base.files import write_atomically
from vlmbench.compare import compare
from vlmbench.compare.compare import TaskComparison
from vlmbench.compare.differences import MetricDifference, corrected, tests_to_json
from vlmbench.perturbations.perturbations import Perturbation
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.layout import (
    EARLIER_PERTURBATIONS,
    PERTURBATIONS,
    SCORES,
    perturbed_run,
)
from vlmbench.runs.storage.reload import StoredRun
from vlmbench.runs.storage.run_files import to_json

FORMAT = 1


@dataclass(frozen=True)
class PerturbedRun:
    """One perturbation, compared with the plain run."""

    change: Perturbation
    folder: Path | None
    """The perturbed run; None where no question was left."""
    left_out: Mapping[str, Mapping[str, int]]
    """By task, how many questions were not asked, by reason."""
    tasks: Sequence[TaskComparison] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """By task, why it cannot be compared."""

    def to_json(self, differences: Mapping[str, MetricDifference]) -> dict[str, Any]:
        """For pages and scripts; `differences` are those shown, by task."""
        return {
            "perturbation": self.change.label,
            "what": self.change.description,
            "folder": None if self.folder is None else f"{self.folder.parent.name}/{self.folder.name}",
            "left_out": {key: dict(reasons) for key, reasons in self.left_out.items()},
            "failed": dict(self.failed),
            "tasks": {task.key: _task(task, differences[task.key]) for task in self.tasks},
        }


@dataclass(frozen=True)
class PerturbationReport:
    """All perturbations of a run."""

    plain: StoredRun
    seed: int
    runs: Sequence[PerturbedRun]

    @property
    def differences(self) -> dict[str, dict[str, MetricDifference]]:
        """{change: {task: what is shown}}, with tests corrected over all changes and tasks together."""
        pairs = [(run.change.label, task) for run in self.runs for task in run.tasks]
        by_change: dict[str, dict[str, MetricDifference]] = {}
        for (label, task), row in zip(pairs, corrected([shown(task) for _, task in pairs]), strict=True):
            by_change.setdefault(label, {})[task.key] = row
        return by_change

    def to_json(self) -> dict[str, Any]:
        """What perturbations.json holds."""
        shown_rows = self.differences
        return {
            "format": FORMAT,
            "run": {**self.plain.describe(), "path": None},
            "seed": self.seed,
            "scores": {key: dict(task.scores) for key, task in self.plain.tasks.items()},
            "perturbations": [run.to_json(shown_rows.get(run.change.label, {})) for run in self.runs],
        }


def shown(task: TaskComparison) -> MetricDifference:
    """The headline's difference; where it is undefined in one of the runs, that of the first metric that is not.

    A model that sees nothing may never say yes: then it has no F1, but an accuracy.
    """
    return next(
        (difference for difference in task.differences if not math.isnan(difference.paired.difference.value)), task.best
    )


def _task(task: TaskComparison, row: MetricDifference) -> dict[str, Any]:
    content = task.to_json()
    names = ("headline", "pairs", "only_before", "only_after", "agreement", "same_answers", "differences")
    counts = {"gained": len(task.gained), "lost": len(task.lost)}
    return {**{name: content[name] for name in names}, "shown": row.name, **counts, **tests_to_json(row)}


def build(
    run: Path, changes: Sequence[Perturbation], left_out: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> PerturbationReport:
    """Compare every perturbed run with the finished run. `left_out` is by perturbation; without a run, no question was
    left.

    Raises StoreError for runs that cannot be read.
    """
    plain = reload.load(run)
    perturbed_runs = [_perturbed(plain, run, change, left_out.get(change.label, {})) for change in changes]
    return PerturbationReport(plain, changes[0].seed if changes else 0, perturbed_runs)


def write(report: PerturbationReport, run: Path) -> None:
    """Write perturbations.json into the run's folder. Raises StoreError when it cannot be written."""
    with compare.writing(run / PERTURBATIONS):
        write_atomically(run / PERTURBATIONS, to_json(report.to_json()))
        (run / EARLIER_PERTURBATIONS).unlink(missing_ok=True)


def _perturbed(
    plain: StoredRun, run: Path, change: Perturbation, left_out: Mapping[str, Mapping[str, int]]
) -> PerturbedRun:
    folder = perturbed_run(run, change.label)
    if set(left_out) >= set(plain.tasks) and not (folder / SCORES).is_file():
        return PerturbedRun(change, None, left_out)
    perturbed = reload.load(folder)
    tasks: list[TaskComparison] = []
    failed: dict[str, str] = {}
    for key in (key for key in perturbed.tasks if key in plain.tasks):
        pair = [replace(loaded, tasks={key: loaded.tasks[key]}) for loaded in (plain, perturbed)]
        try:
            tasks += compare.compare(*pair, bars=False).tasks
        except VlmbenchError as error:
            failed[key] = str(error)
    return PerturbedRun(change, folder, left_out, tasks, failed)
