"""Pass, fail or inconclusive: what a paired difference says about an allowed drop (docs/evaluate/gate.md).

With d the difference (after minus before), A the allowed drop, and all limits one-sided at 1 - alpha:

    fail     p <= alpha, where p is the one-sided p-value of "it fell by no more than A" (Holm over the tests of a gate)
    fail     samples had scores before, and none has one now
    fail     the metric was defined before and is not now: a model that says no to everything has no F1
    pass     the lower limit of d is above -A: a drop beyond the allowed one is excluded
    pass     d itself is no lower than -A, and a drop of the size that must not slip through would have been found
    pass     every answer is the same, or has the same score, and that is evidence: the same weights under the same
             settings were asked the same, or there are so many images that a model worse by M would have shown it
    unknown  everything else

Where no image of C turned, fewer than 1 - alpha^(1/C) of all images would turn (at 1 - alpha; the rule of three).

Standard errors are those of paired.py, with what few answers cannot show added: one more answer lost and one more
gained, as Bonett & Price do for paired shares (British Journal of Mathematical and Statistical Psychology 65, 2012), so
that 50 answers of which none turned do not count as certainty. What a drop of x would add to the variance is added when
x is asked about: x is made of turned answers, and each brings its own. For the limit of what is excluded that is the
score test of Tango (Statistics in Medicine 17, 1998): the variance under a drop of x is that of the most likely numbers
of lost and gained answers with that difference, given those seen. How far one answer moves a metric: stats/effects.py.

The p-value is Student's of a statistic freed from the skewness of few clusters by Hall's cubic (Journal of the Royal
Statistical Society B 54, 1992): answers are often lost a few everywhere and gained many at once on hard images, and
without it a drop of just the allowed size would be called a regression in 6 of 100 cases, not 5. Far out it is too
small (a third too often at the .003 of a gate of 16 tasks), so that the score test must reject too. Where some answers
count many times as much as others (MME's sums), its degrees of freedom are Satterthwaite's (influence.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vlmbench.stats import effects
from vlmbench.stats.paired import MCNEMAR, Paired, drop_p, holm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vlmbench.stats.metrics import Metric

TOO_MANY = 100
"""Times the items there are: above that, no number is given."""

CAUTION = 1 / 5
"""Of the failures to find a drop, this share is not counted on: the standard error is an estimate itself."""


class Outcome(StrEnum):
    """What a gate, or one test of it, comes to."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    """Too few items to decide: inconclusive."""


@dataclass(frozen=True, slots=True)
class Margins:
    """What a gate allows, in the metric's own unit, and how sure it must be."""

    allowed: float = 1.0
    """A drop this large is no regression."""
    min_detectable_drop: float = 2.0
    """A drop this large must not slip through: above `allowed`."""
    alpha: float = 0.05
    """How often a gate may fail though no metric fell by more than allowed, all its tests together."""
    power: float = 0.8
    """How often a drop of `min_detectable_drop` must be found."""
    tests: int = 1
    """How many tests the gate makes."""
    share: float = 1.0
    """What part of alpha these tests have between them."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What a paired difference is uncertain by."""

    error: float
    """Standard error of the difference, with one lost and one gained answer added."""
    flip: float
    """What one turned answer moves the metric by, at most, times how far answers about one image turn together."""
    degrees: float
    """Of freedom: clusters less one, or what the runs of a judge leave of them."""
    skew: float = 0.0
    """Skewness of the difference itself: that of the clusters over the root of their number."""
    alike: float = 1.0
    """1 where every answer counts the same, towards 0 where few of them make up the metric (effects.py)."""
    fall_degrees: float | None = None
    """Degrees of freedom of the test for a fall, where they are fewer."""
    seen: float | None = None
    """The variance around no difference, of the answers seen alone; None: the error's."""

    @property
    def of_falls(self) -> float:
        """Degrees of freedom of the test for a fall."""
        return self.degrees if self.fall_degrees is None else self.fall_degrees

    def reach(self, quantile: float, start: float) -> float:
        """The x >= 0 with x = quantile * sqrt(error^2 + flip * max(0, x + start)).

        How far from the estimate a limit is, where a drop of x + start more would bring turned answers of its own.
        """
        plain = quantile * self.error
        if plain + start <= 0:
            return plain
        weight = quantile**2 * self.flip
        x = (weight + math.sqrt(weight**2 + 4 * (plain**2 + weight * start))) / 2
        return max(x, plain)

    def error_under(self, drop: float, value: float) -> float:
        """The standard error if the metric had fallen by `drop`, while `value` was seen; never below `error`.

        Lost and gained answers as counts, b and c, of `unit` each: the most likely b', c' with b' - c' = drop are
        b / (1 - l) and c / (1 + l) (Tango 1998, here with Poisson counts).
        """
        unit = self.flip * self.alike**2
        if unit <= 0 or drop <= 0:
            return self.error
        total, fallen = (self.error / unit) ** 2, drop / unit
        lost = min(max(-value / unit, -total), fallen)
        tilt = (math.sqrt(total**2 + 4 * fallen * (fallen - lost)) - total) / (2 * fallen)
        if tilt >= 1:  # nothing was lost at all: the fall is all of the lost
            return max(self.error, unit * math.sqrt(fallen + total))
        return max(self.error, unit * math.sqrt((total + lost * tilt) / (1 - tilt**2)))

    def score_p(self, value: float, allowed: float) -> float:
        """p-value of "it fell by no more than `allowed`" by the score test, of lost and gained answers as counts.

        The variance is that of the most likely counts with a fall of `allowed`, as in `error_under`, but of the answers
        seen alone. 0 where the metric did not fall by more, and where answers count differently (MME's sums): their
        degrees of freedom see to it there.
        """
        from scipy.special import ndtr

        unit = self.flip * self.alike**2
        if unit <= 0 or -value <= allowed or self.alike < effects.EVEN_FROM:
            return 0.0
        lost, fallen = -value / unit, allowed / unit
        total = max((self.error**2 if self.seen is None else self.seen) / unit**2, lost)
        if total > lost:
            tilt = (math.sqrt(total**2 + 4 * fallen * (fallen - lost)) - total) / (2 * fallen)
            total = (total + lost * tilt) / (1 - tilt**2)
        return float(ndtr((fallen - lost) / math.sqrt(total)))

    def lower_limit(self, value: float, quantile: float) -> float:
        """The largest fall that is not excluded, as a difference: value - limit = quantile * its error."""
        high = value - quantile * self.error
        low = value - self.reach(quantile, max(0.0, -value))
        for _ in range(60):
            if value - low >= quantile * self.error_under(-low, value):
                break
            low -= max(value - low, 1e-9)
        for _ in range(60):
            middle = (low + high) / 2
            excluded = value - middle >= quantile * self.error_under(-middle, value)
            low, high = (middle, high) if excluded else (low, middle)
        return low


