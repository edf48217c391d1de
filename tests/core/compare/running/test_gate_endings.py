"""`run --gate` however it is asked and ended: workers, servers, several samples, kills; the verdict is the same."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.core.compare.many_images import THINGS
from tests.core.compare.running.worlds import POPE, World, asked, content
from tests.support.gate_runs import ran
from tests.support.judge_server import JSON, Served, completion, send
from tests.support.paths import ROOT
from vlmbench.base.process import exit_codes
from vlmbench.base.process.extras import install_command
from vlmbench.cli import main as cli
from vlmbench.compare.early.early_gate import EarlyGate

pytestmark = pytest.mark.slow

KILLED = """
import os, signal, sys
from vlmbench.cli.main import main
from vlmbench.compare.early.early_gate import EarlyGate
look, left = EarlyGate.look, int(sys.argv.pop(1))
def looking(self, record):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    look(self, record)
EarlyGate.look = looking
sys.exit(main(sys.argv[1:]))
"""


def verdict(run: Path) -> tuple[Any, ...]:
    """All that must not depend on how it was asked."""
    check = content(run, "check.json")
    for one in ("before", "after"):
        check.pop(one)
    return check, content(run, "scores.json"), content(run, "run.json")["gate"]


def words(world: World, run: Path, *more: str) -> list[str]:
    """A gated run of the answers of which 3 in 100 are lost, which fails early."""
    said = {key: text for one in world.worse(pope=0.03).values() for key, text in one.items()}
    script = world.folder / "worse.json"
    script.write_text(json.dumps(said))
    first = ["run", "--model", f"echo:{script}", "--tasks", "pope,vsr", "--data", str(world.data), "--json"]
    return [*first, "--output", str(run), "--gate", str(world.baseline), *more]


@pytest.fixture(scope="module")
def calm(world: World) -> Path:
    """It in one go."""
    run = world.folder / "calm"
    assert cli.main(words(world, run)) == exit_codes.BAD_RESULT
    assert asked(run)["pope"] < POPE * 18
    return run


@pytest.mark.parametrize("looks", [1, 3, 5])
def test_killed_before_a_look_it_resumes_and_decides_the_same(world: World, calm: Path, looks: int) -> None:
    run = world.folder / f"killed_{looks}"
    command = [sys.executable, "-c", KILLED, str(looks), *words(world, run)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (run / "check.json").exists()
    assert cli.main(words(world, run)) == exit_codes.BAD_RESULT
    assert verdict(run) == verdict(calm)


def test_interrupted_in_a_look_it_resumes_and_decides_the_same(
    world: World, calm: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, count = world.folder / "interrupted", iter(range(3))
    with monkeypatch.context() as patched:

        def interrupted(self: EarlyGate, seen: Mapping[Any, Any]) -> None:
            if next(count, None) is None:
                raise KeyboardInterrupt

        patched.setattr(EarlyGate, "_decide", interrupted)
        assert cli.main(words(world, run)) == exit_codes.INTERRUPTED
    assert "the same command resumes from there" in capsys.readouterr().err
    assert cli.main(words(world, run)) == exit_codes.BAD_RESULT
    assert verdict(run) == verdict(calm)


def test_workers_answer_in_any_order_and_the_verdict_is_the_same(world: World, calm: Path) -> None:
    pytest.importorskip("ray", reason=f"Ray is not installed here: {install_command('ray')}")
    run = world.folder / "workers"
    assert cli.main(words(world, run, "--workers", "2")) == exit_codes.BAD_RESULT
    assert verdict(run) == verdict(calm)


class Answering(Served):
    """A server that is right in 3 of 4 cases, at once or late, whatever came first."""

    def __init__(self, late: int) -> None:
        super().__init__()
        self.late = late
        self.answered = 0

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        digest = hashlib.sha256(json.dumps(json.loads(body)["messages"]).encode()).digest()
        right = any(thing in body.decode() for thing in THINGS[1::2])
        await asyncio.sleep(digest[self.late] / 20_000)
        self.answered += 1
        await send(writer, (200, JSON, completion("yes" if right == (digest[0] < 192) else "no")))
        return True


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Answering]:
    with Answering(1) as made:
        yield made


def served(world: World, server: Answering, name: str, *more: str, in_flight: int = 16) -> Path:
    """A gated run against a server; POPE alone."""
    model = f"openai:tiny,base_url={server.url},in_flight={in_flight},backoff=0.01"
    run = world.folder / name
    command = ["run", "--model", model, "--tasks", "pope", "--data", str(world.data), "--json", "--output", str(run)]
    assert cli.main([*command, "--gate", str(world.baseline), *more]) == exit_codes.BAD_RESULT
    return run


def test_a_server_that_answers_out_of_order_decides_the_same(
    world: World, server: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "one"))
    one = served(world, server, "served")
    asked_first = server.answered
    assert asked_first == asked(one)["pope"] < POPE * 18 / 3  # it is paid for what was asked, and no more
    server.late = 2
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "other"))
    other = served(world, server, "served_otherwise", in_flight=3)
    assert server.answered == 2 * asked_first
    assert verdict(one) == verdict(other)


def test_samples_of_one_question_count_as_one_image(world: World) -> None:
    """Three samples of 600 questions about 600 images are no 1,800 images: 149 images are needed."""
    sampled = ("--samples", "3", "--temperature", "0.7", "--limit", "600")
    before = world.run("sampled", world.answers, *sampled, tasks="vsr@vlmevalkit")
    after = world.run("sampled_again", world.answers, *sampled, "--gate", str(before), tasks="vsr@vlmevalkit")
    (told,) = content(after, "check.json")["tasks"]
    assert told["outcome"] == "pass"
    assert told["clusters"] == told["items"] == asked(after)[told["key"]] / 3
    assert 149 <= told["clusters"] < 600


def test_a_run_limited_alike_is_held_against_its_baseline(world: World) -> None:
    before = ran(world.folder / "limited_before", {}, "--limit", "90", "--data", str(world.data))
    after = ran(world.folder / "limited_after", {}, "--limit", "90", "--data", str(world.data), "--gate", str(before),
                code=exit_codes.INCONCLUSIVE)  # fmt: skip
    assert asked(after) == {"pope": 90}
