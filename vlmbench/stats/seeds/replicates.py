"""Replicates of one metric over the same questions: the variance between questions, within them, and between runs.

With K replicates (answers to each question, runs of a judge, training seeds), C clusters, and d_ck how far cluster c
moves the metric in replicate k (influence.py), d_c its mean over k, x_k the value of replicate k:

    total    C/(C-1) sum_c d_c^2            of the mean: which questions were asked, and how they were answered
    within   sum_c var_k(d_ck)              of one replicate: answers to the same questions that differ
    between  total - within / K             what no number of replicates removes   (Miller, arXiv 2411.00640, 2024)
    runs     var_k(x_k) - within            of one replicate as a whole: the luck of a training seed, a judge's lean

each at least 0. The interval over other questions and other replicates recovers the margins of both (MOVER: Zou &
Donner, Statistics in Medicine 27, 2008), so that few replicates count with the t of few replicates only as far as
whole replicates differ:

    margin^2 = t(nu)^2 total + t(K-1)^2 runs / K

The difference of two groups has both runs' terms, and `total` of the difference. p is 1 - the level whose margin
reaches 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.stats import influence, intervals
from vlmbench.stats.intervals import LEVEL, Estimate

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats, Metric

TINY = 1e-12
HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the variance of a mean over replicates comes from, in the metric's unit squared."""

    value: float
    """Mean over the replicates."""
    values: tuple[float, ...]
    """Of each replicate."""
    total: float
    """Of the mean, without what moves whole replicates."""
    within: float
    """Of one replicate: its answers to the same questions."""
    runs: float
    """Of one replicate as a whole."""
    freedom: float
    """Degrees of freedom of `total`."""
    n: int

    @property
    def count(self) -> int:
        """How many replicates."""
        return len(self.values)

    @property
    def between(self) -> float:
        """Of the questions: what no number of replicates removes."""
        return max(0.0, self.total - self.within / self.count)

    def error(self, count: int | None = None) -> float:
        """Standard error of the mean of so many replicates; of these, if no number is given."""
        return math.sqrt(self.between + (self.within + self.runs) / (count or self.count))

    @property
    def best_count(self) -> float:
        """Answers to a question with which an error is reached with the fewest answers in all.

        Where a new question costs as much as another answer to an old one: sqrt(within / between) (Cochran, Sampling
        Techniques, 1977, 10.6). 1 or less: new questions are better.
        """
        return math.sqrt(self.within / self.between) if self.between > TINY else math.inf

    def to_json(self) -> dict[str, float | int | list[float]]:
        """Standard errors rather than variances."""
        return {
            "count": self.count,
            "values": list(self.values),
            "error": self.error(),
            "between_questions": math.sqrt(self.between),
            "within_questions": math.sqrt(self.within),
            "between_runs": math.sqrt(self.runs),
        }


def decompose(metrics: Sequence[Metric]) -> Parts | None:
    """The parts of a metric's replicates over the same questions, at least two.

    None where one of them is undefined, or becomes so without some cluster.
    """
    found = _moved(metrics, influence.places_of(*metrics))
    if found is None or len(metrics) < 2:
        return None
    return _parts([metric.value() for metric in metrics], found, _n(metrics[0]))


