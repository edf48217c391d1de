"""Who of several workers has which groups: handed out, answered, given again, split at the end. Knows nothing of Ray.

Groups are never cut: what a model answers to one of them hangs on which requests it is asked together, to the last bit.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable

LARGEST = 16
"""Groups handed out at once, at most: a model may work ahead, or batch, over them."""
SHARE = 4
"""Of what waits, one in so many times the number of workers is handed out at once: portions shrink to single groups."""
IN_HAND = 2
"""Portions a worker holds: the one it works on, and the next, so that it never waits for more."""
TRIES = 3
"""Workers that a group may lose before it counts as failed."""


class Handing:
    """The groups 0, 1, ... of one run. Workers are named by anything hashable."""

    def __init__(self, groups: int, workers: int) -> None:
        self._workers = workers
        self._waiting = deque(range(groups))
        self._again: deque[int] = deque()
        """Lost by a worker: handed out alone, after the others, so that whatever kills workers shows itself."""
        self._open = set(range(groups))
        self._held: dict[Hashable, list[list[int]]] = {}
        self._losses: Counter[int] = Counter()
        self.given_again = 0

    @property
    def done(self) -> bool:
        """Whether every group is answered or failed."""
        return not self._open

    def holds(self, worker: Hashable) -> int:
        """How many portions a worker has."""
        return len(self._held.get(worker, ()))

    def take(self, worker: Hashable) -> list[int]:
        """A worker's next portion; nothing when it has enough, or there is no more to give.

        When all is handed out, an idle worker takes the last group from a busy one's hands: both may answer it, and
        they meet in the middle.
        """
        portion: list[int] = []
        if self.holds(worker) >= IN_HAND:
            return portion
        if self._waiting:
            size = max(1, min(LARGEST, len(self._waiting) // (SHARE * self._workers)))
            portion = [self._waiting.popleft() for _ in range(size)]
        elif self._again:
            portion = [self._again.popleft()]
        elif not self.holds(worker):
            portion = self._split()
        if portion:
            self._held.setdefault(worker, []).append(portion)
        return portion

    def _split(self) -> list[int]:
        """The last open group that one worker alone holds, of the worker who holds most of them."""
        holders = Counter(n for portions in self._held.values() for portion in portions for n in portion)
        found: list[int] = []
        for portions in self._held.values():
            alone = [n for portion in portions for n in portion if n in self._open and holders[n] == 1]
            found = max(found, alone, key=len)
        return found[-1:]

    def answered(self, number: int) -> bool:
        """Note a group's answer; False for one that was there already."""
        if number not in self._open:
            return False
        self._open.remove(number)
        return True

    def ended(self, worker: Hashable) -> None:
        """The worker is through with its first portion."""
        self._held[worker].pop(0)

    def lost(self, worker: Hashable) -> list[int]:
        """Take back what a lost worker held. Returns the groups that are lost too often; they count as answered.

        Only those it was working on are to blame.
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
                self._again.append(number)
                self.given_again += 1
            else:
                self._waiting.appendleft(number)
                self.given_again += 1
        return failed
