"""The rank of a run on a task, as a range: one plus the runs that are significantly better, up to those not worse.

Two runs are told apart by the paired test of their headline where there is one, else by the difference of their values
over the standard errors that their intervals imply, with Holm's correction at 5 % over all pairs of the task. Where
questions of a run have no score, both are tested as if the missing answers of the better run were all wrong and those
of the other all right (`bounds` in scores.json): failing on questions that would have been wrong wins no rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from statistics import NormalDist
from typing import Any

from vlmbench.base.samples import Status
from vlmbench.stats.metrics import LESS
from vlmbench.stats.paired import holm

from ..runs import Bar, TaskResult

ALPHA = 0.05
SMALLEST_P = 1e-300
"""Where a p-value is 0, to the precision of floats."""
THERE = (Status.OK, Status.UNLABELED, Status.NOT_ASKED)
"""What became of samples that did not fail."""
Test = tuple[float, float | None]
"""How far the first run leads, and the p of no difference."""
Tests = Mapping[tuple[str, str], Test]
"""{(before, after): (difference, p)} by id, of one task; a positive difference is a better later run."""


def upward(task: TaskResult) -> Bar:
    """The headline's bar as if more were better, with bounds wherever questions failed.

    Runs of earlier versions tell no bounds: theirs are infinite. Questions that were never asked, since a gate had
    decided, are missing by chance.
    """
    bar = _bounded(task)
    if bar.better != LESS or bar.value is None:
        return bar
    low, high = (None if end is None else -end for end in (bar.high, bar.low))
    bounds = None if bar.bounds is None else (-bar.bounds[1], -bar.bounds[0])
    return replace(bar, value=-bar.value, low=low, high=high, bounds=bounds)


def least(bar: Bar) -> float:
    """What a bar is sorted by: where questions have no score, its value if they were all wrong."""
    if bar.value is None:
        return -math.inf
    return bar.value if bar.bounds is None else bar.bounds[0]


def corrected(bars: Mapping[str, Bar], tests: Tests) -> dict[tuple[str, str], Test]:
    """Each pair of a task's runs with its lead and p, corrected over all pairs.

    `bars` are those of `upward`; a test without a p is made from the two bars.
    """
    pairs = {}
    for pair in combinations(bars, 2):
        run, other = (bars[name] for name in pair)
        pairs[pair] = _whatever_is_missing(_paired(pair, tests) or _unpaired(run, other), run, other)
    by_pair = holm({"\n".join(pair): p for pair, (_, p) in pairs.items()})
    return {pair: (lead, by_pair["\n".join(pair)]) for pair, (lead, _) in pairs.items()}


def board_ranks(bars: Mapping[str, Bar], tests: Tests) -> dict[str, Any]:
    """The ranks of one task, from the headline's bar of each run and the paired tests there are."""
    above = dict.fromkeys(bars, 0)
    below = dict.fromkeys(bars, 0)
    for pair, (lead, p) in corrected(bars, tests).items():
        better, worse = pair if lead > 0 else pair[::-1]
        if apart((lead, p)):
            below[better] += 1
            above[worse] += 1
    paired = any(p is not None and set(pair) <= set(bars) for pair, (_, p) in tests.items())
    return {"ranks": {name: [1 + above[name], len(bars) - below[name]] for name in bars}, "paired": paired}


def apart(test: Test) -> bool:
    """Whether a corrected test tells two runs apart."""
    lead, p = test
    return p is not None and p < ALPHA and bool(lead)


def _bounded(task: TaskResult) -> Bar:
    stopped = Status.NOT_ASKED in task.statuses and set(task.statuses) <= set(THERE)
    if task.coverage < 1 and not stopped and task.best.bounds is None:
        return replace(task.best, bounds=(-math.inf, math.inf))
    return task.best


def _paired(pair: tuple[str, str], tests: Tests) -> Test | None:
    """The paired test of two runs, in whichever order it was made; None without one."""
    for key, sign in ((pair, -1.0), (pair[::-1], 1.0)):  # a test is of the later run less the earlier one
        difference, p = tests.get(key, (0.0, None))
        if p is not None:
            return sign * difference, p
    return None


def _unpaired(run: Bar, other: Bar) -> Test:
    """A two-sided test of no difference from the values and intervals of two runs on different questions."""
    assert run.value is not None and other.value is not None
    lead = run.value - other.value
    if run.low is None or run.high is None or other.low is None or other.high is None:
        return lead, None
    if lead > 0:
        facing = (run.value - run.low, other.high - other.value)
    else:
        facing = (run.high - run.value, other.value - other.low)
    error = math.hypot(facing[0] / _half_width(run.level), facing[1] / _half_width(other.level))
    if error <= 0:
        return lead, None
    return lead, math.erfc(abs(lead) / error / math.sqrt(2))


def _half_width(level: float) -> float:
    """The half-width of a normal interval in standard errors; with Student's intervals the error comes out large."""
    return NormalDist().inv_cdf((1 + level) / 2)


def _whatever_is_missing(test: Test, run: Bar, other: Bar) -> Test:
    """The test of the lead that is left if the better run's missing answers were all wrong, and the other's all right.

    The standard error is the one that the test's own p implies. No lead, and p 1, where the order could be reversed.
    """
    lead, p = test
    if p is None or not lead or (run.bounds is None and other.bounds is None):
        return test
    better, worse = (run, other) if lead > 0 else (other, run)
    least = better.value if better.bounds is None else better.bounds[0]
    most = worse.value if worse.bounds is None else worse.bounds[1]
    assert least is not None and most is not None
    left = min(abs(lead), least - most)
    if left <= 0:
        return 0.0, 1.0
    quantile = -NormalDist().inv_cdf(max(p, SMALLEST_P) / 2) if p < 1 else 0.0
    return math.copysign(left, lead), math.erfc(quantile * left / abs(lead) / math.sqrt(2))
