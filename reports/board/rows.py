"""Rows of the board: the runs of one model with the same weights and settings are one row.

People run tasks in several sittings, and run some again. Of a task that several runs have, the newest complete one is
shown; the others stay reachable. Runs of other weights, settings, perturbations, seeds or limits are rows of their own,
and so is a run that asked other questions of a shared task, put them in other words, or had them graded by another
judge: none of them may hide the other. A later version of a task replaces an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..runs import RunResult, TaskResult, option_words, perturbation_of

OPTIONS = ("limit", "ids", "seed", "limits")
"""What of a run's options decides which questions are asked."""


@dataclass(frozen=True)
class Row:
    """One model with one set of settings."""

    merged: RunResult
    """All of it as if it were one run; the label names the model."""
    runs: tuple[RunResult, ...]
    """Newest first."""
    cells: Mapping[str, RunResult]
    """By task, the run that is shown."""
    older: Mapping[str, tuple[RunResult, ...]]
    """By task, the runs that are not shown, newest first; only tasks that have some."""
    differs: str = ""
    """What sets it apart from other rows of the same name."""

    @property
    def id(self) -> str:
        """Short and stable: part of links."""
        return self.merged.id

    @property
    def label(self) -> str:
        """Its name in tables."""
        return self.merged.label


def rows(runs: Sequence[RunResult]) -> list[Row]:
    """The rows of some runs, in the order in which their first runs are named."""
    groups: list[list[RunResult]] = []
    for run in sorted(runs, key=_finished, reverse=True):
        home = next((group for group in groups if _belongs(run, group)), None)
        if home is None:
            groups.append([run])
        else:
            home.append(run)
    place = {run.id: at for at, run in enumerate(runs)}
    groups.sort(key=lambda group: min(place[run.id] for run in group))
    differences = _differences(groups)
    return [_row(group, words) for group, words in zip(groups, differences, strict=True)]


def _finished(run: RunResult) -> str:
    return str(run.manifest.get("finished") or "")


def _belongs(run: RunResult, group: Sequence[RunResult]) -> bool:
    return _model(run) == _model(group[0]) and not any(_clash(run, other) for other in group)


def _model(run: RunResult) -> tuple[Any, ...]:
    """Weights and settings."""
    asked = run.manifest.get("asked", {})
    settings = {name: str(value) for name, value in asked.get("settings", {}).items()}
    told = run.manifest.get("model", {}).get("fingerprint", "")
    return (run.name, told, run.perturbation, settings, *(str(asked.get(name)) for name in OPTIONS))


def _clash(run: RunResult, other: RunResult) -> bool:
    """Whether two runs asked a task differently, so that one may not stand for the other."""
    theirs = {task.key: task for task in other.tasks}
    return any(
        task.key in theirs and _version(task) == _version(theirs[task.key]) and _asked(task) != _asked(theirs[task.key])
        for task in run.tasks
    )


def _version(task: TaskResult) -> str:
    return str(task.scores.get("version") or task.entry.get("version"))


def _asked(task: TaskResult) -> tuple[str, ...]:
    hashes, peer = task.entry.get("hashes", {}), task.entry.get("peer") or {}
    told = (hashes.get("samples"), hashes.get("prompts"), task.entry.get("judge"), peer.get("harness"))
    return (*map(str, told), task.protocol)


def _row(group: Sequence[RunResult], differs: str) -> Row:
    named = sorted(group, key=lambda run: run.folder)  # equal times: the same order whatever was named first
    newest = sorted(named, key=_finished, reverse=True)
    taken: dict[str, list[tuple[RunResult, TaskResult]]] = {}
    for run in reversed(newest):  # columns in the order in which they were run
        for task in run.tasks:
            taken.setdefault(task.key, []).insert(0, (run, task))
    shown = {key: _shown(pairs) for key, pairs in taken.items()}
    older = {
        key: tuple(run for run, _ in pairs if run is not shown[key][0])
        for key, pairs in taken.items()
        if len(pairs) > 1
    }
    label = group[0].name + (f", {differs}" if differs else "")
    labels = {key: run.labels[key] for key, (run, _) in shown.items() if key in run.labels}
    tasks = [task for _, task in shown.values()]
    main = next(run for run in newest if any(run is one for one, _ in shown.values()))
    name = main.id if len(newest) == 1 else f"{main.id}m"  # of all of them, not of the newest alone
    merged = replace(main, id=name, label=label, tasks=tasks, suites=(), labels=labels)
    return Row(merged, tuple(newest), {key: run for key, (run, _) in shown.items()}, older, differs)


def _shown(pairs: Sequence[tuple[RunResult, TaskResult]]) -> tuple[RunResult, TaskResult]:
    """The newest complete one, of the latest version; where none is complete, that with the most answers."""
    latest = [pair for pair in pairs if _version(pair[1]) == _version(pairs[0][1])]
    return max(latest, key=lambda pair: pair[1].coverage)


def _differences(groups: Sequence[Sequence[RunResult]]) -> list[str]:
    """What sets each group apart from those of the same name; each kind of words only as long as it is needed."""
    words: list[list[str]] = [[perturbation_of(group[0].manifest)] for group in groups]
    names = [group[0].name for group in groups]
    for kind in KINDS:
        labels = [(name, *map(str, told)) for name, told in zip(names, words, strict=True)]
        unclear = [at for at, label in enumerate(labels) if labels.count(label) > 1]
        for name in dict.fromkeys(labels[at] for at in unclear):
            same = [at for at in unclear if labels[at] == name]
            told = [kind([groups[at] for at in same], place) for place in range(len(same))]
            for at, one in zip(same, told, strict=True):
                words[at].append(one)
    return [", ".join(filter(None, told)) for told in words]


Kind = Callable[[Sequence[Sequence[RunResult]], int], str]
"""What one of several groups is told apart by; empty where it says nothing."""


def _by_options(groups: Sequence[Sequence[RunResult]], at: int) -> str:
    return option_words(at, [group[0].manifest for group in groups])


def _by(of: Callable[[RunResult], str]) -> Kind:
    def words(groups: Sequence[Sequence[RunResult]], at: int) -> str:
        told = [of(group[0]) for group in groups]
        return told[at] if len(set(told)) > 1 else ""

    return words


def _weights(run: RunResult) -> str:
    told = str(run.manifest.get("model", {}).get("fingerprint", ""))[:8]
    return f"weights {told}" if told else ""


def _data(run: RunResult) -> str:
    return " and ".join(dict.fromkeys(task.data for task in run.tasks if task.data))


def _judge(run: RunResult) -> str:
    judges = [str((task.entry.get("judge") or {}).get("name") or "") for task in run.tasks]
    return ", ".join(dict.fromkeys(f"judge {name}" for name in judges if name))


def _scorer(run: RunResult) -> str:
    peers = [str((task.entry.get("peer") or {}).get("harness") or "") for task in run.tasks]
    return ", ".join(dict.fromkeys(f"scored by {name}" for name in peers if name))


def _date(run: RunResult) -> str:
    return _finished(run)[:16].replace("T", " ")


KINDS: Sequence[Kind] = (
    _by_options,
    *map(_by, (_weights, _data, _judge, _scorer, _date, lambda run: run.id)),
)
"""In the order in which they are tried, until all rows have names of their own."""
