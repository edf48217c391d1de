"""Two one-sided tests: is a paired difference smaller than a margin, whichever way (Schuirmann, Journal of
Pharmacokinetics and Biopharmaceutics 15, 1987)?

Both models are "the same within M" when d <= -M and d >= M are both rejected; p is the larger of the two p-values, and
no correction for making two tests is needed. The standard error is the gate's (noninferiority.py), with the turned
answers added that a true difference of M would take beyond those seen: few answers of which none turned are no
certainty. How many, is the maximum of the likelihood under d = M (Tango, Statistics in Medicine 17, 1998, for many
items). With K answers to a difference of M, k turned ones, and D = |d| in answers,

    extra = (sqrt(k^2 + 4 K (K - D)) - k) / 2
    t = (M - |d|) / sqrt(error^2 + extra * variance of a turned answer),    Student's, C - 1 degrees of freedom

Where no cluster of C turned at all, how answers turn together cannot be seen. A difference of M takes at least a share
M / span of the clusters, so p is no smaller than (1 - M / span)^C, as in the gate.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.stats.noninferiority import Spread
    from vlmbench.stats.paired import Paired


def equivalence_p(comparison: Paired, around: Spread | None, margin: float, span: float, turned: float) -> float | None:
    """p-value of "they differ by `margin` or more"; small: they are the same within it. None where there is no test.

    `margin` and `span` (the metric's range) are in the metric's own unit, and so is `turned`: how far the turned
    answers would move the metric, had all turned the same way.
    """
    value = comparison.difference.value
    if around is None or math.isnan(value) or margin <= 0:
        return None
    from scipy.special import stdtr

    inside = margin - abs(value)
    extra = (math.sqrt(turned**2 + 4 * margin * max(0.0, inside)) - turned) / 2
    error = math.sqrt(around.error**2 + around.flip * extra)
    p = float(stdtr(around.degrees, -inside / error)) if error > 0 else float(inside <= 0)
    return p if turned > 0 else max(p, max(0.0, 1 - margin / span) ** comparison.clusters)
