"""A run as the JSON that the site draws from: a summary that the first page carries, details that its own page loads.

Everything in it is data: the pages put it in as text only.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from vlmbench.base.errors import UsageError
from vlmbench.perturbations import perturbations as ablations

from ..runs import Bar, RunResult, TaskResult
from . import training_curves
from .efficiency import costs
from .sample_index import cut

FACTS = ("model", "started", "finished", "seed", "vlmbench", "code", "packages", "hardware", "judge")
"""Of run.json, word for word in a run's details."""


OUTCOMES = ("fail", "unknown", "pass")
"""What a gate may say, the worst first."""


def summary(run: RunResult, glances: Mapping[str, Mapping[str, Any]], counts: Mapping[str, int]) -> dict[str, Any]:
    """What the first page says of a run: headlines, coverage, efficiency."""
    asked = run.manifest.get("asked", {})
    return {
        "id": run.id,
        "label": run.label,
        "model": run.name,
        "fingerprint": str(run.manifest.get("model", {}).get("fingerprint", ""))[:16],
        "ablate": run.ablation,
        "change": _change(run.ablation),
        "left_out": run.manifest.get("left_out") or {},
        "limit": asked.get("limit"),
        "finished": run.manifest.get("finished"),
        "commit": run.commit,
        "gate": _gate(run.gate),
        "costs": costs(run, glances),
        "tasks": [
            {
                **_board(task),
                "count": counts[task.key],
                "list": f"list-{run.id}-{number}",
                "per_second": glances[task.key]["per_second"],
                "per_word": glances[task.key]["per_word"],
            }
            for number, task in enumerate(run.tasks)
        ],
    }


def details(run: RunResult, glances: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The rest: every metric and breakdown, what the answers look like, model, machine, training."""
    manifest = run.manifest
    return {
        "folder": run.folder.resolve().name,
        "command": command(manifest.get("command", [])),
        "training": training_curves.of_run(run),
        "tasks": {task.key: {**_more(task), "glance": glances[task.key]} for task in run.tasks},
        **{name: manifest.get(name) for name in FACTS},
    }


def _change(label: str) -> str:
    """What an ablation does, in words; empty for none, and for one of another version."""
    try:
        return ablations.parse_one(label).words if label else ""
    except UsageError:
        return ""


def command(words: Sequence[str]) -> str:
    """The command line as one would type it: the program's name, not where it was installed."""
    return shlex.join(["vlmbench", *(str(word) for word in words[1:])]) if words else ""


def _gate(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the pages show of a gate's report, by task: its outcome, and why. A task that no check tested has none."""
    if found is None:
        return None
    by_task = found.get("by_task")
    if isinstance(by_task, dict):
        known = [{"key": key, **one} for key, one in by_task.items() if isinstance(one, dict)]
    else:  # an older one has a line for each test
        tasks = found.get("tasks")
        known = [one for one in tasks if isinstance(one, dict)] if isinstance(tasks, list) else []
    worst: dict[str, dict[str, Any]] = {}
    for one in known:
        outcome, key = one.get("outcome"), str(one.get("key"))
        if outcome in OUTCOMES and OUTCOMES.index(outcome) <= OUTCOMES.index(worst.get(key, {}).get("outcome", "pass")):
            worst[key] = {"key": key, "outcome": outcome, "reason": cut(_reason(one))}
    return {"tasks": list(worst.values())} if worst else None


def _reason(one: Mapping[str, Any]) -> str:
    reasons = one.get("reasons")
    return "; ".join(map(str, reasons)) if isinstance(reasons, list) else str(one.get("reason") or "")


def _board(task: TaskResult) -> dict[str, Any]:
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
        "notes": [cut(note) for note in task.notes],
        "bar": bar(task.best),
        "hashes": entry.get("hashes", {}),
    }


def _more(task: TaskResult) -> dict[str, Any]:
    entry = task.entry
    return {
        "source": entry.get("protocol_source", ""),
        "note": entry.get("protocol_note", ""),
        "metrics": [bar(one) for one in task.metrics],
        "breakdowns": [{"name": name, "bars": [bar(b) for b in bars]} for name, bars in task.breakdowns.items()],
        "prompt": cut(entry.get("prompt_example", "")),
        "generation": entry.get("generation", {}),
        "answers": task.scores.get("answers"),
        "images": entry.get("images"),
        "judge": entry.get("judge"),
        "judging": task.scores.get("judge"),
    }


def bar(one: Bar) -> dict[str, Any]:
    """A metric with its interval."""
    return {
        name: getattr(one, name) for name in ("name", "label", "value", "low", "high", "n", "note", "bounds", "better")
    }
