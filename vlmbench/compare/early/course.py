"""In which order a gated run asks a task's questions, and after how many images it looks at the gate.

Images come in an order that the seed and their names decide, whole images at a time: tasks about the same images ask
about them in the same waves, and a run that is resumed takes the same course. Looks come at a tenth more images each,
and not before so many questions that a model has something to do at once; so all looks together read every answer about
ten times.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from vlmbench.stats.sequential.boundary import FEWEST

if TYPE_CHECKING:
    from vlmbench.runs.execution.planning import PlannedRequest

GROWTH = 1.1
"""The next look comes after so many times the images."""
QUESTIONS = 64
"""New questions at the next look, at least."""


@dataclass
class Course:
    """The questions of one task in the order in which they are asked."""

    groups: Sequence[Sequence[PlannedRequest]]
    """By image, in order."""
    done: int = 0
    """How many images have been given out."""
    looks: list[int] = field(default_factory=list)
    """After how many images the gate is looked at, ascending; the last is all of them."""

    @property
    def questions(self) -> int:
        """How many there are."""
        return sum(map(len, self.groups))

    @property
    def asked(self) -> list[PlannedRequest]:
        """Those given out so far, in order."""
        return [item for group in self.groups[: self.done] for item in group]

    @property
    def over(self) -> bool:
        """Whether all have been given out."""
        return self.done >= len(self.groups)

    def next_wave(self) -> list[PlannedRequest]:
        """Those up to the next look."""
        start = self.done
        self.done = next((look for look in self.looks if look > start), len(self.groups))
        return [item for group in self.groups[start : self.done] for item in group]


def course(items: Iterable[PlannedRequest], seed: int) -> Course:
    """The course of one task's questions."""
    groups: dict[str, list[PlannedRequest]] = {}
    for item in items:
        groups.setdefault(item.sample.cluster or item.sample.id, []).append(item)

    def drawn(name: str) -> bytes:
        return hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogatepass")).digest()

    ordered = [groups[name] for name in sorted(groups, key=drawn)]
    return Course(ordered, looks=looks([len(group) for group in ordered]))


def looks(sizes: Sequence[int]) -> list[int]:
    """After how many images to look; `sizes` are their questions."""
    before = [0, *accumulate(sizes)]
    found, here = [], min(FEWEST, len(sizes))
    while here < len(sizes):
        found.append(here)
        wanted = before[here] + QUESTIONS
        following = max(here + 1, math.ceil(here * GROWTH))
        while following < len(sizes) and before[following] < wanted:
            following += 1
        here = following
    return [*found, len(sizes)]
