"""Several runs of one model in their order: the paired differences between successive runs, and whether they drift.

Each run is held against the last known score of every question: one that failed in between is compared as soon as it
has a score again, so that failing hides nothing. Runs of other questions, protocols or versions begin a new stretch,
and say so; so does another judge. What cannot be tested is left out, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vlmbench.compare import run_differences
from vlmbench.scoring import verdicts
from vlmbench.stats.metrics import upward
from vlmbench.stats.trends import drift
from vlmbench.stats.trends.drift import ALPHA, Alarm, Step

if TYPE_CHECKING:
    from vlmbench.runs.storage.reload import StoredRun, StoredTask
    from vlmbench.stats.metrics import Metric

LEAST_COVERAGE = 0.95
"""A run in which fewer of the questions have a score has no place in a trend: the gate deals with it."""


@dataclass(frozen=True)
class Remark:
    """What is special about a run of a history."""

    run: str
    why: str


@dataclass
class Trend:
    """One task over a history. Runs are named as the caller names them."""

    key: str
    headline: str = ""
    runs: list[str] = field(default_factory=list)
    """The run after each step."""
    before: list[str] = field(default_factory=list)
    """The run before it."""
    steps: list[Step] = field(default_factory=list)
    breaks: list[Remark] = field(default_factory=list)
    """The runs with which a new stretch begins."""
    left_out: list[Remark] = field(default_factory=list)
    alpha: float = ALPHA
    """Share of histories without a drift that get an alarm at this task."""

    @property
    def tested(self) -> tuple[list[float], list[Alarm]]:
        """(evidence after each step, alarms)."""
        return drift.drift(self.steps, self.alpha)

    def to_json(self) -> dict[str, Any]:
        """For pages and scripts."""
        evidence, alarms = self.tested
        return {
            "headline": self.headline,
            "alpha": self.alpha,
            "steps": [
                {"run": run, "fall": step.fall, "error": step.error, "p": min(1.0, 1 / most)}
                for run, step, most in zip(self.runs, self.steps, evidence, strict=True)
            ],
            "alarms": [
                {"run": self.runs[one.at], "since": self.before[one.since], "fall": one.fall, "p": one.p}
                for one in alarms
            ],
            "breaks": [{"run": one.run, "why": one.why} for one in self.breaks],
            "left_out": [{"run": one.run, "why": one.why} for one in self.left_out],
        }


def trends(runs: Iterable[tuple[str, StoredRun]]) -> dict[str, Trend]:
    """By task, what the runs of one model say, the oldest first. Only the last run is kept in memory."""
    stretches: dict[str, _Stretch] = {}
    for name, run in runs:
        for key, task in run.tasks.items():
            stretches.setdefault(key, _Stretch(Trend(key))).add(name, run, task)
    tested = [one.trend for one in stretches.values() if one.trend.steps]
    for trend in tested:
        trend.alpha = ALPHA / len(tested)
    return {key: one.trend for key, one in stretches.items()}


class _Stretch:
    """Runs that can be compared, one after the other."""

    def __init__(self, trend: Trend) -> None:
        self.trend = trend
        self.last: tuple[str, StoredRun, StoredTask] | None = None
        self.scale = 0.0
        self.begins = False
        self.known: tuple[list[str], Metric] | None = None
        """The last headline, and the questions that it is over."""

    def add(self, name: str, run: StoredRun, task: StoredTask) -> None:
        """Take the next run."""
        why = _unfit(task)
        if why:
            self.trend.left_out.append(Remark(name, why))
            return
        if self.last is not None and (why := _breaks(self.last[1], run, self.last[2], task)):
            self.trend.breaks.append(Remark(name, why))
            self.last = None
        if self.last is None:
            self._begin(name, run, task)
        else:
            self._step(name, run, task, *self.last)

    def _begin(self, name: str, run: StoredRun, task: StoredTask) -> None:
        ids = list(task.answered)
        own = _headline(task, ids)
        scale = drift.value_error(own) if own is not None else None
        if own is None or not scale:
            self.trend.left_out.append(Remark(name, "the headline is undefined, or rests on one image"))
            return
        self.trend.headline = task.headline
        self.last, self.known = (name, replace(run, tasks={}), task), (ids, own)
        self.scale, self.begins = scale, bool(self.trend.steps)

    def _step(
        self, name: str, run: StoredRun, task: StoredTask, earlier: str, first: StoredRun, known: StoredTask
    ) -> None:
        ids = [key for key in task.answered if key in known.answered]
        same = self.known is not None and self.known[0] == ids
        before, after = self.known[1] if self.known and same else _headline(known, ids), _headline(task, ids)
        error = drift.change_error(before, after) if before is not None and after is not None else None
        if before is None or after is None or error is None:
            self.trend.left_out.append(Remark(name, "the headline is undefined"))
            return
        self.trend.steps.append(Step(before.value() - after.value(), error, self.scale, self.begins))
        self.trend.runs.append(name)
        self.trend.before.append(earlier)
        self.begins = False
        self.last = (name, replace(run, tasks={}), _latest(known, task))
        self.known = (ids, after) if len(ids) == len(self.last[2].answered) else None


def _latest(known: StoredTask, task: StoredTask) -> StoredTask:
    """The later run, with what was known before of questions without a score."""
    missing = [item for key, item in known.answered.items() if key not in task.answered]
    return task if not missing else replace(task, items=[*task.answered.values(), *missing])


def _headline(task: StoredTask, ids: Sequence[str]) -> Metric | None:
    """The headline's metric, turned so that more is better; None where it is undefined."""
    found = next((metric for metric in task.metrics(ids) if metric.name == task.headline), None)
    return None if found is None or math.isnan(found.value()) else upward(found)


