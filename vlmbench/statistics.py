"""Metrics to intervals: how far each number might move had other images been drawn.

Items that share a cluster (an image, usually) are resampled together, since answers about one picture are right or
wrong together. A metric is a function of sums over items (metrics.py), so one bootstrap resample is a vector of
cluster counts, B of them are a matrix, and all resampled values come from one product:

    weights (B x C) @ cluster sums (C x k) -> (B x k) -> combine -> (B,)

A metric of the items' order (AUROC) takes the weights themselves, each item that of its cluster.

Sources:
- Cluster bootstrap, percentile interval: Davison & Hinkley, Bootstrap Methods and their Application (1997), 3.8, 5.3.
- Expanded percentiles, which give C clusters the width a t interval would have: Hesterberg, What Teachers Should Know
  About the Bootstrap, The American Statistician 69 (2015).
- Where a share has no spread between clusters the bootstrap has no width; Wilson's score interval (Wilson, JASA 22,
  1927) stands in, with n replaced by the effective sample size as Korn & Graubard do for survey data (Survey
  Methodology 24, 1998): n over the design effect 1 + (m - 1) * rho (Kish, Survey Sampling, 1965) for clusters of m.
  All right or all wrong, or a single cluster: rho cannot be estimated and is taken at its worst, 1, which leaves the
  number of clusters. Every cluster equally mixed (a model that always says yes, on balanced pictures): rho is below 0,
  so taking it as 0, which leaves n, is already cautious.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.metrics import Floats, Metric

    Counts = NDArray[np.uint16]

BLOCK = 1 << 22
"""Cells of a weight or result matrix held at once: 32 MiB of float64."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value with its interval."""

    value: float
    """nan where the metric is undefined."""
    low: float | None
    """None where no interval can be told."""
    high: float | None
    n: int
    """How many items count."""

    def to_json(self) -> dict[str, float | int | None]:
        """As scores.json holds it: null for nan."""
        value = None if math.isnan(self.value) else self.value
        return {"value": value, "low": self.low, "high": self.high, "n": self.n}


