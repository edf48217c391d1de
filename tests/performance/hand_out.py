"""What handing out work costs the process that does it: simulated workers, no Ray, no model.

    python -m tests.performance.hand_out            # 512 workers, 5,120 groups: at most 0.1 CPU seconds

Groups take random times; some workers are lost on the way. Counted is everything the queue does, and nothing else.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from vlmbench.runs.workers.scheduler import WorkQueue

T = TypeVar("T")
LIMIT = 0.1
"""CPU seconds for 512 workers and 5,120 groups."""


class Simulation:
    """Workers that take random times. `spent` counts the processor seconds of the queue's own steps."""

    def __init__(self, workers: int, groups: int, seed: int = 0) -> None:
        self.dice, self.queue = random.Random(seed), WorkQueue(groups, workers)
        self.inbox: dict[int, list[list[int]]] = {worker: [] for worker in range(workers)}
        self.turn = dict.fromkeys(self.inbox, 0)
        """Goes up when a worker is lost: what it was at does not happen."""
        self.events: list[tuple[float, int, int]] = []
        self.spent = self.now = 0.0
        self.double = 0

    def step(self, call: Callable[..., T], *given: int) -> T:
        """One call of the queue, with its time."""
        begun = time.process_time()
        result = call(*given)
        self.spent += time.process_time() - begun
        return result

    def go_on(self, worker: int) -> None:
        """A worker without work asks for some; one with work answers its next group after a while."""
        if not self.inbox[worker]:
            while portion := self.step(self.queue.acquire, worker):
                self.inbox[worker].append(portion)
        if self.inbox[worker]:
            heapq.heappush(self.events, (self.now + self.dice.expovariate(1.0), worker, self.turn[worker]))

    def answer(self, worker: int) -> None:
        """A worker has answered the group that it was at."""
        portion = self.inbox[worker][0]
        self.double += not self.step(self.queue.answered, portion.pop(0))
        if not portion:
            self.inbox[worker].pop(0)
            self.step(self.queue.finish_portion, worker)

    def lose(self, worker: int) -> None:
        """A worker dies; another in its place begins at once, and so do those that had nothing to do."""
        self.turn[worker] += 1
        self.inbox[worker] = []
        self.step(self.queue.requeue, worker)
        for other in self.inbox:
            if not self.inbox[other]:
                self.go_on(other)


def simulate(workers: int, groups: int, losses: int) -> tuple[float, int]:
    """CPU seconds of handing out and of every answer, and how many groups were answered by two workers."""
    run = Simulation(workers, groups)
    dying = set(run.dice.sample(range(groups), losses))
    for worker in run.inbox:
        run.go_on(worker)
    for count in itertools.count():
        if run.queue.done:
            return run.spent, run.double
        run.now, worker, turn = heapq.heappop(run.events)
        if turn != run.turn[worker]:
            continue
        run.answer(worker)
        if count in dying:
            run.lose(worker)
        else:
            run.go_on(worker)
    raise AssertionError


def main() -> int:
    """Measure and print; exit code 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--losses", type=int, default=0, help="workers that die on the way")
    options = parser.parse_args()
    print("| workers | groups | CPU s | us a group | answered twice |\n|---|---|---|---|---|")
    over = False
    for workers, groups in ((64, 640), (512, 5_120), (1_000, 10_000), (1_000, 100_000)):
        spent, double = simulate(workers, groups, options.losses)
        over |= (workers, groups) == (512, 5_120) and spent > LIMIT
        print(f"| {workers} | {groups:,} | {spent:.3f} | {spent / groups * 1e6:.1f} | {double} |")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
