"""Histories: which runs are of one model over time, whether it drifted, and that as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.errors import UsageError, VlmbenchError
from vlmbench.base.process.terminal import clean
from vlmbench.compare import compare, history
from vlmbench.runs.storage.reload import StoredRun

from ..runs import RunResult, load
from .compare import signed
from .table import coverage, interval, interval_head, number, text_table

MOST_RECORDS = 600_000
"""Records of all runs of a history that a site tests for drift: some 30 seconds. `vlmbench history` has no limit."""
TOO_MANY = "Too many records to test for a drift here: `vlmbench history` does."
OPTIONS = ("limit", "ids", "data")
HEAD = ("run", "finished", "value", "interval", "coverage", "change", "p of drift", "")


def histories(runs: Sequence[RunResult]) -> list[dict[str, Any]]:
    """[{"name", "runs": [...]}]: several runs of one model, oldest first, whatever their weights."""
    groups: dict[tuple[Any, ...], list[RunResult]] = {}
    for run in runs:
        options = run.manifest.get("asked", {})
        settings = tuple(sorted((k, str(v)) for k, v in options.get("settings", {}).items()))
        key = (run.name, run.perturbation, settings, *map(options.get, OPTIONS))
        groups.setdefault(key, []).append(run)
    series = {key: sorted(group, key=finished) for key, group in groups.items() if len(group) > 1}
    return [
        {"name": _series_name(key, list(series)), "runs": [run.id for run in group]} for key, group in series.items()
    ]


def finished(run: RunResult) -> str:
    """When a run was finished, as a text that sorts."""
    return str(run.manifest.get("finished") or "")


def _series_name(key: tuple[Any, ...], every: Sequence[tuple[Any, ...]]) -> str:
    """The model and its perturbation; where several histories are of one model, also what sets this one apart."""
    name, perturbation, settings, *options = key
    words = [name, perturbation]
    alike = [other for other in every if other[:2] == key[:2]]
    if len(alike) > 1:
        words += [f"{option} {value}" for option, value in settings if any((option, value) not in o[2] for o in alike)]
        for at, (option, value) in enumerate(zip(OPTIONS, options, strict=True)):
            if any(other[3 + at] != value for other in alike):
                words.append(f"{option} {'all' if value is None else Path(str(value)).name}")
    return ", ".join(filter(None, words))


def names(runs: Sequence[RunResult]) -> dict[str, str]:
    """What each run of a history is called: its commit; where several are of one, when it was finished."""
    commits = [run.commit for run in runs]
    return {
        run.id: (run.commit if run.commit and commits.count(run.commit) == 1 else "")
        or finished(run)[:16].replace("T", " ")
        or run.id
        for run in runs
    }


def trends(
    runs: Sequence[RunResult], opened: Mapping[str, StoredRun], most: float = float("inf")
) -> dict[str, dict[str, Any]]:
    """By task, the drift of one history (compare/history.py), with its sentences as `words`.

    `opened` are runs that were read already. A run that cannot be read is left out, and a history of more than `most`
    records is not tested; both say so.
    """
    keys = list(dict.fromkeys(task.key for run in runs for task in run.tasks))
    if sum(task.best.n for run in runs for task in run.tasks) > most:
        return {key: {**history.Trend(key).to_json(), "words": [TOO_MANY]} for key in keys}
    called = names(runs)
    lost: list[str] = []

    def read() -> Iterator[tuple[str, StoredRun]]:
        for run in runs:
            try:
                yield run.id, opened[run.id] if run.id in opened else compare.open_run(run.folder)
            except VlmbenchError as error:
                lost.append(f"{called[run.id]} is left out: {error}")

    found = history.trends(read())
    tested = {key: found.get(key, history.Trend(key)) for key in keys}
    return {key: {**one.to_json(), "words": [*history.sentences(one, called), *lost]} for key, one in tested.items()}


def written(folders: Sequence[Path]) -> tuple[str, bool]:
    """(the histories among some runs as text, whether there is a drift). Raises UsageError where there are none."""
    runs = load(folders)
    found = histories(runs)
    if not found:
        hint = "a history has two or more runs of one model with the same settings, --limit, --ids and --data"
        raise UsageError("there is no history among these runs", hint=hint)
    by_id = {run.id: run for run in runs}
    parts, drifted = [], False
    for one in found:
        members = [by_id[name] for name in one["runs"]]
        by_task = trends(members, {})
        drifted |= any(trend["alarms"] for trend in by_task.values())
        parts.append(clean(f"{one['name']}: {len(members)} runs, oldest first"))
        for key in dict.fromkeys(task.key for run in members for task in run.tasks):
            parts += ["", *_table(key, members, by_task[key])]
        parts.append("")
    alone = len(runs) - sum(len(one["runs"]) for one in found)
    return "\n".join(parts + ([f"{alone} runs belong to no history"] if alone else [])).rstrip(), drifted


def _table(key: str, runs: Sequence[RunResult], trend: Mapping[str, Any]) -> list[str]:
    tasks = {run.id: task for run in runs for task in run.tasks if task.key == key}
    called = names(runs)
    steps = {step["run"]: step for step in trend["steps"]}
    marks = {one["run"]: "new stretch" for one in trend["breaks"]}
    marks |= {one["run"]: "left out" for one in trend["left_out"]}
    marks |= {one["run"]: "DRIFT" for one in trend["alarms"]}
    rows = [
        (
            clean(called[run.id]),
            finished(run)[:10],
            number(tasks[run.id].best.value),
            interval(tasks[run.id].best),
            coverage(tasks[run.id].coverage),
            signed(-steps[run.id]["fall"]) if run.id in steps else "-",
            f"{steps[run.id]['p']:.2g}" if run.id in steps else "-",
            marks.get(run.id, ""),
        )
        for run in runs
        if run.id in tasks
    ]
    head = (*HEAD[:3], interval_head(task.level for task in tasks.values()), *HEAD[4:])
    title = clean(f"{key}: {trend['headline'] or next(iter(tasks.values())).headline}")
    return [title, *text_table([head, *rows], head, HEAD[2:3] + HEAD[4:7]), *map(clean, trend["words"])]
