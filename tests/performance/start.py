"""Processor time of the commands that ask no model: python -m tests.performance.start"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (["--help"], ["tasks"], ["models"], ["run", "--help"], ["score", "--help"])
LIMIT = 0.150
"""Seconds of processor time."""
TRIES = 10


@cache
def bytecode() -> str:
    """Where compiled modules are kept from one start to the next, as an installed package keeps them beside itself."""
    return tempfile.mkdtemp(prefix="vlmbench-bytecode-")


def processor_seconds(words: list[str]) -> float:
    """User and system time of one run of the command line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": bytecode(), "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-m", "vlmbench.cli.main", *words], env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table of docs/performance.md."""
    print("| command | least, ms | median, ms | limit |")
    print("|---|---|---|---|")
    for words in COMMANDS:
        times = [processor_seconds(words) * 1000 for _ in range(TRIES)]
        row = f"{min(times):.0f} | {statistics.median(times):.0f} | {LIMIT * 1000:.0f}"
        print(f"| `vlmbench {' '.join(words)}` | {row} |")


if __name__ == "__main__":
    main()
