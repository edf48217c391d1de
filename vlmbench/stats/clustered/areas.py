"""The interval of an area under the ROC curve: variances by kind, as they would be at the area that is tried.

The error of an area near 1 depends on the area itself, and a handful of positives show too little of it: an interval
value +- error then misses the truth one time in four. As for a share, the limits are the areas that the data would not
have rejected (a score interval): with V(A) the variance of one item's placement if the area were A,

    (value - A)^2 = t^2 (r_1 / e_1 + r_0 / e_0 + 2 c) V(A) + t^2 A (1 - A) / (n_1 n_0)

V is Hanley & McNeil's for exponential scores (Radiology 143, 1982), the mean of both kinds', as in Newcombe's method 5
(Statistics in Medicine 25, 2006). r_k is how the placements of kind k vary in truth (DeLong, DeLong & Clarke-Pearson,
Biometrics 44, 1988, with n_k - 1), as a multiple of V(value); it is drawn towards 1 as if PRIOR items more had been
seen. e_k is n_k / (1 + (s_k - 1) rho_k) with s_k = sum m_ck^2 / n_k and the correlation rho_k of placements in one
cluster, drawn towards a half as if ALIKE clusters more had been seen; c is what the placements of both kinds in one
cluster have in common (Obuchowski, Biometrics 53, 1997), drawn towards minus a half likewise. t has Welch's degrees of
freedom (Biometrika 34, 1947).
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

PRIOR = 16.0
"""Items of each kind whose variance is as V says, besides those that are seen."""
ALIKE = 4.0
"""Clusters in which placements have a correlation of a half, besides those that are seen."""
STEPS = 60
"""Halvings of the range in which a limit lies."""


def area(truth: NDArray[np.bool_], scores: Floats, codes: NDArray[np.intp], level: float) -> tuple[float, float]:
    """The ends, in 0..1, of (n,) items with their clusters' codes. Raises ValueError without items of both kinds."""
    from scipy.special import stdtrit

    if truth.all() or not truth.any():
        raise ValueError("an area needs items of both kinds")
    placed = placements(truth, scores)
    value = float(placed[truth].mean())
    model = variance(value)
    kinds = [_Kind.of(placed[truth == kind] - value, codes[truth == kind]) for kind in (True, False)]
    ratios = [kind.ratio(model) for kind in kinds]
    parts = [ratio / kind.effective for ratio, kind in zip(ratios, kinds, strict=True)]
    least = sum(ratio / len(kind.moved) for ratio, kind in zip(ratios, kinds, strict=True)) / 2
    total = max(sum(parts) + _in_common(kinds, ratios, model), least)
    freedom = sum(parts) ** 2 / sum(
        part**2 / (kind.effective - 1 + PRIOR) for part, kind in zip(parts, kinds, strict=True)
    )
    pairs = len(kinds[0].moved) * len(kinds[1].moved)
    reach = float(stdtrit(freedom, 0.5 + level / 2)) ** 2

    def rejected(tried: float) -> bool:
        return (value - tried) ** 2 > reach * (variance(tried) * total + tried * (1 - tried) / pairs)

    return _limit(rejected, 0.0, value), _limit(rejected, 1.0, value)


@dataclass(frozen=True)
class _Kind:
    """The items of one kind."""

    moved: Floats
    """(n_k,) placements less their mean."""
    codes: NDArray[np.intp]
    effective: float
    """How many independent items tell as much."""

    @staticmethod
    def of(moved: Floats, codes: NDArray[np.intp]) -> _Kind:
        """With the correlation inside clusters, as far as they show it."""
        import numpy as np

        n, sizes = len(moved), np.bincount(codes)
        size, clusters = float(sizes @ sizes) / n, int((sizes > 0).sum())
        if clusters == n:
            return _Kind(moved, codes, float(n))
        square, seen = float(moved @ moved), 0.0
        if square > 1e-15:
            together = np.bincount(codes, weights=moved)
            seen = (float(together @ together) / square - 1) / (size - 1)
            seen = min(1.0, max(0.0, seen + (1 + (size - 1) * seen) / n))  # the mean is the items' own
        alike = ((clusters - 1) * seen * (square > 1e-15) + ALIKE / 2) / ((clusters - 1) * (square > 1e-15) + ALIKE)
        return _Kind(moved, codes, n / (1 + (size - 1) * alike))

    def ratio(self, model: float) -> float:
        """How much an item's placement varies, as a multiple of what the model says."""
        if model <= 1e-12:
            return 1.0
        told = float(self.moved @ self.moved) / len(self.moved) * self.effective / model
        return (told + PRIOR) / (self.effective - 1 + PRIOR)


def _in_common(kinds: Sequence[_Kind], ratios: Sequence[float], model: float) -> float:
    """What placements of both kinds in one cluster add to the variance, as a multiple of the model's of an item.

    An image whose scores are all high helps its positives as much as it harms its negatives: the correlation is drawn
    towards minus a half.
    """
    import numpy as np

    count = 1 + max(int(kind.codes.max()) for kind in kinds)
    sums = [np.bincount(kind.codes, weights=kind.moved, minlength=count) for kind in kinds]
    sizes = [np.bincount(kind.codes, minlength=count).astype(np.float64) for kind in kinds]
    pairs, both = float(sizes[0] @ sizes[1]), int(((sizes[0] > 0) & (sizes[1] > 0)).sum())
    if both < 2 or model <= 1e-12:
        return 0.0
    spread = math.sqrt(ratios[0] * ratios[1])
    seen = min(1.0, max(-1.0, float(sums[0] @ sums[1]) / (pairs * spread * model)))
    alike = ((both - 1) * seen - ALIKE / 2) / (both - 1 + ALIKE)
    return 2 * alike * pairs * spread / (len(kinds[0].moved) * len(kinds[1].moved))


def placements(truth: NDArray[np.bool_], scores: Floats) -> Floats:
    """(n,) for each item the share of the other kind that lies on the right side of it; a tie counts half."""
    import numpy as np

    placed = np.empty(len(scores))
    for kind in (True, False):
        mine, others = scores[truth == kind], np.sort(scores[truth != kind])
        below = (np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")) / 2 / len(others)
        placed[truth == kind] = below if kind else 1 - below
    return placed


def variance(value: float) -> float:
    """Of one item's placement if the area is this: Hanley & McNeil's Q1 - A^2 and Q2 - A^2, averaged."""
    upper = value * (1 - value) ** 2 / (2 - value)
    lower = value**2 * (1 - value) / (1 + value)
    return (upper + lower) / 2


def _limit(rejected: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where rejection begins between the value and the end of the scale."""
    if not rejected(outside):
        return outside
    for _ in range(STEPS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if rejected(middle) else (outside, middle)
    return inside
