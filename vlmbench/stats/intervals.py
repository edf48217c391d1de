"""Metrics to intervals: how far each number might move had other images been drawn.

Items that share a cluster (an image, usually) count as one draw, since answers about one image are right or wrong
together. docs/evaluate/statistics.md has the formulas, what was assumed, and the simulations that chose them. In short:

- Shares, means of scores with limits, and rates of two outcomes (precision, F1): beta-binomial by cluster, with the
  correlation integrated out (clustered/shares.py); which metrics these are, clustered/kinds.py finds out.
- Sums of metrics over categories (MME's, macro averages): the errors of their parts, small ones of which borrow
  variance from the others (clustered/strata.py), in the interval of the next line.
- Means of one figure over parts with the same images (POPE's mean F1): that of the figure over all rows, moved.
- AUROC: variances by kind, at the area that is tried (clustered/areas.py).
- Whatever else has limits (average precision, ratios of counts): Wilson's interval on the way between the limits, with
  the effective sample size from the clusters' variance (Korn & Graubard, Survey Methodology 24, 1998), and Student's t
  with degrees of freedom that account for how uneven the clusters are (influence.py).
- What has none (a ratio of two grades, GQA's distribution): the bootstrap by cluster, bias-corrected and accelerated
  (Efron, JASA 82, 1987), with percentiles expanded to the width of a t interval (Hesterberg, The American Statistician
  69, 2015; clustered/resampling.py).
- Where no spread is seen in the others, Wilson's interval over the number of clusters (the correlation is unknown, and
  is taken at its worst, 1).
- One cluster with several questions, or an undefined value: too few to tell, and no interval.
- Several runs of a judge: the spread between their values adds its own variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.stats.clustered.between_runs import added, between_runs, run_margin, student, with_runs
from vlmbench.stats.clustered.kinds import outcomes
from vlmbench.stats.clustered.resampling import BLOCK, cluster_codes, cluster_sums, codes_in, resampled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.stats.clustered.kinds import Share
    from vlmbench.stats.clustered.strata import Pooled
    from vlmbench.stats.metrics import Floats, Metric

__all__ = [
    "BLOCK",
    "LEVEL",
    "Estimate",
    "added",
    "between_runs",
    "cluster_codes",
    "cluster_sums",
    "codes_in",
    "difference",
    "expanded_quantiles",
    "interval",
    "intervals",
    "outcomes",
    "resample",
    "resampled",
    "student",
    "wilson",
]

LEVEL = 0.95
"""The confidence level of intervals, unless a caller gives another; runs that do not say theirs have this one."""
TOO_FEW, ONE_IMAGE, ALIKE = "too few to tell: ", "one image", "images that are all alike"
"""Why there is no interval."""
BIASED = 1.0
"""Normal quantile of the share of draws below the value, beyond which they are no image of it (chi-squares)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value with its interval."""

    value: float
    """nan where the metric is undefined."""
    low: float | None
    """None where there is no interval."""
    high: float | None
    n: int
    """How many items count."""
    reason: str = ""
    """Why a value has no interval: `too few to tell: ...`."""

    def to_json(self) -> dict[str, float | int | str | None]:
        """As scores.json holds it: null for what is no finite number, `reason` only where there is one."""
        value = self.value if math.isfinite(self.value) else None
        known: dict[str, float | int | str | None] = {"value": value, "low": self.low, "high": self.high, "n": self.n}
        return known | ({"reason": self.reason} if self.reason else {})


def interval(metric: Metric, *, resamples: int = 1000, seed: int = 0, level: float = LEVEL) -> Estimate:
    """The metric and its interval, by cluster.

    Resamples where the metric is undefined are left out; where they are the majority, or the metric itself is
    undefined, there is no interval.
    """
    return _interval(metric, cluster_codes(metric.clusters), resamples, seed, level)


def intervals(
    metrics: Sequence[Metric], *, resamples: int = 1000, seed: int = 0, level: float = LEVEL
) -> list[Estimate]:
    """`interval` of each metric; cluster names shared by several metrics are sorted once."""
    known: dict[int, tuple[NDArray[np.intp], int]] = {}
    for metric in metrics:
        if id(metric.clusters) not in known:
            known[id(metric.clusters)] = cluster_codes(metric.clusters)
    return [_interval(metric, known[id(metric.clusters)], resamples, seed, level) for metric in metrics]


def resample(metric: Metric, *, resamples: int = 1000, seed: int = 0) -> Floats:
    """(resamples,) values of the metric over resampled clusters; nan where undefined.

    The same clusters, resamples and seed meet the same weights, so numbers of one run, or of two runs on the same
    images, move together.
    """
    return resampled(metric, *cluster_codes(metric.clusters), resamples, seed)


def difference(
    metric: Metric, against: Metric, *, resamples: int = 1000, seed: int = 0, level: float = LEVEL
) -> Estimate:
    """How much larger one metric is than another over the same images, with the interval of the paired difference.

    Both meet the same resampled clusters, so what images have in common cancels. No interval where all
    resamples agree. Raises ValueError when the clusters are not the same.
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
    low, high = expanded_quantiles(draws, len(set(metric.clusters)), level)
    return Estimate(value, low, high, n)