@dataclass(frozen=True, slots=True)
class Decision:
    """What one test comes to, and why."""

    outcome: Outcome
    p: float | None
    """One-sided, before Holm's correction."""
    lower: float | None
    """One-sided confidence limits of the difference, at 1 - alpha."""
    upper: float | None
    detectable: float | None
    """The smallest drop that this gate finds on these items with the power asked for."""
    needed: float | None
    """How many times as many items would have sufficed; None where they suffice, or no number would."""
    rule: str
    """`same model`, `same answers`, `few same answers`, `same scores`, `few same scores`, `fell`, `excluded`,
    `would have been found`, `too few items`, `too close`, `undefined`, `became undefined`, `was undefined`,
    `all failed`, `other judge`."""


@dataclass(frozen=True, slots=True)
class Same:
    """Two runs of which every answer is the same, or at least has the same score."""

    certain: bool
    """Whether they had to be: the same weights, settings, prompts and images, decoded greedily."""
    span: float = 100.0
    """From the metric's least to its largest value, in its own unit."""
    texts: bool = True
    """Whether the answers are the same texts; else only their scores are."""


def spread(
    comparison: Paired, flip: float, flips: float, skew: float = 0.0, shape: effects.Shape = effects.EVEN
) -> Spread | None:
    """The uncertainty of a paired difference; None where paired.py has none.

    `flips` is how many answers turned in all. Their own variance, had they turned one by one, against the one seen
    says how far they change together in clusters.
    """
    if comparison.error is None or math.isnan(comparison.difference.value):
        return None
    variance = comparison.error**2 * shape.inflation
    alone = flips * flip**2 * shape.alike  # flip is the mean square over the mean
    together = min(max(1.0, variance / alone), comparison.n / max(1, comparison.clusters)) if alone > 0 else 1.0
    added, seen = 2 * flip**2 * shape.alike, variance
    if comparison.method == MCNEMAR:  # its error has them already
        seen = variance * ((comparison.n + 2) / comparison.n) ** 2 - added
    else:
        variance += added
    seen = max(0.0, seen) + comparison.difference.value**2 / max(1, comparison.clusters)
    degrees = max(1.0, comparison.freedom or comparison.clusters - 1.0)
    fewer = None if shape.freedom is None else max(1.0, min(degrees, shape.freedom))
    return Spread(math.sqrt(variance), flip * max(1.0, together), degrees, skew, shape.alike, fewer, seen)


def spread_of(comparison: Paired, before: Metric, after: Metric, flips: float) -> Spread | None:
    """`spread` with what the two metrics tell of their answers. `flips`: how many answers turned."""
    if comparison.error is None or math.isnan(comparison.difference.value):
        return None
    flip, shape = effects.flip_and_shape(before, after)
    return spread(comparison, flip, flips, shape.skew, shape)


def one_sided(comparison: Paired, around: Spread | None, allowed: float) -> float | None:
    """p-value of "it fell by no more than `allowed`"; small: it fell by more. None where there is no test."""
    if around is None:
        return None
    if allowed == 0:
        return drop_p(comparison)

    return max(skewed_p(comparison, around, allowed), around.score_p(comparison.difference.value, allowed))


