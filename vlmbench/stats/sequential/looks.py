"""One look at a paired difference: is it certain by now that the metric fell by more than allowed, or that it did not?

With A the allowed drop and all statements holding at every look at once:

    fell    the p-value of "it fell by no more than A" is small enough; Holm over the tests of a gate
    held    the lower 1 - alpha limit of the difference is above -A
    open    neither, or fewer than FEWEST clusters

Two ways, chosen by what is measured:

    one question per image, a mean     betting.py: exact
    any other function of sums         boundary.py: the gate's own test (stats/noninferiority.py, with one lost and one
                                       gained answer added, the variance that a drop would bring, and skewness) at the
                                       level of this look; `held` needs so many images that losing whole ones would
                                       have been seen: the rule of three, for the drop that must not slip through;
                                       `fell` by fewer than MANY images needs betting on the images too

A metric that should be near a target (POPE's yes_ratio) is looked at in both directions: `near_target`.

A sum over groups (MME) waits for images of all of them.

Not for metrics of the items' order, or without limits: `unable` says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vlmbench.stats import influence, intervals
from vlmbench.stats.intervals import Estimate
from vlmbench.stats.metrics import LESS, MORE, upward
from vlmbench.stats.noninferiority import Decision, Margins, Outcome, skewed_p, spread_of
from vlmbench.stats.paired import Paired
from vlmbench.stats.sequential import betting
from vlmbench.stats.sequential.boundary import FEWEST, Boundary

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats, Metric

METHODS = EXACT, NORMAL = "betting", "confidence sequence"
FELL_SHARE = 1 / 5
"""The part of alpha that looks may spend on `fell`; what is left is for the test at the end, if no look decides."""
MANY = 100
"""Clusters below which a fall has to be certain by betting too."""
SMALLEST = 1e-9
"""Stands for an allowed drop of nothing where a test divides by it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of one test after so many clusters."""

    clusters: int
    n: int
    value: float
    """The difference, turned so that a fall is for the worse; nan where it is undefined."""
    p: float
    """Of "it fell by no more than allowed", at all looks at once; before Holm's correction."""
    lower: float | None
    """One-sided limits of the difference, at all looks at once; None where nothing can be said yet."""
    upper: float | None
    method: str = NORMAL

    def held(self, margins: Margins, span: float) -> bool:
        """Whether a drop beyond the allowed one is excluded."""
        if self.lower is None or self.lower <= -margins.allowed or self.clusters < FEWEST:
            return False
        return self.method == EXACT or self.clusters >= enough(margins, span)

    def times(self, margins: Margins, span: float) -> float:
        """After about how many times the clusters it will be certain, by what was seen so far: limits close in with
        the root of their number, and with the number itself where bets are made. At least 1, which may also stand for
        "nobody knows"; infinite at just the allowed drop."""
        room = self.value + margins.allowed
        edge = self.lower if room >= 0 else self.upper
        if edge is None or self.lower is None:
            return 1.0
        if room == 0:
            return math.inf
        needed = abs(self.value - edge) / abs(room)
        if self.method == EXACT:
            return max(1.0, needed, FEWEST / self.clusters)
        least = enough(margins, span) if room > 0 else FEWEST
        return max(1.0, needed**2, least / self.clusters)

    def fell(self, corrected: float, margins: Margins) -> bool:
        """Whether it fell by more than allowed; `corrected` is the p-value after Holm's correction."""
        return self.clusters >= FEWEST and corrected <= FELL_SHARE * margins.alpha


@dataclass(frozen=True, slots=True)
class EarlyDecision(Decision):
    """A decision that was made before all questions were asked."""

    p_holm: float = 1.0
    """After Holm's correction, at all looks at once."""
    asked: int = 0
    """Questions of the task asked by then, and those that there are."""
    questions: int = 0

    @classmethod
    def of(cls, look: Look, outcome: Outcome, p_holm: float, asked: int, questions: int) -> EarlyDecision:
        """What a look decided."""
        rule = f"decided early at {asked:,} of {questions:,} questions"
        return cls(outcome, look.p, look.lower, look.upper, None, None, rule, p_holm, asked, questions)


def enough(margins: Margins, span: float) -> int:
    """The clusters of which at least one is lost whole, at 1 - alpha, if the drop that must not slip through is made of
    images that are lost whole."""
    share = min(1.0, margins.min_detectable_drop / span)
    return math.ceil(math.log(margins.alpha) / math.log1p(-share)) if share < 1 else 1


def unable(metric: Metric) -> str:
    """Why no look can decide on a metric; empty where one can."""
    if metric.of_weights:
        return "it depends on the order of all answers"
    if metric.bounds is None or not all(map(math.isfinite, metric.bounds)):
        return "it has no largest value"
    if len(metric.run_values):
        return "how far the judge would differ from itself is not known before the end"
    return ""


def look(before: Metric, after: Metric, flips: int, margins: Margins, boundary: Boundary) -> Look:
    """What two runs' answers so far say. Both metrics are over the same clusters, turned so that more is better.

    `flips`: how many answers changed their score.
    """
    singles = changes(before, after)
    if singles is not None:
        return _exact(*singles, margins)
    return _normal(before, after, flips, margins, boundary)


