"""CPU seconds per question with other kernels: `--linear`, `--attention` and `--quantize`, against the defaults.

    OMP_NUM_THREADS=1 python -m tests.performance.engines.kernels random240m --rounds 3
    OMP_NUM_THREADS=1 python -m tests.performance.engines.kernels random240m --dtype bfloat16

One thread, 18 questions about each image, process CPU time, all sides alternating in one process; medians, and medians
of the rounds' ratios to the first side. Prints a markdown table for docs/performance.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch

from tests.performance.engines.engine_speed import measure
from tests.performance.engines.models import subject
from vlmbench.models.engine.engine import Engine
from vlmbench.models.parts.kernels.attention import missing

QUESTIONS = 18
SIDES: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "--linear onednn": {"linear": "onednn"},
    "--attention matmul": {"attention": "matmul"},
    "--linear onednn --attention matmul": {"linear": "onednn", "attention": "matmul"},
    "--linear onednn --quantize int8-dynamic": {"linear": "onednn", "quantize": "int8-dynamic"},
}


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=["shipped", "random240m"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sides = {}
    slow = missing(torch.device("cpu"), getattr(torch, options.dtype))
    for name, more in SIDES.items():
        if slow and "attention" in more:
            continue
        of = subject(options.subject)
        sides[name] = Engine(of.system, dtype=options.dtype, threads=1, **more), of
    times: dict[str, list[float]] = defaultdict(list)
    answers: dict[str, dict[str, str]] = {}
    for number in range(options.rounds):
        for name, (engine, of) in sides.items():
            seconds, answers[name] = measure(engine, of, QUESTIONS)
            times[name].append(seconds)
            print(f"round {number} {name}: {seconds:.4f} s", file=sys.stderr)
    first = next(iter(sides))
    print(f"{options.subject}, {options.dtype}, {options.rounds} rounds, {len(set(answers[first].values()))} answers\n")
    print("| options | ms per question | share of the defaults' | equal answers |")
    print("|---|---|---|---|")
    for name, taken in times.items():
        share = statistics.median(one / base for one, base in zip(taken, times[first], strict=True))
        same = sum(text == answers[first][key] for key, text in answers[name].items())
        median = 1000 * statistics.median(taken)
        print(f"| {name} | {median:.1f} | {share:.2f} | {same} of {len(answers[name])} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
