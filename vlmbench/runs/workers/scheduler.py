"""Which worker has which groups: acquired, answered, requeued after a loss, shared at the end. Knows nothing of Ray.

Groups are never split: to the last bit, an answer depends on which requests are batched together. Every step takes
logarithmic time in the number of workers (`python -m tests.performance.hand_out`).
"""

from __future__ import annotations

import heapq
from collections import Counter, deque

LARGEST = 256
"""Most groups of a portion: a model may work ahead, or batch, over them."""
SHARE = 4
"""A portion is at most 1 / (SHARE * workers) of what waits: portions shrink to single groups towards the end."""
IN_HAND = 2
"""Portions that a worker has: the one it works on and the next, so that it never waits."""
TRIES = 3
"""Workers that a group may lose before it counts as failed."""


Worker = int | str


class WorkQueue:
    """The groups 0, 1, ... of one run. Workers are named by numbers or words."""

    def __init__(self, groups: int, workers: int) -> None:
        self._workers = workers
        self._waiting = deque(range(groups))
        self._lost: deque[int] = deque()
        """Groups of lost workers: given out alone, after the others, so that one that kills workers shows itself."""
        self._open = set(range(groups))
        self._held: dict[Worker, deque[list[int]]] = {}
        """By worker: its portions, the one it works on first."""
        self._holders: dict[int, set[Worker]] = {}
        """By open group that was given out: who has it."""
        self._alone: dict[Worker, dict[int, None]] = {}
        """By worker: the open groups that nobody else has, in the order they were given."""
        self._most: list[tuple[int, Worker]] = []
        """Heap of (minus how many groups it has alone, worker). Groups that were answered since are still counted."""
        self._counted: dict[Worker, int] = {}
        """By worker: the count of its entry on the heap that holds; its other entries are old."""
        self._losses: Counter[int] = Counter()
        self.requeued = 0

    @property
    def done(self) -> bool:
        """Whether every group is answered or failed."""
        return not self._open

    def pending(self, worker: Worker) -> int:
        """How many portions a worker has not finished."""
        return len(self._held.get(worker, ()))

    def is_open(self, number: int) -> bool:
        """Whether a group is neither answered nor failed."""
        return number in self._open

    def held(self, worker: Worker) -> list[int]:
        """The open groups that a worker has."""
        return [n for portion in self._held.get(worker, ()) for n in portion if n in self._open]

    def acquire(self, worker: Worker, largest: int = LARGEST) -> list[int]:
        """A worker's next portion; empty when it has enough, or nothing is left.

        When all groups are given out, an idle worker also gets the last group of a busy one: both may answer it, and
        the first answer counts. After an empty portion there is nothing for an idle worker until a group is requeued.
        """
        portion: list[int] = []
        if self.pending(worker) >= IN_HAND:
            return portion
        if self._waiting:
            size = max(1, min(largest, len(self._waiting) // (SHARE * self._workers)))
            portion = [self._waiting.popleft() for _ in range(size)]
        elif self._lost:
            portion = [self._lost.popleft()]
        elif not self.pending(worker):
            portion = self._share()
        if portion:
            self._held.setdefault(worker, deque()).append(portion)
            for number in portion:
                self._add_holder(number, worker)
            self._offer(worker)
        return portion

    def _share(self) -> list[int]:
        """The last open group of the worker with the most groups that nobody else has."""
        while self._most:
            negative, worker = heapq.heappop(self._most)
            if self._counted.get(worker) != -negative:
                continue
            self._counted[worker] = 0
            alone = self._alone.get(worker, {})
            found = [next(reversed(alone))] if alone and len(alone) == -negative else []
            for number in found:
                del alone[number]
            self._offer(worker)
            if found:
                return found
        return []

    def _offer(self, worker: Worker) -> None:
        """Put a worker on the heap, if it has more groups alone than its entry there says."""
        count = len(self._alone.get(worker, ()))
        if count > self._counted.get(worker, 0):
            self._counted[worker] = count
            heapq.heappush(self._most, (-count, worker))

    def _add_holder(self, number: int, worker: Worker) -> None:
        holders = self._holders.setdefault(number, set())
        if not holders:
            self._alone.setdefault(worker, {})[number] = None
        holders.add(worker)

    def _remove_holder(self, number: int, worker: Worker) -> bool:
        """Returns whether nobody has the group any more."""
        holders = self._holders.get(number)
        if holders is None:
            return False
        holders.discard(worker)
        self._alone.get(worker, {}).pop(number, None)
        if len(holders) == 1:
            (last,) = holders
            self._alone.setdefault(last, {})[number] = None
            self._offer(last)
        return not holders

    def answered(self, number: int) -> bool:
        """Record a group's answer; False for one that had an answer already."""
        if number not in self._open:
            return False
        self._open.remove(number)
        for worker in self._holders.pop(number, ()):
            self._alone.get(worker, {}).pop(number, None)
        return True

    def finish_portion(self, worker: Worker) -> list[int]:
        """The worker has finished its first portion. What it left without an answer is requeued like a lost group.

        Returns those that were lost too often, which count as answered.
        """
        return self._take_back(worker, self._held[worker].popleft(), blamed=True)

    def requeue(self, worker: Worker) -> list[int]:
        """Take back a lost worker's groups. Returns those that were lost too often, which count as answered.

        Only a group of the portion that it was working on counts as lost.
        """
        portions = self._held.pop(worker, deque())
        first = portions.popleft() if portions else []
        failed = self._take_back(worker, first, blamed=True)
        return failed + self._take_back(worker, [n for portion in portions for n in portion], blamed=False)

    def give_back(self, worker: Worker, number: int, *, blamed: bool) -> list[int]:
        """Take back one group of a worker that goes on: it could not begin with it, or its answers are damaged.

        Returns it when it was lost too often; it then counts as answered.
        """
        return self._take_back(worker, [number], blamed=blamed)

    def _take_back(self, worker: Worker, groups: list[int], *, blamed: bool) -> list[int]:
        failed = []
        for number in groups:
            if number not in self._open or worker not in self._holders.get(number, ()):
                continue
            self._losses[number] += blamed
            if not self._remove_holder(number, worker):
                continue
            del self._holders[number]
            if self._losses[number] >= TRIES:
                self._open.remove(number)
                failed.append(number)
                continue
            self.requeued += 1
            if self._losses[number]:
                self._lost.append(number)
            else:
                self._waiting.appendleft(number)
        return failed
