"""Whether a planned run can be held against a baseline, before anything is asked; and which tasks can stop early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.base.samples import Status
from vlmbench.base.task import strata_tag
from vlmbench.compare import run_differences
from vlmbench.runs.storage.reload import StoredRun, StoredTask
from vlmbench.scoring.suites.suite import of_json
from vlmbench.stats.sequential import looks

if TYPE_CHECKING:
    from vlmbench.compare.gates.planned import Test
    from vlmbench.runs.execution.planning import Plan

HINT = "ask the same questions under the same rules (--tasks, --data, --limit, --seed), or make a new baseline"


def planned(plan: Plan, manifest: Mapping[str, Any]) -> StoredRun:
    """What is planned as a run without answers: all that a comparison reads before there are any."""
    from pathlib import Path

    tasks = {
        choice.key: StoredTask(choice, plan.tasks[choice.key], {"headline": plan.tasks[choice.key]["headline"]}, (), "")
        for choice in plan.choices
    }
    return StoredRun(Path(), manifest, tasks)


def pairs(baseline: StoredRun, run: StoredRun) -> dict[str, StoredTask]:
    """The baseline's task for each task of the run, by its key. Raises UsageError where a task has none, and for what
    makes the two incomparable: another protocol, version, data, limit or seed."""
    _unperturbed(baseline)
    found = {key: baseline.tasks[key] for key in run.tasks if key in baseline.tasks}
    if missing := [key for key in run.tasks if key not in found]:
        problem = f"the baseline has no {', '.join(missing)}"
        raise UsageError(problem, hint=f"it has: {', '.join(baseline.tasks)}; name those as --tasks, or make a new one")
    told = [
        f"{key}: {difference}"
        for key, before in found.items()
        for difference in run_differences.differing(baseline, run, before, run.tasks[key])
        if difference.refuses
    ]
    if told:
        chosen = _chosen(baseline, run)
        raise UsageError("\n  ".join(["the run cannot be held against this baseline", *told, *chosen]), hint=HINT)
    for key, before in found.items():
        _whole(key, before)
    return found


def _unperturbed(baseline: StoredRun) -> None:
    if perturbation := baseline.manifest.get("asked", {}).get("perturb"):
        problem = f"the baseline is of a run under the perturbation {perturbation}, this one is not perturbed"
        raise UsageError(problem, hint="name a baseline of the questions as they are")


def _whole(key: str, before: StoredTask) -> None:
    """Raise UsageError for a baseline that was itself stopped, or in which nothing has a score."""
    statuses = [item.score.status for item in before.items]
    if Status.NOT_ASKED in statuses:
        count = f"{statuses.count(Status.NOT_ASKED):,} of {len(statuses):,} questions"
        raise UsageError(f"{key}: the baseline stopped early, without {count}", hint="run it again without --gate")
    if Status.OK not in statuses:
        raise UsageError(f"{key}: no sample of the baseline has a score", hint="make a baseline of a run that has")


def _chosen(baseline: StoredRun, run: StoredRun) -> list[str]:
    """How the questions were chosen, where that is not the same."""
    asked = [one.manifest.get("asked", {}) for one in (baseline, run)]
    return [
        f"--{name}: {asked[0].get(name)} before, {asked[1].get(name)} now"
        for name in ("limit", "seed")
        if asked[0].get(name) != asked[1].get(name) and (name == "limit" or asked[1].get("limit") is not None)
    ]


def averaged(baseline: StoredRun, run: StoredRun) -> dict[str, str]:
    """Why the members of a suite are asked in full, by their keys: its average is tested too."""
    found = {}
    for one in (baseline, run):
        for content in one.suites.values():
            suite = of_json(content)
            if suite.formula and not suite.missing:
                told = f"the average of {suite.name} needs all of it"
                found.update({member.task: told for member in suite.members})
    return found


def unable(before: StoredTask, tests: Sequence[Test]) -> str:
    """Why a task has to be asked in full; empty where it may stop early."""
    task = before.choice.task
    if (tag := strata_tag(task)) and not _over_strata(before, tests, tag):
        return "its score counts categories of different sizes together, and each of them has to be seen"
    if before.entry.get("judge") or task.protocols[before.choice.protocol].judge is not None:
        return "a judge grades it, whose own variance no look can tell"
    for test in tests:
        assert test.metric.metrics is not None, "it was compared here"
        if why := looks.unable(test.metric.metrics[0]):
            return f"of {test.metric.name}, {why}"
    return ""


def _over_strata(before: StoredTask, tests: Sequence[Test], tag: str) -> bool:
    """Whether each metric is a sum over strata, or one of them: its value does not depend on how many of each came."""
    strata = {item.sample.cluster or item.sample.id: str(item.sample.tags.get(tag, "")) for item in before.items}
    for test in tests:
        assert test.metric.metrics is not None, "it was compared here"
        whole = test.metric.metrics[0]
        parts = [part for _, part in whole.parts] or [whole]
        if any(len({strata.get(name) for name in part.clusters}) != 1 for part in parts):
            return False
    return True
