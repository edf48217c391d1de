"""Rows and runs compared ahead, so that the site can show differences with their intervals without computing any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import VlmbenchError
from vlmbench.base.process.progress import each
from vlmbench.stats.paired import holm

from ..board.gaps import Opened
from ..board.rows import Row
from ..runs import RunResult, TaskResult

if TYPE_CHECKING:
    from vlmbench.compare.compare import TaskComparison
    from vlmbench.compare.differences import MetricDifference
    from vlmbench.runs.storage.reload import StoredRun

Side = Row | RunResult
Comparisons = Mapping[tuple[str, str], Mapping[str, Any]]
"""By the ids of two rows or runs, (before, after)."""

MOST_RECORDS = 400_000
"""Records of all pairs that are compared ahead: some 20 seconds. The site names the command for other pairs."""

RESAMPLES = 2_000
"""Fewer than `vlmbench compare` draws: ends of intervals differ by hundredths of a point, and a site has many pairs."""

MOST_WITH_BREAKDOWNS = 10
"""Up to so many pairs, breakdowns are compared as well; with more, the metrics of whole tasks alone."""

FLIPS = ("gained", "lost")
"""Only counted: the site finds the questions in the sample indexes of both runs."""


def compare_pairs(pairs: Sequence[tuple[Side, Side]], opened: Opened) -> Comparisons:
    """{(before, after): the tasks of `vlmbench compare --json` without the flips, and "failed": {task: reason}}."""
    comparisons: dict[tuple[str, str], dict[str, Any]] = {}
    budget = MOST_RECORDS
    for before, after in each(pairs, "comparing", "pair"):
        budget -= sum(task.best.n for task in tasks_of(after))
        if budget > 0:
            breakdowns = len(pairs) <= MOST_WITH_BREAKDOWNS
            comparisons[before.id, after.id] = _compare(before, after, opened, breakdowns=breakdowns)
    return comparisons


def headline_tests(comparisons: Comparisons) -> dict[tuple[str, str], dict[str, Any]]:
    """{(before, after): {task: (difference, p)}} of each task's headline metric."""
    tests: dict[tuple[str, str], dict[str, Any]] = {}
    for pair, comparison in comparisons.items():
        tests[pair] = {}
        for task in comparison.get("tasks", ()):
            for metric in task["differences"]:
                paired = metric.get("paired")
                if metric["name"] == task["headline"] and paired and paired["difference"]["value"] is not None:
                    tests[pair][task["key"]] = (paired["difference"]["value"], paired["p"])
    return tests


def with_holm(groups: Sequence[Mapping[str, Any]], comparisons: Comparisons) -> list[dict[str, Any]]:
    """Perturbed runs with `p_holm` and `same_holm`, {run: {task: p}}: the p-values of a difference and of being the
    same, of what is shown, corrected over all perturbations and tasks.
    """
    corrected_groups = []
    for group in groups:
        shown = {
            f"{run}\n{task['key']}": _shown(task)
            for run in group["runs"]
            for task in (
                comparisons.get((group["base"], run)) or comparisons.get((run, group["base"])) or {"tasks": ()}
            )["tasks"]
        }
        differing = holm({name: row["paired"]["p"] for name, row in shown.items()})
        same = holm({name: (row.get("equivalence") or {"p": None})["p"] for name, row in shown.items()})
        corrected_groups.append({**group, "p_holm": _by_run(differing), "same_holm": _by_run(same)})
    return corrected_groups


def _by_run(tests: Mapping[str, float | None]) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name, p in tests.items():
        run, _, key = name.partition("\n")
        found.setdefault(run, {})[key] = p
    return found


def _shown(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """The headline's difference; where that is undefined in one of the runs, the first that is defined."""
    rows: Sequence[Mapping[str, Any]] = task["differences"]
    known = [row for row in rows if row["paired"]["difference"]["value"] is not None]
    return next((row for row in known if row["name"] == task["headline"]), known[0] if known else rows[0])


def tasks_of(side: Side) -> Sequence[TaskResult]:
    """The results of a row or a run."""
    return side.merged.tasks if isinstance(side, Row) else side.tasks


def _stored(side: Side, opened: Opened) -> StoredRun:
    return opened.row(side) if isinstance(side, Row) else opened.run(side)


def _compare(before: Side, after: Side, opened: Opened, *, breakdowns: bool) -> dict[str, Any]:
    """Compare task by task: one that cannot be paired says why, and the others are there."""
    from vlmbench.compare import compare as comparison
    from vlmbench.compare.differences import corrected

    try:
        earlier, later = _stored(before, opened), _stored(after, opened)
    except VlmbenchError as error:
        return {"tasks": [], "failed": {"": str(error)}}
    levels = {task.key: task.level for task in tasks_of(after)}
    found: list[TaskComparison] = []
    failed: dict[str, str] = {}
    for key in (key for key in later.tasks if key in earlier.tasks):
        pair = [replace(run, tasks={key: run.tasks[key]}) for run in (earlier, later)]
        try:
            found += comparison.compare(*pair, bars=breakdowns, resamples=RESAMPLES, level=levels[key]).tasks
        except VlmbenchError as error:
            failed[key] = str(error)
    rows = corrected([task.best for task in found])
    return {"tasks": [_task(task, row) for task, row in zip(found, rows, strict=True)], "failed": failed}


def _task(task: TaskComparison, row: MetricDifference) -> dict[str, Any]:
    """A task's comparison with the changed answers only counted; `row` is the headline's among all tasks."""
    content = replace(task, among_tasks=row).to_json()
    counts = {name: len(content.pop(name)) for name in FLIPS}
    return {**content, "flips": counts}
