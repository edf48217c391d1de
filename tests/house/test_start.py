"""Commands that ask no model start at once: under 150 ms of processor time."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 0.150
TRIES = 5


def processor_seconds(words: list[str]) -> float:
    """User and system time of one run of the command line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "vlmbench.cli", *words], env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("words", [["--help"], ["tasks"], ["models"], ["run", "--help"]], ids=" ".join)
def test_start(words: list[str]) -> None:
    """The best of a few tries: a busy machine slows some of them."""
    assert min(processor_seconds(words) for _ in range(TRIES)) < MOST_SECONDS
