"""In which order a gated run asks a task's questions, and after how many images it looks at the gate.

Images come in an order that the seed and their names decide, whole images at a time: tasks about the same images ask
about them in the same waves, and a run that is resumed takes the same course. The next look comes when the tests may be
decided, by what was seen so far: after a tenth more images at least, after twice as many at most; and not before so
many questions that a model has something to do at once. Limits that hold at any time allow to look whenever one likes.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from typing import TYPE_CHECKING

from vlmbench.runs.execution.selection import place
from vlmbench.stats.sequential.boundary import FEWEST

if TYPE_CHECKING:
    from vlmbench.runs.execution.planning import PlannedRequest

GROWTH, MOST = 1.1, 2.0
"""The next look comes after so many times the images, at least and at most."""
SOONER = 0.9
"""And so much before the tests seem to be decided: what was seen is no more than an estimate."""
QUESTIONS = 64
"""New questions at the next look, at least."""


@dataclass
class Course:
    """The questions of one task in the order in which they are asked."""

    groups: Sequence[Sequence[PlannedRequest]]
    """By image, in order."""
    done: int = 0
    """How many images have been given out."""

    @cached_property
    def before(self) -> Sequence[int]:
        """(images + 1,) how many questions come before each image; the last is all of them."""
        return [0, *accumulate(map(len, self.groups))]

    @property
    def questions(self) -> int:
        """How many there are."""
        return self.before[-1]

    def asked(self, start: int = 0) -> list[PlannedRequest]:
        """Those given out so far, in order, from an image on."""
        return [item for group in self.groups[start : self.done] for item in group]

    @property
    def over(self) -> bool:
        """Whether all have been given out."""
        return self.done >= len(self.groups)

    def next_wave(self, times: float = 1.0) -> list[PlannedRequest]:
        """Those up to the next look; after so many `times` the images the tests seem to be decided."""
        start, self.done = self.done, following(self.before, self.done, times)
        return self.asked(start)


def course(items: Iterable[PlannedRequest], seed: int, strata: str = "") -> Course:
    """The course of one task's questions. With the tag of `strata`, an image of each stratum in turn: a sum over strata
    is soonest known so, and all of them are there from the first look on."""
    groups: dict[str, list[PlannedRequest]] = {}
    for item in items:
        groups.setdefault(item.sample.cluster or item.sample.id, []).append(item)

    ordered = [groups[name] for name in sorted(groups, key=partial(place, seed))]
    if strata:
        turns: Counter[str] = Counter()
        turn = []
        for group in ordered:
            stratum = str(group[0].sample.tags.get(strata, ""))
            turn.append(turns[stratum])
            turns[stratum] += 1
        ordered = [ordered[at] for at in sorted(range(len(ordered)), key=turn.__getitem__)]
    return Course(ordered)


def following(before: Sequence[int], done: int, times: float = 1.0) -> int:
    """After how many images to look next. `before`: how many questions come before each image."""
    images = len(before) - 1
    if not done:
        return min(FEWEST, images)
    here = max(done + 1, math.ceil(done * min(MOST, max(GROWTH, SOONER * times))))
    return min(images, max(here, bisect_left(before, before[done] + QUESTIONS)))