def near_target(before: Metric, after: Metric, above: float, flips: int, margins: Margins, boundary: Boundary) -> Look:
    """`look` at a metric that should be near its target, in its own direction.

    `above`: how far the earlier run is above the target over all questions, below 0 under it. Which side it is on
    must be known: a part of the questions lies on either side by chance, and a change towards the target there may be
    one away from it on the whole. With that the distance may have grown by A just where the metric itself rose or fell
    by no more than it may. Bonferroni over the two directions, of which the worse counts.
    """
    ways = []
    for better, start in ((MORE, above), (LESS, -above)):
        room = replace(margins, allowed=margins.allowed + start + abs(above))
        pair = [upward(replace(metric, better=better, target=None)) for metric in (before, after)]
        ways.append((look(pair[0], pair[1], flips, room, boundary), room.allowed))
    (first, _), _ = ways
    if any(way.lower is None for way, _ in ways):
        return replace(first, p=1.0, lower=None, upper=None)
    slack = min(way.lower + room for way, room in ways if way.lower is not None)
    p = min(1.0, len(ways) * min(way.p for way, _ in ways))
    value = abs(above) - abs(above + first.value)
    return replace(first, value=value, p=p, lower=slack - margins.allowed, upper=None)


def changes(before: Metric, after: Metric) -> tuple[Floats, float] | None:
    """(each question's change in [-1, 1], what 1 is in the metric's unit); None unless both are means of one row per
    cluster over the same clusters."""
    import numpy as np

    rows = [_rows(metric) for metric in (before, after)]
    if rows[0] is None or rows[1] is None or after.bounds is None or len(rows[0]) != len(rows[1]):
        return None
    place = {name: at for at, name in enumerate(before.clusters)}
    if len(place) < len(rows[0]) or any(name not in place for name in after.clusters):
        return None
    unit = after.bounds[1] - after.bounds[0]
    change = (rows[1] - rows[0][intervals.codes_in(after.clusters, place)]) / unit
    return (change, unit) if len(set(after.clusters)) == len(change) and np.abs(change).max(initial=0) <= 1 else None


def _rows(metric: Metric) -> Floats | None:
    """(items,) the value of each row, of which the metric is the plain mean; None for any other metric."""
    import numpy as np

    if metric.of_weights or not len(metric.items) or len(set(metric.clusters)) < len(metric.items):
        return None
    rows = np.asarray(metric.combine(metric.items), dtype=np.float64)
    if rows.shape != (len(metric.items),) or not np.isfinite(rows).all():
        return None
    weights = np.random.default_rng(0).random(len(rows)) + 0.5  # the weighted mean must be the weighted metric
    total = float(metric.combine((weights[:, None] * metric.items).sum(axis=0)))
    return rows if math.isclose(total, float(weights @ rows / weights.sum()), abs_tol=1e-6) else None


def _exact(change: Floats, unit: float, margins: Margins) -> Look:
    allowed, n = margins.allowed / unit, len(change)
    p = betting.p_value(change, allowed, fell=True) if allowed < 1 else 1.0
    lower = unit * betting.limit(change, margins.alpha, upper=False)
    upper = unit * betting.limit(change, FELL_SHARE * margins.alpha, upper=True)
    return Look(n, n, unit * float(change.mean()), p, lower, upper, EXACT)


def _normal(before: Metric, after: Metric, flips: int, margins: Margins, boundary: Boundary) -> Look:
    from scipy.special import ndtr, stdtrit

    names = sorted({*before.clusters, *after.clusters})
    clusters, n = len(names), len(after.items) if after.n is None else after.n
    value = after.value() - before.value() if clusters > 1 else math.nan
    places = {name: at for at, name in enumerate(names)}
    change = None if math.isnan(value) else influence.moved_difference(before, after, places)
    time = boundary.time(clusters, [len(set(part.clusters)) for _, part in after.parts])
    if change is None or not time:
        return Look(clusters, n, math.nan if change is None else value, 1.0, None, None)
    found = Paired(Estimate(value, None, None, n), None, NORMAL, clusters, n, influence.error(change))
    around = spread_of(found, before, after, flips)
    assert around is not None, "it has an error and a value"
    p = skewed_p(found, around, max(margins.allowed, SMALLEST))
    sure = float(stdtrit(around.degrees, ndtr(boundary.quantile(margins.alpha, time))))
    most = float(stdtrit(around.degrees, ndtr(boundary.quantile(FELL_SHARE * margins.alpha, time))))
    lower = around.lower_limit(value, sure)
    certain = boundary.p_value(p, time)
    if clusters < MANY:
        certain = max(certain, _bet(value + clusters * change, after.span, margins.allowed))
    return Look(clusters, n, value, certain, lower, value + most * around.error)


def _bet(moved: Floats, span: float, allowed: float) -> float:
    """The p-value of "it fell by no more than allowed" without a normal distribution, from how far each of a few
    clusters alone moved the metric: answers are gained many at once on a few hard images, which may not have come yet.
    """
    scale = max(span, float(abs(moved).max()))
    return betting.p_value(moved / scale, allowed / scale, fell=True) if allowed < scale else 1.0
