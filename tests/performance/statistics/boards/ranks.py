"""How often equally good models are ranked apart, where their questions are unlike (no paired tests).

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.boards.ranks [BOARDS]

By intervals that do not overlap, as ranks once were, and as they are (reports/board/ranks.py): by the difference over
the standard errors that the intervals imply, corrected over all pairs. Prints the table of docs/evaluate/statistics.md.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

from vlmbench.stats.intervals import wilson

ranks: Any = import_module("vlmbench.reports.board.ranks")
Bars = dict[str, Any]


def board(models: int, n: int, level: float, alike: float, rng: np.random.Generator) -> Bars:
    """Equally good models on n questions each; `alike` is the correlation of their errors (of the same questions)."""
    common = rng.normal(0, np.sqrt(alike * level * (1 - level) / n)) if alike else 0.0
    values = np.clip(level + common + rng.normal(0, np.sqrt((1 - alike) * level * (1 - level) / n), models), 0, 1)
    if not alike:
        values = rng.binomial(n, level, models) / n
    bars = {}
    for number, value in enumerate(values.tolist()):
        low, high = wilson(value, n)
        bars[str(number)] = ranks.Bar("accuracy", 100 * value, 100 * low, 100 * high, n)
    return bars


def by_overlap(bars: Bars) -> bool:
    """Whether the intervals of some two do not overlap."""
    return bool(max(bar.low for bar in bars.values()) > min(bar.high for bar in bars.values()))


def by_tests(bars: Bars) -> bool:
    """Whether some two are ranked apart."""
    found = ranks.board_ranks(bars, {})["ranks"]
    return any(place != [1, len(bars)] for place in found.values())


def apart(models: int, n: int, level: float, alike: float, boards: int) -> tuple[float, float]:
    """Shares of boards on which some model is ranked apart: by overlap, by tests."""
    rng = np.random.default_rng([models, n, round(100 * level)])
    made = [board(models, n, level, alike, rng) for _ in range(boards)]
    return sum(map(by_overlap, made)) / boards, sum(map(by_tests, made)) / boards


def main(boards: int = 1000) -> None:
    """The table, and how long a board of 30 takes."""
    print("| models | questions | accuracy | correlation of errors | intervals do not overlap | tests (now) |")
    print("|---:|---:|---:|---:|---:|---:|")
    for models in (3, 10, 20, 30):
        for n, level, alike in ((500, 0.75, 0.0), (500, 0.95, 0.0), (100, 0.75, 0.0), (500, 0.75, 0.6)):
            overlap, tests = apart(models, n, level, alike, boards)
            cells = f"{100 * overlap:.1f} % | {100 * tests:.1f} %"
            print(f"| {models} | {n} | {100 * level:g} | {alike:g} | {cells} |", flush=True)
    bars = board(30, 500, 0.75, 0.0, np.random.default_rng(0))
    start = time.process_time()
    ranks.board_ranks(bars, {})
    print(f"\na board of 30: {1000 * (time.process_time() - start):.1f} ms of CPU")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
