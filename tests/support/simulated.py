"""Made-up benchmarks whose truth is known: pictures have their own difficulty, so their questions are alike.

Each maker draws one run of `pictures` pictures with `each` questions and returns its metric; TRUTH has what the metric
would be over all pictures of that kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from vlmbench.stats.intervals import intervals
from vlmbench.stats.metrics import RATE, Metric, auroc, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vlmbench.stats.metrics import Floats


@dataclass(frozen=True)
class World:
    """Where pictures come from."""

    pictures: int
    each: int
    level: float = 0.75
    """Share of right answers over all pictures; for AUROC the distance of both kinds is made from it."""
    correlation: float = 0.2
    """Of the rightness of two questions about one picture."""

    @property
    def clusters(self) -> list[str]:
        """The picture of each question."""
        return [str(at // self.each) for at in range(self.pictures * self.each)]

    def rightness(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """(questions,) right or wrong, beta-binomial by picture."""
        size = (1 - self.correlation) / self.correlation
        easy = rng.beta(self.level * size, (1 - self.level) * size, self.pictures)
        found: NDArray[np.bool_] = rng.random(self.pictures * self.each) < easy.repeat(self.each)
        return found

    @property
    def distance(self) -> float:
        """Between the means of positive and negative scores, for AUROC."""
        return float(2 * stats.norm.ppf(self.level) * math.sqrt(1 / (1 - self.correlation)))


def accuracy(world: World, rng: np.random.Generator, clusters: Sequence[str]) -> Metric:
    """Share of right answers."""
    right = world.rightness(rng).astype(np.float64)
    return Metric("accuracy", np.stack([right, np.ones_like(right)], axis=1), clusters, ratio(), proportion=True)


def f1(world: World, rng: np.random.Generator, clusters: Sequence[str]) -> Metric:
    """F1 of yes, half of the targets being yes: TP / (TP + errors / 2)."""
    right = world.rightness(rng)
    yes = rng.random(len(right)) < 0.5
    top = (yes & right).astype(np.float64)
    return Metric("f1", np.stack([top, top + 0.5 * ~right], axis=1), clusters, ratio(), limits=RATE)


def area(world: World, rng: np.random.Generator, clusters: Sequence[str]) -> Metric:
    """AUROC of normal scores with a shift of their picture's own."""
    own = math.sqrt(world.correlation / (1 - world.correlation))
    shift = rng.normal(0, own, world.pictures).repeat(world.each)
    truth = rng.random(len(shift)) < 0.4
    return auroc(
        "auroc", truth.tolist(), (world.distance * truth + shift + rng.normal(size=len(shift))).tolist(), clusters
    )


def pairs(world: World, rng: np.random.Generator) -> tuple[Floats, list[str]]:
    """MME's rows: right answers, questions, both right, pairs; `each` questions a cluster, at least one pair."""
    per = max(1, world.each // 2)
    right = World(world.pictures, 2 * per, world.level, world.correlation).rightness(rng).reshape(-1, 2)
    ones = np.ones(len(right))
    rows = np.stack([right.sum(axis=1), 2 * ones, right.all(axis=1), ones], axis=1).astype(np.float64)
    return rows, [str(at // per) for at in range(len(right))]


def acc_plus(world: World, rng: np.random.Generator, clusters: Sequence[str]) -> Metric:
    """MME's acc+: pairs of questions that are both right."""
    rows, names = pairs(world, rng)
    return Metric("acc_plus", rows, clusters if len(clusters) == len(rows) else names, ratio(2, 3), limits=RATE)


def subtask(world: World, rng: np.random.Generator, clusters: Sequence[str]) -> Metric:
    """MME's subtask: acc and acc+ added up."""
    rows, names = pairs(world, rng)

    def combine(sums: Floats) -> Floats:
        return ratio(0, 1)(sums) + ratio(2, 3)(sums)

    same = clusters if len(clusters) == len(rows) else names
    return Metric("subtask", rows, same, combine, limits=(0.0, 200.0))


def both(world: World) -> float:
    """How often two questions about one picture are both right."""
    return world.level**2 + world.correlation * world.level * (1 - world.level)


Maker = Callable[[World, np.random.Generator, Sequence[str]], Metric]
MAKERS: dict[str, tuple[Maker, Callable[[World], float]]] = {
    "accuracy": (accuracy, lambda world: 100 * world.level),
    "f1": (f1, lambda world: 100 * world.level),
    "auroc": (area, lambda world: 100 * float(stats.norm.cdf(math.sqrt(2) * stats.norm.ppf(world.level)))),
    "mme acc+": (acc_plus, lambda world: 100 * both(world)),
    "mme subtask": (subtask, lambda world: 100 * (world.level + both(world))),
}


def coverage(name: str, world: World, runs: int, seed: int = 0) -> float:
    """How often the 95 % interval of a made-up run holds the truth."""
    rng = np.random.default_rng([seed, world.pictures, world.each])
    make, truth = MAKERS[name]
    clusters = world.clusters
    if name.startswith("mme"):
        clusters = list(make(world, rng, ()).clusters)
    found = intervals([make(world, rng, clusters) for _ in range(runs)], resamples=1000)
    target = truth(world)
    return sum(one.low is not None and one.high is not None and one.low <= target <= one.high for one in found) / runs


def models(world: World, rng: np.random.Generator, effect: float, clusters: Sequence[str]) -> tuple[Metric, Metric]:
    """Two models on the same questions, `effect` points apart; half of a picture's difficulty is common to both."""
    common, *own = rng.normal(size=(3, world.pictures))
    scale = math.sqrt(world.correlation / (1 - world.correlation) / 2)
    made = []
    for model, share in enumerate((world.level - effect / 200, world.level + effect / 200)):
        ease = (scale * (common + own[model])).repeat(world.each)
        right = (rng.normal(size=len(ease)) < stats.norm.ppf(share) * math.sqrt(1 + 2 * scale**2) + ease).astype(float)
        items = np.stack([right, np.ones_like(right)], axis=1)
        made.append(Metric("accuracy", items, clusters, ratio(), proportion=True))
    return made[0], made[1]
