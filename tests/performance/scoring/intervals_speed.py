"""How long the intervals of a whole run take: `python -m tests.performance.scoring.intervals_speed [RESAMPLES]`.

Processor time of one core. A GQA testdev run (12,578 questions about 398 pictures, the official figures with validity,
plausibility, consistency, distribution and all bars), a POPE run (9,000 questions about 500 pictures) and 12,578 scored
memes with AUROC, one per image. For each: the intervals, and the paired comparison of its figures with another run's.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence

from vlmbench.base.samples import Sample, Score
from vlmbench.stats import intervals as statistics
from vlmbench.stats import paired as pairing
from vlmbench.stats.metrics import Metric
from vlmbench.tasks.short_answer import gqa_metrics
from vlmbench.tasks.yes_no.hateful_memes import HATEFUL_MEMES
from vlmbench.tasks.yes_no.pope import KINDS, POPE

RESAMPLES = 10_000
QUESTIONS, PICTURES = 12_578, 398
ANSWERS = 1_500
"""Different right answers of GQA's testdev, roughly; a question's group knows a few of them."""


def gqa(skill: float, seed: int) -> list[Metric]:
    """Official figures of a run over made-up questions: about 160 groups of a few answers each."""
    dice, world = random.Random(seed), random.Random(0)
    groups = [[f"answer {world.randrange(ANSWERS)}" for _ in range(world.randint(2, 24))] for _ in range(160)]
    scored: list[tuple[Sample, Score]] = []
    for number in range(QUESTIONS):
        group = world.randrange(len(groups))
        target = world.choice(groups[group])
        said = target if dice.random() < skill else dice.choice(groups[group])
        tags = {
            "kind": world.choice(("binary", "open")),
            "structural": world.choice(("verify", "query", "choose", "logical", "compare")),
            "semantic": world.choice(("obj", "attr", "cat", "rel", "global")),
            "steps": str(world.randint(1, 9)),
            "words": str(world.randint(3, 26)),
        }
        extra = {
            "balanced": True,
            "group": f"group {group}",
            "entailed": [str(world.randrange(QUESTIONS)) for _ in range(world.randint(0, 3))],
            "choices": {"valid": groups[group], "plausible": groups[group][:5]},
        }
        picture = str(world.randrange(PICTURES))
        sample = Sample(str(number), "?", (), target, tags=tags, cluster=picture, extra=extra)
        scored.append((sample, Score(float(said == target), parsed_answer=said)))
    return gqa_metrics.metrics(scored, official=True)


def pope(skill: float, seed: int) -> list[Metric]:
    """Official figures of three splits."""
    dice = random.Random(seed)
    scored = []
    for place in range(9000):
        target = "yes" if place % 2 else "no"
        said = target if dice.random() < skill else {"yes": "no", "no": "yes"}[target]
        sample = Sample(str(place), "?", (), target, tags={"split": KINDS[place % 3]}, cluster=str(place // 18))
        scored.append((sample, Score(float(said == target), parsed_answer=said)))
    return list(POPE.summarise(scored, "official"))


def memes(skill: float, seed: int) -> list[Metric]:
    """AUROC and its like, one question per image."""
    dice = random.Random(seed)
    protocol = next(iter(HATEFUL_MEMES.protocols))
    scored = []
    for number in range(QUESTIONS):
        target = "yes" if number % 3 == 0 else "no"
        share = min(1.0, max(0.0, 0.5 + (skill - 0.5) * (1 if target == "yes" else -1) + dice.gauss(0, 0.2)))
        sample = Sample(str(number), "?", (), target, cluster=str(number))
        scored.append((sample, Score(float((share > 0.5) == (target == "yes")), parsed_answer=repr(share))))
    return list(HATEFUL_MEMES.summarise(scored, protocol))


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time."""
    before = time.process_time()
    work()
    return time.process_time() - before


def compare(one: Sequence[Metric], other: Sequence[Metric], resamples: int) -> None:
    """Every figure that both have, paired."""
    known = {metric.name: metric for metric in one}
    for metric in other:
        if metric.name in known:
            pairing.paired(known[metric.name], metric, resamples=resamples)


def main(resamples: int = RESAMPLES) -> None:
    """Print a line a run."""
    print(f"{resamples:,} resamples, processor seconds\n")
    print("| run | metrics | intervals | all compared | headline compared |")
    print("|---|---|---|---|---|")
    makers: dict[str, Callable[[float, int], list[Metric]]] = {"gqa": gqa, "pope": pope, "hateful_memes": memes}
    for name, make in makers.items():
        one, other = make(0.62, 1), make(0.6, 2)
        alone = timed(lambda one=one: statistics.intervals(one, resamples=resamples))  # type: ignore[misc]
        head = timed(lambda one=one, other=other: compare(one[:1], other[:1], resamples))  # type: ignore[misc]
        both = timed(lambda one=one, other=other: compare(one, other, resamples))  # type: ignore[misc]
        print(f"| {name} | {len(one)} | {alone:.2f} | {both:.2f} | {head:.2f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
