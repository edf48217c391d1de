"""Two runs over the same items: how far apart are they, and can chance alone do that?

The metrics of both runs are paired by cluster (an image, usually), so what images have in common cancels.

- Right or wrong, one item per cluster: McNemar's exact test (McNemar, Psychometrika 12, 1947; the binomial of the
  discordant pairs), with the interval of Bonett & Price (Journal of Educational and Behavioral Statistics 37,
  2012), which has a width even when no pair is discordant.
- Any other function of sums: a permutation test. If both runs are equally good, each cluster's two outcomes might as
  well have been swapped, whole clusters at a time: `swaps (R x C) @ (after - before) (C x k)` gives R differences that
  chance alone makes. All 2^C swaps are tried where they are few enough: the test is exact then. Where fewer than FEW of
  the random swaps are as extreme, p is that of the saddlepoint formula (pairs/sign_flips.py), which has no floor. The
  interval has the differences that such a test does not reject, with one lost and one gained item added, as Bonett &
  Price do; so it leaves out 0 only where the test rejects it. It needs limits; without, it is the clustered
  bootstrap's (intervals.py).
- AUROC: the covariance of DeLong, DeLong & Clarke-Pearson (Biometrics 44, 1988), summed by cluster as Obuchowski does
  (Biometrics 53, 1997). Average precision: the same with the jackknife by cluster.
- What cannot be swapped (judged scores with unlike numbers of judge runs): the clustered bootstrap's standard error
  with Student's t on C - 1 degrees of freedom.
- Answers that a judge graded several times: the variance between the judge's runs, of either side, is added to the
  bootstrap's. One run cannot show its lean, how much kinder it is to all answers than the judge is on average: of a
  side with one, a stated standard deviation is added.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vlmbench.stats import influence, intervals
from vlmbench.stats.intervals import Estimate
from vlmbench.stats.pairs import sign_flips

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.stats.metrics import Floats, Metric

MCNEMAR, PERMUTATION, DELONG, BOOTSTRAP = "mcnemar exact", "clustered permutation", "delong", "clustered bootstrap"
JACKKNIFE = "clustered jackknife"
JUDGED = "clustered bootstrap, judge runs added"
UNDEFINED, ONE_CLUSTER = "undefined", "one cluster"
FEW = 10
"""Extreme swaps, of all random ones: with fewer, their share is no good estimate of p."""
TIE = 1e-9
"""Differences this close are the same: sums of floats differ by their order."""
STATED_LEAN = 4.0
"""Standard deviation of a run's lean that is assumed, in points of 100: the most that the simulations go to
(tests/performance/statistics/judges/judge_lean.py). A judge at temperature 0 leans less; another version of it may lean
so."""


@dataclass(frozen=True, slots=True)
class Paired:
    """A paired comparison of one metric."""

    difference: Estimate
    """After minus before, in the metric's own unit. No interval where it is undefined."""
    p: float | None
    """Two-sided p-value of "both are equally good"; None where there is no test."""
    method: str
    """How p was found; `undefined` where a metric is, `one cluster` where one image is all there is."""
    clusters: int
    n: int
    """Items of the later run."""
    error: float | None = None
    """Standard error of the difference; None where it is undefined."""
    freedom: float | None = None
    """Degrees of freedom of the error, where a judge's runs leave fewer than the clusters do."""


def paired(
    before: Metric,
    after: Metric,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = intervals.LEVEL,
    lean: float = 0.0,
) -> Paired:
    """Compare a metric of two runs over the same items.

    `lean` is the standard error, as a share of the metric's span, of what no item shows: a judge that ran once.

    The caller sees to it that both are over the same items. A metric whose items depend on the answers (GQA's
    consistency) may have clusters in one run only: they add nothing to the other's sums.
    """
    found = _with_lean(_paired(before, after, resamples, seed, level), lean * after.span, level)
    return replace(found, difference=_possible(found.difference, after))


def _possible(difference: Estimate, metric: Metric) -> Estimate:
    """An interval without the differences that are further than the metric's range is wide."""
    limits = metric.bounds
    if difference.low is None or difference.high is None or limits is None or not math.isfinite(limits[1] - limits[0]):
        return difference
    width = limits[1] - limits[0]
    return replace(difference, low=max(difference.low, -width), high=min(difference.high, width))