def skewed_p(comparison: Paired, around: Spread, allowed: float) -> float:
    """`one_sided` by Hall's cubic alone, which is a little small far out. `allowed` is above 0."""
    from scipy.special import stdtr

    t, third = (comparison.difference.value + allowed) / around.error, around.skew / 3
    return float(stdtr(around.of_falls, t + third * t**2 + third**2 * t**3 / 3 + around.skew / 6))


def gatekept(
    first: Mapping[str, float | None], second: Mapping[str, float | None], share: float
) -> dict[str, float | None]:
    """p-values of two families corrected so that any false rejection among all has at most the level they are held to.

    The first family has `share` of the level, the second the rest, each by Holm within it. A family of which every
    hypothesis is rejected gives its part to the other: a sequentially rejective graph of two groups (Bretz, Maurer,
    Brannath & Posch, Statistics in Medicine 28, 2009). To test the second only once all of the first are rejected
    (Westfall & Krishen, Journal of Statistical Planning and Inference 99, 2001) would be stricter on it than is wanted:
    that a part fell is looked for just where the whole did not.
    """
    families = holm(first), holm(second)
    known = [[p for p in family.values() if p is not None] for family in families]
    shares = (share, 1 - share) if all(known) else (1.0, 1.0)
    corrected: dict[str, float | None] = {}
    for own, other in ((0, 1), (1, 0)):
        freed = max(known[other], default=0.0) / shares[other]
        for name, p in families[own].items():
            corrected[name] = None if p is None else min(1.0, p / shares[own], max(p, freed))
    return corrected


def undefined(before: float, after: float) -> Decision | None:
    """The decision where the metric is undefined in one of the runs; None where it is defined in both."""
    gone = {(False, True): "became undefined", (True, False): "was undefined", (True, True): "undefined"}
    rule = gone.get((math.isnan(before), math.isnan(after)))
    if rule is None:
        return None
    outcome = Outcome.FAIL if rule == "became undefined" else Outcome.UNKNOWN
    return Decision(outcome, None, None, None, None, None, rule)


def alike(comparison: Paired, around: Spread | None, margins: Margins, same: Same) -> Decision:
    """The decision where every answer is the same, or has the same score."""
    unit = "answers" if same.texts else "scores"
    p = one_sided(comparison, around, margins.allowed)
    share = min(1.0, margins.min_detectable_drop / same.span)
    clusters = math.log(margins.alpha) / math.log1p(-share) if share < 1 else 1.0
    if same.certain:
        return Decision(Outcome.PASS, p, None, None, None, None, "same model")
    if comparison.clusters >= clusters:
        return Decision(Outcome.PASS, p, None, None, None, None, f"same {unit}")
    times = clusters / max(1, comparison.clusters)
    excluded = same.span * -math.expm1(math.log(margins.alpha) / max(1, comparison.clusters))
    return Decision(Outcome.UNKNOWN, p, None, None, excluded, times, f"few same {unit}")


def decide(
    comparison: Paired, around: Spread | None, corrected: float | None, margins: Margins, *, same: Same | None = None
) -> Decision:
    """One test. `corrected`: its p-value after Holm's correction; `same`: all answers, or all scores, are the same."""
    from scipy.special import ndtri, stdtrit

    p = one_sided(comparison, around, margins.allowed)
    if same is not None:
        return alike(comparison, around, margins, same)
    if around is None:
        return Decision(Outcome.UNKNOWN, None, None, None, None, None, "undefined")
    value, allowed = comparison.difference.value, margins.allowed
    lost = max(0.0, -value)
    sure = float(stdtrit(around.degrees, 1 - margins.alpha))
    lower = around.lower_limit(value, sure)
    upper = value + sure * around.error
    power = margins.power + (1 - margins.power) * CAUTION
    both = float(stdtrit(around.degrees, 1 - margins.alpha * margins.share / margins.tests)) + float(ndtri(power))
    detectable = allowed + around.reach(both, allowed - lost)
    outcome, rule, needed = Outcome.UNKNOWN, "too few items", None
    if corrected is not None and corrected <= margins.alpha:
        outcome, rule = Outcome.FAIL, "fell"
    elif lower >= -allowed:
        outcome, rule = Outcome.PASS, "excluded"
    elif value >= -allowed and detectable <= margins.min_detectable_drop:
        outcome, rule = Outcome.PASS, "would have been found"
    else:
        gap = margins.min_detectable_drop - allowed
        if detectable <= margins.min_detectable_drop:  # there were enough: the drop lies between allowed and not
            rule, gap = "too close", -allowed - value
        needed = _times(around, both, gap, lost, allowed)
    return Decision(outcome, p, lower, upper, detectable, needed, rule)


def _times(around: Spread, quantile: float, gap: float, lost: float, allowed: float) -> float | None:
    """How many times as many items find a drop `gap` beyond the allowed one: variances fall with their number."""
    if gap <= 0:
        return None
    variance = around.error**2 + around.flip * max(0.0, allowed + gap - lost)
    times = variance * (quantile / gap) ** 2
    return times if times <= TOO_MANY else None
