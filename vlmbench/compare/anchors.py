"""The anchor beside a baseline: the run that total drops are counted from, however often the baseline is renewed.

A baseline that is written again at each merge forgets: ten changes that each cost half a point pass one by one. So a
baseline file carries an earlier run along. Each task has one anchor, and a task that had none when the file was renewed
gets the run that was the baseline then; anchors of one file may be different runs, of different tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vlmbench.base.errors import UsageError, VlmbenchError
from vlmbench.base.registry import bare_name
from vlmbench.compare import baseline, compare, run_differences
from vlmbench.compare.compare import Comparison
from vlmbench.runs.storage.reload import StoredRun

NEW = "a changed protocol, version or split needs a new anchor: `vlmbench baseline RUN --anchor FILE --new-anchor TASK`"


def of(run: StoredRun) -> list[StoredRun]:
    """The anchors of a baseline, and the run itself for the tasks that none of them has."""
    covered = {key for anchor in run.anchors for key in anchor.tasks}
    own = only(replace(run, anchors=()), [key for key in run.tasks if key not in covered])
    return [*run.anchors, *([own] if own.tasks else [])]


def only(run: StoredRun, keys: Sequence[str]) -> StoredRun:
    """A run with some of its tasks."""
    return replace(run, tasks={key: run.tasks[key] for key in keys})


def carried(run: StoredRun, source: StoredRun, new: Sequence[str] = ()) -> StoredRun:
    """The run with the anchors of `source`, as a new baseline carries them; tasks in `new` begin anew, without one.

    Raises UsageError where an anchor cannot be compared with the run, and for a name in `new` that is no task of it.
    """
    for name in new:
        if not any(name in (key, bare_name(key)) for key in run.tasks):
            raise UsageError(f"--new-anchor: the run has no task {name!r}", hint=f"it has: {', '.join(run.tasks)}")
    anchors = []
    for anchor in of(source):
        kept = [key for key in anchor.tasks if key in run.tasks and not {key, bare_name(key)} & set(new)]
        fit(anchor, run, kept)
        anchors += [only(anchor, kept)] if kept else []
    return replace(run, anchors=anchors)


def against(
    compared: Comparison, anchor: Path | StoredRun | None, tasks: Sequence[str], force: bool
) -> list[StoredRun]:
    """The anchors of a gate: those that the baseline carries, or the ones that are named instead.

    Raises UsageError where one has none of the tasks that are checked or, without `force`, cannot be compared.
    """
    keys = [task.key for task in compared.tasks]
    if anchor is None:
        found = list(compared.before.anchors)
    else:
        found = of(compare.open_run(anchor, tasks) if isinstance(anchor, Path) else anchor)
        if not any(key in one.tasks for one in found for key in keys):
            has = ", ".join(key for one in found for key in one.tasks) or "none"
            raise UsageError("the anchor has none of the tasks that are checked", hint=f"it has: {has}")
    found = [only(one, [key for key in one.tasks if key in keys]) for one in found]
    for one in found if not force else ():
        fit(one, compared.after, list(one.tasks))
    return [one for one in found if one.tasks]


def fit(anchor: StoredRun, run: StoredRun, keys: Sequence[str]) -> None:
    """Raise UsageError where the run did not answer the anchor's questions under the same rules."""
    refused = [
        f"{key}: {one}"
        for key in keys
        for one in run_differences.differing(anchor, run, anchor.tasks[key], run.tasks[key])
        if one.refuses
    ]
    if refused:
        problem = "\n  ".join(
            [f"{words(anchor)} is no anchor for this run: not the same questions and rules", *refused]
        )
        raise UsageError(problem, hint=NEW)


def words(anchor: StoredRun) -> str:
    """What reports call it."""
    return f"{anchor.name} (weights {str(anchor.manifest.get('model', {}).get('fingerprint') or '')[:12]})"


def replaced(path: Path) -> str:
    """The anchors of the baseline file that is about to be replaced, in words; empty where it has none."""
    with suppress(VlmbenchError):
        if path.is_file():
            return ", ".join(map(words, baseline.read(path).anchors))
    return ""