def wilson(share: float, n: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a share in 0..1 seen over n items (n may be an effective sample size)."""
    from scipy.special import ndtri

    return _score_interval(share, n, float(ndtri(0.5 + level / 2)))


def _score_interval(share: float, n: float, z: float) -> tuple[float, float]:
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def expanded_quantiles(draws: Floats, count: int, level: float) -> tuple[float, float]:
    """The interval from bootstrap draws over `count` clusters."""
    import numpy as np

    tail = _expanded_tail(count, level)
    low, high = (float(edge) for edge in np.quantile(draws, [tail, 1 - tail]))
    return low, high


def _interval(metric: Metric, codes: tuple[NDArray[np.intp], int], resamples: int, seed: int, level: float) -> Estimate:
    from vlmbench.stats.clustered import kinds

    count = codes[1]
    n = len(metric.items) if metric.n is None else metric.n
    value = metric.value() if count else math.nan
    if math.isnan(value):
        return Estimate(math.nan, None, None, n)
    share = kinds.share_of(metric)
    if share is not None:
        return _of_share(metric, share, value, n, share.by_cluster(*codes), level)
    if (whole := kinds.parts_as_one(metric)) is not None and (share := kinds.share_of(whole)) is not None:
        return _of_share(metric, share, value, n, share.by_cluster(*cluster_codes(whole.clusters)), level)
    edges: tuple[float, float] | None = (value, value)
    if metric.area and count > 1:
        edges = _of_area(metric, value, codes, level)
    elif count > 1:
        error = _of_parts(metric) if metric.parts else None
        edges = _spread(metric, value, codes, resamples, seed, level, error)
    if edges is not None and edges[1] - edges[0] <= 1e-9 * max(1.0, abs(value)):
        edges = _without_spread(metric, value, codes, level) if count > 1 else None
    if edges is None:
        return Estimate(value, None, None, n, TOO_FEW + (ONE_IMAGE if count == 1 else ALIKE))
    return Estimate(value, *edges, n)


def _of_share(
    metric: Metric, share: Share, value: float, n: int, counts: tuple[Floats, Floats], level: float
) -> Estimate:
    """The interval of a metric that is a share, or moves with one."""
    from vlmbench.stats.clustered import shares

    right, asked = counts
    if len(asked) == 1 and asked[0] > 1:
        return Estimate(value, None, None, n, TOO_FEW + ONE_IMAGE)
    question = float(share.asked.max())
    ends = shares.clustered(right[None, :], asked, level, telling=share.telling, question=question)
    moved = value - share.value(float(right.sum() / asked.sum()))
    low, high = (share.value(float(end[0])) + moved for end in ends)
    if metric.bounds is not None:
        low, high = max(low, metric.bounds[0]), min(high, metric.bounds[1])
    return Estimate(value, *with_runs(metric, value, (min(low, value), max(high, value)), level), n)


def _of_area(metric: Metric, value: float, codes: tuple[NDArray[np.intp], int], level: float) -> tuple[float, float]:
    """The interval of an AUROC."""
    from vlmbench.stats.clustered.areas import area

    low, high = area(metric.items[:, 0] > 0, metric.items[:, 1], codes[0], level)
    return min(100 * low, value), max(100 * high, value)


def _of_parts(metric: Metric) -> Pooled | None:
    """The error of a sum of metrics, in shares of its range; None where a part has none."""
    import numpy as np

    from vlmbench.stats import influence
    from vlmbench.stats.clustered import strata

    place = {name: index for index, name in enumerate(sorted(set(metric.clusters)))}
    parts = []
    for weight, part in metric.parts:
        codes, count = cluster_codes(part.clusters)
        moved: Floats | None = np.zeros(1)
        if count > 1:
            moved = influence.influence(
                part, codes, count, None if part.of_weights else cluster_sums(part.items, codes, count)
            )
        if part.bounds is None or metric.bounds is None or moved is None or weight < 0:
            return None
        width = part.bounds[1] - part.bounds[0]
        places = np.array([place[name] for name in sorted(set(part.clusters))], dtype=np.intp)
        parts.append(strata.Part(weight * width / (metric.bounds[1] - metric.bounds[0]), moved / width, places))
    return strata.pooled(parts, len(place)) if max(len(part.moved) for part in parts) > 1 else None


def _spread(
    metric: Metric,
    value: float,
    codes: tuple[NDArray[np.intp], int],
    resamples: int,
    seed: int,
    level: float,
    pooled: Pooled | None,
) -> tuple[float, float] | None:
    """The interval of a metric over several clusters. Without width where they are alike; None if it is undefined."""
    from vlmbench.stats import influence

    count = codes[1]
    if metric.bounds is not None and pooled is not None:
        own = (pooled.error * (metric.bounds[1] - metric.bounds[0]), pooled.freedom)
    else:
        sums = None if metric.of_weights else cluster_sums(metric.items, *codes)
        influences = influence.influence(metric, *codes, sums)
        if metric.bounds is None or influences is None:
            return _bootstrapped(metric, value, codes, influences, resamples, seed, level)
        # One row per cluster: no correlation is estimated, and how the variance changes with the value is known.
        plain = len(metric.items) == count and not metric.of_weights
        own = (influence.error(influences), count - 1.0 if plain else influence.freedom(influences))
    bottom, top = metric.bounds
    if not (bottom < value < top) or own[0] <= 1e-9 * (top - bottom):
        return value, value
    t = student(own[1], level)
    share, margin = (value - bottom) / (top - bottom), math.hypot(t * own[0], run_margin(metric, level))
    low, high = _score_interval(share, share * (1 - share) * (t * (top - bottom) / margin) ** 2, t)
    return bottom + (top - bottom) * low, bottom + (top - bottom) * high


def _bootstrapped(
    metric: Metric,
    value: float,
    codes: tuple[NDArray[np.intp], int],
    influences: Floats | None,
    resamples: int,
    seed: int,
    level: float,
) -> tuple[float, float] | None:
    """Bias-corrected and accelerated percentiles, expanded; error and Student's t where the draws miss the value."""
    import numpy as np
    from scipy.special import ndtr, ndtri

    draws = resampled(metric, *codes, resamples, seed)
    draws = draws[~np.isnan(draws)]
    if 2 * len(draws) < resamples:
        return None
    error = float(draws.std(ddof=1)) * math.sqrt(codes[1] / (codes[1] - 1))
    if error <= 1e-9 * max(1.0, abs(value)):
        return value, value
    tail = _expanded_tail(codes[1], level)
    low, high = (float(edge) for edge in np.quantile(draws, [tail, 1 - tail]))
    if influences is not None:
        bias = float(ndtri(np.clip((draws < value).mean() / 2 + (draws <= value).mean() / 2, 1e-4, 1 - 1e-4)))
        lean = float((influences**3).sum() / (6 * (influences @ influences) ** 1.5)) if influences.any() else 0.0
        edges = [bias + edge for edge in (ndtri(tail), -ndtri(tail))]
        low, high = (float(np.quantile(draws, ndtr(bias + edge / (1 - lean * edge)))) for edge in edges)
        if abs(bias) > BIASED:
            half = student(codes[1] - 1, level) * error
            low, high = value - half, value + half
    wider = math.hypot(1.0, run_margin(metric, level) / (error * student(codes[1] - 1, level)))
    return value - wider * (value - low), value + wider * (high - value)


def _without_spread(
    metric: Metric, value: float, codes: tuple[NDArray[np.intp], int], level: float
) -> tuple[float, float] | None:
    """The interval of a metric that is no share, where clusters are all alike."""
    import numpy as np

    if metric.opposite is not None:
        from vlmbench.stats.clustered import shares

        asked = np.bincount(codes[0], minlength=codes[1]).astype(np.float64)
        right = float(shares.clustered(asked[None, :], asked, level)[0][0])
        cautious = float(metric.combine(right * metric.items.sum(axis=0) + (1 - right) * metric.opposite))
        return (min(value, cautious), max(value, cautious)) if cautious != value else None
    if metric.bounds is None or (metric.of_weights and not metric.area):
        return None
    bottom, top = metric.bounds
    share = min(1.0, max(0.0, (value - bottom) / (top - bottom)))
    pooled = _of_parts(metric) if metric.parts else None
    low, high = wilson(share, pooled.clusters if pooled else max(1, _heard(metric)), level=level)
    return bottom + (top - bottom) * low, bottom + (top - bottom) * high


def _heard(metric: Metric) -> int:
    """How many clusters contribute to the metric: the rarer kind's for an AUROC, those with a sum for others."""
    import numpy as np

    marked: list[NDArray[np.bool_]] = [np.any(metric.items != 0, axis=1)]
    if metric.area:
        marked = [metric.items[:, 0] > 0, metric.items[:, 0] <= 0]
    return min(len({name for name, counts in zip(metric.clusters, kind, strict=True) if counts}) for kind in marked)


def _expanded_tail(count: int, level: float) -> float:
    """The share cut off at each end: (1 - level) / 2, less for few clusters (Hesterberg 2015).

    The bootstrap's variance is (C - 1) / C of the unbiased one and its tails are normal; both are corrected at once by
    reading the quantile where the normal curve reaches sqrt(C / (C - 1)) * t.
    """
    from scipy.special import ndtr, stdtrit

    t = stdtrit(count - 1, (1 - level) / 2)
    return float(ndtr(math.sqrt(count / (count - 1)) * t))
