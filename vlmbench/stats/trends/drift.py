"""Drift: evidence that a model has become worse over several runs, which may be looked at after each of them.

Each step of a history is a paired difference between a run and the one before it: a fall d_t (more is worse) with its
standard error s_t. In a model that does not change, falls are errors around 0. With S and V the sums of d and s^2 over
the steps from k to t, and rho a variance that is fixed before,

    E_k(t) = 2 sqrt(rho / (V + rho)) exp(S^2 / (2 (V + rho))) Phi(S / sqrt(V + rho))

is the likelihood ratio of steps that fall, by rates drawn from a half-normal distribution, against steps that do not
(Robbins, Annals of Mathematical Statistics 41, 1970; the one-sided mixture of Howard, Ramdas, McAuliffe & Sekhon,
Annals of Statistics 49, 2021). It is a martingale of mean 1 as long as nothing changes. A drift may begin at any step,
so the evidence is the mean over all beginnings,

    M(t) = sum over k <= t of E_k(t) / (k (k + 1)) + 1 / (t + 1)

with weights that add up to 1 over all steps to come: a martingale of mean 1 too. By Ville's inequality it reaches
1 / alpha with probability alpha at most, however long the history is. After an alarm counting begins anew.

Where runs cannot be compared with those before (another version, other questions), the E_k so far stop: the rest of the
history has beginnings of its own, in the same sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.stats import influence, intervals

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats, Metric

ALPHA = 0.05
"""The share of histories without a drift that get an alarm, over all tasks of a history and all its runs."""
TYPICAL = 0.3
"""Root of rho, in standard errors of the first run's own value: what a step of some turned answers is uncertain by."""


@dataclass(frozen=True, slots=True)
class Step:
    """From one run to the next."""

    fall: float
    """How much worse the later run is, in the metric's own unit."""
    error: float
    """Standard error of that."""
    scale: float
    """Standard error of the value of the first run of the stretch."""
    begins: bool = False
    """Whether this is the first step of a stretch: what came before cannot be compared."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A drift."""

    at: int
    """The step after which the evidence sufficed."""
    since: int
    """The step with which the drift began, as far as can be told: the beginning with the most evidence."""
    fall: float
    """From the run before `since` to the one after `at`."""
    p: float
    """One over the evidence: holds at whatever step it is looked at."""


def drift(steps: Sequence[Step], alpha: float = ALPHA) -> tuple[list[float], list[Alarm]]:
    """(the evidence after each step, the alarms in their order); no drift has evidence around 1, or below."""
    evidence: list[float] = []
    alarms: list[Alarm] = []
    first = 0
    open_: list[int] = []
    sums: dict[int, tuple[float, float]] = {}
    for at, step in enumerate(steps):
        open_ = [at] if step.begins or at == first else [*open_, at]
        sums[at] = (0.0, 0.0)
        for begin in open_:
            fall, variance = sums[begin]
            sums[begin] = (fall + step.fall, variance + step.error**2)
        found = {k: _mixture(*sums[k], (TYPICAL * steps[k].scale) ** 2) - math.log(_weight(k - first)) for k in sums}
        total = _log_sum([*found.values(), -math.log(at - first + 2)])
        evidence.append(math.exp(min(total, 700.0)))
        if total >= -math.log(alpha):
            since = max(open_, key=lambda k: found[k])
            alarms.append(Alarm(at, since, sums[since][0], math.exp(-total)))
            first, open_, sums = at + 1, [], {}
    return evidence, alarms


def _weight(place: int) -> int:
    return (place + 1) * (place + 2)


def _mixture(fall: float, variance: float, rho: float) -> float:
    """The logarithm of E_k."""
    from scipy.special import log_ndtr

    total = variance + rho
    if total <= 0:
        return 0.0
    return float(math.log(2) + 0.5 * math.log(rho / total) + fall**2 / (2 * total) + log_ndtr(fall / math.sqrt(total)))


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(math.fsum(math.exp(one - most) for one in logs))


def change_error(before: Metric, after: Metric) -> float | None:
    """Standard error of the paired difference of a metric over the same items; None where it is undefined.

    From how far each cluster moves the difference (the jackknife), with one lost and one gained answer added as in the
    gate, and a quantile of Student's t over the normal one for few clusters. Judges' runs add their own variance.
    """
    import numpy as np
    from scipy.special import ndtri, stdtrit

    places = influence.places_of(before, after)
    change = influence.moved_difference(before, after, places)
    if change is None:
        return None
    between = [intervals.between_runs(metric) for metric in (before, after)]
    error = intervals.added((influence.error(change), len(places) - 1.0), *[one for one in between if one[0] > 0])[0]
    wide = float(stdtrit(len(change) - 1, 1 - ALPHA / 4) / ndtri(1 - ALPHA / 4))
    return wide * math.sqrt(error**2 + 2 * _answer(after) ** 2) if np.isfinite(error) else None


def _answer(metric: Metric) -> float:
    """What one answer moves the metric by: its range when each item is left out; 100 / n where that is unknown."""
    import numpy as np

    n = max(1, len(metric.items) if metric.n is None else metric.n)
    if metric.of_weights or len(metric.items) < 2:
        return 100.0 / n
    without = np.asarray(metric.combine(metric.items.sum(axis=0) - metric.items))
    finite = without[np.isfinite(without)]
    size = float(np.ptp(finite)) if len(finite) else 0.0
    return size if size > 1e-9 else 100.0 / n


def value_error(metric: Metric) -> float | None:
    """Standard error of a metric's own value, for `Step.scale`; None where it is undefined."""
    moved = influence.moved(metric, influence.places_of(metric))
    return None if moved is None else math.sqrt(influence.error(moved) ** 2 + 2 * _answer(metric) ** 2)


def batch(falls: Floats, errors: Floats, scale: Floats) -> Floats:
    """(histories, steps) evidence of many histories of one stretch, without alarms' new beginnings: for simulations."""
    import numpy as np
    from scipy.special import log_ndtr

    steps = falls.shape[1]
    total, variance = (np.concatenate([np.zeros((len(x), 1)), x.cumsum(axis=1)], axis=1) for x in (falls, errors**2))
    rho = (TYPICAL * scale[:, None]) ** 2
    evidence = np.tile(1 / np.arange(2.0, steps + 2), (len(falls), 1))
    for k in range(steps):
        fall, spread = total[:, k + 1 :] - total[:, k : k + 1], variance[:, k + 1 :] - variance[:, k : k + 1] + rho
        logs = np.log(2) + np.log(rho / spread) / 2 + fall**2 / (2 * spread) + log_ndtr(fall / np.sqrt(spread))
        evidence[:, k:] += np.exp(np.minimum(logs, 700)) / _weight(k)
    found: Floats = evidence
    return found
