"""Coverage of means over several answers and over several training seeds, and of differences of two recipes.

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.designs.replicates [RUNS]

An answer is right where image + question + replicate's own noise + luck of the replicate is below a border, all normal;
`agree` is the share of what is not the image's that all replicates have in common. The truth is the mean over all
images, questions and replicates of that kind. `taken as given` is the interval of the mean of these replicates, as if
others would not differ.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from vlmbench.stats import intervals
from vlmbench.stats.figures import draws
from vlmbench.stats.metrics import RATE, Metric, mean, ratio
from vlmbench.stats.seeds.replicates import decompose, difference, interval

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats


@dataclass(frozen=True)
class Recipe:
    """How models of one recipe answer."""

    replicates: int
    images: int = 60
    each: int = 10
    luck: float = 0.0
    """Standard deviation of a replicate's share of right answers, in points."""
    agree: float = 0.7
    level: float = 0.7
    alike: float = 0.15
    f1: bool = False

    @property
    def truth(self) -> float:
        """The mean over everything, in points."""
        return 100 * float(norm.cdf(norm.ppf(self.level) / math.sqrt(1 + self._shift**2)))

    @property
    def _shift(self) -> float:
        return self.luck / 100 / float(norm.pdf(norm.ppf(self.level)))

    def questions(self, rng: np.random.Generator) -> Floats:
        """(questions,) how hard they are for every model."""
        image = rng.normal(size=self.images).repeat(self.each) * math.sqrt(self.alike)
        own = rng.normal(size=self.images * self.each) * math.sqrt((1 - self.alike) * self.agree)
        hard: Floats = image + own
        return hard

    def answers(self, rng: np.random.Generator, hard: Floats) -> Floats:
        """(replicates, questions) of 0 and 1."""
        noise = rng.normal(size=(self.replicates, len(hard))) * math.sqrt((1 - self.alike) * (1 - self.agree))
        border = norm.ppf(self.level) + self._shift * rng.normal(size=(self.replicates, 1))
        right: Floats = (hard + noise < border).astype(np.float64)
        return right

    def metrics(self, right: Floats) -> list[Metric]:
        """One for each replicate."""
        names = [str(at // self.each) for at in range(right.shape[1])]
        if not self.f1:
            return [mean("accuracy", row.tolist(), names) for row in right]
        yes = (np.arange(right.shape[1]) % 2).astype(np.float64)
        rows = [np.stack([yes * row, yes * row + (1 - row) / 2], axis=1) for row in right]
        return [Metric("f1", items, names, ratio(), limits=RATE) for items in rows]


def of_a_mean(recipe: Recipe, runs: int) -> tuple[float, float]:
    """How often the interval holds the truth; how often that of one replicate does."""
    rng = np.random.default_rng([recipe.replicates, recipe.images, recipe.each, int(10 * recipe.luck)])
    held, alone = 0, 0
    for _ in range(runs):
        metrics = recipe.metrics(recipe.answers(rng, recipe.questions(rng)))
        parts = decompose(metrics)
        assert parts is not None
        found = interval(parts, metrics[0].bounds)
        single = intervals.interval(draws.average(metrics))
        held += _inside(found.low, recipe.truth, found.high)
        alone += _inside(single.low, recipe.truth, single.high)
    return held / runs, alone / runs


def of_a_difference(recipe: Recipe, runs: int, drop: float = 0.0) -> tuple[float, float]:
    """How often the interval of two recipes' difference holds the truth; how often p is at most 0.05."""
    later = replace(recipe, level=recipe.level - drop / 100)
    rng = np.random.default_rng([recipe.replicates, recipe.images, int(10 * recipe.luck), int(10 * drop)])
    held, found = 0, 0
    for _ in range(runs):
        hard = recipe.questions(rng)
        made = difference(*(one.metrics(one.answers(rng, hard)) for one in (recipe, later)))
        assert made is not None and made.p is not None
        held += _inside(made.difference.low, later.truth - recipe.truth, made.difference.high)
        found += made.p <= 0.05
    return held / runs, found / runs


def _inside(low: float | None, value: float, high: float | None) -> bool:
    return low is not None and high is not None and low <= value <= high


def seeds(runs: int) -> None:
    """Training seeds: S of 2 to 5, luck of 0 to 4 points."""
    print("| seeds | images x questions | luck of a seed | interval over seeds | these seeds taken as given |")
    print("|---|---|---|---|---|")
    for count in (2, 3, 4, 5):
        for images, each in ((60, 10), (400, 1)):
            for luck in (0.0, 0.5, 1.0, 2.0, 4.0):
                one, alone = of_a_mean(Recipe(count, images, each, luck), runs)
                print(f"| {count} | {images} x {each} | {luck:g} | {one:.3f} | {alone:.3f} |", flush=True)


def answers(runs: int) -> None:
    """Several answers to a question: K of 2 to 8, no luck of a whole replicate."""
    print("| answers | agreement of answers | accuracy | F1 |")
    print("|---|---|---|---|")
    for count in (2, 4, 8):
        for agree in (0.2, 0.7, 0.95):
            shares = [of_a_mean(Recipe(count, agree=agree, f1=f1), runs)[0] for f1 in (False, True)]
            print(f"| {count} | {agree:g} | {shares[0]:.3f} | {shares[1]:.3f} |", flush=True)


def recipes(runs: int) -> None:
    """Two recipes of S seeds each."""
    print("| seeds each | luck of a seed | interval holds no difference | false alarms | a fall of 4 is found |")
    print("|---|---|---|---|---|")
    for count in (2, 3, 5):
        for luck in (0.0, 0.5, 1.0, 2.0):
            recipe = Recipe(count, 200, 5, luck)
            same, fall = of_a_difference(recipe, runs), of_a_difference(recipe, runs, 4.0)
            print(f"| {count} | {luck:g} | {same[0]:.3f} | {same[1]:.3f} | {fall[1]:.3f} |", flush=True)


def main(arguments: Sequence[str] = ()) -> None:
    """All tables."""
    runs = int(arguments[0]) if arguments else 2000
    for table in (seeds, answers, recipes):
        print(f"\n{table.__doc__} {runs:,} runs a cell\n")
        table(runs)


if __name__ == "__main__":
    main(sys.argv[1:])
