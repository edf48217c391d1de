"""What a gate tests: metrics asked for and parts of tasks, turned so that more is better; what equal answers prove."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.compare import differences
from vlmbench.compare.compare import Comparison, TaskComparison
from vlmbench.compare.differences import MetricDifference, turned_items
from vlmbench.compare.gates import parts
from vlmbench.compare.gates.parts import Pairs
from vlmbench.compare.gates.rules import PLAIN, RANGE, Scale
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


class Kind(StrEnum):
    """Why something is tested."""

    ASKED = "asked"
    """A headline, or a metric that was named."""
    MUST_HOLD = "must hold"
    """A part that was named: decided like a headline."""
    PART = "part"
    """It fails on evidence of a fall; otherwise it decides nothing."""


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
    kind: Kind = Kind.ASKED
    scale: Scale = PLAIN
    """What its allowed drop is counted in."""


def tests(compared: Comparison, metric: str, settings: dict[str, Any]) -> list[Test]:
    """Every test of a gate. Raises UsageError for a metric of which neither more nor less is better."""
    return [
        _test(compared, task, difference, settings)
        for task in compared.tasks
        for difference in _metrics(task, metric, settings)
    ]


def part_tests(
    compared: Comparison,
    asked: Sequence[Test],
    metrics: Mapping[str, Pairs],
    must_hold: Mapping[str, Collection[str]],
    settings: dict[str, Any],
    *,
    all_parts: bool,
) -> list[Test]:
    """The tests of parts, besides what is `asked`: those that must hold, and with `all_parts` the others.

    `metrics`: by task key, what can be tested. Those asked for that must hold too are left as they are.
    """
    found = []
    for task in compared.tasks:
        tested = [test.metric.name for test in asked if test.task.key == task.key]
        whole = next((test.scale.span for test in asked if test.task.key == task.key), RANGE)
        holding = [name for name in must_hold.get(task.key, ()) if name not in tested]
        others = parts.parts(metrics[task.key], [*tested, *holding]) if all_parts else {}
        for name in (*holding, *others):
            before, after = metrics[task.key][name]
            one = differences.difference(before, after, {**settings, "lean": task.judging.lean})
            test = _test(compared, task, one, settings, turned_items(before, after))
            kind = Kind.MUST_HOLD if name in holding else Kind.PART
            scale = Scale(max(before.span, after.span), parts.names(after), whole)
            found.append(replace(test, kind=kind, scale=scale, same=test.same if name in holding else None))
    return found


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
        scale = Scale(suite.span)
        found.append(Test(suite, suite.best, suite.best.paired, suite.spread, same, scale=scale))
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
    found = parts.paired_metrics(task)
    known = [
        name
        for name, pair in found.items()
        if not pair[1].breakdown and pair[1].direction == MORE and not any(math.isnan(m.value()) for m in pair)
    ]
    known.sort(key=lambda name: name != GUARD)
    return None if not known or known[0] in tested else found[known[0]]


def _test(
    compared: Comparison,
    task: TaskComparison,
    difference: MetricDifference,
    settings: dict[str, Any],
    turned: int | None = None,
) -> Test:
    """`turned`: how many answers turned, where they are not all of the task."""
    assert difference.metrics is not None
    before, after = map(upward, difference.metrics)
    paired = difference.paired
    if after is not difference.metrics[1]:
        paired = pairing.paired(before, after, **settings, lean=task.judging.lean)
    flips = len(task.gained) + len(task.lost) if turned is None else turned
    around = None
    if not _undefined(difference):
        around = spread_of(paired, before, after, flips)
    scale = Scale(max(metric.span for metric in difference.metrics))
    same = _same(compared, task, before, after, after.span)
    return Test(task, difference, paired, around, same, scale=scale)


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
