"""Two Ray workers of one thread against one, on the model part: from the first group handed out to the last answer.

    python -m tests.performance.workers_speed random240m --rounds 3

Every worker's processor time is measured in its own process, decoding and Ray's threads included. Each worker has a
core of its own where the machine is quiet, so the part takes as long as the busier of the two: the ratio is one
worker's processor seconds over the greater of the two's. Wall times are printed too; they mean something only on a
quiet machine. Answers must be equal. Prints a markdown table for docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vlmbench.base.samples import Request, Response
from vlmbench.runs.workers import cluster
from vlmbench.runs.workers.pool import Pool

if TYPE_CHECKING:
    from tests.performance.engines.models import Subject

SIZES = {"shipped": (120, 18), "random240m": (8, 6)}
"""Images, and questions per image."""


class Timed:
    """The model of a worker; its facts are its process and the processor seconds it has used."""

    fingerprint = "speed"
    settings: Mapping[str, str | int | float | bool] = {}

    def __init__(self, name: str) -> None:
        import torch

        from tests.performance.engines.models import subject
        from vlmbench.models.engine.engine import Engine

        torch.set_num_threads(1)
        self.name = name
        self._engine = Engine(subject(name).system, threads=1)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Process and seconds."""
        return {"process": os.getpid(), "seconds": time.process_time()}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """By the shared-prefix engine."""
        return self._engine.answer(groups)


@dataclass(frozen=True)
class Measured:
    """One pass over all groups."""

    wall: float
    seconds: tuple[float, ...]
    """Of each worker."""
    driver: float
    """Of this process: reading pictures, handing out, taking in."""
    answers: Mapping[str, str]


def spent(pool: Pool) -> dict[int, float]:
    """Processor seconds by process; waits until all workers are there."""
    while True:
        found = {int(facts["process"]): float(facts["seconds"]) for facts in pool._ask_facts()}
        if len(found) == len(pool._slots):
            return found
        for place in pool._listen():
            pool._welcome(place)


def measure(pool: Pool, groups: Sequence[Sequence[Request]]) -> Measured:
    """Answer all groups once."""
    before, begun, own = spent(pool), time.perf_counter(), time.process_time()
    answered = {request.sample_id: response for request, response in pool.answer(groups)}
    wall, own, after = time.perf_counter() - begun, time.process_time() - own, spent(pool)
    assert all(response.finish != "error" for response in answered.values()), next(iter(answered.values())).error
    texts = {name: response.text for name, response in answered.items()}
    return Measured(wall, tuple(after[process] - before[process] for process in after), own, texts)


def asked(of: Subject, questions: int, pictures: int) -> list[list[Request]]:
    """The groups."""
    return replace(of, pictures=pictures).groups(questions)


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, help="fewer or more than usual")
    options = parser.parse_args()
    from tests.performance.engines.models import subject

    pictures, questions = SIZES[options.subject]
    pictures = options.pictures or pictures
    groups = asked(subject(options.subject), questions, pictures)
    cluster.start("local", 3)
    load = partial(Timed, options.subject)
    rows = []
    with Pool(load, cluster.Share(1, 1, 0)) as one, Pool(load, cluster.Share(2, 1, 0)) as two:
        for pool in (one, two):
            measure(pool, [group[:1] for group in groups[:2]])  # whatever is made at first use
        for number in range(options.rounds):
            order = (one, two) if number % 2 else (two, one)
            found = {id(pool): measure(pool, groups) for pool in order}
            alone, pair = found[id(one)], found[id(two)]
            assert alone.answers == pair.answers, "the answers differ"
            one_s, busier, both = alone.seconds[0], max(pair.seconds), sum(pair.seconds)
            walls = (alone.wall, pair.wall)
            rows.append((one_s, busier, both, one_s / busier, 2 * one_s / both, pair.driver, *walls))
            print(f"round {number}: {rows[-1]}", file=sys.stderr)
    cluster.stop()
    print(f"{options.subject}: {pictures} pictures, {questions} questions each, {options.rounds} rounds, medians\n")
    names = ("one worker, CPU s", "busier of two", "both", "ratio", "even", "driver", "wall s, one", "wall s, two")
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    print("| " + " | ".join(f"{statistics.median(column):.2f}" for column in zip(*rows, strict=True)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
