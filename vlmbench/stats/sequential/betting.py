"""Single questions, right or wrong or partly right: a test that is exact for any number of them, at all times at once.

Testing by betting (Waudby-Smith & Ramdas, Journal of the Royal Statistical Society B 86, 2024; arXiv 2010.09686). Of
each question the change x in [-1, 1] is seen, after minus before. Whoever doubts that its mean is at most -a bets the
same part b of their money on every question: after t of them they have the product of 1 + b (x_i + a), never below 0.
If the mean is at most -a no bet gains on average, and the chance that the money ever reaches 1 / alpha is at most alpha
(Ville's inequality). No normal distribution and no variance has to be known: where no answer turned it says what the
rule of three says, (1 - a)^t.

The best bet is about the mean over the second moment, which nobody knows beforehand: the money is divided over BETS.
The order of the questions drops out, so that the counts of each change are all that is kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

BETS = ((1.0, 0.3), (1 / 2, 0.2), (1 / 4, 0.2), (1 / 8, 0.15), (1 / 16, 0.15))
"""Parts of the largest bet, and the share of the money that makes each. The smaller ones serve where many answers turn.
"""
LARGEST = 0.99
"""The part of the money that one question may lose."""


def p_value(changes: Floats, allowed: float, *, fell: bool) -> float:
    """The alpha at which it is certain that the mean fell by more than `allowed`, or (not `fell`) by less.

    It may be looked at after every question. `changes`: (t,) in [-1, 1]. `allowed`: above -1 and below 1.
    """
    import numpy as np

    values, counts = np.unique(changes, return_counts=True)
    return _p(values, counts.astype(np.float64), allowed, fell)


def _p(values: Floats, counts: Floats, allowed: float, fell: bool) -> float:
    import numpy as np

    gains = (values + allowed) * (-1.0 if fell else 1.0)
    most = LARGEST / (1 + allowed if fell else 1 - allowed)
    bets, money = (np.array(column) for column in zip(*BETS, strict=True))
    grown = np.log1p(np.outer(bets * most, gains)) @ counts + np.log(money)
    return math.exp(-max(0.0, float(np.logaddexp.reduce(grown))))


def limit(changes: Floats, alpha: float, *, upper: bool) -> float:
    """The one-sided confidence limit of the mean change at 1 - alpha, at all times at once; in [-1, 1]."""
    import numpy as np

    values, counts = np.unique(changes, return_counts=True)
    low, high = -1.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        excluded = _p(values, counts.astype(np.float64), -middle, upper) <= alpha
        low, high = (low, middle) if excluded == upper else (middle, high)
    return high if upper else low
