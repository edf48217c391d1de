"""LLaVA-Bench's relative score: the answers' mean grade over the references', for each run of the judge, then the mean.

Sources: LLaVA llava/eval/summarize_gpt_review.py@c121f043 (means rounded to three places, the ratio to one); lmms-eval
lmms_eval/tasks/llava-in-the-wild/utils.py@75571cfe (the same); VLMEvalKit vlmeval/dataset/utils/llavabench.py@e8e78f05
(the ratio alone rounded). The honest protocol rounds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample, Score
from vlmbench.stats.metrics import MORE, NEITHER, RATE, Metric

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

CATEGORIES = ("conv", "detail", "complex")
PLACES: Mapping[str, tuple[int | None, int | None]] = {
    "honest": (None, None),
    "official": (3, 1),
    "lmms_eval": (3, 1),
    "vlmevalkit": (None, 1),
}
"""Decimal places of the means and of the ratio."""


def _rounded(values: Floats, places: int | None) -> Floats:
    """As Python's round(): half to even on the exact value, which numpy's is not."""
    import numpy as np

    if places is None:
        return values
    flat = [round(float(value), places) for value in np.ravel(values)]
    return np.array(flat, dtype=np.float64).reshape(np.shape(values))


def _means(sums: Floats, places: int | None) -> Floats:
    """(..., 2, runs): mean grades of reference and answer. `sums` holds the count, then both sides' sums by run."""
    import numpy as np

    count = sums[..., :1]
    means = np.divide(sums[..., 1:], count, out=np.full(np.shape(sums[..., 1:]), np.nan), where=count != 0)
    rounded: Floats = _rounded(means, places).reshape(*sums.shape[:-1], 2, -1)
    return rounded


def _relative(protocol: str) -> Callable[[Floats], Floats]:
    places, last = PLACES[protocol]

    def combine(sums: Floats) -> Floats:
        import numpy as np

        means = _means(sums, places)
        reference, answer = means[..., 0, :], means[..., 1, :]
        ratio = np.divide(answer, reference, out=np.full(np.shape(answer), np.nan), where=reference != 0)
        value: Floats = np.asarray(_rounded(100 * ratio, last).mean(axis=-1))
        return value

    return combine


def _side(side: int) -> Callable[[Floats], Floats]:
    def combine(sums: Floats) -> Floats:
        import numpy as np

        value: Floats = np.asarray(10 * _means(sums, None)[..., side, :].mean(axis=-1))
        return value

    return combine


def _items(scores: Sequence[Score]) -> Floats:
    """(items, 1 + 2 runs)."""
    import numpy as np

    pairs = np.array([[verdict.values for verdict in score.verdicts] for score in scores], dtype=np.float64)
    return np.concatenate([np.ones((len(scores), 1)), pairs[..., 0], pairs[..., 1]], axis=1)


def metrics(scored: Sequence[tuple[Sample, Score]], protocol: str) -> list[Metric]:
    """Relative score and both sides' grades out of 100, whole and by category."""
    items = _items([score for _, score in scored])
    clusters = [sample.cluster for sample, _ in scored]
    made = [Metric("relative_score", items, clusters, _relative(protocol), better=MORE)]
    made += [
        Metric(f"{name}_score", items, clusters, _side(side), limits=RATE, better=better)
        for side, (name, better) in enumerate((("reference", NEITHER), ("answer", MORE)))
    ]
    for name in CATEGORIES:
        at = [index for index, (sample, _) in enumerate(scored) if sample.tags["category"] == name]
        if at:
            inside = [clusters[index] for index in at]
            label = f"relative_score_{name}"
            bar = Metric(label, items[at], inside, _relative(protocol), breakdown="category", label=name, better=MORE)
            made.append(bar)
    return made
