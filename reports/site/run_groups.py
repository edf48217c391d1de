"""Which runs belong beside each other: a run and its ablations, one model over time, any two on the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from ..runs import RunResult

MOST_PAIRS = 45
"""Pairs of runs that are compared ahead; ten runs of the same tasks have so many."""


def ablations(runs: Sequence[RunResult]) -> list[dict[str, Any]]:
    """[{"base", "runs": [...]}] by id: runs that differ from another one of the same weights in the ablation alone."""
    found: list[dict[str, Any]] = []
    for base in runs:
        changed = [run for run in runs if run.ablation and not base.ablation and _alike(run, base)]
        latest = {run.ablation: run.id for run in sorted(changed, key=_when)}
        if latest and not any(entry["runs"] == list(latest.values()) for entry in found):
            found.append({"base": base.id, "runs": list(latest.values())})
    return found


def contenders(runs: Sequence[RunResult]) -> list[RunResult]:
    """The runs of a leaderboard: those under an ablation were asked otherwise: there only among themselves."""
    return [run for run in runs if not run.ablation] or list(runs)


def histories(runs: Sequence[RunResult]) -> list[dict[str, Any]]:
    """[{"name", "runs": [...]}]: several runs of one model, oldest first. Other weights are what a history shows."""
    groups: dict[tuple[Any, ...], list[RunResult]] = {}
    for run in runs:
        asked = run.manifest.get("asked", {})
        settings = tuple(sorted((k, str(v)) for k, v in asked.get("settings", {}).items()))
        groups.setdefault((run.name, run.ablation, settings, asked.get("limit"), asked.get("data")), []).append(run)
    long = [sorted(group, key=_when) for group in groups.values() if len(group) > 1]
    return [
        {"name": f"{group[0].name}, {group[0].ablation}" if group[0].ablation else group[0].name, "runs": _ids(group)}
        for group in long
    ]


def pairs(runs: Sequence[RunResult]) -> list[tuple[RunResult, RunResult]]:
    """Pairs to compare ahead, at most MOST_PAIRS: (before, after).

    First an ablation against its base, then neighbours in a history, then all others of one ablation that share a task.
    """
    by_id = {run.id: run for run in runs}
    wanted: list[tuple[RunResult, RunResult]] = []
    for entry in ablations(runs):
        wanted += [(by_id[entry["base"]], by_id[name]) for name in entry["runs"]]
    for history in histories(runs):
        members = [by_id[name] for name in history["runs"]]
        wanted += list(pairwise(members))
    wanted += [pair for pair in combinations(runs, 2) if shared(*pair) and _same_change(*pair)]
    once: dict[frozenset[str], tuple[RunResult, RunResult]] = {}
    for one, other in wanted:
        once.setdefault(frozenset((one.id, other.id)), (one, other))
    return list(once.values())[:MOST_PAIRS]


def shared(one: RunResult, other: RunResult) -> list[str]:
    """The tasks that two runs asked the same questions of."""
    theirs: Mapping[str, Any] = {task.key: task.entry.get("hashes", {}).get("samples") for task in other.tasks}
    return [t.key for t in one.tasks if t.key in theirs and t.entry.get("hashes", {}).get("samples") == theirs[t.key]]


def _same_change(one: RunResult, other: RunResult) -> bool:
    return one.ablation == other.ablation


def _alike(run: RunResult, base: RunResult) -> bool:
    same = ("model", "settings", "data", "limit", "seed")
    asked, other = run.manifest.get("asked", {}), base.manifest.get("asked", {})
    weights = [one.manifest.get("model", {}).get("fingerprint") for one in (run, base)]
    return weights[0] == weights[1] and all(asked.get(k) == other.get(k) for k in same) and bool(shared(run, base))


def _when(run: RunResult) -> str:
    return str(run.manifest.get("finished") or "")


def _ids(runs: Sequence[RunResult]) -> list[str]:
    return [run.id for run in runs]
