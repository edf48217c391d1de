"""Averages of suites, by row: the core's formula over what the row shows, whichever of its runs a task is from.

A suite is here if a run was made with it, or if a row has every member of a built-in one that has a formula. A row that
lacks a member has no average, and says which.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry
from vlmbench.base.errors import VlmbenchError
from vlmbench.scoring.suites import scores
from vlmbench.scoring.suites.suite import Suite, of_json

from ..runs import TaskResult
from .gaps import RESAMPLES, Opened
from .leaders import Gap, best_of
from .rows import Row

if TYPE_CHECKING:
    from vlmbench.runs.storage.reload import StoredRun


def averages(rows: Sequence[Row]) -> dict[str, dict[str, TaskResult]]:
    """{suite key: {row id: its entry}}, of the rows that have a member."""
    found: dict[str, dict[str, TaskResult]] = {}
    for key, suite in _suites(rows).items():
        members = {one.task for one in suite.members}
        entries = {row.id: _entry(key, suite, row) for row in rows if members & row.cells.keys()}
        if entries:
            found[key] = entries
    return found


def average_gaps(
    found: Mapping[str, Mapping[str, TaskResult]], rows: Sequence[Row], opened: Opened, paired: Collection[str]
) -> dict[str, dict[str, Gap]]:
    """{suite key: {row id: its difference from the best average, from the members' paired differences}}.

    `paired` are the tasks whose rows were paired: a suite with another member is left out.
    """
    by_id = {row.id: row for row in rows}
    gaps: dict[str, dict[str, Gap]] = {}
    for key, entries in found.items():
        whole = {name: one for name, one in entries.items() if one.best.value is not None}
        best = best_of(whole)
        if best is None or not {one["task"] for one in whole[best].entry["members"]} <= {*paired}:
            continue
        suite = of_json(whole[best].entry)
        compared = {name: _gap(suite, opened, by_id[best], by_id[name]) for name in whole if name != best}
        gaps[key] = {name: gap for name, gap in compared.items() if gap is not None}
    return gaps


def _suites(rows: Sequence[Row]) -> dict[str, Suite]:
    """Those that runs were made with, then built-in ones that some row has whole."""
    found: dict[str, Suite] = {}
    for row in rows:
        for run in row.runs:
            for key, content in run.manifest.get("suites", {}).items():
                found.setdefault(key, of_json(content))
    for key, suite in _built_in().items():
        tasks = {one.task for one in suite.members}
        if key not in found and any(tasks <= row.cells.keys() for row in rows):
            found[key] = suite
    return found


@lru_cache
def _built_in() -> dict[str, Suite]:
    """The suites with a formula and without a missing member, their tasks under the keys that runs give them."""
    found = {}
    for name in registry.suites.builtin:
        suite: Any = registry.suites.get(name)
        if suite.formula and not suite.missing:
            tasks = {one.task: registry.choose_task(one.task).key for one in suite.members}
            found[suite.key] = suite.with_tasks(tasks)
    return found


def _entry(key: str, suite: Suite, row: Row) -> TaskResult:
    return TaskResult(key, suite.to_dict(), scores.entry(suite, {one.key: one.scores for one in row.merged.tasks}))


def _gap(suite: Suite, opened: Opened, best: Row, row: Row) -> Gap | None:
    """The difference of two averages; None where a member cannot be paired."""
    from vlmbench.compare.compare import compare
    from vlmbench.compare.suites import compared_suites

    keys = [one.task for one in suite.members]
    try:
        before, after = (_members(opened, one, keys, suite) for one in (best, row))
        found = compare(before, after, metric="headline", bars=False, resamples=RESAMPLES)
        whole, _ = compared_suites(found, {"resamples": RESAMPLES, "seed": 0})
    except VlmbenchError:
        return None
    paired = next((one.best.paired for one in whole if one.key == suite.key), None)
    if paired is None or math.isnan(paired.difference.value):
        return None
    ends = paired.difference
    return Gap(ends.value, ends.low, ends.high, paired.p, paired=True)


def _members(opened: Opened, row: Row, keys: Sequence[str], suite: Suite) -> StoredRun:
    """What a row shows on a suite's tasks, as a run of that suite."""
    tasks = {key: opened.cell(row, key).tasks[key] for key in keys}
    stored = opened.cell(row, keys[0])
    return replace(stored, manifest={**stored.manifest, "suites": {suite.key: suite.to_dict()}}, tasks=tasks)
