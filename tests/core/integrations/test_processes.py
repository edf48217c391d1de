"""A training of two processes: one asks, the other waits, and both learn what came of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]


def run(folder: Path, *words: str) -> list[dict[str, Any] | None]:
    """What each process told; None for one that died. Fails where one hangs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.core.integrations.two_processes", str(folder / "runs"), *words]
    with ExitStack() as stack:
        started = []
        for rank in range(2):
            log = stack.enter_context((folder / f"{rank}.txt").open("w"))
            env = {**os.environ, **place, "RANK": str(rank)}
            started.append(stack.enter_context(subprocess.Popen(command, cwd=ROOT, env=env, stderr=log)))
            stack.callback(started[-1].kill)
        for process in started:
            process.wait(timeout=400)
    files = [folder / f"runs-{rank}.json" for rank in range(2)]
    return [json.loads(file.read_text()) if file.is_file() else None for file in files]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes wrote."""
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def told(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the two processes saw, case by case. After each case both made a step of the training together."""
    first, second = run(folder)
    assert first is not None and second is not None, (folder / "0.txt").read_text() + (folder / "1.txt").read_text()
    assert all(case["loss"] > 0 for one in (first, second) for case in one.values())
    return first, second


def test_both_have_the_scores(told: tuple[dict[str, Any], dict[str, Any]], folder: Path) -> None:
    first, second = (one["ok"] for one in told)
    assert first["metrics"] == second["metrics"] and first["metrics"]
    assert (first["asked"], second["asked"]) == (True, False)
    assert [path.name for path in (folder / "runs" / "ok").iterdir()] == ["step-0000003"]


@pytest.mark.parametrize(
    ("case", "there", "here"),
    [
        ("raise", "RuntimeError: planted", "ModelError: the evaluation failed on process 0: RuntimeError: planted"),
        ("interrupt", "KeyboardInterrupt: planted", "KeyboardInterrupt: the evaluation ended on process 0"),
    ],
)
def test_where_one_fails_both_raise(
    case: str, there: str, here: str, told: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    first, second = (one[case] for one in told)
    assert first["raised"].startswith(there) and second["raised"].startswith(here)


def test_where_one_fails_both_can_go_on(told: tuple[dict[str, Any], dict[str, Any]], folder: Path) -> None:
    assert [one["warn"]["metrics"] for one in told] == [{}, {}]
    assert (folder / "0.txt").read_text().count("the training goes on: RuntimeError: planted") == 1
    assert "the training goes on" not in (folder / "1.txt").read_text()


def test_weights_that_are_divided_among_them(told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """By fully_shard: the first process gets all of them for the evaluation, and the training goes on."""
    for one in told:
        assert one["divided"]["whole"] == one["divided"]["parts"] and one["divided"]["whole"]


def test_where_one_dies_the_other_does_not_wait(tmp_path: Path) -> None:
    first, second = run(tmp_path, "die")
    assert first is None and second is None, "the first is gone, and the second's next step of the training fails"
    log = (tmp_path / "1.txt").read_text()
    assert "half_step" in log and "Error" in log
