"""A run as JSON for the site: a summary that the first page carries, details that the run's own page loads.

All of it is data: the pages insert it as text only. assets/lib/types.ts names its fields and their types.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from vlmbench.base.errors import UsageError
from vlmbench.perturbations import perturbations

from ..runs import Bar, RunResult, TaskResult
from . import efficiency, training_curves
from .efficiency import costs
from .sample_index import clip

MANIFEST_FIELDS = ("model", "started", "finished", "seed", "vlmbench", "code", "packages", "hardware", "judge")
"""Fields of run.json that a run's details repeat unchanged."""

OUTCOMES = ("fail", "unknown", "pass")
"""Outcomes of a gate, the worst first."""


def run_summary(run: RunResult, stats: Mapping[str, Mapping[str, Any]], counts: Mapping[str, int]) -> dict[str, Any]:
    """What the first page shows of a run: headlines, coverage, efficiency. `stats`: its answer statistics by task."""
    return {
        "id": run.id,
        "label": run.label,
        "model": run.name,
        "fingerprint": str(run.manifest.get("model", {}).get("fingerprint", ""))[:16],
        "perturbation": run.perturbation,
        "change": _description(run.perturbation),
        "skipped": run.manifest.get("left_out") or {},
        "limit": run.manifest.get("asked", {}).get("limit"),
        "finished": run.manifest.get("finished"),
        "commit": run.commit,
        "gate": gate_data(run.gate),
        "costs": costs(run, stats),
        "tasks": [
            {
                **_task_summary(task),
                "labels": run.labels[task.key].to_json() if task.key in run.labels else None,
                "count": counts[task.key],
                "list": f"list-{run.id}-{number}",
                "per_second": stats[task.key]["per_second"],
                "per_word": stats[task.key]["per_word"],
            }
            for number, task in enumerate(run.tasks)
        ],
        "suites": [suite_data(suite) for suite in run.suites],
    }


def suite_data(suite: TaskResult) -> dict[str, Any]:
    """The average of a suite, and the figures that it is made of."""
    scores = suite.scores
    return {
        "key": suite.key,
        "title": clip(str(suite.entry.get("title", ""))),
        "formula": clip(str(scores.get("formula") or "")),
        "source": clip(str(scores.get("source") or "")),
        "level": suite.level,
        "coverage": suite.coverage,
        "notes": [clip(note) for note in suite.notes],
        "bar": bar_data(suite.best),
        "members": [
            {
                "benchmark": clip(str(one.get("benchmark", ""))),
                "task": one.get("task"),
                "figure": one.get("figure"),
                "divide_by": one.get("divide_by") or 1,
            }
            for one in scores.get("members", ())
        ],
    }


def run_details(run: RunResult, stats: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The rest: every metric and breakdown, what the answers look like, model, machine, training."""
    manifest = run.manifest
    return {
        "folder": run.folder.resolve().name,
        "command": command_line(manifest.get("command", [])),
        "training": training_curves.curves_of(run),
        "latency": efficiency.latency_of(run),
        "tasks": {
            task.key: {
                **_task_details(task),
                "answer_stats": stats[task.key],
                "labels": run.labels[task.key].to_json() if task.key in run.labels else None,
            }
            for task in run.tasks
        },
        **{name: manifest.get(name) for name in MANIFEST_FIELDS},
    }


def _description(label: str) -> str:
    """What a perturbation does; empty for none, and for one that this version does not know."""
    try:
        return perturbations.parse_one(label).description if label else ""
    except UsageError:
        return ""


def command_line(words: Sequence[str]) -> str:
    """The command line as one would type it, with the program's name instead of its path."""
    return shlex.join(["vlmbench", *(str(word) for word in words[1:])]) if words else ""


def gate_data(check: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the pages show of check.json: the outcome and reason per task. A task that no check tested has none."""
    if check is None:
        return None
    by_task = check.get("by_task")
    if isinstance(by_task, dict):
        results = [{"key": key, **result} for key, result in by_task.items() if isinstance(result, dict)]
    else:  # an older file has an entry per test
        tests = check.get("tasks")
        results = [result for result in tests if isinstance(result, dict)] if isinstance(tests, list) else []
    worst: dict[str, dict[str, Any]] = {}
    for result in results:
        outcome, key = result.get("outcome"), str(result.get("key"))
        if outcome in OUTCOMES and OUTCOMES.index(outcome) <= OUTCOMES.index(worst.get(key, {}).get("outcome", "pass")):
            worst[key] = {"key": key, "outcome": outcome, "reason": clip(_reason(result))}
    return {"tasks": list(worst.values())} if worst else None


def _reason(result: Mapping[str, Any]) -> str:
    reasons = result.get("reasons")
    return "; ".join(map(str, reasons)) if isinstance(reasons, list) else str(result.get("reason") or "")


def _task_summary(task: TaskResult) -> dict[str, Any]:
    entry = task.entry
    return {
        "key": task.key,
        "title": entry.get("title", ""),
        "name": entry.get("name", task.key),
        "protocol": task.protocol,
        "split": task.split,
        "version": task.scores.get("version") or entry.get("version"),
        "data": task.data,
        "embedded": task.embedded,
        "headline": task.headline,
        "level": task.level,
        "coverage": task.coverage,
        "statuses": task.statuses,
        "notes": [clip(note) for note in task.notes],
        "bar": bar_data(task.best),
        "hashes": entry.get("hashes", {}),
    }


def _task_details(task: TaskResult) -> dict[str, Any]:
    entry = task.entry
    return {
        "source": entry.get("protocol_source", ""),
        "note": entry.get("protocol_note", ""),
        "metrics": [bar_data(metric) for metric in task.metrics],
        "breakdowns": [
            {"name": name, "bars": [bar_data(bar) for bar in bars]} for name, bars in task.breakdowns.items()
        ],
        "prompt": clip(entry.get("prompt_example", "")),
        "generation": entry.get("generation", {}),
        "answers": task.scores.get("answers"),
        "images": entry.get("images"),
        "judge": entry.get("judge"),
        "judging": task.scores.get("judge"),
    }


def bar_data(bar: Bar) -> dict[str, Any]:
    """A metric with its interval."""
    names = ("name", "label", "value", "low", "high", "n", "note", "bounds", "bounds_interval", "better", "reason")
    return {name: getattr(bar, name) for name in (*names, "shrunk")}
