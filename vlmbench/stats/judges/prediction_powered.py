"""A mean that a judge estimates on all answers and people on a few of them: prediction-powered inference.

Angelopoulos, Duchi, Zrnic, PPI++ (arXiv 2311.01453), for a mean: with grades f of the judge and y of people on n
labelled answers, and f alone on N others,

    value = L mean(f, others) + mean(y - L f, labelled),  L = cov(y, f) / ((1 + n / N) var f),

so that a judge that says nothing is not listened to (L = 0), and one that is right lends its N answers. Answers about
one image are one cluster: variances are those of clusters' sums. L is estimated from the same labels as a slope is,
which costs a degree of freedom: the variance of y - L f is over C - 2 labelled clusters. The interval is Student's with
Welch's degrees of freedom (Biometrika 34, 1947) of C - 3, one fewer because L and that variance err together, and of
the other answers, which are many.
Simulated: tests/performance/statistics/judges/label_intervals.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.stats.intervals import added, cluster_codes, student

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.base.metric import Floats

    Codes = NDArray[np.intp]

FEWEST = 7
"""Clusters with labels: fewer say too little for an interval."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """A value with its interval, in the unit of the grades."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Estimated:
        """The same in another unit."""
        return Estimated(self.value * factor, self.low * factor, self.high * factor)

    @property
    def width(self) -> float:
        """From low to high."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Powered:
    """What labels and a judge say together."""

    value: Estimated
    """The mean of people's grades over all answers."""
    people: Estimated
    """The same from the labels alone."""
    bias: Estimated
    """How much more the judge gives than people do, on the labelled answers."""
    weight: float
    """L: 0, the judge is not listened to; near 1, it is."""
    labels: int
    clusters: int
    needed: int | None
    """How many labels more would halve the width; None where no number would."""


def powered(
    labelled: Sequence[tuple[float, float, str]], others: Sequence[tuple[float, str]], level: float = 0.95
) -> Powered | None:
    """`labelled`: (people's grade, judge's grade, cluster); `others`: (judge's grade, cluster) of what remains.

    None for fewer than FEWEST labelled clusters.
    """
    import numpy as np

    truth, graded = np.array([one[:2] for one in labelled], dtype=np.float64).reshape(-1, 2).T
    alone = np.array([grade for grade, _ in others], dtype=np.float64)
    codes, count = cluster_codes([cluster for *_, cluster in labelled])
    if count < FEWEST:
        return None
    other_codes, other_count = cluster_codes([cluster for _, cluster in others])
    weight = _weight(truth, graded, codes, count, alone, other_codes, other_count)
    slope = int(weight > 0)
    rest = _variance(truth - weight * graded, codes, count) * (count - 1) / (count - 1 - slope)
    judge = weight**2 * _variance(alone, other_codes, other_count) if weight else 0.0
    error, welch = added((math.sqrt(rest), count - 1 - 2 * slope), (math.sqrt(judge), max(1, other_count - 1)))
    value = float(np.mean(truth - weight * graded)) + (weight * float(np.mean(alone)) if weight else 0.0)
    plain = student(count - 1, level)
    return Powered(
        _around(value, error, student(welch, level)),
        _around(float(np.mean(truth)), math.sqrt(_variance(truth, codes, count)), plain),
        _around(float(np.mean(graded - truth)), math.sqrt(_variance(graded - truth, codes, count)), plain),
        weight,
        len(truth),
        count,
        _needed(rest, judge, len(truth)),
    )


def _weight(
    truth: Floats, graded: Floats, codes: Codes, count: int, alone: Floats, other_codes: Codes, others: int
) -> float:
    """L, from clusters' sums, within 0 and 1; 0 without other answers or where the judge always says the same."""
    import numpy as np

    if others < 2:
        return 0.0
    ours, theirs = _sums(truth, codes, count), _sums(graded, codes, count)
    shared = float(np.sum(ours * theirs)) / (count - 1)
    spread = float(np.sum(theirs**2)) / (count - 1)
    if spread <= 1e-12:
        return 0.0
    return min(1.0, max(0.0, shared / ((1 + count / others) * spread)))


def _needed(rest: float, judge: float, labels: int) -> int | None:
    """The variance of n labels falls as 1 / n; the judge's part stays."""
    left = (rest + judge) / 4 - judge
    if left <= 0 or rest <= 0:
        return None
    return math.ceil(labels * rest / left) - labels


def _sums(values: Floats, codes: Codes, count: int) -> Floats:
    """(clusters,) sums of deviations from the mean, over the mean size of a cluster."""
    import numpy as np

    deviations = values - values.mean()
    total: Floats = np.bincount(codes, weights=deviations, minlength=count) * count / len(values)
    return total


def _variance(values: Floats, codes: Codes, count: int) -> float:
    """Of the mean, by clusters."""
    if count < 2:
        return 0.0
    sums = _sums(values, codes, count)
    return float((sums**2).sum()) / (count - 1) / count


def _around(value: float, error: float, t: float) -> Estimated:
    return Estimated(value, value - t * error, value + t * error)
