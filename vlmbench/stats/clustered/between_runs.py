"""The spread between a judge's runs, which widens the interval of what they graded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.base.metric import Metric


def with_runs(metric: Metric, value: float, ends: tuple[float, float], count: int, level: float) -> tuple[float, float]:
    """The ends of the interval of a share over `count` clusters, with the spread between a judge's runs."""
    low, high = ends
    if metric.bounds is None or not metric.run_values or high <= low:
        return ends
    below, above = (_with_runs(metric, reach, count, level) for reach in (value - low, high - value))
    return max(metric.bounds[0], value - below), min(metric.bounds[1], value + above)


def _with_runs(metric: Metric, reach: float, count: int, level: float) -> float:
    """How far an interval reaches with the spread between a judge's runs.

    With two of them their degree of freedom would add 12.7 errors, and Welch's keeps the level only while they agree:
    their distance is added as in combined.py, with the 4.3 errors of one degree more. A lone question has an interval
    too, by its two ends: it counts as one degree.
    """
    between, freedom = between_runs(metric)
    if freedom < 2:
        return math.hypot(reach, student(freedom + 1, level) * between)
    usual = student(math.inf, level)
    error, welch = added((reach / usual, max(1.0, count - 1.0)), (between, freedom))
    return max(reach, student(welch, level) * error)


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
