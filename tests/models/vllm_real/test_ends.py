"""Runs of vLLM that end before they are done: nothing of it goes on, nothing is lost, the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-test", exc_type=ImportError)
pytestmark = pytest.mark.slow
WITHIN = 900
"""Seconds: an engine starts in 20 on a quiet machine, in more than 200 on a busy one."""
OWN = "VLLM::"
"""How vLLM calls its processes."""


class Run:
    """`vlmbench run` with vLLM's processes, in a session of its own."""

    def __init__(self, folder: Path, output: Path, *words: str) -> None:
        model = f"vllm:{folder},max_model_len=1400,enforce_eager=true,batch_size=4"
        command = [str(Path(sys.executable).with_name("vlmbench")), "run", "--model", model, "--output", str(output)]
        # fmt: off
        env = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "1",
               "OMP_NUM_THREADS": "1", "VLMBENCH_CACHE": str(output.parent / "cache")}
        # fmt: on
        self.log = output / "log.jsonl"
        self.told = output.parent / "told"
        with self.told.open("wb") as told:
            self.process = subprocess.Popen(
                [*command, *words], stdout=told, stderr=told, env=env, start_new_session=True
            )

    def engines(self) -> list[int]:
        """The processes of vLLM in this session."""
        words = ["ps", "-o", "pid=,args=", "-s", str(self.process.pid)]
        lines = subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
        return [int(line.split()[0]) for line in lines if OWN in line]

    def answers(self) -> int:
        """So far."""
        return self.log.read_bytes().count(b"\n") if self.log.exists() else 0

    def wait_for(self, what: str) -> None:
        """`engine`: until it starts; `answers`: until some are there."""
        until = time.monotonic() + WITHIN
        while not (self.engines() if what == "engine" else self.answers()):
            assert self.process.poll() is None and time.monotonic() < until, self.told.read_text()
            time.sleep(0.05)

    def end(self) -> tuple[int, str]:
        """Its exit code and what it told; nothing of its session is left some seconds later."""
        code = self.process.wait(WITHIN)
        until = time.monotonic() + 15
        while left := self.engines():
            assert time.monotonic() < until, left
            time.sleep(0.2)
        return code, self.told.read_text()


@pytest.fixture
def started(checkpoints: dict[str, Path], tmp_path: Path) -> Iterator[list[Run]]:
    """Runs that are ended whatever happens."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        if run.process.poll() is None or run.engines():
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()


TASKS = ("--tasks", "pope,gqa,mme,vsr")


@pytest.mark.parametrize("when", ["engine", "answers"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_run_and_engine(
    started: list[Run], checkpoints: dict[str, Path], tmp_path: Path, number: int, code: int, when: str
) -> None:
    """SIGTERM as a batch system sends it; Ctrl-C, which a terminal sends to all processes; also while vLLM starts."""
    run = Run(checkpoints["wide"], tmp_path / "run", *TASKS)
    started.append(run)
    run.wait_for(when)
    if number == signal.SIGINT:
        os.killpg(run.process.pid, number)
    else:
        run.process.send_signal(number)
    found, told = run.end()
    assert found == code and "the same command resumes" in told, told
    assert run.answers() or when == "engine"


def test_a_dead_engine_ends_the_run_which_resumes(
    started: list[Run], checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    run = Run(checkpoints["wide"], tmp_path / "run", *TASKS)
    started.append(run)
    run.wait_for("answers")
    os.kill(run.engines()[0], signal.SIGKILL)
    code, told = run.end()
    kept = run.answers()
    assert code == 2 and kept and "engine died" in told and "run the same command" in told, told
    again = Run(checkpoints["wide"], tmp_path / "run", *TASKS)
    started.append(again)
    code, told = again.end()
    assert code == 0 and "error" not in told.lower(), told


def test_a_checkpoint_that_vllm_refuses(started: list[Run], checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """Names of weights that it does not know: the reason of the engine's log, not that it failed."""
    from safetensors.torch import load_file, save_file

    weights = checkpoints["tiny"] / "model.safetensors"
    other = tmp_path / "other"
    other.mkdir()
    for path in checkpoints["tiny"].iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    named = {f"{name}_extra" if "projector" in name else name: value for name, value in load_file(weights).items()}
    save_file(named, other / weights.name, metadata={"format": "pt"})
    run = Run(other, tmp_path / "run", *TASKS)
    started.append(run)
    code, told = run.end()
    last = told[told.rindex("vLLM cannot load") :]
    assert code == 2 and "its log says" in last and "projector" in last, told
