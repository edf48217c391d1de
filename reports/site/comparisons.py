"""Pairs of runs compared ahead, so that the site can show differences with their intervals without computing any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmbench.base.errors import VlmbenchError
from vlmbench.stats.paired import holm

from ..runs import RunResult

Pair = tuple[RunResult, RunResult]
Comparisons = Mapping[tuple[str, str], Mapping[str, Any]]
"""By the ids of two runs, (before, after)."""

MOST_RECORDS = 400_000
"""Records of all pairs that are compared ahead: some 20 seconds. The site names the command for other pairs."""

RESAMPLES = 2_000
"""Fewer than `vlmbench compare` draws: ends of intervals differ by hundredths of a point, and a site has many pairs."""

MOST_WITH_BREAKDOWNS = 10
"""Up to so many pairs, breakdowns are compared as well; with more, the metrics of whole tasks alone."""

FLIPS = ("gained", "lost")
"""Only counted: the site finds the questions in the sample indexes of both runs."""


def compare_pairs(pairs: Sequence[Pair]) -> Comparisons:
    """{(before, after): the tasks of `vlmbench compare --json` without the flips, and "failed": {task: reason}}."""
    opened: dict[str, Any] = {}
    comparisons: dict[tuple[str, str], dict[str, Any]] = {}
    budget = MOST_RECORDS
    for before, after in pairs:
        budget -= sum(task.best.n for task in after.tasks)
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
    """Perturbed runs with `p_holm`, {run: {task: p}}: of what is shown, corrected over all perturbations and tasks."""
    corrected_groups = []
    for group in groups:
        tests: dict[str, float | None] = {}
        for run in group["runs"]:
            comparison = comparisons.get((group["base"], run)) or comparisons.get((run, group["base"])) or {}
            for task in comparison.get("tasks", ()):
                tests[f"{run}\n{task['key']}"] = _shown(task)["paired"]["p"]
        corrected: dict[str, dict[str, float | None]] = {}
        for name, p in holm(tests).items():
            run, _, key = name.partition("\n")
            corrected.setdefault(run, {})[key] = p
        corrected_groups.append({**group, "p_holm": corrected})
    return corrected_groups


def _shown(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """The headline's difference; where that is undefined in one of the runs, the first that is defined."""
    rows: Sequence[Mapping[str, Any]] = task["differences"]
    known = [row for row in rows if row["paired"]["difference"]["value"] is not None]
    return next((row for row in known if row["name"] == task["headline"]), known[0] if known else rows[0])


def _compare(before: RunResult, after: RunResult, opened: dict[str, Any], *, breakdowns: bool) -> dict[str, Any]:
    """Compare task by task: one that cannot be paired says why, and the others are there."""
    from vlmbench.compare import compare as comparison

    try:
        for run in (before, after):
            if run.id not in opened:
                opened[run.id] = comparison.open_run(run.folder)
    except VlmbenchError as error:
        return {"tasks": [], "failed": {"": str(error)}}
    earlier, later = opened[before.id], opened[after.id]
    levels = {task.key: task.level for task in after.tasks}
    tasks: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for key in (key for key in later.tasks if key in earlier.tasks):
        pair = [replace(run, tasks={key: run.tasks[key]}) for run in (earlier, later)]
        try:
            content = (
                comparison.compare(*pair, bars=breakdowns, resamples=RESAMPLES, level=levels[key]).tasks[0].to_json()
            )
            content["flips"] = {name: len(content[name]) for name in FLIPS}
        except VlmbenchError as error:
            failed[key] = str(error)
            continue
        tasks.append({name: part for name, part in content.items() if name not in FLIPS})
    corrected = holm({task["key"]: task["differences"][0]["paired"]["p"] for task in tasks})
    return {"tasks": [{**_corrected(task), "p_holm": corrected[task["key"]]} for task in tasks], "failed": failed}


def _corrected(task: dict[str, Any]) -> dict[str, Any]:
    """The task with `p_holm` beside each p: over its metrics, and over all bars of its breakdowns."""
    return {**task, **{name: _family(task[name]) for name in ("differences", "breakdowns")}}


def _family(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    corrected = holm({str(index): row["paired"]["p"] for index, row in enumerate(rows)})
    return [{**row, "p_holm": corrected[str(index)]} for index, row in enumerate(rows)]
