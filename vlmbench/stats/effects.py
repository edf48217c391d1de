"""How far one answer moves a metric, and what follows for the error of a difference.

In a mean every answer counts the same. In a sum over groups it does not: one answer of MME's subtasks of 20 images
moves the sum ten times as far as one of those of 200. What is seen of the variance then rests on the few turned answers
of the small groups: it is often far too small, and just where the difference is kind. So the variance is also estimated
from all turned answers, each as a share of what its group's answers move the metric by, as if answers of all groups
turned as often; where that is more, most of the excess is added (SHARE). Simulated for MME's own sizes in
tests/performance/statistics/gate_power.py (docs/evaluate/gate.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.stats import influence
from vlmbench.stats.clustered.resampling import codes_in

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.stats.metrics import Floats, Metric

SHARE = 0.75
"""Of the excess of the one estimate of the variance over the other. With all of it unchanged models pass less often,
with half of it falls of the allowed size pass in 6 of 100 cases (MME, 1 % of the answers turned)."""
EVEN_FROM = 0.9
"""Where `alike` is at least this, answers count as the same."""
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Shape:
    """What the answers that moved a metric tell of its difference's error."""

    skew: float = 0.0
    """Skewness of the difference: that of the clusters over the root of their number."""
    alike: float = 1.0
    """Squared mean of what single answers move the metric by, over their mean square: 1 where all count the same."""
    inflation: float = 1.0
    """What the variance is multiplied by."""
    freedom: float | None = None
    """Degrees of freedom of the test for a fall, where answers count differently."""


EVEN = Shape()
"""Where all answers count the same and nothing is skewed."""


def flip_size(metric: Metric) -> float:
    """What a turned answer moves the metric by: for a mean, 100 / n.

    Where answers differ in that, the mean square over the mean: a fall of x that is spread over all answers adds x
    times this to the variance.
    """
    return _size(_moves(metric))


def flip_and_shape(before: Metric, after: Metric) -> tuple[float, Shape]:
    """(what a turned answer moves the metric by, in the run in which that is more; the shape of the difference)."""
    moves = [_moves(metric) for metric in (before, after)]
    return max(map(_size, moves)), _shape(before, after, moves[1])


def _shape(before: Metric, after: Metric, moves: Floats) -> Shape:
    """EVEN where how far clusters move the difference is undefined."""
    import numpy as np

    if (before.of_weights or after.of_weights) and not (before.area and after.area):
        return EVEN
    places = influence.places_of(before, after)
    change, alike = influence.moved_difference(before, after, places), _alike(moves)
    if change is None:
        return EVEN
    variance = float(np.mean(change**2))
    if variance <= TINY**2:
        return Shape(alike=alike)
    skew = float(np.mean(change**3)) / variance**1.5 / math.sqrt(len(places))
    if alike >= EVEN_FROM:
        return Shape(skew)
    codes, count = codes_in(after.clusters, places), len(places)
    rows = np.bincount(codes, minlength=count)
    squares = np.bincount(codes, weights=moves**2, minlength=count) / np.maximum(rows, 1)
    squares = np.where(squares > 0, squares, squares[squares > 0].mean())
    pooled = float(squares.mean() * np.mean(change**2 / squares))
    return Shape(skew, alike, 1 + SHARE * max(0.0, pooled / variance - 1), influence.freedom(change))


def _size(moves: Floats) -> float:
    return float((moves @ moves) / moves.sum())


def _alike(moves: Floats) -> float:
    return min(1.0, float(moves.sum() ** 2 / len(moves) / (moves @ moves)))


def _moves(metric: Metric) -> Floats:
    """(rows,) what one answer of each row moves the metric by: the range of the metric when each row of its group is
    left out in turn, over the answers of a row.

    A group of which all rows are right (or all wrong) is taken to be worth what the others are worth on the whole.
    100 / n everywhere where no group has a range, and where items cannot be taken out of sums.
    """
    import numpy as np

    rows = len(metric.items)
    n = max(1, rows if metric.n is None else metric.n)
    plain = np.full(max(1, rows), 100.0 / n)
    if metric.of_weights or rows < 2:
        return plain
    without = np.asarray(metric.combine(metric.items.sum(axis=0) - metric.items), dtype=np.float64)
    finite = np.isfinite(without)
    groups = _groups(metric.items)
    count = int(groups.max()) + 1
    high, low = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(high, groups[finite], without[finite])
    np.minimum.at(low, groups[finite], without[finite])
    ranges, sizes = high - low, np.bincount(groups, minlength=count)
    known = np.isfinite(ranges) & (ranges > TINY)
    if not known.any():
        return plain
    worth = float(np.median(ranges[known] * sizes[known]))
    moves: Floats = np.where(known, ranges, worth / np.maximum(sizes, 1))[groups] * (rows / max(rows, n))
    return moves


def _groups(items: Floats) -> NDArray[np.intp]:
    """(rows,) numbers of groups: rows belong together where they add to the same sum, directly or over others."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    rows, sums = items.shape
    if sums > 1 and bool((items[:, -1] != 0).all()):  # the count of a mean
        return np.zeros(rows, dtype=np.intp)
    row, column = np.nonzero(items)
    links = csr_matrix((np.ones(len(row), dtype=bool), (row, rows + column)), shape=(rows + sums, rows + sums))
    return np.unique(connected_components(links, directed=False)[1][:rows], return_inverse=True)[1].astype(np.intp)
