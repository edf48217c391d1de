"""Which metrics are a share of what is asked: their right answers and questions per cluster.

A metric is a function of sums (base/metric.py), whatever it is called. Two kinds are recognised by how it behaves:

- A mean over rows: the metric of rows with any weights is the weighted mean of the metrics of single rows. Accuracies,
  soft scores, precision (its rows are the answers yes; others have no value), MME's points of a subtask. Rows need not
  be right or wrong: a row with a score between counts as `weight` answers of which that share is right, so that the
  variance of a row is that of scores, not of coins.
- A rate of two outcomes: F1, which is 2 J / (1 + J) of J = TP / (TP + FP + FN). Its rows move it up by one amount, down
  by one amount, or not at all; given how many rows move it, the share of those that move it up is a share like any
  other (Lam, Gopal & Qian, arXiv 2309.14621: the indirect interval).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.base.metric import Floats, Metric

SCORES = 2.0
"""Rows of right or wrong answers that are added when the variance of soft scores is estimated."""
CLOSE = 1e-6
"""How far computed values may be from each other and count as equal, as a share of the metric's range."""
MOST_KINDS = 64
"""Distinct rows beyond which a metric is no rate of two outcomes."""


@dataclass(frozen=True)
class Share:
    """A metric as a share."""

    right: Floats
    """(rows,) right answers, in whole questions or in parts."""
    asked: Floats
    """(rows,) questions; 0 for rows that do not count."""
    value: Callable[[float], float]
    """From the share in 0..1 to the metric's own unit; it rises with the share."""
    telling: bool = False
    """Whether how many questions of a cluster count depends on how they are answered."""

    def by_cluster(self, codes: NDArray[np.intp], count: int) -> tuple[Floats, Floats]:
        """(C,) right answers and questions of the clusters that count."""
        import numpy as np

        right, asked = (
            np.bincount(codes, weights=column, minlength=count).astype(np.float64)
            for column in (self.right, self.asked)
        )
        return right[asked > 0], asked[asked > 0]


def share_of(metric: Metric) -> Share | None:
    """The metric as a share of its rows; None if it is none of these kinds."""
    if metric.of_weights or metric.bounds is None or not len(metric.items):
        return None
    import numpy as np

    with np.errstate(all="ignore"):  # metrics of single rows: their ratios may be 0 / 0
        return _mean(metric, metric.bounds) or _two_outcomes(metric, metric.bounds)


def parts_as_one(metric: Metric) -> Metric | None:
    """A mean of one figure over parts that have the same images and about as many rows, as the figure over all rows.

    POPE's mean F1: its three splits ask about the same images, so that what is known of one split's spread is known of
    the others'. None for any other metric, and where the parts are not alike.
    """
    parts = [part for _, part in metric.parts]
    if len(parts) < 2 or any(part.of_weights or part.items.shape[1:] != parts[0].items.shape[1:] for part in parts):
        return None
    rows, images = [len(part.items) for part in parts], [set(part.clusters) for part in parts]
    if max(rows) > 2 * min(rows) or min(map(len, images)) * 2 < len(set().union(*images)):
        return None
    weights = [weight for weight, _ in metric.parts]
    values = [(float(parts[0].combine(part.items.sum(axis=0))), part.value()) for part in parts]
    if min(weights) != max(weights) or not all(math.isclose(*pair, abs_tol=1e-9) for pair in values):
        return None
    import numpy as np

    return replace(
        parts[0],
        items=np.concatenate([part.items for part in parts]),
        clusters=[name for part in parts for name in part.clusters],
        opposite=None,
    )


def _mean(metric: Metric, bounds: tuple[float, float]) -> Share | None:
    import numpy as np

    bottom, width = bounds[0], bounds[1] - bounds[0]
    rows = (np.asarray(metric.combine(metric.items), dtype=np.float64) - bottom) / width
    if rows.shape != (len(metric.items),):
        return None
    counts = ~np.isnan(rows)
    known = np.where(counts, rows, 0.0)
    if not counts.any() or known.min() < -CLOSE or known.max() > 1 + CLOSE:
        return None
    weights = np.random.default_rng(0).random(len(rows)) + 0.5
    both = (float(metric.combine((weights[:, None] * metric.items).sum(axis=0))) - bottom) / width
    if not math.isclose(both, float(weights @ known / weights[counts].sum()), abs_tol=CLOSE):
        return None
    known = np.clip(known, 0.0, 1.0)
    known[np.minimum(known, 1 - known) < CLOSE] = np.round(known[np.minimum(known, 1 - known) < CLOSE])
    weight = _answers(known[counts])
    return Share(weight * known, weight * counts, lambda share: bottom + width * share)


def _answers(scores: Floats) -> float:
    """How many right or wrong answers have the variance of a row: 1 for rows that are right or wrong."""
    import numpy as np

    if bool(np.isin(scores, (0.0, 1.0)).all()):
        return 1.0
    mean, n = float(scores.mean()), len(scores)
    return (n + SCORES) / (n * float(scores.var()) / (mean * (1 - mean)) + SCORES)


def _two_outcomes(metric: Metric, bounds: tuple[float, float]) -> Share | None:
    import numpy as np

    total = metric.items.sum(axis=0)
    kinds, codes = np.unique(metric.items, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    value, width = float(metric.combine(total)), bounds[1] - bounds[0]
    if len(kinds) > MOST_KINDS or math.isnan(value):
        return None
    step = 1e-3
    moves = (np.asarray(metric.combine(total + step * kinds)) - value) / (step * width)
    scale = float(np.nanmax(np.abs(moves), initial=0.0))
    if np.isnan(moves).any() or scale <= 0:
        return None
    up, down = moves > 1e-6 * scale, moves < -1e-6 * scale
    if not (up.any() and down.any()) or max(np.ptp(moves[up]), np.ptp(moves[down])) > 0.01 * scale:
        return None
    right, wrong = up[codes].astype(np.float64), down[codes].astype(np.float64)
    still = metric.items[(right + wrong) == 0].sum(axis=0)
    gains, losses = (metric.items[side > 0].mean(axis=0) for side in (right, wrong))
    n = float(right.sum() + wrong.sum())

    def moved(share: float) -> float:
        return float(metric.combine(still + n * (share * gains + (1 - share) * losses)))

    # A rate of two outcomes has its limits where all of them are one: anything else only looks like it near its value.
    ends = (moved(1.0) - bounds[1], moved(1e-9) - bounds[0])
    return Share(right, right + wrong, moved, telling=True) if max(map(abs, ends)) < 1e-3 * width else None


def outcomes(metric: Metric) -> Floats | None:
    """(items,) 0 or 1 for each row of a plain share of right items; None for any other metric."""
    import numpy as np

    if metric.of_weights or not len(metric.items):
        return None
    rows = np.asarray(metric.combine(metric.items), dtype=np.float64) / 100
    if rows.shape != (len(metric.items),) or not np.isin(rows, (0.0, 1.0)).all():
        return None
    weights = np.random.default_rng(0).random(len(rows)) + 0.5  # the weighted share must be the weighted metric
    total = float(metric.combine((weights[:, None] * metric.items).sum(axis=0)))
    return rows if math.isclose(total, 100 * float(weights @ rows / weights.sum()), abs_tol=1e-6) else None