def interval(metric: Metric, *, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> Estimate:
    """The metric and its percentile bootstrap interval, resampled by cluster.

    The same clusters, resamples and seed meet the same weights, so numbers of one run, or of two runs on the same
    images, move together. Resamples where the metric is undefined are left out; where they are the majority, or the
    metric itself is undefined, there is no interval.
    """
    return _interval(metric, _cluster_codes(metric.clusters), resamples, seed, level)


def intervals(
    metrics: Sequence[Metric], *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> list[Estimate]:
    """`interval` of each metric; cluster names shared by several metrics are sorted once."""
    known: dict[int, tuple[NDArray[np.intp], int]] = {}
    for metric in metrics:
        if id(metric.clusters) not in known:
            known[id(metric.clusters)] = _cluster_codes(metric.clusters)
    return [_interval(metric, known[id(metric.clusters)], resamples, seed, level) for metric in metrics]


def resample(metric: Metric, *, resamples: int = 1000, seed: int = 0) -> Floats:
    """(resamples,) values of the metric over resampled clusters; nan where undefined."""
    return resampled(metric, *_cluster_codes(metric.clusters), resamples, seed)


def difference(
    metric: Metric, against: Metric, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Estimate:
    """How much larger one metric is than another over the same pictures, with the interval of the paired difference.

    Both meet the same resampled clusters, so what pictures have in common cancels. No interval where no resample tells
    the two apart. Raises ValueError when the clusters are not the same.
    """
    import numpy as np

    if set(metric.clusters) != set(against.clusters):
        raise ValueError("the two metrics are over different clusters: they cannot be paired")
    value = metric.value() - against.value()
    n = len(metric.items) if metric.n is None else metric.n
    draws = resample(metric, resamples=resamples, seed=seed) - resample(against, resamples=resamples, seed=seed)
    draws = draws[~np.isnan(draws)]
    if math.isnan(value) or 2 * len(draws) < resamples or float(np.ptp(draws)) < 1e-9:
        return Estimate(value, None, None, n)
    tail = _expanded_tail(len(set(metric.clusters)), level)
    low, high = (float(edge) for edge in np.quantile(draws, [tail, 1 - tail]))
    return Estimate(value, low, high, n)


def wilson(share: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share in 0..1 seen over n items (n may be an effective sample size)."""
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def outcomes(metric: Metric) -> Floats | None:
    """(items,) 0 or 1 for each row of a plain share of right items; None for any other metric."""
    import numpy as np

    if metric.of_weights or not len(metric.items):
        return None
    rows = np.asarray(metric.combine(metric.items), dtype=np.float64) / 100
    if rows.shape != (len(metric.items),) or not np.isin(rows, (0.0, 1.0)).all():
        return None
    weights = np.random.default_rng(0).random(len(rows)) + 0.5  # the weighted share must be the weighted metric
    whole = float(metric.combine((weights[:, None] * metric.items).sum(axis=0)))
    return rows if math.isclose(whole, 100 * float(weights @ rows / weights.sum()), abs_tol=1e-6) else None


def area_influence(metric: Metric, codes: NDArray[np.intp], count: int) -> Floats:
    """(C,) how far each cluster moves an AUROC (DeLong's placement values, centred, summed by cluster), 0-100.

    Sums to 0. A cluster that is not there has 0.
    """
    import numpy as np

    truth, scores = metric.items[:, 0] > 0, metric.items[:, 1]
    placed = np.empty(len(scores))
    for kind in (True, False):
        mine, others = scores[truth == kind], np.sort(scores[truth != kind])
        below = (np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")) / 2 / len(others)
        share = below if kind else 1 - below
        placed[truth == kind] = (share - share.mean()) / len(mine)
    moved: Floats = np.bincount(codes, weights=100 * placed, minlength=count).astype(np.float64)
    return moved


def influence_error(influence: Floats) -> float:
    """The standard error of what clusters move so far: the root of C / (C - 1) times the sum of squares."""
    count = len(influence)
    return math.sqrt(count / (count - 1) * float(influence @ influence))


def expanded_quantiles(draws: Floats, count: int, level: float) -> tuple[float, float]:
    """The interval that bootstrap draws over `count` clusters tell."""
    import numpy as np

    tail = _expanded_tail(count, level)
    low, high = (float(edge) for edge in np.quantile(draws, [tail, 1 - tail]))
    return low, high


def _interval(metric: Metric, codes: tuple[NDArray[np.intp], int], resamples: int, seed: int, level: float) -> Estimate:
    import numpy as np

    count = codes[1]
    n = len(metric.items) if metric.n is None else metric.n
    value = metric.value() if count else math.nan
    if math.isnan(value):
        return Estimate(math.nan, None, None, n)
    low = high = value
    if count > 1:
        draws = resampled(metric, *codes, resamples, seed)
        draws = draws[~np.isnan(draws)]
        if 2 * len(draws) < resamples:
            return Estimate(value, None, None, n)
        tail = _expanded_tail(count, level)
        low, high = (float(edge) for edge in np.quantile(draws, [tail, 1 - tail]))
    if high - low > 1e-9 * max(1.0, abs(value)):
        return Estimate(value, low, high, n)
    if metric.proportion:
        mixed = count > 1 and 0 < value < 100
        low, high = (100 * edge for edge in wilson(value / 100, n if mixed else count, level=level))
        return Estimate(value, low, high, n)
    if metric.opposite is not None:
        right = wilson(1.0, count, level=level)[0]
        other = float(metric.combine(right * metric.items.sum(axis=0) + (1 - right) * metric.opposite))
        if other != value:
            return Estimate(value, min(value, other), max(value, other), n)
    return Estimate(value, None, None, n)


def _expanded_tail(count: int, level: float) -> float:
    """The share cut off at each end: (1 - level) / 2, less for few clusters (Hesterberg 2015).

    The bootstrap's variance is (C - 1) / C of the unbiased one and its tails are normal; both are mended at once by
    reading the quantile where the normal curve reaches sqrt(C / (C - 1)) * t.
    """
    from scipy.special import ndtr, stdtrit

    t = stdtrit(count - 1, (1 - level) / 2)
    return float(ndtr(math.sqrt(count / (count - 1)) * t))


def _cluster_codes(clusters: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """Each item's cluster as a number in the order of names (not of rows), and how many clusters there are."""
    place = {name: index for index, name in enumerate(sorted(set(clusters)))}
    return codes_in(clusters, place), len(place)


def codes_in(clusters: Sequence[str], place: Mapping[str, int]) -> NDArray[np.intp]:
    """Each item's cluster as its number in `place`."""
    import numpy as np

    return np.fromiter((place[name] for name in clusters), dtype=np.intp, count=len(clusters))


def cluster_sums(items: Floats, codes: NDArray[np.intp], count: int) -> Floats:
    """(C, k): what each cluster adds to the k sums."""
    import numpy as np

    sums = np.zeros((count, items.shape[1]))
    if items.shape[1] <= 16:  # bincount is much faster than add.at, but works column by column
        for column in range(items.shape[1]):
            sums[:, column] = np.bincount(codes, weights=items[:, column], minlength=count)
    else:
        np.add.at(sums, codes, items)
    return sums


def resampled(metric: Metric, codes: NDArray[np.intp], count: int, resamples: int, seed: int) -> Floats:
    """(resamples,) values of the metric over resampled clusters 0..count, of which `codes` are the items' own."""
    import numpy as np

    sums = None if metric.of_weights else cluster_sums(metric.items, codes, count)
    rows = max(1, BLOCK // (max(count, len(metric.items)) if sums is None else max(sums.shape)))
    values: list[Floats] = []
    for block in _weights(count, resamples, seed):
        for start in range(0, len(block), rows):
            drawn = block[start : start + rows].astype(np.float64)
            taken = drawn[:, codes] if sums is None else drawn @ sums
            values.append(np.asarray(metric.combine(taken), dtype=np.float64))
    return np.concatenate(values)


def _weights(count: int, resamples: int, seed: int) -> Iterator[Counts]:
    """Blocks of rows of the weight matrix: how often each resample drew each cluster.

    A row is one multinomial draw of C out of C. Small matrices are kept, as other metrics have the same clusters.
    """
    if count * resamples <= BLOCK:
        yield _kept_weights(count, resamples, seed)
    else:
        yield from _draw_weights(count, resamples, seed)


@lru_cache(maxsize=64)
def _kept_weights(count: int, resamples: int, seed: int) -> Counts:
    import numpy as np

    weights = np.concatenate(list(_draw_weights(count, resamples, seed)))
    weights.setflags(write=False)
    return weights


def _draw_weights(count: int, resamples: int, seed: int) -> Iterator[Counts]:
    import numpy as np

    generator = np.random.default_rng([seed, count])
    rows = max(1, (BLOCK // 4) // count)
    for start in range(0, resamples, rows):
        height = min(rows, resamples - start)
        drawn = generator.integers(0, count, size=(height, count), dtype=np.int64)
        drawn += np.arange(height, dtype=np.int64)[:, None] * count  # each row counts in bins of its own
        yield np.bincount(drawn.ravel(), minlength=height * count).reshape(height, count).astype(np.uint16)
