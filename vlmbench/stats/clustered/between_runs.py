"""The spread between a judge's runs, which widens the interval of what they graded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.base.metric import Metric


def with_runs(metric: Metric, value: float, ends: tuple[float, float], level: float) -> tuple[float, float]:
    """The ends of an interval over images, with what whole runs of a judge add; inside the metric's limits."""
    low, high = ends
    more = run_margin(metric, level)
    if more <= 0 or high <= low:
        return ends
    low, high = value - math.hypot(value - low, more), value + math.hypot(high - value, more)
    return (low, high) if metric.bounds is None else (max(metric.bounds[0], low), min(metric.bounds[1], high))


def run_margin(metric: Metric, level: float) -> float:
    """How far an interval reaches for what moves a whole run of the judge: t(R-1) * sqrt(excess / R).

    The excess is the variance of the runs' values beyond `run_noise`. It is added to the reach over images in squares
    (MOVER: Zou & Donner, Statistics in Medicine 27, 2008), as for seeds (stats/seeds/replicates.py). 0 with one run.
    """
    error, freedom = between_runs(metric)
    excess = error * error - metric.run_noise / (freedom + 1)
    return student(freedom, level) * math.sqrt(excess) if excess > 0 else 0.0


def between_runs(metric: Metric) -> tuple[float, float]:
    """Standard error that the judge's runs add, and its degrees of freedom: their deviation over the root of runs.

    (0, 1) with fewer than two runs.
    """
    import numpy as np

    runs = [value for value in metric.run_values if not math.isnan(value)]
    if len(runs) < 2:
        return 0.0, 1.0
    return float(np.std(runs, ddof=1)) / math.sqrt(len(runs)), len(runs) - 1.0


def added(*errors: tuple[float, float]) -> tuple[float, float]:
    """Independent standard errors with their degrees of freedom as one (Welch, Biometrika 34, 1947)."""
    squares = [error * error for error, _ in errors]
    total = math.fsum(squares)
    if total <= 0:
        return 0.0, errors[0][1]
    spread = math.fsum(
        square * square / freedom for square, (_, freedom) in zip(squares, errors, strict=True) if square > 0
    )
    return math.sqrt(total), total * total / spread


def student(freedom: float, level: float) -> float:
    """How many standard errors a two-sided interval of this level reaches to each side."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2))
