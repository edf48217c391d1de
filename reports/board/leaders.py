"""Per task: which row is the best, how far the others are behind it, and which of them are not told apart from it.

The best is the row with the highest score among those with enough questions; missing answers count as wrong, so that
failing lifts nobody. A row has too few questions to tell where its interval reaches further than WIDE of the scale to
a side: a score of 73 with an interval from 11 to 98 is nobody's winner, however high it is. One that a test puts above
the best row with enough questions is the best all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmbench.stats.combined import weighted_sum
from vlmbench.stats.intervals import Estimate
from vlmbench.stats.metrics import LESS

from ..runs import Bar, TaskResult
from . import ranks
from .rows import Row

WIDE = 0.1
"""Of the scale."""
SCALE, SUM = 100.0, 1000.0
"""From the least to the largest value of a metric that is not known: of one that exceeds SCALE by far, thousands."""


@dataclass(frozen=True)
class Gap:
    """How far a row is from the best, in the metric's own unit: below 0 is a lower score."""

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    """Of no difference, not corrected; None where the rows were not paired."""
    paired: bool = False
    """Whether it is of the same questions, which makes the interval narrower."""

    @property
    def test(self) -> ranks.Test | None:
        """For ranks; None where there is no paired test."""
        return (self.value, self.p) if self.p is not None else None


@dataclass(frozen=True)
class Column:
    """One task or average of the board, by row id."""

    key: str
    best: str | None
    """The row that the others are set beside; None where none has a score."""
    ranks: Mapping[str, Sequence[int]]
    paired: bool
    """Whether paired tests told the rows apart."""
    gaps: Mapping[str, Gap]
    bold: Sequence[str]
    """The best, and those that the corrected tests do not tell apart from it; none with too few questions."""
    few: Sequence[str]
    """Those with too few questions to tell."""


def best_of(results: Mapping[str, TaskResult], scale: float | None = None) -> str | None:
    """The best row, of one task's results by row id. `scale` is the range of the metric, if it is known."""
    bars = _bars(results)
    wide = _wide(bars, scale)
    enough = [name for name in bars if name not in wide]
    best = max(enough or bars, key=lambda name: ranks.least(bars[name]), default=None)
    if best is None or not enough:
        return best
    behind = _apart_from(best, ranks.corrected(bars, {}))
    above = [name for name in wide if name in behind and ranks.least(bars[name]) > ranks.least(bars[best])]
    return max([best, *above], key=lambda name: ranks.least(bars[name]))


def column(
    key: str,
    results: Mapping[str, TaskResult],
    gaps: Mapping[str, Gap],
    tests: ranks.Tests,
    scale: float | None = None,
) -> Column:
    """One task's column. `gaps` are the paired ones from its best; the others are filled in from the intervals.

    `tests` are paired tests of any two rows, by (before, after); `scale` is the range of the metric, if it is known.
    """
    best, bars = best_of(results, scale), _bars(results)
    wide = _wide(bars, scale)
    if best is None:
        return Column(key, None, {}, False, {}, [], [])
    sign = -1.0 if any(one.best.better == LESS for one in results.values()) else 1.0
    from_best = {(best, name): gap.test for name, gap in gaps.items()}
    every = {**tests, **{pair: test for pair, test in from_best.items() if test is not None}}
    known = {pair: (sign * lead, p) for pair, (lead, p) in every.items()}
    board = ranks.board_ranks(bars, known)
    behind = _apart_from(best, ranks.corrected(bars, known))
    few = [name for name in wide if name != best or len(wide) == len(bars)]
    bold = [name for name in bars if name not in few and name not in behind]
    whole = {name: gaps.get(name) or unpaired(results[name].best, results[best].best) for name in bars if name != best}
    return Column(key, best, board["ranks"], board["paired"], whole, bold, few)


def rows_on(rows: Sequence[Row], key: str) -> dict[str, TaskResult]:
    """By row id, the results of the rows that took a task."""
    return {row.id: task for row in rows for task in row.merged.tasks if task.key == key}


def unpaired(bar: Bar, best: Bar) -> Gap:
    """The difference of two scores from their intervals, as if they were of unlike questions (MOVER)."""
    assert bar.value is not None and best.value is not None
    parts = [Estimate(one.value, one.low, one.high, one.n) for one in (bar, best) if one.value is not None]
    found = weighted_sum([[(1.0, parts[0])], [(-1.0, parts[1])]])
    return Gap(found.value, found.low, found.high)


def _bars(results: Mapping[str, TaskResult]) -> dict[str, Bar]:
    return {name: ranks.upward(one) for name, one in results.items() if one.best.value is not None}


def _wide(bars: Mapping[str, Bar], scale: float | None) -> list[str]:
    """The rows whose interval reaches far."""
    most = max((abs(bar.value) for bar in bars.values() if bar.value is not None), default=0.0)
    whole = scale or (SCALE if most <= 2.5 * SCALE else SUM * math.ceil(most / SUM))  # CIDEr may exceed 100
    return [name for name, bar in bars.items() if _reach(bar) > WIDE * whole]


def _apart_from(best: str, pairs: Mapping[tuple[str, str], ranks.Test]) -> set[str]:
    """The rows that corrected tests tell apart from one."""
    return {name for pair, test in pairs.items() if best in pair and ranks.apart(test) for name in pair if name != best}


def _reach(bar: Bar) -> float:
    """How far its interval reaches to the farther side; infinite without one."""
    if bar.value is None or bar.low is None or bar.high is None:
        return math.inf
    return max(bar.value - bar.low, bar.high - bar.value)
