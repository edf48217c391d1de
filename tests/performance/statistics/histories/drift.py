"""How often histories of unchanged runs get an alarm of drift, and how soon a drift gets one.

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.histories.drift [HISTORIES]

Runs of one model on the same images, whose answers turn from run to run: `lasting`, where a commit turns answers for
good (a random walk), `noise`, where each run turns answers around the same model (a server that is not deterministic).
Prints the tables of docs/evaluate/statistics.md; the suite asserts a part of them (tests/core/stats/test_drift.py).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri, stdtrit

from vlmbench.stats.trends.drift import ALPHA, batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vlmbench.stats.metrics import Floats

    Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class World:
    """A benchmark and how answers turn in it."""

    images: int
    each: int
    turned: float
    """Share of the answers that turn from one run to the next."""
    lasting: bool = True
    level: float = 0.85
    restless: float = 0.5
    """Share of the images whose answers turn at all from one run to the next."""

    @property
    def n(self) -> int:
        """Questions."""
        return self.images * self.each


def histories(world: World, runs: int, count: int, rng: np.random.Generator, fall: float = 0.0) -> Floats:
    """(count, runs, images) right answers per image; accuracy falls by `fall` points from each run to the next."""
    size = (1 - 0.2) / 0.2
    ease = rng.beta(world.level * size, (1 - world.level) * size, (count, world.images, 1))
    state = rng.random((count, world.images, world.each)) < ease
    found = np.empty((count, runs, world.images))
    first = state
    for run in range(runs):
        found[:, run] = state.sum(axis=2)
        state = _turned(world, state if world.lasting else first, rng, fall * (1 if world.lasting else run + 1))
    return found


def _turned(world: World, state: Flags, rng: np.random.Generator, fall: float) -> Flags:
    """The next run: as many answers turn to right as to wrong, and `fall` points more to wrong."""
    right = state.mean(axis=(1, 2), keepdims=True)
    share = world.turned / 2 if world.lasting else world.turned / 4
    down, up = (share + fall / 100) / np.maximum(right, 0.02), share / np.maximum(1 - right, 0.02)
    restless = (rng.random((len(state), world.images, 1)) < world.restless) / world.restless
    flips: Flags = rng.random(state.shape) < np.where(state, down, up) * restless
    return state ^ flips


def steps(world: World, right: Floats) -> tuple[Floats, Floats, Floats]:
    """(falls, their errors, the first run's own error) as vlmbench.stats.trends.drift has them of a share."""
    images = right.shape[2]
    change = np.diff(right, axis=1) * 100 / world.n
    falls = -change.sum(axis=2)
    centred = change - change.mean(axis=2, keepdims=True)
    flip = 100 / world.n
    wide = float(stdtrit(images - 1, 1 - ALPHA / 4) / ndtri(1 - ALPHA / 4))
    errors = wide * np.sqrt(images / (images - 1) * (centred**2).sum(axis=2) + 2 * flip**2)
    own = (right[:, 0] - right[:, 0].mean(axis=1, keepdims=True)) * 100 / world.n
    scale = np.sqrt(images / (images - 1) * (own**2).sum(axis=1) + 2 * flip**2)
    return falls, errors, scale


def alarms(world: World, runs: int, count: int, fall: float = 0.0, seed: int = 0, steady: int = 0) -> Floats:
    """(count,) the run of the first alarm, counted from 1; inf where there was none in `runs` runs."""
    rng = np.random.default_rng([seed, world.images, world.each, runs])
    found = []
    block = max(1, 4_000_000 // (world.n * 4))
    for start in range(0, count, block):
        right = histories(world, runs, min(block, count - start), rng, fall)
        evidence = batch(*steps(world, right))
        reached = evidence >= 1 / ALPHA
        found.append(np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf))
    return np.concatenate(found)


def false_alarms(count: int) -> None:
    """Shares of histories of 50 unchanged runs that get an alarm."""
    print("| images | questions per image | answers that turn | images that turn | lasting | noise |")
    print("|---:|---:|---:|---:|---:|---:|")
    for images, each in ((20, 18), (60, 18), (200, 6), (218, 1), (500, 1), (500, 18)):
        for turned, restless in ((0.01, 0.5), (0.02, 0.2), (0.05, 0.5)):
            shares = []
            for lasting in (True, False):
                world = World(images, each, turned, lasting, restless=restless)
                shares.append(np.isfinite(alarms(world, 50, count if world.n < 5000 else count // 4)).mean())
            row = " | ".join(f"{100 * share:.1f} %" for share in shares)
            print(f"| {images} | {each} | {100 * turned:g} % | {100 * restless:g} % | {row} |", flush=True)


def delays(count: int) -> None:
    """After how many runs a drift is found: median, and in nine of ten histories; `-` where later than 50."""
    falls = (0.3, 0.5, 0.8, 1.0)
    head = " | ".join(f"-{fall:g} per run" for fall in falls)
    print(f"| images | questions per image | answers that turn | {head} |")
    print("|---:|---:|---:|" + "---:|" * len(falls))
    for images, each, turned in (
        (218, 1, 0.02),
        (60, 18, 0.02),
        (500, 1, 0.02),
        (500, 6, 0.02),
        (500, 18, 0.01),
        (500, 18, 0.02),
        (500, 18, 0.05),
    ):
        cells = []
        for fall in falls:
            found = alarms(World(images, each, turned), 50 if each < 18 or images < 500 else 20, count, fall)
            ends = [float(np.quantile(found, share, method="higher")) for share in (0.5, 0.9)]
            cells.append(", ".join("-" if np.isinf(end) else f"{end:.0f}" for end in ends))
        print(f"| {images} | {each} | {100 * turned:g} % | {' | '.join(cells)} |", flush=True)


def main(count: int = 2000) -> None:
    """Both tables."""
    print(f"false alarms, {count:,} histories a cell (a quarter of 9,000 questions)\n")
    false_alarms(count)
    print(f"\ndelays, {count // 10:,} histories a cell\n")
    delays(count // 10)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
