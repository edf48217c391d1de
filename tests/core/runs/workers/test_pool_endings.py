"""How a pool of Ray workers ends: the head lost in the middle or at the end, the driver ended or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.runs.workers.test_pool import calm, logged, same
from tests.support.pool_toys import EACH, PICTURES, processes
from vlmbench.base.process.exit_codes import USER_MUST_CHANGE
from vlmbench.base.process.extras import install_command
from vlmbench.runs.storage.reopening import read_answers

pytest.importorskip("ray", reason=f"Ray is not installed here: {install_command('ray')}")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[4]
__all__ = ["calm"]
"""A fixture."""
TOKEN = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-this-test-alone-" + "0" * 20}
TOKEN |= {"RAY_USAGE_STATS_ENABLED": "0"}
"""The environment of a cluster that started by itself and of who joins it."""


def start_head(port: int, folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """A Ray head as a process, as docs/scale.md starts one."""
    words = ["--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", *words, f"--temp-dir={folder}"]
    with (folder.parent / "ray.log").open("ab") as log:
        return subprocess.Popen(ray, env=env, stdout=log, stderr=log, cwd=ROOT)


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def test_the_head_is_lost_and_the_run_goes_on_with_a_new_one(
    short_folder: Path, tmp_path: Path, calm: Path, unused_port: int
) -> None:
    env = {**TOKEN, "RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
    words = [sys.executable, "-m", "tests.support.pool_toys", str(tmp_path / "run"), f"127.0.0.1:{unused_port}"]
    for attempt in ("cut off", "finished"):
        head = start_head(unused_port, short_folder / attempt[0], env)
        try:
            wait_for_port(unused_port, head)
            run = subprocess.Popen(words, env=env, cwd=ROOT, stderr=subprocess.PIPE)
            if attempt == "cut off":
                while run.poll() is None and logged(tmp_path / "run") < 60:
                    time.sleep(0.02)
                gcs = next(
                    pid for pid in children(head.pid) if "gcs_server" in Path(f"/proc/{pid}/cmdline").read_text()
                )
                os.kill(gcs, signal.SIGKILL)
            _, said = run.communicate(timeout=60)
            if attempt == "cut off":
                assert (run.returncode, b"Ray's head is gone" in said) == (USER_MUST_CHANGE, True), said
                assert 60 <= len(read_answers(tmp_path / "run")) < PICTURES * EACH
            else:
                assert run.returncode == 0, said
        finally:
            head.terminate()
            head.wait(timeout=30)
    assert same(tmp_path / "run", calm)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Ray's sockets live there, and their paths may have 107 characters, 60 of which are Ray's own."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def unused_port() -> int:
    """A free port."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until somebody listens."""
    import socket

    until = time.monotonic() + 40
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("no head")


def wait_until_closed(port: int) -> None:
    """Until nobody listens any more."""
    import socket

    until = time.monotonic() + 40
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return
        time.sleep(0.05)
    raise AssertionError("the head listens still")


def test_a_head_that_goes_after_the_last_answer_spoils_nothing(
    short_folder: Path, tmp_path: Path, calm: Path, unused_port: int
) -> None:
    """Exit code 0, a word about it, and no worker left."""
    env = {**TOKEN, "RAY_gcs_rpc_server_reconnect_timeout_s": "60"}
    head = start_head(unused_port, short_folder / "h", env)
    try:
        wait_for_port(unused_port, head)
        words = [
            sys.executable,
            "-m",
            "tests.support.pool_toys",
            str(tmp_path / "run"),
            f"127.0.0.1:{unused_port}",
            "0.0",
        ]
        words.append(str(tmp_path / "wait"))
        run = subprocess.Popen(words, env=env, cwd=ROOT, stderr=subprocess.PIPE)
        while run.poll() is None and not (tmp_path / "wait").exists():
            time.sleep(0.02)
        assert run.poll() is None, run.communicate()
        assert processes(tmp_path / "run-marks")
        gcs = next(pid for pid in children(head.pid) if "gcs_server" in Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(gcs, signal.SIGKILL)
        wait_until_closed(unused_port)  # a busy machine takes a while to end a killed process
        (tmp_path / "wait").unlink()
        _, said = run.communicate(timeout=60)
        assert run.returncode == 0, said
        assert b"Ray's head is gone; all answers had come by then" in said
        assert not processes(tmp_path / "run-marks")
    finally:
        head.terminate()
        head.wait(timeout=30)
    assert same(tmp_path / "run", calm)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_driver_that_ends_leaves_nothing(tmp_path: Path, number: int) -> None:
    """Workers and Ray's servers end within seconds. After kill -9 Ray's two small agents notice it within a minute."""
    run = subprocess.Popen([sys.executable, "-m", "tests.support.pool_toys", str(tmp_path / "run"), "local"], cwd=ROOT)
    while run.poll() is None and logged(tmp_path / "run") < 20:
        time.sleep(0.02)
    started = descendants(run.pid)
    assert len(started) > 2
    run.send_signal(number)
    run.wait(timeout=60)
    until = time.monotonic() + 30
    while left := [word for pid in started if (word := command_of(pid)) and "Agent" not in word]:
        assert time.monotonic() < until, left
        time.sleep(0.1)


def command_of(pid: int) -> str:
    """What a process runs; "" when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8").replace("\0", " ").strip()
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    own = children(pid)
    return [*own, *(below for child in own for below in descendants(child))]
