"""What a metric would be if the questions without a score had all been wrong, or all right.

Answers that failed are no zeros, and leaving them out is right only if they failed by chance: a model that fails on
what it would have got wrong scores better than it is. So where coverage is below 1 both ends stand beside the value,
with an interval around both; ranks reach as far as they do, and the gate counts as lost what had a score before.

A wrong and a right answer are scores: 0 and 1, read as nothing and as the target. A task whose metrics read more than
that of a score says what they are: `Bounded`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vlmbench.base.samples import Sample, Score, Status, Verdict
from vlmbench.stats.metrics import LESS, MORE

if TYPE_CHECKING:
    from vlmbench.base.metric import Metric
    from vlmbench.base.task import Task

Scored = Sequence[tuple[Sample, Score]]


@runtime_checkable
class Bounded(Protocol):
    """What a Task has besides when its metrics read more of a score than its value, or know no plain right answer."""

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """The scores of the worst and of the best answer to a question; `runs` of a judge, where one graded."""


def extremes(task: Task, protocol: str, sample: Sample, runs: int = 0) -> tuple[Score, Score]:
    """The scores of the worst and of the best answer to a question."""
    if isinstance(task, Bounded):
        return task.extremes(sample, protocol, runs)
    right = sample.target if isinstance(sample.target, str) else ""
    return tuple(  # type: ignore[return-value]
        Score(value, parsed_answer=read, verdicts=(Verdict(value),) * runs) for value, read in ((0.0, ""), (1.0, right))
    )


def missing(scored: Scored) -> list[Sample]:
    """The questions that failed; those that only a server can score are not missing, nor are those never asked."""
    there = (Status.OK, Status.UNLABELED, Status.NOT_ASKED)
    return [sample for sample, score in scored if score.status not in there]


@dataclass(frozen=True, slots=True)
class Ends:
    """A metric were all missing answers wrong, and were they right."""

    metrics: tuple[Metric, Metric]
    values: tuple[float, float]
    """What is undefined counts as the worst that the metric can be."""


def bounds(task: Task, protocol: str, scored: Scored) -> dict[str, tuple[float, float]]:
    """{metric: (value were all missing answers wrong, were they right)}: the values of `ends`."""
    return {name: both.values for name, both in ends(task, protocol, scored).items()}


def ends(task: Task, protocol: str, scored: Scored) -> dict[str, Ends]:
    """By metric, both ends of what it could be.

    Empty where nothing is missing, or where right answers are kept by a server. Left out are metrics of which neither
    more nor less is better. The value itself may lie outside: MMBench leaves out questions of which one rotation
    failed, and those may be wrong already by another one.
    """
    lacking = missing(scored)
    if not lacking or any(score.status is Status.UNLABELED for _, score in scored):
        return {}
    from vlmbench.scoring.verdicts import runs_of  # not before: a run without failures needs no code of judges

    good = [pair for pair in scored if pair[1].status is Status.OK]
    runs = runs_of(good) or int(task.protocols[protocol].judge is not None and not good)
    worst_and_best = [extremes(task, protocol, sample, runs) for sample in lacking]
    try:
        wrong, right = (
            _values(task, protocol, [*good, *zip(lacking, (scores[side] for scores in worst_and_best), strict=True)])
            for side in (0, 1)
        )
    except Exception:  # a plug-in's own metrics may read what made-up scores do not hold: then there are no bounds
        return {}
    pairs = {name: (wrong[name], right[name]) for name in wrong if name in right}
    found = {name: Ends((a[0], b[0]), (a[1], b[1])) for name, (a, b) in pairs.items()}
    return {name: both for name, both in found.items() if all(map(math.isfinite, both.values))}


def around(
    found: Mapping[str, Ends], *, level: float, resamples: int = 10_000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """{metric: the interval around both ends}, which covers the value that a run without failures would estimate.

    Imbens & Manski (Econometrica 72, 2004): the quantile c with Phi(c + width / error) - Phi(-c) = level lies between
    the two-sided one, where hardly anything is missing, and the one-sided one, since the truth is near one end at most.
    The error is the larger one of both ends; distances from the ends to those of their intervals are shortened by c.
    A metric is left out where one end has no interval. What is undefined there, and so the worst it can be, needs none.
    """
    from vlmbench.stats.intervals import intervals

    metrics = [metric for both in found.values() for metric in both.metrics]
    estimates = iter(intervals(metrics, resamples=resamples, seed=seed, level=level))
    wide: dict[str, tuple[float, float]] = {}
    for name, both in found.items():
        reach: list[tuple[float, float, float]] = []
        for value in both.values:
            one = next(estimates)
            if one.low is not None and one.high is not None:
                reach.append((value, one.low, one.high))
            elif math.isnan(one.value):
                reach.append((value, value, value))
        if len(reach) == 2:  # elsewhere there are too few to tell
            low, high = sorted(reach)
            below, above = max(0.0, low[0] - low[1]), max(0.0, high[2] - high[0])
            share = shortened(high[0] - low[0], max(below, above), level)
            wide[name] = (low[0] - share * below, high[0] + share * above)
    return wide


def shortened(width: float, half: float, level: float) -> float:
    """Imbens & Manski's quantile over the two-sided one: from 1, if the ends are `width` = 0 apart, down to .84 (95 %).

    `half` is half of a two-sided interval at one end.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    both, one = float(ndtri(0.5 + level / 2)), float(ndtri(level))
    if half <= 0 or width <= 0:
        return 1.0
    gap = width / (half / both)
    return float(brentq(lambda c: ndtr(c + gap) - ndtr(-c) - level, one - 1e-9, both + 1e-9)) / both


def _values(task: Task, protocol: str, scored: Scored) -> dict[str, tuple[Metric, float]]:
    """Each metric with its value; what is undefined (F1 where nothing is right) counts as the worst it can be."""
    from vlmbench.scoring.verdicts import metrics

    values = {}
    for metric in metrics(task, protocol, scored):
        if metric.direction in (MORE, LESS):
            value, limits = metric.value(), metric.bounds
            worst = limits[metric.direction == LESS] if limits is not None else math.nan
            values[metric.name] = (metric, worst if math.isnan(value) else value)
    return values
