"""Where a run stands on a task, as a range: who is better for sure, and who is worse for sure, counts; ties are shown.

Two runs are told apart by the paired test of their headline where one could be made (Holm over the pairs of the task,
5 %), else by intervals that do not overlap, which is stricter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from vlmbench.pairing import holm

from .runs import Bar, RunResult

ALPHA = 0.05

Told = Mapping[tuple[str, str], Mapping[str, tuple[float, float | None]]]
"""{(before, after): {task: (difference, p)}} by run id."""


def ranks(runs: Sequence[RunResult], told: Told) -> dict[str, dict[str, Any]]:
    """{task: {"ranks": {run id: [first, last]}, "paired": whether paired tests told them apart}}."""
    boards: dict[str, dict[str, Bar]] = {}
    for run in runs:
        for task in run.tasks:
            if task.best.value is not None:
                boards.setdefault(task.key, {})[run.id] = task.best
    return {
        key: _board(bars, {pair: of[key] for pair, of in told.items() if key in of}) for key, bars in boards.items()
    }


def _board(bars: Mapping[str, Bar], tests: Mapping[tuple[str, str], tuple[float, float | None]]) -> dict[str, Any]:
    ps = {pair: p for pair, (_, p) in tests.items() if p is not None and set(pair) <= set(bars)}
    corrected = holm({"\n".join(pair): p for pair, p in ps.items()})
    sure = {pair: corrected["\n".join(pair)] or 0.0 for pair in ps}
    above = {name: 0 for name in bars}
    below = {name: 0 for name in bars}
    for one, other in combinations(bars, 2):
        pair = (one, other) if (one, other) in sure else (other, one)
        if pair in sure:
            sign = -tests[pair][0] if sure[pair] < ALPHA else 0.0
            better = pair if sign > 0 else pair[::-1] if sign < 0 else None
        else:
            better = _apart(bars, one, other)
        if better is not None:
            below[better[0]] += 1
            above[better[1]] += 1
    return {"ranks": {name: [1 + above[name], len(bars) - below[name]] for name in bars}, "paired": bool(sure)}


def _apart(bars: Mapping[str, Bar], one: str, other: str) -> tuple[str, str] | None:
    """(the better, the worse), where the intervals do not overlap; None where they do, or one has none."""
    a, b = bars[one], bars[other]
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return None
    if a.low > b.high:
        return one, other
    return (other, one) if b.low > a.high else None
