"""Which worker has which groups: acquired, answered, requeued after a loss, split at the end. Knows nothing of Ray.

Groups are never split: to the last bit, an answer depends on which requests are batched together.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable

LARGEST = 16
"""Most groups of a portion: a model may work ahead, or batch, over them."""
SHARE = 4
"""A portion is at most 1 / (SHARE * workers) of what waits: portions shrink to single groups towards the end."""
IN_HAND = 2
"""Portions that a worker has: the one it works on and the next, so that it never waits."""
TRIES = 3
"""Workers that a group may lose before it counts as failed."""


class WorkQueue:
    """The groups 0, 1, ... of one run. Workers are named by anything hashable."""

    def __init__(self, groups: int, workers: int) -> None:
        self._workers = workers
        self._waiting = deque(range(groups))
        self._lost: deque[int] = deque()
        """Groups of lost workers: given out alone, after the others, so that one that kills workers shows itself."""
        self._open = set(range(groups))
        self._held: dict[Hashable, list[list[int]]] = {}
        self._losses: Counter[int] = Counter()
        self.requeued = 0

    @property
    def done(self) -> bool:
        """Whether every group is answered or failed."""
        return not self._open

    def pending(self, worker: Hashable) -> int:
        """How many portions a worker has not finished."""
        return len(self._held.get(worker, ()))

    def acquire(self, worker: Hashable) -> list[int]:
        """A worker's next portion; empty when it has enough, or nothing is left.

        When all groups are given out, an idle worker also gets the last group of a busy one: both may answer it, and
        the first answer counts.
        """
        portion: list[int] = []
        if self.pending(worker) >= IN_HAND:
            return portion
        if self._waiting:
            size = max(1, min(LARGEST, len(self._waiting) // (SHARE * self._workers)))
            portion = [self._waiting.popleft() for _ in range(size)]
        elif self._lost:
            portion = [self._lost.popleft()]
        elif not self.pending(worker):
            portion = self._split()
        if portion:
            self._held.setdefault(worker, []).append(portion)
        return portion

    def _split(self) -> list[int]:
        """The last open group of the worker with the most groups that nobody else has."""
        holders = Counter(n for portions in self._held.values() for portion in portions for n in portion)
        found: list[int] = []
        for portions in self._held.values():
            alone = [n for portion in portions for n in portion if n in self._open and holders[n] == 1]
            found = max(found, alone, key=len)
        return found[-1:]

    def answered(self, number: int) -> bool:
        """Record a group's answer; False for one that had an answer already."""
        if number not in self._open:
            return False
        self._open.remove(number)
        return True

    def finish_portion(self, worker: Hashable) -> None:
        """The worker has finished its first portion."""
        self._held[worker].pop(0)

    def requeue(self, worker: Hashable) -> list[int]:
        """Take back a lost worker's groups. Returns those that were lost too often, which count as answered.

        Only a group of the portion that it was working on counts as lost.
        """
        portions = self._held.pop(worker, [])
        self._losses.update(n for n in (portions[0] if portions else ()) if n in self._open)
        elsewhere = {n for others in self._held.values() for portion in others for n in portion}
        failed = []
        for number in dict.fromkeys(n for portion in portions for n in portion):
            if number not in self._open or number in elsewhere:
                continue
            if self._losses[number] >= TRIES:
                self._open.remove(number)
                failed.append(number)
            elif self._losses[number]:
                self._lost.append(number)
                self.requeued += 1
            else:
                self._waiting.appendleft(number)
                self.requeued += 1
        return failed
