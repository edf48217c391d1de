"""Kills trainings and resumes them: `python -m tests.training.loop.killing 10` kills at ten steps. Tests use it too."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.paths import ROOT
from tests.training.toy import ready
from vlmbench.training.loop import loop
from vlmbench.training.loop.state import LOG

RECIPE = "tinygptv-paper"
"""Adapters and norms learn, a stage changes the picture's size, another the template."""


def start(folder: Path, *more: str, recipe: str = RECIPE) -> subprocess.Popen[bytes]:
    """The command, each time the same."""
    words = [sys.executable, "-m", "vlmbench.cli.main", "train", recipe, "--smoke", "--output", str(folder), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def steps(folder: Path) -> int:
    """Lines with a loss in a training's log."""
    log = folder / LOG
    return sum(b'"loss"' in line for line in log.read_bytes().splitlines()) if log.is_file() else 0


def kill_at(folder: Path, step: int, recipe: str = RECIPE) -> None:
    """Train until the log has so many steps, then kill -9."""
    process = start(folder, recipe=recipe)
    while process.poll() is None and steps(folder) < step:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def weights(folder: Path) -> bytes:
    """The finished model's."""
    return (folder / loop.MODEL / "model.safetensors").read_bytes()


def finish(folder: Path, recipe: str = RECIPE) -> None:
    """Let the command come to its end. Raises RuntimeError with what it said when it fails."""
    process = start(folder, recipe=recipe)
    _, said = process.communicate(timeout=300)
    if process.returncode:
        raise RuntimeError(said.decode())


def main(times: int, seed: int) -> None:
    """One training that runs through, one that is killed at random steps; prints whether their weights are equal."""
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = (ready(Path(folder) / name) for name in ("whole", "broken"))
        finish(whole)
        at = sorted(random.Random(seed).sample(range(1, steps(whole)), times))
        for step in at:
            kill_at(broken, step)
        finish(broken)
        print(json.dumps({"killed_at": at, "of": steps(whole), "equal": weights(whole) == weights(broken)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
