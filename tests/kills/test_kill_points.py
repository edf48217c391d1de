"""Some of the kills of `python -m tests.kills 500`: every command but the slow ones, at points over all it does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kills import commands, ray_workers

SLOW = """
import time
from vlmbench.base import registry
from vlmbench.base.samples import Response

class Slow:
    name, fingerprint, settings, facts = "slow", "s", {}, {}
    def answer(self, groups):
        for group in groups:
            for request in group:
                time.sleep(0.05)
                yield request, Response("yes")

registry.models.add("slow", lambda checkpoint=None: Slow())
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("how", [(), ("--full",)], ids=["killed", "on a full disk"])
def test_commands_stopped_at_some_points_go_on(tmp_path: Path, how: tuple[str, ...]) -> None:
    """In a process of its own: a fork of this one, with its threads, might wait for ever."""
    words = [sys.executable, "-m", "tests.kills", "14", "--seed", "1", *how]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line.split() for line in done.stdout.splitlines()[1:]]
    assert {row[0] for row in table} == {"run", "again", "supersede", "rescore", "check", "report", "baseline"}
    assert all(int(row[2]) >= 2 and row[4] == "0" for row in table), done.stdout


def test_runs_that_end_while_answers_are_decoded_together_go_on(tmp_path: Path) -> None:
    """SIGKILL and SIGINT inside a forward pass of several images; records and answers as of runs left alone."""
    words = [sys.executable, "-m", "tests.kills", "8", "--what", "joint"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, kills, reused, failed, *where = done.stdout.splitlines()[1].split()
    assert int(kills) >= 8 and int(reused) and failed == "0", done.stdout
    places = [re.fullmatch(r"(SIG\w+)-at-(\d+)-rows-of-(\d+)-images", word) for word in where if "-at-" in word]
    assert {place[1] for place in places if place} == {"SIGKILL", "SIGINT"}
    assert all(place and int(place[3]) >= 2 for place in places), done.stdout
    assert max(int(place[2]) for place in places if place) >= 12, done.stdout


def test_sigterm_leaves_no_worker_behind(tmp_path: Path) -> None:
    """As a batch system ends a run with workers: answers are kept, and all of its processes go."""
    pytest.importorskip("ray")
    plugin, root = tmp_path / "slow.py", tmp_path / "work"
    plugin.write_text(SLOW)
    root.mkdir()
    words = ["run", "--plugins", str(plugin), "--model", "slow", "--tasks", "pope", "--output", str(root / "run")]
    ended = ray_workers.run([*words, "--workers", "2"], root, end=signal.SIGTERM)
    assert not ended.said.startswith("left behind"), ended.said
    assert ended.code == 143, ended.said
    assert "the same command resumes from there" in ended.said and "Traceback" not in ended.said
    assert commands.logged(root / "run")
