"""How long 200,000 VQAv2 answers take to score: `python -m tests.performance.scoring.vqa_speed [QUESTIONS]`.

Processor time of one core, after reading: every answer read and scored, all figures with their breakdowns; and apart
from it the intervals. The official loop, written out plainly, scores a part of them for comparison: values must be
equal to the last bit.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence

from vlmbench.base.samples import Response, Sample
from vlmbench.parsing import text as answers
from vlmbench.scoring.score import score_responses
from vlmbench.stats import intervals as statistics
from vlmbench.tasks.short_answer.vqav2 import VQAV2

QUESTIONS = 200_000
COMPARED = 5_000
PER_PICTURE = 5.3
WORDS = ("dog", "tennis racket", "on the table", "t-shirt", "1,000", "Coca-Cola.", "left", "the man's", "dont know")


def made(questions: int) -> list[tuple[Sample, Response]]:
    """Questions like VQAv2's: a third yes or no, a long tail of other answers, people who disagree."""
    dice = random.Random(0)
    tail = [f"{dice.choice(WORDS)} {number}" for number in range(40_000)]
    pairs = []
    for key in range(questions):
        kind = dice.random()
        likely = ["yes", "no"] if kind < 0.38 else [str(n) for n in range(9)] if kind < 0.5 else dice.sample(tail, 4)
        people = tuple(dice.choices(likely, weights=[8, *[1] * (len(likely) - 1)], k=10))
        tags = {"answer_type": ("yes/no", "number", "other")[(kind >= 0.38) + (kind >= 0.5)]}
        tags["question_type"] = f"type {dice.randrange(65)}"
        sample = Sample(str(key), "?", (), people, tags=tags, cluster=str(int(key / PER_PICTURE)))
        pairs.append((sample, Response(dice.choice([*likely, "Yes.", "two", dice.choice(tail)]))))
    return pairs


def plainly(text: str, people: Sequence[str]) -> float:
    """The official loop as it stands in vqaEval.py, without a table."""
    right = [answers.vqa_cleaned(person) for person in people]
    text = answers.vqa_cleaned(text)
    if len(set(right)) > 1:
        right, text = [answers.vqa_normal(person) for person in right], answers.vqa_normal(text)
    values = []
    for left_out in range(len(right)):
        others = [person for number, person in enumerate(right) if number != left_out]
        values.append(min(1, float(len([person for person in others if person == text])) / 3))
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def main() -> None:
    """Measure and print."""
    pairs = made(int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS)
    start = time.process_time()
    scored = score_responses(VQAV2, "official", pairs)
    middle = time.process_time()
    metrics = VQAV2.summarise(scored, "official")
    end = time.process_time()
    for (_, score), (sample, response) in zip(scored[:COMPARED], pairs, strict=False):
        assert score.value == plainly(response.text, sample.target)
    print(
        f"{len(pairs):,} answers: read and scored {middle - start:.2f} s, {len(metrics)} figures {end - middle:.2f} s"
    )
    start = time.process_time()
    statistics.intervals(metrics)
    print(f"intervals of 1,000 resamples: {time.process_time() - start:.2f} s")


if __name__ == "__main__":
    main()
