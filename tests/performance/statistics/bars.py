"""Cells for the bars of a breakdown, raw and shrunk: bars of 10 to 50 questions that differ by nothing or by much.

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.bars [BREAKDOWNS]

prints how wide the intervals are and how far the values are off. A run of a cell is one bar: coverage is the average
over bars. Bars of one breakdown are drawn together, so the standard error is up to twice that of as many single bars.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, chdtri, ndtr, ndtri

from tests.performance.statistics.cells import LOWEST, Cell, Drawn
from vlmbench.stats.clustered import shares
from vlmbench.stats.clustered.shrinkage import Answered, shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.95
QUESTIONS, SHARES, COUNTS = (10, 20, 30, 50), (0.5, 0.9, 0.99), (4, 12)
SPREADS = ("0", "0.02", "0.1", "0.3", "one apart")
"""Variance of the true shares as a part of mu (1 - mu); or all are equal but one, which is right 0.4 less often."""
LAYOUTS = ("one per image", "five per image", "images in all bars")
EACH, ALIKE = 5, 0.3
"""Questions of an image, and the correlation of its answers."""


def true_shares(rng: np.random.Generator, bars: int, level: float, spread: str) -> Floats:
    """(bars,) beta-distributed."""
    if spread == "one apart":
        return np.array([max(0.1, level - 0.4)] + [level] * (bars - 1))
    if spread == "0":
        return np.full(bars, level)
    size = (1 - float(spread)) / float(spread)
    return rng.beta(level * size, (1 - level) * size, bars)


def right_answers(rng: np.random.Generator, true: Floats, layout: str, n: int) -> tuple[Floats, float]:
    """(bars, images) right answers and how many questions each is of."""
    if layout == "five per image":
        size, inside = (1 - ALIKE) / ALIKE, np.clip(true, 1e-9, 1 - 1e-9)[:, None]
        easy = rng.beta(inside * size, (1 - inside) * size, (len(true), n // EACH))
        return rng.binomial(EACH, np.clip(easy, 0, 1)).astype(np.float64), float(EACH)
    alike = ALIKE if layout == "images in all bars" else 0.0
    hard = rng.normal(size=n) * math.sqrt(alike) + rng.normal(size=(len(true), n)) * math.sqrt(1 - alike)
    return (hard < ndtri(true)[:, None]).astype(np.float64), 1.0


def estimated(right: Floats, each: float, layout: str, shrink: bool) -> tuple[Floats, Floats, Floats]:
    """(bars,) values and ends of one breakdown."""
    bars, images = right.shape
    if not shrink:
        asked = np.full(images, each)
        return right.mean(axis=1) / each, *shares.clustered(right, asked, LEVEL)
    bar, image = (side.ravel() for side in np.indices(right.shape))
    if layout != "images in all bars":
        image = np.arange(bars * images)
    return shrunk(Answered(bar, image, right.ravel(), np.full(bars * images, each)), LEVEL)


def of_bars(columns: dict[str, str], layout: str, count: int, n: int, level: float, spread: str, shrink: bool) -> Cell:
    """Bars of one kind of breakdown; ends are those of the interval less the bar's true share."""

    def draw(rng: np.random.Generator, runs: int) -> Drawn:
        found, rarer = [], []
        for _ in range(math.ceil(runs / count)):
            true = true_shares(rng, count, level, spread)
            right, each = right_answers(rng, true, layout, n)
            found.append(np.stack([end - true for end in estimated(right, each, layout, shrink)[1:]]))
            rarer.append(min((right < each).sum(), (right > 0).sum()) / count)
        low, high = np.concatenate(found, axis=1)
        return Drawn(low, high, float(np.mean(rarer)))

    return Cell("bars", columns, n, 0.0, draw)


def cells(shrink: bool) -> Iterator[Cell]:
    """Section 2.7. The number of bars matters to shrunk ones alone."""
    for layout in LAYOUTS:
        for count in COUNTS if shrink else COUNTS[-1:]:
            for n in QUESTIONS:
                for level in SHARES:
                    for spread in SPREADS:
                        columns = {"images": layout, **({"bars": str(count)} if shrink else {})}
                        columns |= {"questions": str(n), "share": f"{level:g}", "spread": spread}
                        yield of_bars(columns, layout, count, n, level, spread, shrink)


def raw() -> Iterator[Cell]:
    """Each bar by itself."""
    return cells(False)


def drawn_together() -> Iterator[Cell]:
    """Shrunk towards their mean."""
    return cells(True)


def forced(count: int, n: int, share: float, spread: float, coverage: float = LOWEST) -> tuple[float, float]:
    """What an interval around the best estimate must cover of equal bars if it covers `coverage` of unequal ones.

    In the normal approximation, of bars whose variance is known to be `spread` mu (1 - mu): the estimate is B mean +
    (1 - B) own. Also how often a test of equal bars (chi-square, 5 %) finds that they differ.
    """
    own, true = share * (1 - share) / n, share * (1 - share) * spread
    pull = own / (own + true)
    unequal = true * pull + pull**2 * (own + true) / count
    equal = (1 - pull) ** 2 * own * (1 - 1 / count) + own / count
    reach = float(ndtri(0.5 + coverage / 2)) * math.sqrt(unequal / equal)
    critical = float(chdtri(count - 1, 0.05))
    return 2 * float(ndtr(reach)) - 1, float(chdtrc(count - 1, critical * pull))


def main(breakdowns: int = 200) -> None:
    """How much narrower shrunk intervals are, and how much nearer to the truth the values; what equal bars force."""
    print("| bars | spread that must be covered | coverage of equal bars | a test finds that spread |")
    print("|---|---|---|---|")
    for count in COUNTS:
        for small in (0.005, 0.01, 0.02):
            print(f"| {count} | {small} | {' | '.join(f'{one:.3f}' for one in forced(count, 50, 0.5, small))} |")
    print("| images | bars | questions | share | spread | width, raw | shrunk | error, raw | shrunk |")
    print("|---|---|---|---|---|---|---|---|---|")
    for layout in LAYOUTS:
        for n in (10, 50):
            for level in (0.5, 0.9):
                for spread in ("0.02", "0.1"):
                    rng = np.random.default_rng([n, int(100 * level), len(spread), len(layout)])
                    sums = np.zeros((2, 2))
                    for _ in range(breakdowns):
                        true = true_shares(rng, COUNTS[-1], level, spread)
                        right, each = right_answers(rng, true, layout, n)
                        for row, shrink in enumerate((False, True)):
                            value, low, high = estimated(right, each, layout, shrink)
                            sums[row] += (high - low).mean(), ((value - true) ** 2).mean()
                    widths, errors = 100 * sums[:, 0] / breakdowns, 100 * np.sqrt(sums[:, 1] / breakdowns)
                    numbers = " | ".join(f"{one:.1f}" for one in (*widths, *errors))
                    print(f"| {layout} | {COUNTS[-1]} | {n} | {level:g} | {spread} | {numbers} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
