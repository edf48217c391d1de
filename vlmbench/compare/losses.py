"""What had a score before and has none now: a gate counts it as a wrong answer.

Leaving it out would let a run pass that fails on just the questions which it would have got wrong, and would score the
baseline again without them. What had no score before either is left out of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vlmbench.base.samples import Status
from vlmbench.scoring import bounds, verdicts
from vlmbench.stats.metrics import Metric

if TYPE_CHECKING:
    from vlmbench.base.samples import Score
    from vlmbench.base.task import Task
    from vlmbench.runs.storage.reload import Item, StoredTask
    from vlmbench.stats.metrics import Floats


def counted(before: StoredTask, after: StoredTask) -> tuple[StoredTask, Sequence[str]]:
    """(the later run with the worst score in place of each lost one, the ids of those)."""
    lost = [item for item in after.items if item.sample.id in before.answered and failed(item)]
    if not lost:
        return after, ()
    scored = [(item.sample, item.score) for task in (after, before) for item in task.answered.values()]
    runs = verdicts.runs_of(scored[: len(after.answered)]) or verdicts.runs_of(scored)
    task, protocol = after.choice.task, after.choice.protocol
    counted_so = {item.sample.id: replace(item, score=worst(task, protocol, item, runs)) for item in lost}
    items = [counted_so.get(item.sample.id, item) for item in after.items]
    return replace(after, items=items), list(counted_so)


def worst(task: Task, protocol: str, item: Item, runs: int) -> Score:
    """The score of a wrong answer; `runs` of the judge that grades the task, 0 where none does."""
    return bounds.extremes(task, protocol, item.sample, runs)[0]


def failed(item: Item) -> bool:
    """Whether it was asked and has no score, though one could be told here."""
    return item.score.status not in (Status.OK, Status.UNLABELED, Status.NOT_ASKED)


def fill(before: dict[str, Metric], after: dict[str, Metric], headline: str) -> None:
    """Put the headline in, undefined, where a run has it not: no question of MMBench has all its rotations, say."""
    like = after.get(headline) or before.get(headline)
    before.setdefault(headline, undefined(headline, like))
    after.setdefault(headline, undefined(headline, like))


def undefined(name: str, like: Metric | None = None) -> Metric:
    """A metric over no items, which has no value."""
    import numpy as np

    def combine(sums: Floats) -> Floats:
        return np.full(np.shape(sums)[:-1], np.nan)

    better, target = ("", None) if like is None else (like.better, like.target)
    return Metric(name, np.zeros((0, 1)), (), combine, better=better, target=target)