def _paired(before: Metric, after: Metric, resamples: int, seed: int, level: float) -> Paired:
    names = sorted({*before.clusters, *after.clusters})
    n = len(after.items) if after.n is None else after.n
    value = after.value() - before.value() if names else math.nan
    if math.isnan(value):
        return Paired(Estimate(math.nan, None, None, n), None, UNDEFINED, len(names), n)
    pair = _Pair(before, after, {name: index for index, name in enumerate(names)}, value, n)
    judged = [between for metric in (before, after) if (between := intervals.between_runs(metric))[0] > 0]
    single = None if judged else pair.single_outcomes()
    if single is not None:
        return _mcnemar(pair, *single, level)
    if pair.count == 1:
        return Paired(Estimate(value, None, None, n), None, ONE_CLUSTER, 1, n)
    if before.of_weights and after.of_weights and not judged and (result := _linear(pair, level)):
        return result
    draws = pair.resample(resamples, seed)
    error = float(draws.std(ddof=1)) * math.sqrt(pair.count / (pair.count - 1)) if 2 * len(draws) > resamples else None
    if judged and error is not None:
        return _with_judges(pair, (error, pair.count - 1.0), judged, level)
    if before.of_weights or after.of_weights or before.items.shape[1] != after.items.shape[1]:
        p, method = _student(value, error, pair.count - 1), BOOTSTRAP
    else:
        p, method = _permutation(pair, resamples, seed), PERMUTATION
    ends = None
    if error is not None and error > TIE:
        found = pair.moved() if method == PERMUTATION and after.bounds is not None else None
        ends = intervals.expanded_quantiles(draws, pair.count, level) if found is None else pair.limits(found, level)
    return Paired(_agreeing(value, ends, n, p, level), p, method, pair.count, n, error)


