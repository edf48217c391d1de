"""Gates on MME's perception sum that are looked at while a run goes on: a table of docs/evaluate/gate.md.

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.looks.early_mme [GATES]

The made-up models of mme_gate in MME's own sizes; an image of each subtask in turn. Looks alone, as often as listed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tests.performance.statistics.looks.early_gates import share
from tests.performance.statistics.mme_gate import CLUSTERS, COUNTS, LABELS, MARGINS, NAMES, SUBTASK, World
from vlmbench.stats.figures.question_pairs import QuestionPairs
from vlmbench.stats.metrics import Metric
from vlmbench.stats.noninferiority import Outcome
from vlmbench.stats.sequential import looks
from vlmbench.stats.sequential.boundary import Boundary

ORDER = np.lexsort((SUBTASK, np.concatenate([np.arange(count) for count in COUNTS])))
"""One image of each subtask after the other: draws are alike, so that their order within a subtask does not matter."""
LOOKS = (100, 110, 125, 149, 165, 200, 250, 300, 380, 470, 600, 750, 900, 1000)
"""After how many images."""
BOUNDARY = Boundary(len(SUBTASK), [int(count) for count in COUNTS])
SPAN = 200.0 * len(COUNTS)


def perception(right: NDArray[np.bool_], seen: NDArray[np.intp]) -> Metric:
    """The sum over the subtasks, of some images."""
    mine = right[seen]
    items = np.stack([mine.sum(axis=1), np.full(len(mine), 2), mine.all(axis=1), np.ones(len(mine))], axis=1)
    labels, clusters = [LABELS[at] for at in seen], [CLUSTERS[at] for at in seen]
    return QuestionPairs(NAMES, labels, clusters, items.astype(np.float64)).total("perception", NAMES)


def gate(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[Outcome, float]:
    """(the verdict of the looks, the share of the images that it took); unknown if none decides."""
    for count in LOOKS:
        seen = ORDER[:count]
        turned = int((before[seen] != after[seen]).sum())
        found = looks.look(perception(before, seen), perception(after, seen), turned, MARGINS, BOUNDARY)
        if found.fell(found.p, MARGINS):
            return Outcome.FAIL, count / len(ORDER)
        if found.held(MARGINS, SPAN):
            return Outcome.PASS, count / len(ORDER)
    return Outcome.UNKNOWN, 1.0


def simulated(world: World, gates: int, seed: int = 0) -> list[tuple[Outcome, float]]:
    """The verdicts of so many gates."""
    return [gate(before, after) for before, after in world.draws(gates, seed)]


def worlds() -> Iterator[tuple[World, int]]:
    """Models, and the part of the gates that each is worth: first those that fell by just what is allowed."""
    for where in ("all subtasks", "small subtasks", "large subtasks"):
        for turned in (0.002, 0.01):
            yield World(0.85, turned, MARGINS.allowed, where), 1
    yield World(0.95, 0.01, MARGINS.allowed), 1
    for turned, fall in ((0.0, 0.0), (0.002, 0.0), (0.01, 0.0), (0.01, 75.0), (0.01, 200.0), (0.01, 500.0)):
        yield World(0.85, turned, fall), 20


def main(gates: int = 1000) -> None:
    """The table."""
    print("| right before | answers that turn | fall | in | fail | pass | median share |")
    print("|---:|---:|---:|---|---:|---:|---:|")
    for world, part in worlds():
        found = simulated(world, max(1, gates // part))
        row = f"| {100 * world.level:g} % | {100 * world.turned:g} % | {world.fall:g} | {world.where}"
        told = f"{share(found, Outcome.FAIL):.3f} | {share(found, Outcome.PASS):.3f}"
        print(f"{row} | {told} | {100 * np.median([part for _, part in found]):.0f} % |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
