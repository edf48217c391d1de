"""One metric of several draws: the mean of its values, with the sums of each draw in columns of their own.

Every question is answered N times, so its N answers are right or wrong together. They are one item here, with k sums
of each draw side by side, and the question's cluster stays what is resampled:

    items (questions, N * k) -> sums (..., N * k) -> combine each draw's k -> (..., N) -> mean -> (...)

The interval is then over other questions and other draws of them at once: the variance between clusters contains both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.base.metric import Floats, Metric


def average(metrics: Sequence[Metric]) -> Metric:
    """The mean of one metric's values, undefined where one of them is. `metrics`: the same metric of each draw.

    `n` is the number of questions, not of answers.
    """
    import numpy as np

    first = metrics[0]
    n = max(len(metric.items) if metric.n is None else metric.n for metric in metrics)
    note = "; ".join(dict.fromkeys(metric.note for metric in metrics if metric.note))
    parts = [(weight / len(metrics), part) for metric in metrics for weight, part in metric.parts]
    parts = parts if all(metric.parts for metric in metrics) else []
    same = replace(first, n=n, note=note, proportion=False, limits=first.bounds, area=False, run_values=(), parts=parts)
    if first.of_weights:
        ends = [0, *accumulate(len(metric.items) for metric in metrics)]
        items = np.concatenate([metric.items for metric in metrics])
        all_clusters = [cluster for metric in metrics for cluster in metric.clusters]
        return replace(same, items=items, clusters=all_clusters, combine=_Mean(metrics, ends))
    ends = [0, *accumulate(metric.items.shape[1] for metric in metrics)]
    clusters, places = _aligned([metric.clusters for metric in metrics])
    items = np.zeros((len(clusters), ends[-1]))
    for metric, rows, (start, end) in zip(metrics, places, pairwise(ends), strict=True):
        items[rows, start:end] = metric.items
    opposites = [metric.opposite for metric in metrics if metric.opposite is not None]
    opposite = np.concatenate(opposites) if len(opposites) == len(metrics) else None
    return replace(same, items=items, clusters=clusters, combine=_Mean(metrics, ends), opposite=opposite)


def split(metric: Metric) -> list[Metric]:
    """The metric of each draw, of a mean that `average` made; empty for any other metric."""
    mean = metric.combine
    if not isinstance(mean, _Mean):
        return []
    parts = zip(mean.combines, pairwise(mean.ends), strict=True)
    if metric.of_weights:
        return [
            replace(metric, items=metric.items[start:end], clusters=metric.clusters[start:end], combine=combine)
            for combine, (start, end) in parts
        ]
    return [replace(metric, items=metric.items[:, start:end], combine=combine) for combine, (start, end) in parts]


class _Mean:
    """(..., N * k) sums, or weights of all draws' items, to the mean of the draws' values."""

    def __init__(self, metrics: Sequence[Metric], ends: Sequence[int]) -> None:
        self.combines, self.ends = [metric.combine for metric in metrics], ends

    def __call__(self, sums: Floats) -> Floats:
        import numpy as np

        parts = zip(self.combines, pairwise(self.ends), strict=True)
        values: Floats = np.stack([combine(sums[..., start:end]) for combine, (start, end) in parts]).mean(axis=0)
        return values


def _aligned(draws: Sequence[Sequence[str]]) -> tuple[Sequence[str], list[NDArray[np.intp] | slice]]:
    """(each row's cluster, where the rows of each draw go).

    A draw's i-th row of a cluster goes to that cluster's i-th row: only the clusters' sums matter, so a row may hold
    different questions where answers are missing.
    """
    import numpy as np

    if all(list(clusters) == list(draws[0]) for clusters in draws[1:]):
        return draws[0], [slice(None)] * len(draws)
    rows: dict[tuple[str, int], int] = {}
    places: list[NDArray[np.intp] | slice] = []
    for clusters in draws:
        seen: dict[str, int] = {}
        place = []
        for cluster in clusters:
            seen[cluster] = seen.get(cluster, -1) + 1
            place.append(rows.setdefault((cluster, seen[cluster]), len(rows)))
        places.append(np.array(place, dtype=np.intp))
    return [cluster for cluster, _ in rows], places
