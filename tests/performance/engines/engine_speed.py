"""CPU seconds per question: the shared-prefix engine against one-by-one, at 1 to 32 questions per image.

    OMP_NUM_THREADS=1 python -m tests.performance.engines.engine_speed shipped
    OMP_NUM_THREADS=1 python -m tests.performance.engines.engine_speed random240m --rounds 3

One thread, float32, process CPU time (threads that decode pictures included), the two alternated in one process;
medians, and medians of the rounds' ratios. Answers must be equal. Prints a markdown table for docs/performance.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict

import torch

from tests.performance.engines.models import Subject, subject
from vlmbench.models.engine.engine import Engine

QUESTIONS = (1, 2, 6, 18, 32)
TARGETS = (1.0, 1.9, 5.0, 11.0, 15.0)


def measure(engine: Engine, of: Subject, questions: int, limit: int = 0) -> tuple[float, dict[str, str]]:
    """CPU seconds per question, and the answers."""
    asked = of.groups(questions, limit)
    begun = time.process_time()
    answered = {request.sample_id: response for request, response in engine.answer(asked)}
    seconds = (time.process_time() - begun) / len(answered)
    assert all(response.finish != "error" for response in answered.values()), next(iter(answered.values())).error
    return seconds, {name: response.text for name, response in answered.items()}


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=["shipped", "random240m"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, nargs="+", default=QUESTIONS)
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    torch.set_num_threads(1)
    of = subject(options.subject)
    shared = Engine(of.system, kind="shared", dtype=options.dtype)
    simple = Engine(of.system, kind="simple", dtype=options.dtype)
    measure(shared, of, 2)
    measure(simple, of, 2, 1)
    times: dict[tuple[str, int], list[float]] = defaultdict(list)
    distinct: set[str] = set()
    for number in range(options.rounds):
        for questions in options.questions:
            limit = min(questions, of.simple_questions)
            found: dict[str, dict[str, str]] = {}
            for kind in ("shared", "simple") if number % 2 else ("simple", "shared"):
                engine = shared if kind == "shared" else simple
                seconds, found[kind] = measure(engine, of, questions, limit if kind == "simple" else 0)
                times[kind, questions].append(seconds)
                print(f"round {number} {kind} {questions}: {seconds:.4f} s", file=sys.stderr)
            distinct |= set(found["shared"].values())
            if options.dtype == "float32":
                assert found["simple"].items() <= found["shared"].items(), "the answers differ"
    size = sum(p.numel() for p in of.system.module.parameters()) / 1e6
    print(f"{of.name}, {size:.1f}M parameters, {options.dtype}, {options.rounds} rounds, {len(distinct)} answers\n")
    print("| questions per image | one by one, s per question | shared, s per question | ratio | study |")
    print("|---|---|---|---|---|")
    for questions in options.questions:
        one, other = times["simple", questions], times["shared", questions]
        ratio = statistics.median(a / b for a, b in zip(one, other, strict=True))
        target = dict(zip(QUESTIONS, TARGETS, strict=True)).get(questions, 0)
        slow, fast = statistics.median(one), statistics.median(other)
        print(f"| {questions} | {slow:.4f} | {fast:.4f} | {ratio:.1f} | {target} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
