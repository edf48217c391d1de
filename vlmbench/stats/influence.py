"""How far each cluster moves a metric: closed forms of standard errors, without a random number.

Sources:
- The jackknife by cluster (leave one out): Tukey 1958; Efron & Stein, Annals of Statistics 9 (1981). For a ratio of
  sums it is the linearised variance of survey sampling.
- AUROC: placement values of DeLong, DeLong & Clarke-Pearson (Biometrics 44, 1988), summed by cluster as in Obuchowski
  (Biometrics 53, 1997).
- Degrees of freedom of a variance estimated from C heavy-tailed values: Satterthwaite (Biometrics Bulletin 2, 1946)
  with the variance of a variance, s^4 (kurtosis - (C - 3) / (C - 1)) / C. Normal values have C - 1, never more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vlmbench.stats.clustered.resampling import cluster_sums, codes_in

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.stats.metrics import Floats, Metric

BLOCK = 1 << 22
"""Cells of a weight matrix held at once."""
GROUPS = 500
"""Most clusters that are left out one by one where each costs a sum over all items; more are left out in groups."""


def influence(metric: Metric, codes: NDArray[np.intp], count: int, sums: Floats | None = None) -> Floats | None:
    """(C,) how far each cluster moves the metric; they add up to 0. None where leaving one out leaves it undefined.

    Of a metric of the items' order, other than AUROC, with many clusters: how far each of GROUPS random groups does.
    `codes` are the items' clusters in 0..count. `sums` are the clusters' sums if known.
    """
    import numpy as np

    if metric.area:
        return area(metric, codes, count)
    if metric.of_weights:
        if count > GROUPS:
            codes, count = np.random.default_rng(count).permutation(count)[codes] % GROUPS, GROUPS
        rows = max(1, BLOCK // max(1, len(codes)))
        leave_one_out = [
            metric.combine((codes != np.arange(start, min(start + rows, count))[:, None]).astype(np.float64))
            for start in range(0, count, rows)
        ]
        without = np.concatenate(leave_one_out)
    else:
        assert sums is not None
        without = np.asarray(metric.combine(sums.sum(axis=0) - sums), dtype=np.float64)
    if np.isnan(without).any():
        return None
    influences: Floats = (count - 1) / count * (without.mean() - without)
    return influences


def places_of(*metrics: Metric) -> dict[str, int]:
    """The clusters of some metrics together, in order of their names, each with its number."""
    return {name: at for at, name in enumerate(sorted({name for one in metrics for name in one.clusters}))}


def moved(metric: Metric, places: Mapping[str, int]) -> Floats | None:
    """(C,) how far each cluster of `places` moves the metric, as `influence` says it; None with fewer than two."""
    if len(places) < 2:
        return None
    codes = codes_in(metric.clusters, places)
    sums = None if metric.of_weights else cluster_sums(metric.items, codes, len(places))
    return influence(metric, codes, len(places), sums)


def moved_difference(before: Metric, after: Metric, places: Mapping[str, int]) -> Floats | None:
    """(C,) how far each cluster moves the difference of two metrics over the same items; None where it is undefined."""
    first, second = moved(before, places), moved(after, places)
    return None if first is None or second is None or len(first) != len(second) else second - first


def area(metric: Metric, codes: NDArray[np.intp], count: int) -> Floats | None:
    """`influence` of an AUROC, from its definition. None without items of both kinds."""
    import numpy as np

    truth, scores = metric.items[:, 0] > 0, metric.items[:, 1]
    if truth.all() or not truth.any():
        return None
    placed = np.empty(len(scores))
    for kind in (True, False):
        mine, others = scores[truth == kind], np.sort(scores[truth != kind])
        below = (np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")) / 2 / len(others)
        share = below if kind else 1 - below
        placed[truth == kind] = (share - share.mean()) / len(mine)
    influences: Floats = np.bincount(codes, weights=100 * placed, minlength=count).astype(np.float64)
    return influences


def error(influences: Floats) -> float:
    """The metric's standard error: the root of C / (C - 1) times the sum of squares."""
    count = len(influences)
    return math.sqrt(count / (count - 1) * float(influences @ influences))


def freedom(influences: Floats) -> float:
    """Degrees of freedom of that error: C - 1, fewer where few clusters move the metric far."""
    import numpy as np

    count, square = len(influences), influences * influences
    mean = float(square.mean())
    if mean <= 0:
        return count - 1.0
    kurtosis = float(np.mean(square * square)) / mean**2
    return min(count - 1.0, max(1.0, 2 * count / (kurtosis - 1 + 2 / (count - 1))))
