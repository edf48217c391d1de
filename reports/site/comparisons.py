"""Pairs of runs compared ahead, so that the site can show differences with their intervals without computing any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmbench.base.errors import VlmbenchError
from vlmbench.stats.paired import holm

from ..runs import RunResult

Pair = tuple[RunResult, RunResult]

MOST_RECORDS = 400_000
"""Records of all pairs together that are compared ahead: some 20 seconds. Others are told to be compared by command."""


RESAMPLES = 2_000
"""Fewer than `vlmbench compare` draws: ends of intervals differ by hundredths of a point, and a site has many pairs."""

MOST_WITH_BARS = 10
"""Up to so many pairs the bars of breakdowns are compared as well; of more, the metrics of whole tasks alone."""

FLIPS = ("gained", "lost")
"""Counted; the questions themselves the site finds in the lists of both runs."""


def compared(pairs: Sequence[Pair]) -> dict[tuple[str, str], dict[str, Any]]:
    """{(before, after): the tasks of `vlmbench compare --json` without the flips, and "failed": {task: why}}."""
    opened: dict[str, Any] = {}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    left = MOST_RECORDS
    for before, after in pairs:
        left -= sum(task.best.n for task in after.tasks)
        if left > 0:
            found[before.id, after.id] = _one(before, after, opened, bars=len(pairs) <= MOST_WITH_BARS)
    return found


def headlines(found: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """{(before, after): {task: (difference, p)}} of each task's headline."""
    told: dict[tuple[str, str], dict[str, Any]] = {}
    for pair, comparison in found.items():
        told[pair] = {}
        for task in comparison.get("tasks", ()):
            for one in task["differences"]:
                paired = one.get("paired")
                if one["name"] == task["headline"] and paired and paired["difference"]["value"] is not None:
                    told[pair][task["key"]] = (paired["difference"]["value"], paired["p"])
    return told


def with_corrected(
    entries: Sequence[Mapping[str, Any]], found: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A run's ablations with `p_holm`, {run: {task: p}}: of what is shown, corrected over all changes and tasks."""
    made = []
    for entry in entries:
        tests: dict[str, float | None] = {}
        for run in entry["runs"]:
            comparison = found.get((entry["base"], run)) or found.get((run, entry["base"])) or {}
            for task in comparison.get("tasks", ()):
                tests[f"{run}\n{task['key']}"] = _shown(task)["paired"]["p"]
        corrected: dict[str, dict[str, float | None]] = {}
        for name, p in holm(tests).items():
            run, _, key = name.partition("\n")
            corrected.setdefault(run, {})[key] = p
        made.append({**entry, "p_holm": corrected})
    return made


def _shown(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """The headline's difference; where it is undefined in one of the runs, that of the first metric that is not."""
    rows: Sequence[Mapping[str, Any]] = task["differences"]
    known = [row for row in rows if row["paired"]["difference"]["value"] is not None]
    return next((row for row in known if row["name"] == task["headline"]), known[0] if known else rows[0])


def _one(before: RunResult, after: RunResult, opened: dict[str, Any], *, bars: bool) -> dict[str, Any]:
    """Task by task: one that cannot be paired says why, and the others are there."""
    from vlmbench.compare import compare as comparison

    try:
        for run in (before, after):
            if run.id not in opened:
                opened[run.id] = comparison.open_run(run.folder)
    except VlmbenchError as error:
        return {"tasks": [], "failed": {"": str(error)}}
    one, other = opened[before.id], opened[after.id]
    levels = {task.key: task.level for task in after.tasks}
    tasks: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for key in (key for key in other.tasks if key in one.tasks):
        pair = [replace(run, tasks={key: run.tasks[key]}) for run in (one, other)]
        try:
            content = comparison.compare(*pair, bars=bars, resamples=RESAMPLES, level=levels[key]).tasks[0].to_json()
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
    corrected = holm({str(at): row["paired"]["p"] for at, row in enumerate(rows)})
    return [{**row, "p_holm": corrected[str(at)]} for at, row in enumerate(rows)]
