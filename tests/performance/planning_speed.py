"""How long 200,000 questions take to plan: `python -m tests.performance.planning_speed [QUESTIONS]`.

Processor time of one core and the process' peak memory: plain, with three images inside the text, with four examples,
and with questions drawn by category. Images have eight pixels a side, five questions each; reading them counts.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.core.runs.test_planning_scale import planned, task

QUESTIONS = 200_000
PER_IMAGE = 5


def main() -> None:
    """Measure and print."""
    questions = int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS
    print("| plan | s | thousand questions per s | peak so far, MB |\n|---|---|---|---|")
    for name, number, shots, options in (
        ("plain", 1, "", {}),
        ("three images at their marks", 3, "", {}),
        ("four examples", 1, "4", {}),
        ("half, equally by category", 1, "", {"limit": questions // 2}),
    ):
        _measure(name, questions, number, shots, options)


def _measure(name: str, questions: int, number: int, shots: str, options: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        made = task(questions, PER_IMAGE, number, 0)
        start = time.process_time()
        plan = planned(Path(folder), made, shots, options)
        seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {name} | {seconds:.1f} | {len(plan.requests) / seconds / 1000:.1f} | {peak:,.0f} |")


if __name__ == "__main__":
    main()
