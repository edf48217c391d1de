"""Whole runs against a server: killed and resumed, with a key that must never be written, and what they cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.judge_server import FaultProxy
from tests.support.paths import ROOT
from tests.support.vision_server import Seeing, number_of
from vlmbench.cli import main as cli
from vlmbench.runs.storage.layout import LOG, RECORDS

pytestmark = pytest.mark.slow

KEY = "not-to-be-found-0123456789"
IN_FLIGHT = 4


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Seeing]:
    monkeypatch.setenv("THE_KEY", KEY)
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    with Seeing(key=KEY) as made:
        yield made


def words(url: str, folder: Path, *more: str) -> list[str]:
    model = f"openai:tiny,base_url={url},key_env=THE_KEY,in_flight={IN_FLIGHT},backoff=0.01,attempts=30"
    return ["run", "--model", model, "--tasks", "pope,gqa", "--limit", "40", "--output", str(folder), *more]


def written(folder: Path) -> list[Path]:
    """Every file below a folder, those that the key must not be in."""
    return [path for path in folder.rglob("*") if path.is_file()]


def holds_key(path: Path) -> bool:
    """Whether the key can be read in a file; parquet files are unpacked."""
    if path.suffix == ".parquet":
        return KEY in str(pq.read_table(path).to_pylist())
    return KEY.encode() in path.read_bytes()


def test_the_key_is_written_nowhere(
    server: Seeing, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a run that ends well, nor by one whose key is refused by a server that repeats it."""
    assert cli.main(words(server.url, tmp_path / "run")) == 0
    manifest = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert manifest["model"]["facts"]["served_model"] == "tiny-1"
    assert manifest["model"]["facts"]["replies"] == sum(server.asked.values())
    assert len(written(tmp_path / "run")) > 5 and list((tmp_path / "cache" / "answers").glob("openai_tiny-*.jsonl"))
    told = capfd.readouterr().err
    assert "model openai:tiny: " in told and " tokens, price not known" in told
    server.key = "another"
    code = cli.main(words(server.url, tmp_path / "refused", "--seed", "3"))
    told += "".join(capfd.readouterr())
    assert code == 2 and "is the key in THE_KEY right?" in told and "[key]" in told and KEY not in told
    assert not [path for path in written(tmp_path) if holds_key(path)]
    monkeypatch.delenv("THE_KEY")
    assert cli.main(words(server.url, tmp_path / "none")) == 2
    assert "THE_KEY is not set" in capfd.readouterr().err


@pytest.mark.slow
def test_killed_and_resumed(server: Seeing, tmp_path: Path) -> None:
    """Three kills behind a proxy that spoils calls: the scores of a calm run, and nothing kept is asked for again."""
    assert cli.main(words(server.url, tmp_path / "calm")) == 0
    (tmp_path / "cache").rename(tmp_path / "calm-cache")
    folder, kills = tmp_path / "run", 0
    server.latency = 0.05
    with FaultProxy(server, share=0.3, hang=0.1, about=number_of) as proxy:
        command = [sys.executable, "-m", "vlmbench.cli.main", *words(proxy.url, folder)]
        for already in (10, 25, 40):
            process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
            while process.poll() is None and lines(folder / LOG) < already:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            kills += process.wait() != 0
            [cache] = (tmp_path / "cache" / "answers").glob("*.jsonl")
            assert lines(folder / LOG) <= lines(cache), "an answer reached the run before it was kept"
        assert kills == 3
        assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    different, delivered = len(proxy.delivered), sum(proxy.delivered.values())
    assert different <= delivered <= different + kills * IN_FLIGHT, "more than what was under way is asked again"
    keys = [json.loads(line)["key"] for line in cache.read_bytes().splitlines() if line.endswith(b"}}")]
    assert len(keys) == len(set(keys)) == different, "an answer that was kept was paid for again"
    columns = ["task", "sample_id", "text", "finish", "status", "value"]
    ours, calm = (pq.read_table(path / RECORDS, columns=columns) for path in (folder, tmp_path / "calm"))
    assert ours.equals(calm) and len(ours) > 60
    assert (folder / "scores.json").read_bytes() == (tmp_path / "calm" / "scores.json").read_bytes()
    assert not [path for path in written(tmp_path) if holds_key(path)]


def lines(path: Path) -> int:
    """Whole lines of a file; 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def test_a_backend_is_checked_and_nothing_is_paid_for_twice(
    server: Seeing, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The questions of the check are not asked again by the run."""
    check = ["--verify-backend", "10", "--verify-against", "tinyllava"]
    assert cli.main(words(server.url, tmp_path / "run", *check)) == 0
    assert "10 of 10 answers equal those of tinyllava" in capfd.readouterr().err
    assert set(server.asked.values()) == {1}
    wrong = ["--verify-backend", "10", "--verify-against", "echo,text=maybe"]
    assert cli.main(words(server.url, tmp_path / "wrong", *wrong)) == 2
    assert "0 of 10 answers equal those of echo,text=maybe" in capfd.readouterr().err


def test_protocols_that_rank_are_refused_beforehand(
    server: Seeing, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = f"openai:tiny,base_url={server.url},key_env=THE_KEY,top_logprobs=0"
    assert cli.main(["run", "--model", model, "--tasks", "vsr", "--output", str(tmp_path / "run")]) == 2
    assert "cannot rank answers by likelihood" in capfd.readouterr().err and not server.bodies
