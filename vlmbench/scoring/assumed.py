"""Two made-up models that answer a benchmark's questions, for planning before anything is run.

A question is answered rightly or wrongly, by images that differ in difficulty; the scores are those of the best and the
worst answer (bounds.py), so that any benchmark's own metric can be computed: F1, a sum of subtasks, a mean grade (which
is then 0 or full: more variance than grades in between have).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample, Score
from vlmbench.scoring import bounds, draws, verdicts
from vlmbench.stats import power

if TYPE_CHECKING:
    import numpy as np

    from vlmbench.base.registry import TaskChoice
    from vlmbench.stats.metrics import Metric
    from vlmbench.stats.power import Design

PAIRS = 8
"""Pairs of models drawn: the error of a difference is then known to a few percent."""


@dataclass(frozen=True)
class Assumed:
    """What two models of one accuracy, whose errors have nothing in common, would show."""

    metric: Metric
    """The headline of one of them."""
    design: Design | None
    """None where the metric has no standard error on such answers."""


def two_models(choice: TaskChoice, samples: Sequence[Sample], *, accuracy: float, correlation: float) -> Assumed | None:
    """The headline's difference between two such models; None where the task has no such metric of such answers.

    `accuracy` is from 0 to 1, `correlation` that of two answers about one image. Deterministic.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    judged = choice.task.protocols[choice.protocol].judge is not None
    asked = [draws.drawn(sample, draw) for sample in samples for draw in range(choice.variant.samples)]
    ends = [bounds.extremes(choice.task, choice.protocol, sample, int(judged)) for sample in asked]
    found = [_headline(choice, asked, ends, _right(rng, asked, accuracy, correlation)) for _ in range(2 * PAIRS)]
    metrics = [metric for metric in found if metric is not None]
    if not metrics:
        return None
    pairs = zip(metrics[::2], metrics[1::2], strict=False)
    designs = [design for before, after in pairs if (design := power.between(before, after)) is not None]
    return Assumed(metrics[0], power.pooled(designs) if designs else None)


def _headline(
    choice: TaskChoice, asked: Sequence[Sample], ends: Sequence[tuple[Score, Score]], right: np.ndarray
) -> Metric | None:
    scored = [(sample, end[int(hit)]) for sample, end, hit in zip(asked, ends, right, strict=True)]
    headline = choice.task.protocols[choice.protocol].headline
    metrics = verdicts.metrics(choice.task, choice.protocol, scored)
    return next((metric for metric in metrics if metric.name == headline), None)


def _right(rng: np.random.Generator, asked: Sequence[Sample], accuracy: float, correlation: float) -> np.ndarray:
    """(samples,) right or wrong, beta-binomial by image."""
    import numpy as np

    names = {name: at for at, name in enumerate(dict.fromkeys(sample.cluster for sample in asked))}
    codes = np.array([names[sample.cluster] for sample in asked])
    if correlation >= 1:
        easy = (rng.random(len(names)) < accuracy).astype(np.float64)
    elif correlation > 0:
        size = (1 - correlation) / correlation
        easy = rng.beta(accuracy * size, (1 - accuracy) * size, len(names))
    else:
        easy = np.full(len(names), accuracy)
    hit: np.ndarray = rng.random(len(asked)) < easy[codes]
    return hit
