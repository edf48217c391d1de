"""Which of several runs filled sheets belong to: those whose answers they grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError, UsageError, VlmbenchError
from vlmbench.compare.labels import sheet
from vlmbench.compare.labels.estimates import Labelled, estimate
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.reload import StoredRun


def of_runs(files: Sequence[Path], folders: Sequence[Path]) -> Mapping[Path, Mapping[str, Labelled]]:
    """{run's folder: {task: estimate}}, at the level of each task's own intervals.

    Raises DataError for a file whose labels are not all of one run, UsageError where two label one task of a run.
    """
    runs: dict[Path, StoredRun] = {}
    found: dict[Path, dict[str, Labelled]] = {}
    for file in files:
        refused: VlmbenchError | None = None
        used = False
        for folder in folders:
            try:
                run = runs[folder] if folder in runs else runs.setdefault(folder, reload.load(folder))
                labels = sheet.read(file, run)
            except VlmbenchError as error:  # another run's, or one that cannot be read again: it has no labels then
                refused = refused or error
                continue
            used = True
            for key, grades in labels.items():
                if key in found.setdefault(folder, {}):
                    problem = f"two files label {key} of {folder}"
                    raise UsageError(problem, where=str(file), hint="put the grades into one sheet")
                (found[folder][key],) = estimate(run, {key: grades}, run.tasks[key].level)
        if not used:
            hint = f"for the first run: {refused}" if refused else "name runs"
            raise DataError("the labels are of none of the runs", where=str(file), hint=hint)
    return found
