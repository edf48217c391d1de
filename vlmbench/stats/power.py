"""Before a run: which difference between two models can a benchmark show, and how many questions are needed?

Both models answer the same questions, so what counts is where they part. With n questions in C clusters (images),

    error^2 = discordance * design effect / n,     design effect = 1 + (s - 1) * correlation,     s = sum m_c^2 / n

(Kish, Survey Sampling, 1965; s is the mean cluster size that a question sees), where discordance is the mean square of
a question's difference: for right and wrong the share of questions that one model alone gets right (Connor, Biometrics
43, 1987, for McNemar's test). The smallest difference found with a given power is (t_alpha + t_power) * error with C -
1 degrees of freedom; with one question per cluster it is McNemar's exact test, whose power is summed out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats, Metric
    from vlmbench.stats.paired import Paired

ACCURACY, CORRELATION = 0.7, 0.1
"""What is assumed without a run: share of right answers, and correlation of the differences within an image."""
MOST = 1e9
"""Clusters beyond which no number is given."""


@dataclass(frozen=True, slots=True)
class Design:
    """A paired comparison to be made."""

    items: int
    clusters: int
    error: float
    """Standard error of the difference, in the metric's unit (points for a rate), when both are equally good."""
    discordance: float | None = None
    """Share of questions that one model alone gets right, where that is all there is to it: shares of right answers."""

    @property
    def single(self) -> bool:
        """Whether McNemar's exact test is what it comes to."""
        return self.discordance is not None and self.items == self.clusters

    def of(self, clusters: float) -> Design:
        """The same with more or fewer clusters of the same kind."""
        share = clusters / self.clusters
        count = max(1, round(clusters))
        items = count if self.items == self.clusters else max(count, round(self.items * share))
        return replace(self, items=items, clusters=count, error=self.error / math.sqrt(share))


def planned(clusters: Sequence[str], *, discordance: float, correlation: float) -> Design:
    """The comparison of two models over questions with these clusters; rates from 0 to 1."""
    effect = design_effect(clusters, correlation)
    error = 100 * math.sqrt(discordance * effect / len(clusters))
    return Design(len(clusters), len(set(clusters)), error, discordance)


def design_effect(clusters: Sequence[str], correlation: float) -> float:
    """By how much clusters swell the variance of a mean."""
    mean_size = sum(count * count for count in Counter(clusters).values()) / len(clusters)
    return max(1 / len(clusters), 1 + (mean_size - 1) * correlation)


def independent(accuracy: float) -> float:
    """Discordance of two models of this accuracy whose errors have nothing in common: the most to be feared."""
    return 2 * accuracy * (1 - accuracy)