def holm(ps: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's step-down correction of several p-values (Scandinavian Journal of Statistics 6, 1979).

    None stays None and does not count as a test.
    """
    known = sorted((p, name) for name, p in ps.items() if p is not None)
    corrected: dict[str, float | None] = dict.fromkeys(ps)
    worst = 0.0
    for rank, (p, name) in enumerate(known):
        worst = max(worst, min(1.0, p * (len(known) - rank)))
        corrected[name] = worst
    return corrected


def drop_p(comparison: Paired, allowed: float = 0.0) -> float | None:
    """One-sided p-value of "the metric fell by no more than `allowed`", from a paired comparison.

    Small: it fell by more. By the difference's standard error and Student's t; for no allowed drop, half the
    two-sided p of the comparison's own test. None where there is no test.
    """
    value = comparison.difference.value
    if comparison.p is None or math.isnan(value):
        return None
    if allowed == 0:
        return comparison.p / 2 if value < 0 else 1 - comparison.p / 2
    if comparison.error is None or comparison.error < TIE:
        return float(value >= -allowed)
    from scipy.special import stdtr

    return float(stdtr(max(1, comparison.clusters - 1), (value + allowed) / comparison.error))


class _Pair:
    """Two metrics with their clusters numbered alike."""

    def __init__(self, before: Metric, after: Metric, place: Mapping[str, int], value: float, n: int) -> None:
        self.both = (before, after)
        self.count = len(place)
        self.value, self.n = value, n
        self.codes = tuple(intervals.codes_in(metric.clusters, place) for metric in self.both)

    def sums(self) -> tuple[Floats, Floats]:
        """(C, k) for each run."""
        before, after = (
            intervals.cluster_sums(metric.items, codes, self.count)
            for metric, codes in zip(self.both, self.codes, strict=True)
        )
        return before, after

    def single_outcomes(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Right or wrong of each cluster in both runs; None unless that is all there is, one item per cluster."""
        import numpy as np

        columns = []
        for metric, codes in zip(self.both, self.codes, strict=True):
            rows = intervals.outcomes(metric) if len(metric.items) == self.count else None
            if rows is None or len(np.unique(codes)) < self.count:
                return None
            ordered = np.empty(self.count, dtype=bool)
            ordered[codes] = rows > 0
            columns.append(ordered)
        return columns[0], columns[1]

    def moved(self) -> Floats | None:
        """(C,) how far each cluster moves the difference; None where leaving one out leaves it undefined."""
        found = [
            influence.influence(metric, codes, self.count, sums)
            for metric, codes, sums in zip(self.both, self.codes, self.sums(), strict=True)
        ]
        return None if found[0] is None or found[1] is None else found[1] - found[0]

    def limits(self, moved: Floats, level: float) -> tuple[float, float] | None:
        """The differences that swapping clusters does not reject; None with so few clusters that it never does."""
        import numpy as np

        rows = len(self.codes[1])
        bottom, top = self.both[1].bounds or (0.0, 100.0)
        one = (top - bottom) / max(1, rows)
        weights = np.bincount(self.codes[1], minlength=self.count) / max(1, rows)
        added = np.append(moved, [one, -one]), np.append(weights, [0.0, 0.0])
        return sign_flips.limits(*added, self.value, 1 - level)

    def resample(self, resamples: int, seed: int) -> Floats:
        """Differences over resampled clusters, the same in both runs; undefined ones are left out."""
        import numpy as np

        before, after = (
            intervals.resampled(metric, codes, self.count, resamples, seed)
            for metric, codes in zip(self.both, self.codes, strict=True)
        )
        draws: Floats = after - before
        return draws[~np.isnan(draws)]


def _agreeing(value: float, ends: tuple[float, float] | None, n: int, p: float | None, level: float) -> Estimate:
    """The difference with its interval, which holds 0 where the test does not reject it."""
    if ends is None:
        return Estimate(value, None, None, n)
    low, high = min(ends[0], value), max(ends[1], value)
    if p is not None and p > 1 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    return Estimate(value, low, high, n)


def _mcnemar(pair: _Pair, before: NDArray[np.bool_], after: NDArray[np.bool_], level: float) -> Paired:
    from scipy.special import ndtri
    from scipy.stats import binomtest

    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    p = float(binomtest(gained, lost + gained).pvalue) if lost + gained else 1.0
    size = pair.count + 2
    down, up = (lost + 1) / size, (gained + 1) / size
    error = math.sqrt((up + down - (up - down) ** 2) / size)
    half = float(ndtri(0.5 + level / 2)) * error
    low, high = max(-100.0, 100 * (up - down - half)), min(100.0, 100 * (up - down + half))
    estimate = Estimate(pair.value, min(low, pair.value), max(high, pair.value), pair.n)
    return Paired(estimate, p, MCNEMAR, pair.count, pair.n, 100 * error)


def _linear(pair: _Pair, level: float) -> Paired | None:
    """By how far each cluster moves the difference; None where that is undefined."""
    from scipy.special import stdtrit

    before, after = (
        influence.influence(metric, codes, pair.count) for metric, codes in zip(pair.both, pair.codes, strict=True)
    )
    if before is None or after is None or len(before) != len(after):
        return None
    error, freedom = influence.error(after - before), influence.freedom(after - before)
    p = _student(pair.value, error, freedom)
    estimate = Estimate(pair.value, None, None, pair.n)
    if error > TIE:
        half = float(stdtrit(freedom, 0.5 + level / 2)) * error
        estimate = Estimate(pair.value, max(-100.0, pair.value - half), min(100.0, pair.value + half), pair.n)
    method = DELONG if pair.both[0].area and pair.both[1].area else JACKKNIFE
    return Paired(estimate, p, method, pair.count, pair.n, error)


def _with_judges(pair: _Pair, own: tuple[float, float], judged: Sequence[tuple[float, float]], level: float) -> Paired:
    """The bootstrap's standard error and those of the judges' runs, added; Student's t with Welch's freedom."""
    from scipy.special import stdtrit

    error, freedom = intervals.added(own, *judged)
    half = float(stdtrit(freedom, 0.5 + level / 2)) * error
    estimate = Estimate(pair.value, pair.value - half, pair.value + half, pair.n)
    return Paired(estimate, _student(pair.value, error, freedom), JUDGED, pair.count, pair.n, error, freedom)


def _with_lean(paired: Paired, lean: float, level: float) -> Paired:
    """The comparison with a standard error added that its items cannot show, in the metric's own unit.

    The p-value becomes Student's and no smaller. What is undefined, or rests on one cluster, stays as it is.
    """
    value = paired.difference.value
    if lean <= 0 or math.isnan(value) or (paired.error is None and paired.p is None):
        return paired
    from scipy.special import stdtr

    own = paired.error or 0.0
    freedom = paired.freedom or max(1.0, paired.clusters - 1.0)
    error, freedom = intervals.added((own, freedom), (lean, math.inf)) if own > 0 else (lean, math.inf)
    p = float(2 * stdtr(freedom, -abs(value) / error))
    reach = intervals.student(math.inf, level) * lean
    low, high = (value if edge is None else edge for edge in (paired.difference.low, paired.difference.high))
    low, high = value - math.hypot(value - low, reach), value + math.hypot(high - value, reach)
    return replace(
        paired,
        difference=replace(paired.difference, low=low, high=high),
        p=max(p, paired.p or 0.0),
        error=error,
        freedom=freedom,
    )


def _student(value: float, error: float | None, freedom: float) -> float | None:
    """Two-sided p of a difference with a standard error; without spread there is none, unless both are equal."""
    from scipy.special import stdtr

    if abs(value) <= TIE:
        return 1.0
    if error is None or error <= TIE:
        return None
    return float(2 * stdtr(freedom, -abs(value) / error))


def _permutation(pair: _Pair, resamples: int, seed: int) -> float:
    """Two-sided p: how often swapped clusters give a difference as large as the one seen."""
    import numpy as np

    before, after = pair.sums()
    change = after - before
    changed = np.flatnonzero(np.abs(change).max(axis=1) > 0)
    if not len(changed):
        return 1.0
    start, total = before.sum(axis=0), before.sum(axis=0) + after.sum(axis=0)
    exact = len(changed) < 60 and 2 ** len(changed) <= resamples
    tries = 2 ** len(changed) if exact else resamples
    extreme = 0
    for swaps in _swaps(len(changed), tries, exact, seed, max(len(changed), change.shape[1])):
        swapped = start + swaps @ change[changed]
        difference = pair.both[1].combine(total - swapped) - pair.both[0].combine(swapped)
        # What is undefined when swapped counts against a difference.
        extreme += int((~(np.abs(difference) < abs(pair.value) - TIE)).sum())
    if exact:
        return extreme / tries
    return _tail(pair, total, change[changed], extreme, tries) if extreme < FEW else (extreme + 1) / (tries + 1)


def _tail(pair: _Pair, total: Floats, change: Floats, extreme: int, tries: int) -> float:
    """p where hardly any random swap is as extreme: from how far each cluster moves the difference when swapped.

    Around the middle of both runs the difference is odd in the swaps, so that what this leaves out is of third order.
    No smaller than the swaps that were tried allow (at 99 %).
    """
    import numpy as np
    from scipy.stats import beta

    drawn = (extreme + 1) / (tries + 1)
    middle = total / 2
    later, earlier = pair.both[1].combine(middle + change / 2), pair.both[0].combine(middle - change / 2)
    amounts = later - earlier
    if np.isnan(amounts).any():
        return drawn
    least = float(beta.ppf(0.01, extreme, tries - extreme + 1)) if extreme else 0.0
    return min(drawn, max(least, sign_flips.two_sided(amounts, pair.value)))


def _swaps(count: int, tries: int, exact: bool, seed: int, width: int) -> Iterator[Floats]:
    """Blocks of rows of 0 and 1: which clusters are swapped. All of them once, or so many by chance."""
    import numpy as np

    generator = np.random.default_rng([seed, count, 1])
    rows = max(1, intervals.BLOCK // width)
    for start in range(0, tries, rows):
        height = min(rows, tries - start)
        if exact:
            numbers = np.arange(start, start + height, dtype=np.int64)[:, None]
            yield ((numbers >> np.arange(count)) & 1).astype(np.float64)
        else:
            bits = np.frombuffer(generator.bytes(height * ((count + 7) // 8)), dtype=np.uint8)
            yield np.unpackbits(bits.reshape(height, -1), axis=1, count=count).astype(np.float64)
