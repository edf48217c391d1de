"""Gates that are looked at while a run goes on, simulated: the tables of docs/evaluate/gate.md.

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.looks.early_gates [GATES]

How often a gate is wrong if the model fell by just the allowed drop, and what part of the questions it takes otherwise.
Made-up benchmarks with 9,000 questions: images of different difficulty, a share of answers that turn by chance (as many
to right as to wrong), and a drop on top. tests/core/stats/gates/test_early_gates.py asserts a part of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vlmbench.compare.early import course
from vlmbench.stats.metrics import RATE, Metric, ratio
from vlmbench.stats.noninferiority import Margins, Outcome
from vlmbench.stats.sequential import betting, looks
from vlmbench.stats.sequential.boundary import Boundary

QUESTIONS = 9000
GATES = 2000
MARGINS = Margins()
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class World:
    """A benchmark and a model that changes."""

    each: int
    """Questions per image."""
    accuracy: float = 0.85
    turned: float = 0.02
    drop: float = 0.0
    """In points."""
    whole: bool = False
    """Whether the drop is of whole images, all of whose answers are lost."""
    alike: float = 0.3
    """Correlation of the answers about one image."""

    @property
    def images(self) -> int:
        """How many there are."""
        return QUESTIONS // self.each

    def draw(self, rng: np.random.Generator) -> tuple[Flags, Flags]:
        """(images, each) right or wrong, before and after."""
        size = (1 - self.alike) / self.alike
        ease = rng.beta(self.accuracy * size, (1 - self.accuracy) * size, self.images)
        before = rng.random((self.images, self.each)) < ease[:, None]
        drop = 0.0 if self.whole else self.drop / 100
        lost, gained = (self.turned / 2 + drop) / self.accuracy, self.turned / 2 / (1 - self.accuracy)
        chance = rng.random(before.shape)
        after = np.where(before, chance >= lost, chance < gained)
        if self.whole:
            after[rng.random(self.images) < self.drop / 100 / self.accuracy] = False
        return before, after


def metric(right: Flags, names: list[str]) -> Metric:
    """The accuracy of some images."""
    items = np.stack([right.ravel().astype(np.float64), np.ones(right.size)], axis=1)
    return Metric("accuracy", items, names[: right.size], ratio(), limits=RATE)


def gate(world: World, before: Flags, after: Flags, names: list[str], *, often: bool = False) -> tuple[Outcome, float]:
    """(the verdict of the looks, the share of the questions that it took); unknown if none decides.

    `often`: looks come as often as they ever do, so that none is missed that could be wrong.
    """
    if world.each == 1 and often:
        return single(world, (after.astype(np.float64) - before)[:, 0])
    boundary, asked = Boundary(world.images), range(0, QUESTIONS + 1, world.each)
    count, times = course.following(asked, 0), 1.0
    while count < world.images:
        one, other = before[:count], after[:count]
        found = looks.look(metric(one, names), metric(other, names), int((one != other).sum()), MARGINS, boundary)
        if found.fell(found.p, MARGINS):
            return Outcome.FAIL, count / world.images
        if found.held(MARGINS, 100.0):
            return Outcome.PASS, count / world.images
        times = 1.0 if often else found.times(MARGINS, 100.0)
        count = course.following(asked, count, times)
    return Outcome.UNKNOWN, 1.0


def single(world: World, change: NDArray[np.float64]) -> tuple[Outcome, float]:
    """`gate` of single questions, without the limits that a report shows: they agree with the p-values (tested)."""
    asked, count = range(QUESTIONS + 1), course.following(range(QUESTIONS + 1), 0)
    while count < world.images:
        seen, allowed = change[:count], MARGINS.allowed / 100
        if betting.p_value(seen, allowed, fell=True) <= looks.FELL_SHARE * MARGINS.alpha:
            return Outcome.FAIL, count / world.images
        if betting.p_value(seen, allowed, fell=False) <= MARGINS.alpha:
            return Outcome.PASS, count / world.images
        count = course.following(asked, count)
    return Outcome.UNKNOWN, 1.0


def simulated(world: World, gates: int, seed: int = 0, *, often: bool = False) -> list[tuple[Outcome, float]]:
    """The verdicts of so many gates."""
    rng = np.random.default_rng([seed, world.each, int(1000 * world.turned), int(100 * world.accuracy)])
    names = [str(at // world.each) for at in range(QUESTIONS)]
    return [gate(world, *world.draw(rng), names, often=often) for _ in range(gates)]


def share(found: list[tuple[Outcome, float]], outcome: Outcome) -> float:
    """How often it came to this."""
    return sum(one == outcome for one, _ in found) / len(found)


def boundaries() -> Iterator[World]:
    """Worlds that fell by just what is allowed."""
    for each in (1, 18):
        for accuracy in (0.5, 0.85, 0.98):
            for turned in (0.002, 0.02, 0.1):
                if turned / 2 < 1 - accuracy:
                    yield World(each, accuracy, turned, drop=MARGINS.allowed)


def errors(gates: int) -> None:
    """Wrong verdicts at the boundary: an eighth as many gates per row where a gate costs much more."""
    many = max(1, gates // 8)
    print("| questions per image | accuracy | answers that turn | wrong fail | wrong pass |")
    print("|---:|---:|---:|---:|---:|")
    for world in boundaries():
        found = simulated(world, gates if world.each == 1 else many, often=True)
        row = f"| {world.each} | {100 * world.accuracy:g} | {100 * world.turned:g} % "
        print(f"{row}| {share(found, Outcome.FAIL):.4f} | {share(found, Outcome.PASS):.4f} |", flush=True)
    for lost in (MARGINS.allowed, MARGINS.min_detectable_drop):
        found = simulated(World(18, drop=lost, whole=True), many, often=True)
        told = f"{share(found, Outcome.FAIL):.4f} | {share(found, Outcome.PASS):.4f}"
        print(f"| 18, whole images lost, drop {lost:g} | 85 | 2 % | {told} |", flush=True)


def shares(gates: int) -> None:
    """The part of the questions that it takes."""
    print("| questions per image | answers that turn | drop | verdicts | median share | mean share |")
    print("|---:|---:|---:|---|---:|---:|")
    for each in (1, 18):
        for turned, drop in ((0.002, 0.0), (0.02, 0.0), (0.1, 0.0), (0.02, 3.0), (0.02, 10.0)):
            found = simulated(replace(World(each), turned=turned, drop=drop), gates, seed=1)
            words = ", ".join(f"{one} {100 * share(found, one):.0f} %" for one in Outcome if share(found, one))
            taken = [part for _, part in found]
            told = f"{words} | {100 * np.median(taken):.1f} % | {100 * np.mean(taken):.1f} %"
            print(f"| {each} | {100 * turned:g} % | {drop:g} | {told} |", flush=True)


def main(gates: int = GATES) -> None:
    """Both tables."""
    errors(gates)
    print()
    shares(max(1, gates // 20))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
