"""Some of the kills of `python -m tests.kills 500`: every command but the slow ones, at points over all it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_commands_killed_at_some_points_go_on(tmp_path: Path) -> None:
    """In a process of its own: a fork of this one, with its threads, might wait for ever."""
    words = [sys.executable, "-m", "tests.kills", "21", "--seed", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line.split() for line in done.stdout.splitlines()[1:]]
    assert {row[0] for row in table} == {"run", "again", "supersede", "rescore", "check", "report", "baseline"}
    assert all(int(row[2]) >= 3 and row[4] == "0" for row in table), done.stdout
