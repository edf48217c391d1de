"""A weighted sum of estimates with its interval: MOVER, the method of variance estimates recovery.

Zou & Donner (Statistics in Medicine 27, 2008): with v = sum w_i v_i and each interval [l_i, h_i],

    low = v - sqrt(sum (w_i (v_i - l_i))^2),    high = v + sqrt(sum (w_i (h_i - v_i))^2)

(the ends change places where w_i is negative). Each interval brings its own shape, so that a share near 100 is not
given room above 100. Estimates of different groups are taken as independent; those inside a group are of the same
answers, and their distances are added, as if they moved together: that is never too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlmbench.stats.intervals import Estimate

Part = tuple[float, Estimate]
"""A weight and what it multiplies."""


def weighted_sum(groups: Sequence[Sequence[Part]]) -> Estimate:
    """The sum over all groups, nan where a part is; without an interval where a part has none. n is the sum of n."""
    parts = [part for group in groups for part in group]
    value = math.fsum(weight * one.value for weight, one in parts)
    n = sum(max((one.n for _, one in group), default=0) for group in groups)
    below, above = [], []
    for group in groups:
        reached = [_reach(weight, one) for weight, one in group]
        if math.isnan(value) or any(reach is None for reach in reached):
            return Estimate(value, None, None, n)
        below.append(math.fsum(reach[0] for reach in reached if reach))
        above.append(math.fsum(reach[1] for reach in reached if reach))
    return Estimate(value, value - math.hypot(*below), value + math.hypot(*above), n)


def _reach(weight: float, one: Estimate) -> tuple[float, float] | None:
    """How far the weighted interval reaches below and above its value."""
    if one.low is None or one.high is None:
        return None
    low, high = abs(weight) * (one.value - one.low), abs(weight) * (one.high - one.value)
    return (low, high) if weight >= 0 else (high, low)
