"""How often a gate with parts fails: `python -m tests.performance.statistics.gate_families [GATES]`.

Made-up tasks of bars with one question an image; the headline is the mean over all bars. A part of the answers turns by
chance, as many to right as to wrong; besides, right answers of some bars are lost. Headlines and bars are corrected as
in a gate: `noninferiority.gatekept` with the share of alpha that headlines have there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import ndtr, stdtr

from vlmbench.compare.gates.gate import FIRST
from vlmbench.stats.noninferiority import gatekept

ALLOWED, ALPHA, RIGHT = 1.0, 0.05, 0.85


@dataclass(frozen=True)
class Design:
    """What is tested."""

    tasks: int = 1
    bars: int = 10
    """Of each task."""
    items: int = 300
    """Of each bar."""
    turned: float = 0.02
    """Share of the answers that turn by chance."""
    fall: float = 0.0
    """Points that bars fall by."""
    fallen: int = 0
    """How many bars of the first task fall; 0 for all of all tasks."""


def p_values(lost: np.ndarray, gained: np.ndarray, items: int) -> np.ndarray:
    """One-sided p of "it fell by no more than is allowed", as noninferiority.one_sided has it for single questions."""
    up, down = (gained + 1) / (items + 2), (lost + 1) / (items + 2)
    error = 100 * np.sqrt((up + down - (up - down) ** 2) / (items + 2))
    mean, square = (gained - lost) / items, (gained + lost) / items
    variance = square - mean**2
    third = mean - 3 * mean * square + 2 * mean**3
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = np.where(variance > 0, third / variance**1.5 / np.sqrt(items), 0.0)
    t = (100 * mean + ALLOWED) / error
    p = stdtr(items - 1, t + skew / 3 * t**2 + skew**2 / 27 * t**3 + skew / 6)
    either: np.ndarray = np.maximum(p, score(lost, gained, items))
    return either


def score(lost: np.ndarray, gained: np.ndarray, items: int) -> np.ndarray:
    """noninferiority.Spread.score_p, where more was lost than is allowed; 0 elsewhere."""
    fell, fallen, total = (lost - gained).astype(np.float64), ALLOWED / 100 * items, (lost + gained).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        tilt = (np.sqrt(total**2 + 4 * fallen * (fallen - fell)) - total) / (2 * fallen)
        under = np.where(total > fell, (total + fell * tilt) / (1 - tilt**2), total)
        found: np.ndarray = np.where(fell > fallen, ndtr((fallen - fell) / np.sqrt(under)), 0.0)
    return found


def draws(design: Design, gates: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(gates, tasks) p-values of headlines, (gates, tasks, bars) of bars."""
    rng = np.random.default_rng(seed)
    shape = (gates, design.tasks, design.bars)
    fall = np.full(shape[1:], design.fall / 100)
    if design.fallen:
        fall[1:], fall[:, design.fallen :] = 0.0, 0.0
    lost = rng.binomial(design.items, np.broadcast_to(design.turned / 2 + fall, shape))
    gained = rng.binomial(design.items - lost, design.turned / 2 / (1 - design.turned / 2 - fall))
    whole = p_values(lost.sum(axis=2), gained.sum(axis=2), design.items * design.bars)
    return whole, p_values(lost, gained, design.items)


def failures(design: Design, gates: int, seed: int) -> tuple[float, float, float]:
    """Shares of gates in which (anything, a headline, the first bar) fails."""
    headlines, bars = draws(design, gates, seed)
    found = np.zeros((gates, 3))
    for gate in range(gates):
        first = {f"task {at}": float(p) for at, p in enumerate(headlines[gate])}
        second = {f"bar {at}": float(p) for at, p in enumerate(bars[gate].ravel())}
        failed = {name for name, p in gatekept(first, second, FIRST).items() if p is not None and p <= ALPHA}
        found[gate] = bool(failed), any(name in first for name in failed), "bar 0" in failed
    anything, headline, bar = found.mean(axis=0)
    return float(anything), float(headline), float(bar)


def main(gates: int = 4_000) -> None:
    """The tables of docs/evaluate/gate.md."""
    print("| tasks | bars each | items each | changed answers | fails, no drop | fails, all drop by exactly A |")
    print("|---:|---:|---:|---:|---:|---:|")
    for tasks, bars, items, turned in product((1, 4, 16), (3, 30), (50, 300), (0.02, 0.10)):
        plain, edge = (
            failures(Design(tasks, bars, items, turned, fall), gates, tasks + bars)[0] for fall in (0.0, ALLOWED)
        )
        row = f"| {tasks} | {bars} | {items} | {100 * turned:g} % |"
        print(f"{row} {100 * plain:.1f} % | {100 * edge:.1f} % |", flush=True)
    print("\n| bars | items each | changed answers | the bar fails | the headline fails |\n|---:|---:|---:|---:|---:|")
    for bars, items, turned in product((3, 10, 30), (100, 300, 1000, 3000), (0.02, 0.10)):
        _, headline, bar = failures(Design(1, bars, items, turned, 5.0, 1), gates, bars)
        row = f"| {bars} | {items:,} | {100 * turned:g} % |"
        print(f"{row} {100 * bar:.0f} % | {100 * headline:.0f} % |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
