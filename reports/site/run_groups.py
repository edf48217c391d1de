"""Which runs belong together: a run and its perturbed runs, one model over time, any two on the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from ..board.rows import Row
from ..runs import RunResult, TaskResult
from ..text.history import finished, histories

Side = Row | RunResult
"""What can be compared: a row of the board, or one run."""
MOST_PAIRS = 45
"""Most pairs that are compared ahead; ten rows of the same tasks have so many."""


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


def pairs(runs: Sequence[RunResult], rows: Sequence[Row]) -> list[tuple[Side, Side]]:
    """Pairs to compare ahead, at most MOST_PAIRS: (before, after). `rows` are those of the board, the best first.

    First the best row against the second, then perturbed runs against their base and neighbors in a history, then all
    other rows that share a task, those of the best ones first, and perturbed runs of one perturbation.
    """
    by_id = {run.id: run for run in runs}
    boards = [pair for pair in combinations(rows, 2) if shared_tasks(pair[0].merged, pair[1].merged)]
    candidates: list[tuple[Side, Side]] = [*boards[:1]]
    for group in perturbed_runs(runs):
        candidates += [(by_id[group["base"]], by_id[name]) for name in group["runs"]]
    for history in histories(runs):
        candidates += pairwise(by_id[name] for name in history["runs"])
    candidates += boards
    candidates += [
        pair
        for pair in combinations([run for run in runs if run.perturbation], 2)
        if pair[0].perturbation == pair[1].perturbation and shared_tasks(*pair)
    ]
    unique: dict[frozenset[str], tuple[Side, Side]] = {}
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
