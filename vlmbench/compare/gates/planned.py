"""What a gate tests of each task: the metrics asked for, turned so that more is better; what equal answers prove."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.compare import differences, judged_pairs
from vlmbench.compare.compare import Comparison, TaskComparison
from vlmbench.compare.differences import MetricDifference
from vlmbench.compare.suites import SuiteComparison
from vlmbench.stats import paired as pairing
from vlmbench.stats.metrics import MORE, NEITHER, upward
from vlmbench.stats.noninferiority import Same, Spread, spread_of

if TYPE_CHECKING:
    from vlmbench.runs.storage.reload import StoredRun, StoredTask
    from vlmbench.stats.metrics import Metric
    from vlmbench.stats.paired import Paired

GUARD = "accuracy"
"""What is tested beside a headline that is undefined, where the task has it."""


@dataclass(frozen=True)
class Test:
    """One metric of one task, or the average of a suite."""

    task: TaskComparison | SuiteComparison
    metric: MetricDifference
    """In the metric's own unit and direction, as it is shown."""
    paired: Paired
    """The same turned so that a fall is for the worse: what is decided on."""
    spread: Spread | None
    same: Same | None


def tests(compared: Comparison, metric: str, settings: dict[str, Any]) -> list[Test]:
    """Every test of a gate. Raises UsageError for a metric of which neither more nor less is better."""
    return [
        _test(compared, task, difference, settings)
        for task in compared.tasks
        for difference in _metrics(task, metric, settings)
    ]


def suite_tests(compared: Comparison, suites: Sequence[SuiteComparison], planned: Sequence[Test]) -> list[Test]:
    """The averages' tests; `planned` are those of the tasks. Equal answers prove an average only where they had to be.

    Otherwise an average is tested as any other difference: the members' errors have a lost and a gained answer each.
    """
    found = []
    for suite in suites:
        keys = {task.key for task in suite.tasks}
        equal = [test.same for test in planned if test.task.key in keys]
        certain = all(same is not None and same.certain for same in equal)
        same = Same(True) if certain and equal else None
        found.append(Test(suite, suite.best, suite.best.paired, suite.spread, same))
    return found


def _metrics(task: TaskComparison, metric: str, settings: dict[str, Any]) -> Iterator[MetricDifference]:
    for difference in task.differences:
        if difference.better != NEITHER:
            yield difference
        elif metric != "all":
            problem = f"{task.key}: of {difference.name} neither more nor less is better"
            raise UsageError(problem, hint="name another --metric")
    names = [difference.name for difference in task.differences]
    if any(difference.name == task.headline and _undefined(difference) for difference in task.differences):
        guard = _guard(task, names)
        if guard is not None:
            yield differences.difference(*guard, {**settings, "lean": task.judging.lean})


def _undefined(difference: MetricDifference) -> bool:
    return math.isnan(difference.before) or math.isnan(difference.after)


def _guard(task: TaskComparison, tested: list[str]) -> tuple[Metric, Metric] | None:
    """The metric that is tested beside an undefined headline: the accuracy, or the first one that is defined."""
    found = judged_pairs.metrics(task.before, task.after, task.ids, task.judging)
    before, after = ({name: m for name, m in metrics.items() if not m.breakdown} for metrics in found)
    known = [
        name
        for name, m in after.items()
        if name in before and m.direction == MORE and not any(math.isnan(x.value()) for x in (m, before[name]))
    ]
    known.sort(key=lambda name: name != GUARD)
    return None if not known or known[0] in tested else (before[known[0]], after[known[0]])


def _test(compared: Comparison, task: TaskComparison, difference: MetricDifference, settings: dict[str, Any]) -> Test:
    assert difference.metrics is not None
    before, after = map(upward, difference.metrics)
    paired = difference.paired
    if after is not difference.metrics[1]:
        paired = pairing.paired(before, after, **settings, lean=task.judging.lean)
    flips = len(task.gained) + len(task.lost)
    around = None
    if not _undefined(difference):
        around = spread_of(paired, before, after, flips)
    return Test(task, difference, paired, around, _same(compared, task, before, after, after.span))


def _same(compared: Comparison, task: TaskComparison, before: Metric, after: Metric, span: float) -> Same | None:
    """What holds where every answer is the same, or was given the same score in other words; None elsewhere."""
    import numpy as np

    if not task.ids or task.only_before or task.only_after or task.failed:
        return None
    if task.before.answers_hash == task.after.answers_hash:
        return Same(_certain(compared, task), span)
    alike = before.items.shape == after.items.shape and np.array_equal(before.items, after.items, equal_nan=True)
    return Same(False, span, texts=False) if alike and not (task.gained or task.lost) else None


def _certain(compared: Comparison, task: TaskComparison) -> bool:
    """Whether equal answers had to come: the same weights in an engine of ours, asked the same, decoded greedily or
    sampled from the same seed.

    What a server holds, and what a function does, nobody has hashed; a file of answers is its own fingerprint.
    """
    return (
        _weights(compared.before) == _weights(compared.after) is not None
        and not task.judging.share
        and _asked(compared.before, task.before) == _asked(compared.after, task.after) is not None
    )


def _weights(run: StoredRun) -> tuple[str, dict[str, Any]] | None:
    model = run.manifest.get("model", {})
    settings = model.get("settings") or {}
    hashed = model.get("fingerprint") and "engine" in settings and "server" not in settings
    return (str(model["fingerprint"]), dict(settings)) if hashed else None


def _asked(run: StoredRun, task: StoredTask) -> tuple[Any, ...] | None:
    hashes = task.entry.get("hashes", {})
    generation = task.entry.get("generation") or {}
    known = [hashes.get(name) for name in ("samples", "prompts", "images")]
    if not all(known):
        return None
    sampled = generation.get("temperature", 0.0) != 0
    seed = run.manifest.get("asked", {}).get("seed") if sampled else 0
    return None if seed is None else (*known, seed, sorted(generation.items(), key=str))
