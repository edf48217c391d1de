"""Metrics of answers that a judge graded in several runs: each run's own value, then the mean over the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmbench.base.samples import Score
from vlmbench.stats.metrics import MORE, RATE, Metric

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats


def mean_of_runs(
    name: str, scores: Sequence[Score], clusters: Sequence[str], breakdown: str = "", label: str = ""
) -> Metric:
    """The mean grade, in 0..1, as 0-100."""
    import numpy as np

    grades = np.array([[verdict.value for verdict in score.verdicts] for score in scores], dtype=np.float64)
    items = np.concatenate([grades, np.ones((len(scores), 1))], axis=1)
    binary = bool(np.isin(items, (0.0, 1.0)).all())

    def combine(sums: Floats) -> Floats:
        return np.asarray((_over(sums[..., :-1], sums[..., -1:]) * 100).mean(axis=-1))

    return Metric(name, items, clusters, combine, breakdown, label, binary, limits=RATE, better=MORE)


def pairs_of_grades(scores: Sequence[Score]) -> Floats:
    """(items, 1 + 2 runs): 1, then by run the grades of the reference, then those of the answer."""
    import numpy as np

    pairs = np.array([[verdict.values for verdict in score.verdicts] for score in scores], dtype=np.float64)
    return np.concatenate([np.ones((len(scores), 1)), pairs[..., 0], pairs[..., 1]], axis=1)


def relative_grade(
    name: str,
    pairs: Floats,
    clusters: Sequence[str],
    places: tuple[int | None, int | None] = (None, None),
    breakdown: str = "",
    label: str = "",
) -> Metric:
    """The mean grade of the answers over that of the references, as 0-100. May pass 100.

    `places` are the decimal places that the means and the ratio of a run are rounded to; None: not at all.
    """
    import numpy as np

    def combine(sums: Floats) -> Floats:
        reference, answer = (rounded(side, places[0]) for side in _means(sums))
        return np.asarray(rounded(100 * _over(answer, reference), places[1]).mean(axis=-1))

    return Metric(name, pairs, clusters, combine, breakdown, label, better=MORE)


def mean_grade(name: str, pairs: Floats, clusters: Sequence[str], side: int, better: str, scale: float) -> Metric:
    """The mean grade of one side, the reference (0) or the answer (1), as 0-100. `scale` is the highest grade."""
    import numpy as np

    def combine(sums: Floats) -> Floats:
        return np.asarray(100 / scale * _means(sums)[side].mean(axis=-1))

    return Metric(name, pairs, clusters, combine, limits=RATE, better=better)


def _means(sums: Floats) -> tuple[Floats, Floats]:
    """The mean grades of reference and answer, (..., runs) each."""
    means = _over(sums[..., 1:], sums[..., :1])
    runs = means.shape[-1] // 2
    return means[..., :runs], means[..., runs:]


def _over(top: Floats, bottom: Floats) -> Floats:
    """A ratio, nan where the denominator is 0."""
    import numpy as np

    quotient: Floats = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)
    return quotient


def rounded(values: Floats, places: int | None) -> Floats:
    """As Python's round(): half to even on the exact value, which numpy's is not."""
    import numpy as np

    if places is None:
        return values
    flat = [round(float(value), places) for value in np.ravel(values)]
    return np.array(flat, dtype=np.float64).reshape(np.shape(values))
