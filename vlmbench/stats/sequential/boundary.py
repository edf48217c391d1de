"""At which level a result that is looked at again and again has to be read, so that all looks together keep alpha.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (Annals of Statistics 52, 2024;
arXiv 2103.06476, theorem 2.2 and its one-sided form in appendix B). With t clusters, standard error s_t of their
estimate, and tau = t * rho^2, all t at once:

    two-sided   |estimate - truth| < s_t * sqrt((1 + 1/tau) * 2 log(sqrt(1 + tau) / alpha))
    one-sided     estimate - truth < s_t * sqrt((1 + 1/tau) * 2 log(1 + sqrt(1 + tau) / (2 alpha)))

So at t clusters the boundary is a normal quantile, and what is known for one look (Student's t, skewness, Wilson's
interval) is used at the level that belongs to it. rho^2 makes the boundary narrowest at one chosen t: a quarter of the
clusters that there are. Of a sum over groups that are asked in turn, the time is that of its information: the clusters
in all, times the sum of 1 / (clusters of a group) over its value so far. An estimate of independent groups moves as a
random walk in the inverse of its variance, however many of each come first. The target is the mean over all images of
this kind, as everywhere (docs/evaluate/gate.md), so that nothing is gained by the benchmark being finite (sampling
without replacement, arXiv 2006.04347).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PART = 4
"""The boundary is narrowest at this part of the clusters: one in four."""
TUNED = 0.05
"""The level for which it is tuned."""
FEWEST = 30
"""Clusters below which nothing is decided: the standard error is not known well enough."""
FEWEST_OF_GROUP = 10
"""And clusters of each group of a sum over groups, or all that there are."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """The boundary of a task with so many clusters in all."""

    total: int
    groups: Sequence[int] = ()
    """The clusters of each group, of a metric that is a sum over groups."""

    def time(self, clusters: int, groups: Sequence[int]) -> float:
        """The time of so many clusters, with so many of each group; 0 where too few of one are known."""
        if not self.groups:
            return clusters
        pairs = list(zip(groups, self.groups, strict=False))
        if len(groups) != len(self.groups) or any(one < min(FEWEST_OF_GROUP, whole) for one, whole in pairs):
            return 0.0
        return self.total * sum(1 / whole for _, whole in pairs) / sum(1 / one for one, _ in pairs)

    def tau(self, clusters: float) -> float:
        """How far the sequence is, in its own time."""
        start = 2 * math.log(1 / (2 * TUNED))
        return clusters * PART * (start + math.log1p(start)) / max(self.total, FEWEST)

    def quantile(self, alpha: float, clusters: float) -> float:
        """The standard errors beyond which a one-sided limit lies."""
        tau = self.tau(clusters)
        return math.sqrt((1 + 1 / tau) * 2 * math.log1p(math.sqrt(1 + tau) / (2 * alpha)))

    def p_value(self, p: float, clusters: float) -> float:
        """What a one-sided p-value of this look alone is worth among all looks: the smallest alpha that it passes."""
        from scipy.special import ndtri

        z, tau = -float(ndtri(p)) if p > 0 else math.inf, self.tau(clusters)
        if z <= 0:
            return 1.0
        exponent = z * z * tau / (2 * (1 + tau))
        return min(1.0, math.sqrt(1 + tau) / 2 / math.expm1(exponent)) if exponent < 700 else 0.0

    def level(self, level: float, clusters: int) -> float:
        """The confidence level at which an ordinary interval has to be made to have `level` at all times at once."""
        from scipy.special import ndtr

        tau = self.tau(max(1, clusters))
        z = math.sqrt((1 + 1 / tau) * 2 * math.log(math.sqrt(1 + tau) / (1 - level)))
        return 1 - 2 * float(ndtr(-z))
