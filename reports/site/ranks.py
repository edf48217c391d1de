"""Where a run stands on a task, as a range: the runs that test better and those that test worse count; ties are shown.

Two runs are told apart by the paired test of their headline where one could be made, else by the difference of both
values over the errors that their intervals tell; Holm's correction at 5 % over all pairs of the task. A run of which
questions have no score is told apart only if it would be were they all wrong, or all right
(vlmbench/scoring/bounds.py): failing on what would have been wrong wins no rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import NormalDist
from typing import Any

from vlmbench.stats.paired import holm

from ..runs import Bar, RunResult, TaskResult

ALPHA = 0.05
Told = Mapping[tuple[str, str], Mapping[str, tuple[float, float | None]]]
"""{(before, after): {task: (difference, p)}} by run id."""


def ranks(runs: Sequence[RunResult], told: Told) -> dict[str, dict[str, Any]]:
    """{task: {"ranks": {run id: [first, last]}, "paired": whether paired tests told them apart}}."""
    boards: dict[str, dict[str, Bar]] = {}
    for run in runs:
        for task in run.tasks:
            if task.best.value is not None:
                boards.setdefault(task.key, {})[run.id] = _bounded(task)
    return {
        key: _board(bars, {pair: of[key] for pair, of in told.items() if key in of}) for key, bars in boards.items()
    }


def _board(bars: Mapping[str, Bar], tests: Mapping[tuple[str, str], tuple[float, float | None]]) -> dict[str, Any]:
    found: dict[tuple[str, str], tuple[float, float | None]] = {}
    for pair in combinations(bars, 2):
        tested = [
            (one, sign) for one, sign in ((pair, -1.0), (pair[::-1], 1.0)) if tests.get(one, (0, None))[1] is not None
        ]
        if tested:
            (one, sign), *_ = tested
            found[pair] = (sign * tests[one][0], tests[one][1])
        else:
            found[pair] = _apart(bars[pair[0]], bars[pair[1]])
    corrected = holm({"\n".join(pair): p for pair, (_, p) in found.items()})
    above = dict.fromkeys(bars, 0)
    below = dict.fromkeys(bars, 0)
    for pair, (ahead, _) in found.items():
        p = corrected["\n".join(pair)]
        better, worse = pair if ahead > 0 else pair[::-1]
        if p is not None and p < ALPHA and ahead and _whatever_failed(bars[better], bars[worse]):
            below[better] += 1
            above[worse] += 1
    paired = any(p is not None and set(pair) <= set(bars) for pair, (_, p) in tests.items())
    return {"ranks": {name: [1 + above[name], len(bars) - below[name]] for name in bars}, "paired": paired}


def _bounded(task: TaskResult) -> Bar:
    """The headline's bar; where questions have no score and nothing tells its bounds (older runs), it has none."""
    if task.coverage < 1 and task.best.bounds is None:
        return replace(task.best, bounds=(-math.inf, math.inf))
    return task.best


def _apart(one: Bar, other: Bar) -> tuple[float, float | None]:
    """(how far the first is ahead, two-sided p of no difference), from values and intervals of unlike questions."""
    assert one.value is not None and other.value is not None
    ahead = one.value - other.value
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return ahead, None
    near = (
        (one.value - one.low, other.high - other.value)
        if ahead > 0
        else (one.high - one.value, other.value - other.low)
    )
    error = math.hypot(*(reach / _errors(bar.level) for reach, bar in zip(near, (one, other), strict=True)))
    if error <= 0:
        return ahead, None
    return ahead, math.erfc(abs(ahead) / error / math.sqrt(2))


def _errors(level: float) -> float:
    """Standard errors from a value to the end of its interval; of Student's intervals the error comes out large."""
    return NormalDist().inv_cdf((1 + level) / 2)


def _whatever_failed(better: Bar, worse: Bar) -> bool:
    """Whether the better one is ahead even if its missing answers were all wrong, and those of the other all right."""
    if better.bounds is None and worse.bounds is None:
        return True
    least = better.value if better.bounds is None else better.bounds[0]
    most = worse.value if worse.bounds is None else worse.bounds[1]
    return least is not None and most is not None and least > most
