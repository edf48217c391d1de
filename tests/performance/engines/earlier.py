"""CPU seconds per question of this checkout against those of an earlier commit, shared and one by one.

    git worktree add ../earlier b86c433
    OMP_NUM_THREADS=1 python -m tests.performance.engines.earlier ../earlier random240m --rounds 3
    OMP_NUM_THREADS=1 python -m tests.performance.engines.earlier ../earlier random240m --questions 18 --shared-only\\
        --images 4 --dtype bfloat16 --side linear=onednn,attention=matmul

The earlier commit, this one, and this one with each `--side`'s options of the engine run in processes of their own, one
thread each, and take turns; process CPU time; medians, and medians of the rounds' ratios. Answers are compared, and
counted where they are the same. CHECKOUT needs no environment: its packages are this interpreter's. Prints markdown
tables for docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

CHILD = """
import dataclasses, json, sys
import torch
try:
    from tests.performance.engines.engine_speed import Engine, measure, subject
except ImportError:  # where the benchmarks were at b86c433
    from tests.performance.engine_speed import Engine, measure, subject
torch.set_num_threads(1)
name, images, dtype, options = sys.argv[1], int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
of = subject(name)
of = dataclasses.replace(of, pictures=images or of.pictures)
engines = {"shared": Engine(of.system, kind="shared", dtype=dtype, threads=1, **options)}  # changes the layers for both
engines["simple"] = Engine(of.system, kind="simple", dtype=dtype, threads=1)
print("ready", flush=True)
for line in sys.stdin:
    kind, questions, limit = json.loads(line)
    print(json.dumps(measure(engines[kind], of, questions, limit)), flush=True)
"""
QUESTIONS = (2, 6, 18, 32)
ROOT = Path(__file__).resolve().parents[3]


class Side:
    """A process that measures when it is told to."""

    def __init__(self, name: str, checkout: Path, asked: argparse.Namespace, options: dict[str, Any]) -> None:
        self.name = name
        command = [sys.executable, "-P", "-c", CHILD, asked.subject, str(asked.images), asked.dtype]
        command.append(json.dumps(options))
        environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def measure(self, kind: str, questions: int, limit: int = 0) -> tuple[float, dict[str, str]]:
        """CPU seconds per question, and the answers."""
        assert self._process.stdin is not None
        print(json.dumps([kind, questions, limit]), file=self._process.stdin, flush=True)
        seconds, answers = json.loads(self._read())
        return seconds, answers

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{self.name} has ended"
        return line


def sides(options: argparse.Namespace) -> list[Side]:
    """The earlier commit first, then this one without options, then with them."""
    made = [Side("earlier", options.checkout, options, {})]
    for words in ("", *options.side):
        given = dict(word.split("=", 1) for word in words.split(",") if word)
        made.append(Side(words or "no options", ROOT, options, given))
    return made


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("subject", choices=["shipped", "random240m"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=0, help="0: the subject's own number")
    parser.add_argument("--questions", type=int, nargs="+", default=QUESTIONS)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--side", action="append", default=[], metavar="NAME=VALUE,...", help="options of the engine")
    parser.add_argument("--alone", type=int, default=1, help="questions per image that are timed one by one")
    parser.add_argument("--shared-only", action="store_true")
    options = parser.parse_args()
    taking = sides(options)
    kinds = ("shared",) if options.shared_only else ("shared", "simple")
    times: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    answers: dict[tuple[str, int], dict[str, str]] = {}
    for side in taking:
        side.measure("shared", 2)
    for number in range(options.rounds):
        for questions in options.questions:
            for side in taking[:: -1 if number % 2 else 1]:
                for kind in kinds[:: -1 if number % 2 else 1]:
                    seconds, found = side.measure(kind, questions, options.alone if kind == "simple" else 0)
                    times[side.name, kind, questions].append(seconds)
                    if kind == "shared":
                        answers[side.name, questions] = found
                    print(f"round {number} {side.name} {kind} {questions}: {seconds:.4f} s", file=sys.stderr)
    print(f"{options.subject}, {options.dtype}, {options.rounds} rounds\n")
    print("| questions per image | side | one by one, s | shared, s | ratio | share of earlier | equal answers |")
    print("|---|---|---|---|---|---|---|")
    for questions in options.questions:
        for side in taking:
            print(row(side.name, questions, times, answers))
    return 0


def row(
    name: str, questions: int, times: dict[tuple[str, str, int], list[float]], answers: dict[Any, dict[str, str]]
) -> str:
    """One side's line."""
    shared, alone = times[name, "shared", questions], times[name, "simple", questions]
    base = times["earlier", "shared", questions]
    share = statistics.median(one / other for one, other in zip(shared, base, strict=True))
    ratio = f"{statistics.median(a / b for a, b in zip(alone, shared, strict=True)):.2f}" if alone else ""
    simple = f"{statistics.median(alone):.3f}" if alone else ""
    mine, theirs = answers[name, questions], answers["earlier", questions]
    same = f"{sum(text == theirs[key] for key, text in mine.items())} of {len(mine)}"
    return f"| {questions} | {name} | {simple} | {statistics.median(shared):.4f} | {ratio} | {share:.3f} | {same} |"


if __name__ == "__main__":
    sys.exit(main())