def interval(parts: Parts, bounds: tuple[float, float] | None, *, level: float = LEVEL) -> Estimate:
    """The mean with its interval over other questions and other replicates, inside the metric's limits."""
    margin = _margin(parts.total, parts.freedom, [(parts.runs, parts.count)], level)
    if bounds is None or not bounds[0] < parts.value < bounds[1] or margin <= TINY:
        inside = margin > TINY
        return Estimate(
            parts.value, parts.value - margin if inside else None, parts.value + margin if inside else None, parts.n
        )
    from scipy.special import ndtri

    bottom, top = bounds
    share, half = (parts.value - bottom) / (top - bottom), margin / (top - bottom)
    effective = share * (1 - share) * (float(ndtri(0.5 + level / 2)) / half) ** 2
    low, high = intervals.wilson(share, effective, level=level)
    return Estimate(parts.value, bottom + (top - bottom) * low, bottom + (top - bottom) * high, parts.n)


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """The second group's mean less the first's."""

    difference: Estimate
    p: float | None
    """Two-sided; None without any spread."""
    before: Parts
    after: Parts
    total: float
    """Variance of the difference that comes from the questions and answers."""
    freedom: float

    @property
    def error(self) -> float:
        """Standard error."""
        return math.sqrt(self.total + self.before.runs / self.before.count + self.after.runs / self.after.count)

    def p_same(self, margin: float) -> float | None:
        """p of "they differ by `margin` or more": the larger of two one-sided tests."""
        inside = margin - abs(self.difference.value)
        if self.p is None:
            return None
        return _p(self._margin_at, abs(inside)) / 2 if inside > 0 else 1 - _p(self._margin_at, abs(inside)) / 2

    def _margin_at(self, level: float) -> float:
        runs = [(self.before.runs, self.before.count), (self.after.runs, self.after.count)]
        return _margin(self.total, self.freedom, runs, level)


def difference(before: Sequence[Metric], after: Sequence[Metric], *, level: float = LEVEL) -> GroupDifference | None:
    """Two groups of replicates over the same questions; None where a metric is undefined.

    Replicates of the groups need not belong together, nor be as many; what questions have in common cancels.
    """
    places = influence.places_of(*before, *after)
    moved = [_moved(metrics, places) for metrics in (before, after)]
    if moved[0] is None or moved[1] is None or min(len(before), len(after)) < 2:
        return None
    first, second = (
        _parts([metric.value() for metric in metrics], found, _n(metrics[0]))
        for metrics, found in ((before, moved[0]), (after, moved[1]))
    )
    change = moved[1].mean(axis=0) - moved[0].mean(axis=0)
    total = influence.error(change) ** 2
    value = second.value - first.value
    found = GroupDifference(
        Estimate(value, None, None, second.n), None, first, second, total, influence.freedom(change)
    )
    margin = found._margin_at(level)
    if margin <= TINY:
        return found
    ends = Estimate(value, value - margin, value + margin, second.n)
    return GroupDifference(ends, _p(found._margin_at, abs(value)), first, second, total, found.freedom)


def _parts(values: Sequence[float], moved: Floats, n: int) -> Parts:
    """`moved`: (K, C)."""
    import numpy as np

    mean = moved.mean(axis=0)
    within = float(moved.var(axis=0, ddof=1).sum())
    spread = float(np.var(values, ddof=1))
    total = influence.error(mean) ** 2
    return Parts(
        float(np.mean(values)),
        tuple(map(float, values)),
        total,
        within,
        max(0.0, spread - within),
        influence.freedom(mean),
        n,
    )


def _moved(metrics: Sequence[Metric], places: dict[str, int]) -> Floats | None:
    """(K, C) how far each cluster moves each replicate."""
    import numpy as np

    if len(places) < 2:
        return None
    rows = []
    for metric in metrics:
        row = influence.moved(metric, places)
        if row is None or math.isnan(metric.value()):
            return None
        rows.append(row)
    return np.stack(rows)


def _n(metric: Metric) -> int:
    return len(metric.items) if metric.n is None else metric.n


def _margin(total: float, freedom: float, runs: Sequence[tuple[float, int]], level: float) -> float:
    squares = [total * intervals.student(freedom, level) ** 2]
    squares += [variance / count * intervals.student(count - 1.0, level) ** 2 for variance, count in runs]
    return math.sqrt(math.fsum(squares))


def _p(margin_at: Callable[[float], float], distance: float) -> float:
    """1 - the level whose margin is `distance`."""
    if distance <= TINY:
        return 1.0
    low, high = 0.0, 40.0  # of -log(p)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if margin_at(-math.expm1(-middle)) < distance else (low, middle)
    return math.exp(-low)
