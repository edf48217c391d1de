"""What a benchmark reports: a number over its scored items, ready to be computed and resampled.

stats/metrics.py builds the usual ones (means, ratios, AUROC), stats/intervals.py resamples them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RATE = (0.0, 100.0)
"""Limits of a rate."""

MORE, LESS, TARGET, NEITHER = "more", "less", "target", "neither"
"""What is better: a higher value, a lower one, one nearer to the target, or none (it describes data or judge)."""


@dataclass(frozen=True)
class Metric:
    """A figure over a set of scored items, ready to be computed and resampled."""

    name: str
    """snake_case, the field's word: `accuracy`, `f1`, `mean_f1`."""
    items: Floats
    """(items, k): what each item adds to the k sums."""
    clusters: Sequence[str]
    """(items,): which items are resampled together."""
    combine: Callable[[Floats], Floats]
    """(..., k) sums to (...) values in the unit papers print (0-100 for rates). nan where undefined.

    With `of_weights`, (..., items) weights to (...) values: what cannot be computed from sums.
    """
    breakdown: str = ""
    """The tag this is one bar of, e.g. `structural`; empty for a metric of the whole task."""
    label: str = ""
    """Which bar: `query`."""
    proportion: bool = False
    """True: a plain share of right items in 0-100, for which Wilson's interval exists."""
    opposite: Floats | None = None
    """(k,) the sums had every answer been the opposite. Given where all are right, or all wrong: resampling shows no
    spread then, and the interval reaches as far as Wilson's does for that share of clusters."""
    n: int | None = None
    """How many items count; default: all rows of `items` (which may be sums over several items)."""
    note: str = ""
    """Why it is undefined, or what is peculiar about it here."""
    of_weights: bool = False
    """True: `combine` takes the items' weights; `items` is then only what there is to count."""
    limits: tuple[float, float] | None = None
    """Least and largest value it can have, where it cannot pass them: (0, 100) for a rate. A proportion has those."""
    area: bool = False
    """True: an AUROC; `items` are (truth, score), from which its standard error has a closed form."""
    run_values: Sequence[float] = ()
    """The value by each run of the judge alone, where one graded the answers: their spread widens the interval."""
    run_noise: float = 0.0
    """Variance of one run's value that comes of single grades: a part of the runs' spread that images show already."""
    better: str = ""
    """MORE, LESS, TARGET or NEITHER; where a plug-in says nothing, more is taken to be better."""
    target: float | None = None
    """The best value, for TARGET."""
    guard: bool | None = None
    """Whether a gate tests it beside the headline. None: a bar of a breakdown is, a metric of the whole task is not."""

    parts: Sequence[tuple[float, Metric]] = ()
    """Weights and metrics whose sum this is (a mean over categories, MME's total), for its interval: parts of few
    clusters borrow variance from the others."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """`limits`, or those of a proportion."""
        return RATE if self.proportion and self.limits is None else self.limits

    @property
    def span(self) -> float:
        """From the least to the largest value, in its own unit; 100 without limits (a ratio of grades, CIDEr)."""
        limits = self.bounds
        return limits[1] - limits[0] if limits is not None and math.isfinite(limits[1] - limits[0]) else 100.0

    @property
    def is_part(self) -> bool:
        """Whether a gate tests it beside the headline."""
        return bool(self.breakdown) if self.guard is None else self.guard

    @property
    def direction(self) -> str:
        """`better`, more by default."""
        return self.better or MORE

    def value(self) -> float:
        """The metric over all items; nan where undefined."""
        import numpy as np

        return float(self.combine(np.ones(len(self.items)) if self.of_weights else self.items.sum(axis=0)))
