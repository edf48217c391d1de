"""kill -9 at random moments: what was written stays, nothing is doubled, the scores are those of a calm run."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from vlmbench.runs.storage.layout import LOG
from vlmbench.runs.storage.reopening import read_answers
from vlmbench.runs.storage.run_files import read_scores

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.kills.slow_run", str(folder)], cwd=ROOT)


def logged(folder: Path) -> list[str]:
    """Keys in the log, whole lines only."""
    path = folder / LOG
    lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
    return [orjson.loads(line)["key"] for line in lines]


def wait_for_answers(folder: Path, process: subprocess.Popen[bytes], more_than: int) -> None:
    """Until the process has written something new, or is done."""
    while process.poll() is None and len(logged(folder)) <= more_than:
        time.sleep(0.005)


def test_twenty_kills(tmp_path: Path) -> None:
    assert start(tmp_path / "calm").wait() == 0
    rng = random.Random(7)
    folder, kills = tmp_path / "killed", 0
    before: list[str] = []
    while True:
        process = start(folder)
        wait_for_answers(folder, process, len(before))
        time.sleep(rng.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            break
        kills += 1
        after = logged(folder)
        assert after[: len(before)] == before, "an answer that had been written is gone"
        assert len(set(after)) == len(after), "an answer is doubled"
        before = after
        if kills == 20:
            assert start(folder).wait() == 0
            break
    assert kills == 20
    assert len(read_answers(folder)) == 450
    assert read_scores(folder) == read_scores(tmp_path / "calm")
    ours, calm = (pq.read_table(path / "records.parquet").drop(["seconds"]) for path in (folder, tmp_path / "calm"))
    assert ours.equals(calm)
