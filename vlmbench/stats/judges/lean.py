"""The lean of a single run of a judge: how much kinder it is to all answers than the judge is on average.

One run cannot show it. Between two runs of one judge it makes unchanged models look different, so a paired difference
with a side that was graded once has a stated standard deviation added. Several runs need none of this: their own
variance is added (paired.py).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from vlmbench.stats import intervals

if TYPE_CHECKING:
    from vlmbench.stats.paired import Paired

STATED_LEAN = 4.0
"""Standard deviation of a run's lean that is assumed, in points of 100: the most that the simulations go to
(tests/performance/statistics/judge_lean.py). A judge at temperature 0 leans less; another version of it may lean so."""


def with_lean(paired: Paired, lean: float, level: float) -> Paired:
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
