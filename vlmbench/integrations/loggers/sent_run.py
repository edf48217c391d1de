"""What is sent of a finished run: numbers by name, a table with intervals, what decided the answers, files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vlmbench.base import registry
from vlmbench.base.samples import Status
from vlmbench.runs.storage import layout

PREFIX = "vlmbench/"
"""What the names of metrics begin with: `vlmbench/pope_accuracy`."""
COLUMNS = ("task", "metric", "value", "low", "high", "n", "breakdown", "headline")
FILES = (layout.MANIFEST, layout.SCORES)
"""Those of a run's folder that are sent where a service keeps files: neither images nor answers."""


@dataclass(frozen=True)
class SentRun:
    """A finished run."""

    folder: Path
    manifest: Mapping[str, Any]
    """What run.json holds."""
    scores: Mapping[str, Any]
    """What scores.json holds, by task."""

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Metrics with `_low` and `_high`, without breakdowns; per task `_coverage`, `_asked` (the share of the planned
        questions that were asked) and `_status_error` and so on (how many questions ended so)."""
        found = metrics(self.scores, intervals=True)
        for key, entry in self.scores.items():
            counts = entry.get("statuses", {})
            total = sum(counts.values())
            if total and not registry.is_suite(key):
                found[f"{PREFIX}{key}_questions"] = float(total)
                found[f"{PREFIX}{key}_asked"] = 1 - counts.get(Status.NOT_ASKED, 0) / total
                found.update({f"{PREFIX}{key}_status_{name}": float(count) for name, count in counts.items()})
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """What decided the answers: model, tasks, data, limit, seed, versions."""
        asked = dict(self.manifest.get("asked", {}))
        model = self.manifest.get("model", {})
        commit = self.manifest.get("code", {}).get("commit")
        more = {"fingerprint": model.get("fingerprint"), "vlmbench": self.manifest.get("vlmbench"), "commit": commit}
        return {**asked, **{name: value for name, value in more.items() if value}}

    @property
    def rows(self) -> list[list[Any]]:
        """One row per metric, those of breakdowns too, in the order of COLUMNS."""
        return [
            [key, name, found["value"], found.get("low"), found.get("high"), found.get("n"), _part(found), top]
            for key, entry in self.scores.items()
            for name, found in _metrics(entry)
            for top in (name == entry["headline"],)
        ]

    @property
    def files(self) -> Sequence[Path]:
        """The files that are sent."""
        return [path for name in FILES if (path := self.folder / name).is_file()]


def metrics(scores: Mapping[str, Any], *, intervals: bool = False) -> dict[str, float]:
    """The numbers of scores.json by name: `vlmbench/pope_accuracy`, and `_low` and `_high` of the headline's interval.

    Metrics of breakdowns are left out, and so is what has no value; `intervals` adds those of the other metrics.
    """
    return {
        f"{PREFIX}{name}": value for key, entry in scores.items() for name, value in _numbers(key, entry, intervals)
    }


def _numbers(key: str, entry: Mapping[str, Any], intervals: bool) -> Iterator[tuple[str, float]]:
    for name, found in _metrics(entry):
        if found.get("breakdown"):
            continue
        ends = ("value", "low", "high") if intervals or name == entry["headline"] else ("value",)
        for end in ends:
            if (number := found.get(end)) is not None and math.isfinite(number):
                yield f"{key}_{name}" + ("" if end == "value" else f"_{end}"), float(number)
    if not registry.is_suite(key):
        yield f"{key}_coverage", float(entry["coverage"])


def _metrics(entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The metrics of a task's entry, among other things of it."""
    return ((name, one) for name, one in entry.items() if isinstance(one, Mapping) and "value" in one)


def _part(found: Mapping[str, Any]) -> str:
    return f"{found['breakdown']}: {found.get('label', '')}" if found.get("breakdown") else ""
