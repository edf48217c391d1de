"""How the distribution of given answers differs from that of the right ones: GQA's chi-square, as sums over items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmbench.stats.metrics import LESS, Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.stats.metrics import Floats

CELLS = 1 << 23
"""Most cells of the distribution's table (64 MiB); above, clusters are grouped, and groups resampled."""
GROWS = "lower is better; grows with the number of questions: compare runs on the same ones alone"
"""The official chi-square is not divided by how many questions there are."""


def chi_square(
    name: str, groups: Sequence[str], right: Sequence[str], given: Sequence[str], clusters: Sequence[str]
) -> Metric:
    """Chi-square between given and right answers within each question group, weighted by group size, / 100.

    Sums: for each (group, right answer), how often it is right and how often it is given. They are summed by cluster
    here, since a table of items by answers would be too large.
    """
    import numpy as np

    pairs = sorted(set(zip(groups, right, strict=True)))
    place = {pair: index for index, pair in enumerate(pairs)}
    names, cluster_of = _grouped(clusters, len(pairs))
    sums = np.zeros((len(names), 2 * len(pairs)))
    np.add.at(sums, (cluster_of, np.array([place[pair] for pair in zip(groups, right, strict=True)])), 1)
    said = np.array([place.get(pair, -1) for pair in zip(groups, given, strict=True)])
    known = said >= 0
    np.add.at(sums, (cluster_of[known], len(pairs) + said[known]), 1)
    starts = np.array([i for i, pair in enumerate(pairs) if i == 0 or pair[0] != pairs[i - 1][0]])

    def combine(drawn: Floats) -> Floats:
        gold, answers = drawn[..., : len(pairs)], drawn[..., len(pairs) :]
        terms = np.divide((answers - gold) ** 2, gold, out=np.zeros_like(gold), where=gold != 0)
        sizes = np.add.reduceat(gold, starts, axis=-1)
        scores = np.add.reduceat(terms, starts, axis=-1)
        total = sizes.sum(axis=-1)
        weighted = (scores * sizes).sum(axis=-1)
        value: Floats = np.divide(weighted, 100 * total, out=np.full(np.shape(total), np.nan), where=total != 0)
        return value

    return Metric(name, sums, names, combine, n=len(groups), note=GROWS, better=LESS, guard=True)


def _grouped(clusters: Sequence[str], pairs: int) -> tuple[list[str], NDArray[np.intp]]:
    """Names of what is resampled as one, and each item's place among them: clusters, or groups of them if too many."""
    import numpy as np

    names = sorted(set(clusters))
    most = max(50, CELLS // (2 * pairs))
    place = {name: index % most for index, name in enumerate(names)}
    kept = names if len(names) <= most else [f"group {index}" for index in range(most)]
    return kept, np.array([place[name] for name in clusters], dtype=np.intp)
