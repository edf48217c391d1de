"""The parts of a task that a gate tests beside its headline: guards, and the bars of breakdowns.

A guard is a metric that a gain of the headline is often paid with; a task's metrics say which they are (Metric.guard).
A part fails on evidence that it fell by more than is allowed; it need not be shown that it did not, as bars have few
items. What `--must-hold` names must be shown, like a headline.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.registry import bare_name
from vlmbench.compare import judged_pairs
from vlmbench.compare.compare import TaskComparison
from vlmbench.compare.gates.rules import of_part
from vlmbench.stats.metrics import NEITHER, Metric

Pairs = Mapping[str, tuple[Metric, Metric]]
"""By metric name: before, after."""
FEWEST = 2
"""Images of a part that is tested: one alone has no error."""


def paired_metrics(task: TaskComparison) -> dict[str, tuple[Metric, Metric]]:
    """Every metric and bar that both runs have and of which more, less or a target is better."""
    before, after = judged_pairs.metrics(task.before, task.after, task.ids, task.judging)
    return {
        name: (before[name], metric) for name, metric in after.items() if name in before and metric.direction != NEITHER
    }


def parts(found: Pairs, tested: Collection[str]) -> dict[str, tuple[Metric, Metric]]:
    """Those that are tested without being asked for, besides what is tested already."""
    return {
        name: pair
        for name, pair in found.items()
        if name not in tested
        and pair[1].is_part
        and not any(math.isnan(metric.value()) for metric in pair)
        and len({*pair[0].clusters, *pair[1].clusters}) >= FEWEST
    }


def names(metric: Metric) -> list[str]:
    """What a rule may call a part: its name, its bar's label, or its breakdown."""
    breakdown = metric.breakdown.partition(" (")[0]
    return list(dict.fromkeys(filter(None, (metric.name, metric.label, breakdown))))


def all_names(found: Pairs) -> set[str]:
    """Whatever a rule may call a part of a task."""
    return {name for _, metric in found.values() for name in names(metric)}


def held(rules: Sequence[str], found: Mapping[str, Pairs]) -> dict[str, list[str]]:
    """By task key, the metrics that must hold. `found`: by task key, its metrics and bars.

    A metric's own name takes that metric; a label or a breakdown takes all its bars that a gate tests.
    Raises UnknownNameError, naming what there is, for a name that no task knows.
    """
    known = list(dict.fromkeys([*found, *map(bare_name, found)]))
    taken: dict[str, list[str]] = {key: [] for key in found}
    for rule in rules:
        task, name = of_part(rule, known)
        mine = [key for key in found if not task or task in (key, bare_name(key))]
        hits = {key: _called(name, found[key]) for key in mine}
        if not any(hits.values()):
            there = {one for key in mine for pair in found[key].values() for one in _callable(pair[1])}
            kind = f"metric, bar or breakdown of {task or 'these tasks'}"
            raise UnknownNameError(kind, name, there, f"--must-hold takes: {', '.join(sorted(there))}")
        for key, names_of in hits.items():
            taken[key] += [one for one in names_of if one not in taken[key]]
    return taken


def _called(name: str, found: Pairs) -> list[str]:
    if name in found:
        return [name]
    return [key for key, pair in found.items() if pair[1].is_part and name in names(pair[1])]


def _callable(metric: Metric) -> list[str]:
    return names(metric) if metric.is_part else [metric.name]


def read_names(text: str) -> list[str]:
    """`adversarial,pope:yes_ratio`. Raises UsageError for a name that comes twice."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if twice := next((name for name in found if found.count(name) > 1), ""):
        raise UsageError(f"--must-hold names {twice} twice", hint="leave one of them out")
    return found