def _unfit(task: StoredTask) -> str:
    """Why a run has no place in a trend; empty where it has."""
    coverage = float(task.scores.get("coverage", 0.0))
    if coverage < LEAST_COVERAGE:
        return f"{100 * coverage:.1f} % of the questions have a score, {100 * LEAST_COVERAGE:g} % must"
    if not task.answered:
        return "its answers are scored by a server"
    scored = [(item.sample, item.score) for item in task.answered.values()]
    if verdicts.runs_of(scored) == 1:
        return "graded by one run of the judge, whose own change would look like a drift (--judge-runs 3)"
    return ""


def _breaks(first: StoredRun, run: StoredRun, before: StoredTask, after: StoredTask) -> str:
    """Why a run cannot be compared with the one before it; empty where it can."""
    stops = ("perturbation", "judge", run_differences.THOUGHTS)
    found = [one for one in run_differences.differing(first, run, before, after) if one.refuses or one.what in stops]
    if before.headline != after.headline:
        return f"headline: {before.headline} before, {after.headline} after"
    return str(found[0]) if found else ""


def sentences(trend: Trend | Mapping[str, Any], names: Mapping[str, str] | None = None) -> list[str]:
    """What a trend says, for people: of each drift, or that there is none; then breaks and what was left out."""
    found = trend.to_json() if isinstance(trend, Trend) else trend
    called = names or {}

    def of(run: str) -> str:
        return called.get(run, run)

    share = f"{100 * found['alpha']:.2g} %"
    lines = [
        f"Drift: from {of(one['since'])} to {of(one['run'])}, {found['headline']} became worse by {one['fall']:.1f}, "
        f"more than unchanged runs do (p {one['p']:.2g}; a history without drift gets this mark in at most {share} of "
        "all cases, however long it is)."
        for one in found["alarms"]
    ]
    if found["steps"] and not lines:
        lines.append(f"No drift in {len(found['steps']) + 1} runs (p {found['steps'][-1]['p']:.2g}).")
    lines += [f"A new stretch begins with {of(one['run'])}: {one['why']}." for one in found["breaks"]]
    return lines + [f"{of(one['run'])} is left out: {one['why']}." for one in found["left_out"]]
