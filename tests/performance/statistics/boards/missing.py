"""How often intervals hold the truth where answers are missing that would have been wrong.

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.boards.missing [RUNS]

Made-up benchmarks (tests/support/simulated.py) of which some wrong answers, and some right ones, have no score: the
interval of the score, which is of the answered questions, and the one around both ends (vlmbench/scoring/bounds.py).
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from tests.support.simulated import World
from vlmbench.scoring.bounds import Ends, around
from vlmbench.stats.intervals import interval
from vlmbench.stats.metrics import Metric, ratio


def _accuracy(right: NDArray[np.bool_], clusters: list[str]) -> Metric:
    items = np.stack([right, np.ones(len(right))], axis=1).astype(np.float64)
    return Metric("accuracy", items, clusters, ratio(), proportion=True)


def coverage(world: World, wrong: float, right: float, runs: int, level: float = 0.95) -> tuple[float, float, float]:
    """(coverage of the score's own interval, of the one around both ends, its mean width)."""
    rng = np.random.default_rng([world.pictures, world.each, round(100 * wrong)])
    clusters, truth, held, wide, width = world.clusters, 100 * world.level, 0, 0, 0.0
    for _ in range(runs):
        good = world.rightness(rng)
        lost = rng.random(len(good)) < np.where(good, right, wrong)
        known = np.flatnonzero(~lost)
        own = interval(_accuracy(good[known], [clusters[at] for at in known]), level=level)
        pair = tuple(_accuracy(np.where(lost, end, good), clusters) for end in (False, True))
        both = Ends((pair[0], pair[1]), (pair[0].value(), pair[1].value()))
        low, high = around({"accuracy": both}, level=level)["accuracy"]
        held += own.low is not None and own.high is not None and own.low <= truth <= own.high
        wide += low <= truth <= high
        width += high - low
    return held / runs, wide / runs, width / runs


def main(runs: int = 1000) -> None:
    """The table."""
    print(
        "| images | questions per image | accuracy | wrong answers missing | right ones | of the score | around both |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for pictures, each in ((60, 18), (500, 1)):
        for level in (0.75, 0.9):
            for wrong, right in ((0.0, 0.0), (0.02, 0.02), (0.1, 0.0), (0.3, 0.0), (0.0, 0.1), (0.3, 0.3)):
                own, wide, _ = coverage(World(pictures, each, level), wrong, right, runs)
                cells = f"{100 * wrong:g} % | {100 * right:g} % | {own:.3f} | {wide:.3f}"
                print(f"| {pictures} | {each} | {100 * level:g} | {cells} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
