"""Scores to numbers. A metric is a function of sums over items, so its interval is the interval of the metric itself.

F1 is 2TP/(2TP+FP+FN): three sums. A mean over three splits of F1 is nine. Resampling clusters of items is then one
matrix product (intervals.py), whatever the metric. What depends on the order of the items (AUROC) is a function of
their weights instead: how often each item was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vlmbench.base.metric import LESS, MORE, NEITHER, RATE, TARGET, Metric

if TYPE_CHECKING:
    from vlmbench.base.metric import Floats

__all__ = [
    "LESS",
    "MORE",
    "NEITHER",
    "RATE",
    "TARGET",
    "Floats",
    "Metric",
    "auroc",
    "average",
    "average_precision",
    "by_tag",
    "mean",
    "points",
    "ratio",
    "upward",
]


def upward(metric: Metric) -> Metric:
    """The metric turned so that more is better: less is better becomes its negative, a target minus the distance."""
    import numpy as np

    if metric.direction not in (LESS, TARGET):
        return metric
    aim = metric.target if metric.direction == TARGET and metric.target is not None else None

    def turned(values: Floats) -> Floats:
        return -np.asarray(values) if aim is None else -np.abs(np.asarray(values) - aim)

    def combine(sums: Floats) -> Floats:
        return turned(metric.combine(sums))

    limits = metric.bounds
    if limits is not None:
        limits = (-limits[1], -limits[0]) if aim is None else (-max(abs(aim - limit) for limit in limits), 0.0)
    runs = tuple(float(turned(np.asarray(value, dtype=np.float64))) for value in metric.run_values)
    return replace(
        metric,
        combine=combine,
        proportion=False,
        opposite=None,
        limits=limits,
        area=False,
        run_values=runs,
        better=MORE,
        parts=(),
    )


def ratio(
    numerator: int = 0, denominator: int = 1, scale: float = 100.0, empty: float = float("nan"), start: float = 0.0
) -> Callable[[Floats], Floats]:
    """A combine function: scale * sums[numerator] / sums[denominator], `empty` where the denominator is 0.

    `start` is what a script's counter of the denominator starts at, where that is not 0.
    """

    def combine(sums: Floats) -> Floats:
        import numpy as np

        top, bottom = sums[..., numerator], sums[..., denominator] + start
        quotient: Floats = scale * np.divide(top, bottom, out=np.full(np.shape(top), empty), where=bottom != 0)
        return quotient

    return combine


def share(
    name: str,
    parts: Sequence[float] | Floats,
    wholes: Sequence[float] | Floats,
    clusters: Sequence[str],
    *,
    empty: float = float("nan"),
) -> Metric:
    """The sum of the parts over the sum of the wholes, 0-100; `empty` where the wholes are nothing."""
    import numpy as np

    items = np.stack([np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64)], axis=1)
    return Metric(name, items, clusters, ratio(empty=empty), limits=RATE, better=MORE)


def mean(
    name: str, values: Sequence[float], clusters: Sequence[str], *, breakdown: str = "", label: str = ""
) -> Metric:
    """The mean of per-item values in 0..1, as 0-100. A share of right items when all values are 0 or 1."""
    import numpy as np

    column = np.asarray(values, dtype=np.float64)
    items = np.stack([column, np.ones_like(column)], axis=1)
    binary = bool(np.isin(column, (0.0, 1.0)).all())
    return Metric(name, items, clusters, ratio(), breakdown, label, binary, limits=RATE, better=MORE)


def points(
    name: str, values: Sequence[float], clusters: Sequence[str], full: float, *, breakdown: str = "", label: str = ""
) -> Metric:
    """The mean of per-item values in 0..1 as points out of `full`: how many are right, where so many were asked."""
    share = mean(name, values, clusters, breakdown=breakdown, label=label)
    return replace(share, combine=ratio(scale=full), proportion=False, limits=(0.0, full))


def by_tag(name: str, values: Sequence[float], labels: Sequence[str], clusters: Sequence[str]) -> list[Metric]:
    """One mean per distinct label, as bars of the breakdown `name`; labels in order of first appearance."""
    rows: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        rows.setdefault(label, []).append(index)
    return [
        mean(
            f"{name}_{label}", [values[i] for i in indices], [clusters[i] for i in indices], breakdown=name, label=label
        )
        for label, indices in rows.items()
    ]


def average(name: str, metrics: Sequence[Metric], *, note: str = "") -> Metric:
    """The mean of several metrics (a macro average), with its interval: items of one cluster move all of them.

    Each metric keeps sums of its own, and may be over other items than the rest. Not for metrics of weights.
    """
    import numpy as np

    starts = np.cumsum([0, *(metric.items.shape[1] for metric in metrics)])
    items = np.zeros((sum(len(metric.items) for metric in metrics), starts[-1]))
    row = 0
    for metric, start, end in zip(metrics, starts, starts[1:], strict=False):
        items[row : row + len(metric.items), start:end] = metric.items
        row += len(metric.items)

    def combine(sums: Floats) -> Floats:
        parts = [
            metric.combine(sums[..., start:end])
            for metric, start, end in zip(metrics, starts, starts[1:], strict=False)
        ]
        return np.asarray(np.mean(parts, axis=0))

    clusters = [cluster for metric in metrics for cluster in metric.clusters]
    limits = [metric.bounds for metric in metrics]
    known = [limit for limit in limits if limit is not None]
    whole = tuple(float(np.mean(side)) for side in zip(*known, strict=True)) if len(known) == len(limits) else None
    n = len(metrics[0].items) if metrics[0].n is None else metrics[0].n
    bounds = (whole[0], whole[1]) if whole else None
    parts = [(1 / len(metrics), metric) for metric in metrics]
    return Metric(name, items, clusters, combine, n=n, note=note, limits=bounds, better=metrics[0].better, parts=parts)


# ------------------------------------------------------------------------------------------- from the order of items


def auroc(name: str, targets: Sequence[bool], scores: Sequence[float], clusters: Sequence[str]) -> Metric:
    """Area under the ROC curve, 0-100: how often a positive item has the higher score; a tie counts half.

    Equal to sklearn.metrics.roc_auc_score on unweighted items. nan where all items are of one kind.
    """

    def area(positive: Floats, negative: Floats) -> Floats:
        below = negative.cumsum(axis=-1) - negative / 2
        pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
        return _over((positive * below).sum(axis=-1), pairs)

    return replace(_of_order(name, targets, scores, clusters, area), area=True)


def average_precision(name: str, targets: Sequence[bool], scores: Sequence[float], clusters: Sequence[str]) -> Metric:
    """Mean of the precision at each score, weighted by the recall it adds, 0-100; no interpolation.

    Equal to sklearn.metrics.average_precision_score on unweighted items. nan without a positive item.
    """

    def area(positive: Floats, negative: Floats) -> Floats:
        import numpy as np

        true_positives = positive[..., ::-1].cumsum(axis=-1)[..., ::-1]
        predicted = true_positives + negative[..., ::-1].cumsum(axis=-1)[..., ::-1]
        precision = np.divide(true_positives, predicted, out=np.zeros_like(true_positives), where=predicted != 0)
        return _over((positive * precision).sum(axis=-1), positive.sum(axis=-1))

    return _of_order(name, targets, scores, clusters, area)


def _over(top: Floats, bottom: Floats) -> Floats:
    import numpy as np

    return np.asarray(100 * np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0))


def _of_order(
    name: str,
    targets: Sequence[bool],
    scores: Sequence[float],
    clusters: Sequence[str],
    area: Callable[[Floats, Floats], Floats],
) -> Metric:
    """`area` takes the positive and the negative weight at each distinct score, lowest first: two (..., scores)."""
    import numpy as np

    truth = np.asarray(targets, dtype=np.float64)
    order = np.argsort(np.asarray(scores, dtype=np.float64), kind="stable")
    ranked = np.asarray(scores, dtype=np.float64)[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(ranked) else np.zeros(0, int)

    def combine(weights: Floats) -> Floats:
        if not len(ranked):
            return np.full(weights.shape[:-1], np.nan)
        drawn, positive = weights[..., order], truth[order]
        parts = [np.add.reduceat(drawn * kind, starts, axis=-1) for kind in (positive, 1 - positive)]
        return area(parts[0], parts[1])

    items = np.stack([truth, np.asarray(scores, dtype=np.float64)], axis=1)
    return Metric(name, items, clusters, combine, limits=RATE, of_weights=True, better=MORE)
