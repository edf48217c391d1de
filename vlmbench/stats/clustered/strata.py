"""The error of a sum of metrics, some of which may be over few clusters: parts borrow variance from each other.

MME adds up ten subtasks of 20 to 200 images; with `--limit` of a few each. A subtask of few images that are all right
shows no variance, and would be taken for certain. Each part's variance between clusters is therefore drawn towards that
of all parts, as if a few clusters of the average part had been seen besides its own (an empirical Bayes estimate of
variances: Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004). Parts may share clusters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BORROWED = 4.0
"""Clusters of the average part that each part's variance has besides its own."""


@dataclass(frozen=True)
class Part:
    """One term of the sum."""

    weight: float
    """Of the sum's range: what the whole range of this part adds to the sum, as a share of the sum's range."""
    moved: Floats
    """(C_k,) how far each of its clusters moves it, as a share of its own range (influence.py)."""
    places: NDArray[np.intp]
    """(C_k,) the places of these clusters among those of the whole sum."""


@dataclass(frozen=True)
class Pooled:
    """Of the sum, in shares of its range."""

    error: float
    freedom: float
    clusters: float
    """How many clusters of a single share tell as much as all of these: fewer where small parts weigh as much."""


def pooled(parts: Sequence[Part], count: int) -> Pooled:
    """The standard error of the sum of parts over `count` clusters. A part of one cluster has only what it borrows.

    Raises ValueError where every part has one cluster.
    """
    import numpy as np

    sizes = np.array([len(part.moved) for part in parts], dtype=np.float64)
    others = np.maximum(sizes - 1, 1.0)
    if sizes.max() < 2:
        raise ValueError("parts of one cluster each show no variance")
    weights = np.array([part.weight for part in parts])
    # Variance between clusters, each of which moves its part by its deviation over their number.
    own = np.array([float(part.moved @ part.moved) for part in parts]) * sizes**2 / others
    all_parts = float(((sizes - 1) @ own) / (sizes - 1).sum())
    lent = ((sizes - 1) * own + BORROWED * all_parts) / (sizes - 1 + BORROWED)
    total = np.zeros(count)
    for part, size, other in zip(parts, sizes, others, strict=True):
        np.add.at(total, part.places, part.weight * part.moved * math.sqrt(size / other))
    variance = float(total @ total) + float((weights**2 / sizes) @ (lent - own))
    effective = float(weights.sum() ** 2 / (weights**2 / sizes).sum())
    return Pooled(math.sqrt(max(variance, 0.0)), _freedom(parts, count, weights**2 * lent / sizes), effective)


def _freedom(parts: Sequence[Part], count: int, variances: Floats) -> float:
    """Degrees of freedom: Satterthwaite's, with the kurtosis of the clusters of all parts (see influence.freedom)."""
    import numpy as np

    sizes = np.array([len(part.moved) for part in parts], dtype=np.float64)
    if sizes.sum() > count:  # clusters that several parts share are one draw
        sums = np.zeros(count)
        for part in parts:
            np.add.at(sums, part.places, part.weight * part.moved)
        deviations, sizes, variances, most = sums, np.array([float(count)]), np.ones(1), count - 1.0
    else:
        deviations = np.concatenate([part.moved * len(part.moved) for part in parts])
        most = float(count - len(parts))
    square = float((deviations**2).mean())
    if square <= 0:
        return most
    kurtosis = float((deviations**4).mean()) / square**2
    spread = float((variances**2 / (sizes - 1 + BORROWED)).sum()) * max(kurtosis - 1 + 2 / (count - 1), 1e-9)
    return float(min(most, max(1.0, 2 * variances.sum() ** 2 / spread)))