def correlation(values: Floats, clusters: Sequence[str]) -> float:
    """Correlation of values within clusters by analysis of variance, at least 0 (Donner, Int. Stat. Review 54, 1986).

    0 where every cluster has one value, or there is one cluster.
    """
    import numpy as np

    names = {name: index for index, name in enumerate(dict.fromkeys(clusters))}
    codes = np.fromiter((names[name] for name in clusters), dtype=np.intp, count=len(clusters))
    sizes = np.bincount(codes).astype(np.float64)
    count, total = len(sizes), float(sizes.sum())
    if count < 2 or count == len(clusters):
        return 0.0
    means = np.bincount(codes, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (count - 1)
    within = float(((values - means[codes]) ** 2).sum()) / (total - count)
    size = (total - float((sizes**2).sum()) / total) / (count - 1)
    variance = between + (size - 1) * within
    return min(1.0, max(0.0, (between - within) / variance)) if variance > 0 else 0.0


def chance(design: Design, effect: float, *, alpha: float = 0.05) -> float:
    """The power: how often a two-sided test at `alpha` finds a true difference of `effect`."""
    if design.single and design.discordance is not None:
        return _mcnemar_power(design.clusters, design.discordance, abs(effect) / 100, alpha)
    if design.clusters < 2:
        return 0.0
    from scipy.special import stdtr, stdtrit

    freedom, error = design.clusters - 1, _error_at(design, effect)
    border = float(stdtrit(freedom, 1 - alpha / 2)) * design.error
    return float(stdtr(freedom, (abs(effect) - border) / error) + stdtr(freedom, (-abs(effect) - border) / error))


def detectable(design: Design, *, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest difference found with this power. None where not even the largest is."""
    limit = 100 * design.discordance if design.discordance is not None else MOST * design.error
    if design.error <= 0 or design.clusters < 2 or chance(design, limit, alpha=alpha) < power:
        return None
    return _bisect(lambda effect: chance(design, effect, alpha=alpha) >= power, 0.0, limit, 1e-4 * design.error)


def needed(design: Design, effect: float, *, power: float = 0.8, alpha: float = 0.05) -> Design | None:
    """The fewest clusters of the same kind with which `effect` is found. None where no number does."""
    if design.error <= 0 or not effect or (design.discordance is not None and abs(effect) > 100 * design.discordance):
        return None

    def enough(count: float) -> bool:
        return chance(design.of(math.ceil(count)), effect, alpha=alpha) >= power

    most = 2.0
    while not enough(most):
        most *= 2
        if most > MOST:
            return None
    return design.of(math.ceil(_bisect(enough, 1.0, most, 0.5)))


def from_comparison(comparison: Paired) -> Design | None:
    """The design of a comparison that was made; None where it has no standard error."""
    if comparison.error is None or comparison.error <= 0:
        return None
    return Design(comparison.n, comparison.clusters, comparison.error)


def between(before: Metric, after: Metric) -> Design | None:
    """The design of comparing two metrics, whatever they are: F1, sums, means of grades; None where they are alike.

    The standard error is that of how far each cluster moves the difference (influence.py), or of the resampled
    difference where leaving a cluster out leaves the metric undefined.
    """
    from vlmbench.stats import influence
    from vlmbench.stats.paired import paired

    places = influence.places_of(before, after)
    if len(places) < 2:
        return None
    moved = influence.moved_difference(before, after, places)
    if moved is None:
        return from_comparison(paired(before, after, resamples=500))
    error = influence.error(moved)
    n = len(after.items) if after.n is None else after.n
    return Design(n, len(places), error) if error > 1e-9 else None


def pooled(designs: Sequence[Design]) -> Design:
    """Several comparisons of one kind as one: the mean variance per cluster, at the size of the last one."""
    last = designs[-1]
    variance = math.fsum(design.error**2 * design.clusters for design in designs) / len(designs)
    return replace(last, error=math.sqrt(variance / last.clusters))


def _error_at(design: Design, effect: float) -> float:
    """The standard error when there is such a difference: smaller by its own square."""
    if design.discordance is None:
        return design.error
    share = (effect / 100) ** 2 / design.discordance
    return design.error * math.sqrt(max(1e-12, 1 - share))


def _mcnemar_power(count: int, discordance: float, effect: float, alpha: float) -> float:
    """Sum over the number of discordant pairs of the exact test's power given that number."""
    import numpy as np
    from scipy.stats import binom

    if effect > discordance:
        return 1.0
    middle, spread = count * discordance, math.sqrt(count * discordance * (1 - discordance))
    pairs = np.arange(max(0, int(middle - 6 * spread) - 1), min(count, int(middle + 6 * spread) + 1) + 1)
    share = (discordance + effect) / (2 * discordance)
    # The largest tail of the fair coin that is at most alpha / 2; -1 where there is none.
    edge = binom.ppf(alpha / 2, pairs, 0.5)
    edge = np.where(binom.cdf(edge, pairs, 0.5) > alpha / 2, edge - 1, edge)
    rejected = binom.cdf(edge, pairs, share) + binom.sf(pairs - edge - 1, pairs, share)
    return float((binom.pmf(pairs, count, discordance) * np.where(edge < 0, 0.0, rejected)).sum())


def _bisect(holds: Callable[[float], bool], low: float, high: float, width: float) -> float:
    """The least number from which on something holds."""
    while high - low > width:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
