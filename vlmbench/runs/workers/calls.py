"""What one call of the pool asks: its groups as workers get them, and where their answers come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vlmbench.base.samples import Request
from vlmbench.runs.execution.planning import PlannedRequest
from vlmbench.runs.storage.parts import PartFolder
from vlmbench.runs.workers.images import Group, all_travel
from vlmbench.runs.workers.merging import Merge
from vlmbench.runs.workers.scheduler import LARGEST, WorkQueue

LARGEST_BYTES = 16
"""Most groups of a portion whose images travel as bytes."""


@dataclass
class Call:
    """The state of a call."""

    make: Callable[[int], Group]
    """A group by its number, as a worker gets it that reads the images."""
    merge: Merge
    largest: int
    """Most groups of a portion."""
    by_bytes: set[int] = field(default_factory=set)
    """Groups whose images are sent."""
    idle: set[int] = field(default_factory=set)
    """Workers to ask the queue for."""

    @property
    def queue(self) -> WorkQueue:
        """Which worker has which groups."""
        return self.merge.queue


def of_run(groups: Sequence[Sequence[PlannedRequest]], workers: int, run: Path, every: float) -> Call:
    """The questions of a run, whose answers go into parts in its folder."""
    first_of_task = {item.task: item.request for group in groups for item in group}
    largest = LARGEST if all_travel(list(first_of_task.values())) else LARGEST_BYTES

    def keys(number: int) -> tuple[str, ...]:
        return tuple(item.key for item in groups[number])

    def make(number: int) -> Group:
        requests = tuple(item.request for item in groups[number])
        return Group(number, keys(number), requests, groups[number][0].image_hashes)

    return Call(make, Merge(WorkQueue(len(groups), workers), PartFolder(run, every), keys), largest)


def of_requests(groups: Sequence[tuple[Request, ...]], workers: int, every: float) -> Call:
    """Requests of no run, whose answers come in messages."""

    def keys(number: int) -> tuple[str, ...]:
        return tuple(f"{number}.{place}" for place in range(len(groups[number])))

    def make(number: int) -> Group:
        return Group(number, keys(number), groups[number], ())

    merge = Merge(WorkQueue(len(groups), workers), PartFolder(None, every), keys)
    return Call(make, merge, LARGEST_BYTES, set(range(len(groups))))
