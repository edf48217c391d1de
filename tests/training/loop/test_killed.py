"""kill -9 at any step, the same command again: the same weights, bit for bit; and two processes, the same losses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.training.loop.killing import finish, kill_at, steps, weights
from tests.training.test_twins import losses
from tests.training.toy import ready
from vlmbench.training.loop import loop
from vlmbench.training.loop.state import LOG

TWO = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
"""Starts two processes on CPUs alone too, which `accelerate launch --cpu` does not (docs/training/training.md)."""


@pytest.mark.slow
def test_killed_at_random_steps_it_ends_with_equal_weights(tmp_path: Path) -> None:
    whole, broken = (ready(tmp_path / name) for name in ("whole", "broken"))
    finish(whole)
    assert steps(whole) == 16
    for step in (2, 7, 13):
        kill_at(broken, step)
        assert not (broken / loop.MODEL).exists()
    finish(broken)
    assert weights(broken) == weights(whole)
    assert losses(broken) == losses(whole)


def train(folder: Path, *launcher: str, recipe: str) -> dict[str, list[float]]:
    """Train a twin with a launcher in front; its losses. Each process writes down how many there are."""
    words = [sys.executable, *launcher, "-m", "tests.training.loop.ranks", str(folder / "ranks")]
    words += ["train", recipe, "--smoke", "--output", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return losses(folder)


def ranks(folder: Path) -> list[dict[str, object]]:
    """What each process wrote down."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "ranks").iterdir())]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["tinyllava-share-paper", "minigptv2-code"])
def test_two_processes_have_the_losses_of_one(tmp_path: Path, recipe: str) -> None:
    """The same global batch; MiniGPT-v2's mixture has batches of text alone, without a gradient in the connector."""
    one = train(ready(tmp_path / "one"), recipe=recipe)
    two = train(ready(tmp_path / "two"), *TWO, recipe=recipe)
    assert ranks(tmp_path / "one") == [{"rank": 0, "world": 1, "distributed": "NO"}]
    assert ranks(tmp_path / "two") == [{"rank": rank, "world": 2, "distributed": "MULTI_CPU"} for rank in (0, 1)]
    assert one.keys() == two.keys()
    for stage, told in one.items():
        assert two[stage] == pytest.approx(told, abs=1e-4), stage
    lines = [json.loads(line) for line in (tmp_path / "two" / LOG).read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [*range(1, 5)] * len(one)
