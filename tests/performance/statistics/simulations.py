"""The tables of docs/evaluate/statistics.md: `python -m tests.performance.statistics.simulations [RUNS]`.

Made-up benchmarks whose truth is known (tests/support/simulated.py): how often the paired test finds a difference
between equal models, and how often it finds the difference that vlmbench.stats.power announces. The suite runs a part
of it (tests/core/stats/test_power.py). How often intervals hold the truth: grid.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np

from tests.support import simulated
from tests.support.simulated import MAKERS, World
from vlmbench.stats import power
from vlmbench.stats.metrics import Metric
from vlmbench.stats.paired import paired

RUNS = 4000
EACH = (1, 6, 18, 32)


Drawn = Callable[[World, np.random.Generator, float, Sequence[str]], tuple[Metric, Metric]]


def equals(name: str) -> Drawn:
    """Two runs of one kind of metric on the same pictures, independent given those: equally good."""

    def draw(world: World, rng: np.random.Generator, effect: float, clusters: Sequence[str]) -> tuple[Metric, Metric]:
        one, other = (MAKERS[name][0](world, rng, clusters) for _ in range(2))
        return one, other

    return draw


def found(draw: Drawn, world: World, effect: float, runs: int) -> float:
    """Share of comparisons with p of at most 0.05."""
    rng = np.random.default_rng([1, world.pictures, world.each])
    clusters = world.clusters
    ps = [paired(*draw(world, rng, effect, clusters), resamples=1000).p for _ in range(runs)]
    return sum(p is not None and p <= 0.05 for p in ps) / runs


def alarms(runs: int) -> None:
    """How often two equally good models are told apart at alpha 0.05."""
    print("| metric | images |" + "".join(f" {each} per image |" for each in EACH))
    print("|---|---|" + "---|" * len(EACH))
    draws = {"accuracy, difficulty shared": simulated.models, "f1": equals("f1"), "auroc": equals("auroc")}
    draws["mme subtask"] = equals("mme subtask")
    for name, draw in draws.items():
        for pictures in (20, 60, 200):
            row = "".join(f" {found(draw, World(pictures, each), 0.0, runs):.3f} |" for each in EACH)
            print(f"| {name} | {pictures} |{row}", flush=True)


def announced(runs: int) -> None:
    """How often the announced minimum is found."""
    print("| images | questions per image | discordance | correlation | computed minimum (80 %) | detected |")
    print("|---|---|---|---|---|---|")
    for pictures in (60, 200, 500):
        for each in EACH:
            big = World(20_000 // each + 2000, each, 0.5)
            one, other = simulated.models(big, np.random.default_rng(5), 0.0, big.clusters)
            values = other.items[:, 0] - one.items[:, 0]
            alike, discordance = power.correlation(values, big.clusters), float((values**2).mean())
            world = World(pictures, each, 0.5)
            design = power.planned(world.clusters, discordance=discordance, correlation=alike)
            effect = power.detectable(design)
            assert effect is not None
            share = found(simulated.models, world, effect, runs)
            print(f"| {pictures} | {each} | {discordance:.3f} | {alike:.3f} | {effect:.2f} | {share:.3f} |", flush=True)


def main(runs: int = RUNS) -> None:
    """All tables."""
    tables = (("false alarms", alarms, 2), ("power", announced, 4))
    for title, table, part in tables:
        print(f"\n{title}, {runs // part:,} runs a cell\n")
        table(runs // part)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
