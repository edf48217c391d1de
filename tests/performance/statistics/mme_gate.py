"""What the gate decides on MME's perception sum: `python -m tests.performance.statistics.mme_gate [DRAWS]`.

Made-up models on the ten subtasks in their real sizes. A part of the answers turns by chance, in both directions alike;
besides, right answers are lost until the sum has fallen by a given number of points, in all subtasks alike, in the
small ones, or in the large ones. The ideal test beside it is told the true standard deviation of the difference.

The verdicts are those of vlmbench.stats.noninferiority on vlmbench's own metrics; only the standard error is the closed
form by influence instead of the bootstrap, which it equals (tests/core/stats/gates/test_mme_gate.py).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from vlmbench.base.metric import Metric
from vlmbench.stats import influence, intervals
from vlmbench.stats.figures.question_pairs import QuestionPairs
from vlmbench.stats.intervals import Estimate
from vlmbench.stats.noninferiority import Decision, Margins, decide, one_sided, spread_of
from vlmbench.stats.paired import PERMUTATION, Paired

SIZES: Mapping[str, int] = {
    "existence": 30, "count": 30, "position": 30, "color": 30, "posters": 147, "celebrity": 170, "scene": 200,
    "landmark": 200, "artwork": 200, "OCR": 20,
}  # fmt: skip
"""Images of each subtask of MME's perception."""
NAMES = tuple(SIZES)
COUNTS = np.array(list(SIZES.values()))
SUBTASK = np.repeat(np.arange(len(COUNTS)), COUNTS)
LABELS = [NAMES[index] for index in SUBTASK]
CLUSTERS = [f"{row}" for row in range(len(SUBTASK))]
ALL = np.ones(len(COUNTS))
WHERE: Mapping[str, np.ndarray] = {
    "all subtasks": ALL,
    "small subtasks": (COUNTS < 100).astype(np.float64),
    "large subtasks": (COUNTS >= 100).astype(np.float64),
}
MARGINS = Margins(allowed=20.0, min_detectable_drop=40.0)
"""1 % of the range, as by default."""


@dataclass(frozen=True)
class World:
    """A model before and after."""

    level: float = 0.85
    """Share of right answers."""
    turned: float = 0.01
    """Share of the answers that turn by chance."""
    fall: float = 0.0
    """True fall of the sum, in points."""
    where: str = "all subtasks"
    alike: float = 0.3
    """Correlation of the two answers about one image."""

    def expected_fall(self, lost: np.ndarray) -> float:
        """The fall if these shares of the right answers of each subtask were lost."""
        chance = 2 * self.turned
        right = (1 - chance) * self.level + chance / 2
        both = self.level**2 + self.alike * self.level * (1 - self.level)
        both = (1 - chance) ** 2 * both + chance * (1 - chance) * self.level + chance**2 / 4
        return float((100 * (right * lost + both * (1 - (1 - lost) ** 2))).sum())

    def lost(self) -> np.ndarray:
        """The shares that make up the fall, by bisection."""
        weights, low, high = WHERE[self.where], 0.0, 0.9
        for _ in range(60 if self.fall else 0):
            middle = (low + high) / 2
            low, high = (middle, high) if self.expected_fall(middle * weights) < self.fall else (low, middle)
        return low * weights

    def draws(self, times: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(images, 2) right or wrong before and after. Before and after are exchangeable but for the fall."""
        rng = np.random.default_rng(seed)
        spread = (1 - self.alike) / self.alike
        lost = self.lost()[SUBTASK][:, None]
        size = (len(SUBTASK), 2)
        for _ in range(times):
            ease = rng.beta(self.level * spread, (1 - self.level) * spread, size=len(SUBTASK))
            known = rng.random(size) < ease[:, None]
            undecided = rng.random(size) < 2 * self.turned
            before, after = (np.where(undecided, rng.random(size) < 0.5, known) for _ in range(2))
            yield before, after & (rng.random(size) >= lost)


def perception(right: np.ndarray) -> Metric:
    """The sum over the subtasks."""
    both = right.all(axis=1)
    items = np.stack([right.sum(axis=1), np.full(len(right), 2), both, np.ones(len(right))], axis=1)
    return QuestionPairs(NAMES, LABELS, CLUSTERS, items.astype(np.float64)).total("perception", NAMES)


def compared(before: Metric, after: Metric) -> Paired:
    """The paired difference with the closed form of its standard error."""
    count = len(SUBTASK)
    codes = np.arange(count)
    moves = []
    for metric in (before, after):
        found = influence.influence(metric, codes, count, intervals.cluster_sums(metric.items, codes, count))
        assert found is not None
        moves.append(found)
    value = Estimate(after.value() - before.value(), None, None, 2 * count)
    return Paired(value, 0.5, PERMUTATION, count, 2 * count, influence.error(moves[1] - moves[0]))


def decisions(world: World, times: int, seed: int, margins: Margins = MARGINS) -> list[tuple[float, Decision]]:
    """(difference, what the gate decides) of so many draws."""
    found = []
    for before, after in world.draws(times, seed):
        metrics = perception(before), perception(after)
        difference = compared(*metrics)
        around = spread_of(difference, *metrics, float((before != after).sum()))
        p = one_sided(difference, around, margins.allowed)
        found.append((difference.difference.value, decide(difference, around, p, margins)))
    return found


@dataclass(frozen=True)
class Rates:
    """Shares of verdicts, and those of the ideal test."""

    passed: float
    failed: float
    ideal_passed: float
    ideal_failed: float
    tells: float
    """Median of the drop that the gate says it finds."""


def rates(found: Sequence[tuple[float, Decision]], margins: Margins = MARGINS) -> Rates:
    """Summary of simulated gates."""
    values = np.array([value for value, _ in found])
    counts = Counter(str(decision.outcome) for _, decision in found)
    deviation, sure = values.std(ddof=1), ndtri(1 - margins.alpha)
    return Rates(
        counts["pass"] / len(found),
        counts["fail"] / len(found),
        float(ndtr((margins.allowed + values.mean()) / deviation - sure)),
        float(ndtr((-margins.allowed - values.mean()) / deviation - sure)),
        float(np.median([decision.detectable or np.nan for _, decision in found])),
    )


def main(times: int = 5_000) -> None:
    """The table of docs/evaluate/gate.md; worlds of 85 % right and 1 % turned first."""
    print("| right | turned | fall | in | passes | ideal | fails | ideal | computed drop |")
    print("|---:|---:|---:|---|---:|---:|---:|---:|---:|")
    worlds = [World(0.85, 0.01, fall) for fall in (0, 20, 40, 75)]
    worlds += [World(0.85, 0.01, 20, where) for where in list(WHERE)[1:]]
    worlds += [World(0.85, 0.03, fall) for fall in (0, 20, 40, 75)]
    worlds += [World(level, 0.01, fall) for level in (0.7, 0.95) for fall in (0, 20, 40, 75)]
    for number, world in enumerate(worlds):
        one = rates(decisions(world, times, number))
        print(
            f"| {100 * world.level:g} % | {100 * world.turned:g} % | {world.fall:g} | {world.where} "
            f"| {one.passed:.3f} | {one.ideal_passed:.3f} | {one.failed:.3f} | {one.ideal_failed:.3f} "
            f"| {one.tells:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
