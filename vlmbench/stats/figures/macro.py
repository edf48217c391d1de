"""Means over groups of means: each group counts the same, however many items it has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vlmbench.base.metric import MORE, RATE, Metric
from vlmbench.stats.metrics import mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.base.metric import Floats

Path = tuple[str, ...]
"""The groups of an item, the widest first: `("2D", "COCO")`."""


def macro(name: str, values: Sequence[float], paths: Sequence[Path], clusters: Sequence[str], note: str = "") -> Metric:
    """The mean over the widest groups of the means over their subgroups, and so on, of values in 0..1; as 0-100.

    All paths have the same length. Groups that a resample does not meet are left out of its means.
    """
    import numpy as np

    leaves = list(dict.fromkeys(paths))
    place = {leaf: number for number, leaf in enumerate(leaves)}
    items = np.zeros((len(paths), len(leaves), 2))
    rows = np.arange(len(paths))
    columns = np.array([place[path] for path in paths], dtype=np.int64)
    items[rows, columns, 0] = np.asarray(values, dtype=np.float64)
    items[rows, columns, 1] = 1
    flat = items.reshape(len(paths), -1)
    parts = [
        (weight, _leaf(values, clusters, np.flatnonzero(columns == place[leaf])))
        for leaf, weight in zip(leaves, _weights(leaves), strict=True)
    ]
    return Metric(name, flat, clusters, _mean_of_means(leaves), note=note, limits=RATE, better=MORE, parts=parts)


def _leaf(values: Sequence[float], clusters: Sequence[str], rows: NDArray[np.intp]) -> Metric:
    """The mean of one group."""
    return mean("", [values[row] for row in rows], [clusters[row] for row in rows])


def _weights(leaves: Sequence[Path]) -> list[float]:
    """How much each leaf counts in the mean of means: a share of its parent, and so on up."""
    weights = []
    for leaf in leaves:
        steps = range(len(leaf))
        siblings = [len({other[: step + 1] for other in leaves if other[:step] == leaf[:step]}) for step in steps]
        weights.append(1 / math.prod(siblings))
    return weights


def _mean_of_means(leaves: Sequence[Path]) -> Callable[[Floats], Floats]:
    """(..., 2 leaves) sums and counts to the mean of the tree of means."""
    levels = [_parents(leaves, depth) for depth in range(len(leaves[0]) - 1, -1, -1)] if leaves else []

    def combine(sums: Floats) -> Floats:
        import numpy as np

        if not leaves:
            return np.full(sums.shape[:-1], np.nan)
        parts = sums.reshape(*sums.shape[:-1], len(leaves), 2)
        means, there = _over(parts[..., 0], parts[..., 1])
        for tree in levels:
            means, there = _over((means * there) @ tree, there @ tree)
        result: Floats = 100 * np.where(there[..., 0] > 0, means[..., 0], np.nan)
        return result

    return combine


def _parents(leaves: Sequence[Path], depth: int) -> Floats:
    """(groups of depth + 1, groups of depth): which group lies in which."""
    import numpy as np

    inner = list(dict.fromkeys(leaf[: depth + 1] for leaf in leaves))
    outer = list(dict.fromkeys(leaf[:depth] for leaf in leaves))
    tree = np.zeros((len(inner), len(outer)))
    for row, group in enumerate(inner):
        tree[row, outer.index(group[:depth])] = 1
    return tree


def _over(sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """(means, whether there is one); 0 where there is none."""
    import numpy as np

    there = counts > 0
    return np.divide(sums, counts, out=np.zeros_like(sums), where=there), there.astype(np.float64)
