"""Which runs belong together: a run and its perturbed runs, one model over time, any two on the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from ..runs import RunResult, TaskResult
from ..text.history import finished, histories

MOST_PAIRS = 45
"""Most pairs of runs that are compared ahead; ten runs of the same tasks have so many."""


def perturbed_runs(runs: Sequence[RunResult]) -> list[dict[str, Any]]:
    """[{"base", "runs": [...]}] by id: runs that differ from one of the same weights in the perturbation alone."""
    groups: list[dict[str, Any]] = []
    for base in runs:
        perturbed = [run for run in runs if run.perturbation and not base.perturbation and _alike(run, base)]
        latest = {run.perturbation: run.id for run in sorted(perturbed, key=finished)}
        if latest and not any(group["runs"] == list(latest.values()) for group in groups):
            groups.append({"base": base.id, "runs": list(latest.values())})
    return groups


def contenders(runs: Sequence[RunResult]) -> list[RunResult]:
    """The runs of a leaderboard. Perturbed runs got other inputs: they are ranked only where there are no others."""
    return [run for run in runs if not run.perturbation] or list(runs)


def pairs(runs: Sequence[RunResult]) -> list[tuple[RunResult, RunResult]]:
    """Pairs to compare ahead, at most MOST_PAIRS: (before, after).

    First perturbed runs against their base, then neighbors in a history, then all others of one perturbation that
    share a task.
    """
    by_id = {run.id: run for run in runs}
    candidates: list[tuple[RunResult, RunResult]] = []
    for group in perturbed_runs(runs):
        candidates += [(by_id[group["base"]], by_id[name]) for name in group["runs"]]
    for history in histories(runs):
        candidates += pairwise(by_id[name] for name in history["runs"])
    for before, after in combinations(runs, 2):
        if shared_tasks(before, after) and before.perturbation == after.perturbation:
            candidates.append((before, after))
    unique: dict[frozenset[str], tuple[RunResult, RunResult]] = {}
    for before, after in candidates:
        unique.setdefault(frozenset((before.id, after.id)), (before, after))
    return list(unique.values())[:MOST_PAIRS]


def shared_tasks(run: RunResult, other: RunResult) -> list[str]:
    """The tasks on which two runs answered the same questions."""
    hashes: Mapping[str, Any] = {task.key: _samples_hash(task) for task in other.tasks}
    return [task.key for task in run.tasks if task.key in hashes and _samples_hash(task) == hashes[task.key]]


def _samples_hash(task: TaskResult) -> Any:
    return task.entry.get("hashes", {}).get("samples")


def _alike(run: RunResult, base: RunResult) -> bool:
    same = ("model", "settings", "data", "limit", "ids", "seed")
    options, base_options = run.manifest.get("asked", {}), base.manifest.get("asked", {})
    weights = [each.manifest.get("model", {}).get("fingerprint") for each in (run, base)]
    return (
        weights[0] == weights[1]
        and all(options.get(k) == base_options.get(k) for k in same)
        and bool(shared_tasks(run, base))
    )
