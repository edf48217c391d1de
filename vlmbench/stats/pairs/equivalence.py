"""Two one-sided tests: is a paired difference smaller than a margin, whichever way (Schuirmann, Journal of
Pharmacokinetics and Biopharmaceutics 15, 1987)?

Both models are "the same within M" when d <= -M and d >= M are both rejected; p is the larger of the two p-values, and
no correction for making two tests is needed. The standard error is that of a true difference of M (the gate's:
`Spread.error_under` of stats/noninferiority.py), so that few answers of which none turned are no certainty:

    t = (M - |d|) / error,    Student's

Where no cluster of C turned at all, how answers turn together cannot be seen. A difference of M takes at least a share
M / span of the clusters, so p is no smaller than (1 - M / span)^C, as in the gate.
"""

from __future__ import annotations

import math


def equivalence_p(value: float, error: float, degrees: float, margin: float) -> float | None:
    """p-value of "they differ by `margin` or more"; small: they are the same within it. None where there is no test.

    All in the metric's own unit; `error` is that of a difference as large as the margin.
    """
    if math.isnan(value) or margin <= 0:
        return None
    from scipy.special import stdtr

    inside = margin - abs(value)
    return float(stdtr(degrees, -inside / error)) if error > 0 else float(inside <= 0)


def unturned_p(clusters: int, share: float) -> float:
    """How likely not one of so many clusters turns if this share of all of them does."""
    return max(0.0, 1 - share) ** clusters
