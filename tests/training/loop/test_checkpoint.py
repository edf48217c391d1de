"""A training's state on disk: killed anywhere while it is saved, damaged, on a full disk; and its folder's lock."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.paths import ROOT
from tests.training.toy import ready, run, toy
from vlmbench.base.errors import TrainingError
from vlmbench.training.loop import checkpoint, loop
from vlmbench.training.loop.checkpoint import FOLDER, MOMENTS, POSITION, WEIGHTS, Position
from vlmbench.training.loop.folder_lock import LOCK, FolderLock
from vlmbench.training.loop.mark import Mark

SHORT = replace(toy(), stages=toy().stages[2:3])
"""A recipe of one stage."""
MARK = Mark({"name": "x"}, {"rows.json": {"bytes": 1}})
CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync", "open")
"""Functions of `os` that saving a state changes the disk with."""


class Killed(BaseException):
    """Stands for kill -9: nothing of ours may catch it."""


@contextmanager
def killed_at(number: int) -> Iterator[list[str]]:
    """The process dies instead of its call `number` that changes the disk; yields the calls made."""
    made: list[str] = []
    real = {name: getattr(os, name) for name in CALLS}

    def call(name: str, *words: Any, **more: Any) -> Any:
        if len(made) == number:
            raise Killed
        made.append(name)
        return None if name == "fsync" else real[name](*words, **more)  # a busy disk makes it slow

    for name in CALLS:
        setattr(os, name, partial(call, name))
    try:
        yield made
    finally:
        for name in CALLS:
            setattr(os, name, real[name])


@lru_cache(maxsize=8)
def state(step: int) -> tuple[dict[str, nn.Module], torch.optim.Optimizer]:
    """A network whose weights tell the step."""
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, step)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.0)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {"part": layer}, optimizer


def save(folder: Path, step: int) -> None:
    modules, optimizer = state(step)
    checkpoint.save(folder, Position(0, step, 10 * step, 1.0), modules, optimizer, MARK)


def found(folder: Path) -> int:
    """The step that a restarted training goes on from; 0: from the beginning."""
    checkpoint.restore_newest(folder)
    state_found = checkpoint.find(folder, MARK)
    if state_found is None:
        return 0
    modules, optimizer = state(-1)
    checkpoint.load(state_found.folder, modules, optimizer)
    step = state_found.position.step
    assert isinstance(layer := modules["part"], nn.Linear)
    assert float(layer.weight.detach()[0, 0]) == step
    assert state_found.data == MARK.data
    return step


def dies(work: Callable[[], object], number: int) -> bool:
    """Whether the work was still on when it came to its call `number`."""
    try:
        with killed_at(number):
            work()
    except Killed:
        return True
    return False


def restarted(folder: Path, step: int) -> None:
    """What the same command does: find the state, train, save the next."""
    found(folder)
    save(folder, step)


@pytest.mark.slow
def test_killed_at_any_call_twice_in_a_row_a_state_is_left(tmp_path: Path) -> None:
    """The step never goes back: what was the last whole state is found, or a newer one."""
    base = tmp_path / "base"
    base.mkdir()
    save(base, 1)
    save(base, 2)
    kills = first = 0
    while True:
        one = tmp_path / f"one-{first}"
        shutil.copytree(base, one)
        if not dies(partial(save, one, 3), first):
            break
        second = 0
        while True:
            two = tmp_path / "two"
            shutil.copytree(one, two)
            died = dies(partial(restarted, two, 4), second)
            assert found(two) >= 2
            save(two, 5)
            assert found(two) == 5
            shutil.rmtree(two)
            kills += died
            if not died:
                break
            second += 3
        assert found(one) in (2, 3)
        first += 1
    assert first > 10
    assert kills > 100


def test_killed_in_its_first_saving_it_begins_anew(tmp_path: Path) -> None:
    number = 0
    while dies(partial(save, tmp_path / str(number), 1), number):
        assert found(tmp_path / str(number)) in (0, 1)
        save(tmp_path / str(number), 2)
        assert found(tmp_path / str(number)) == 2
        number += 1
    assert number > 5


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def swap_values(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "step": "three"}), encoding="utf-8")


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "cut weights": (WEIGHTS, truncate, f"{WEIGHTS} has .* bytes, but .* were written"),
    "changed weights": (WEIGHTS, scribble, f"{WEIGHTS} is damaged: its checksum"),
    "changed moments": (MOMENTS, scribble, f"{MOMENTS} is damaged"),
    "missing moments": (MOMENTS, Path.unlink, f"{MOMENTS} is missing"),
    "missing weights": (WEIGHTS, Path.unlink, f"{WEIGHTS} is missing"),
    "cut position": (POSITION, truncate, f"{POSITION} cannot be read"),
    "empty position": (POSITION, lambda path: path.write_bytes(b""), f"{POSITION} cannot be read"),
    "position that is a list": (POSITION, lambda path: path.write_bytes(b"[1]"), f"{POSITION} cannot be read"),
    "odd step": (POSITION, swap_values, f"{POSITION} cannot be read"),
    "missing position": (POSITION, Path.unlink, f"{POSITION} is missing"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_state_is_told_and_the_one_before_is_taken(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, damage, says = DAMAGES[kind]
    save(tmp_path, 1)
    save(tmp_path, 2)
    damage(tmp_path / FOLDER / name)
    assert found(tmp_path) == 1
    (record,) = caplog.records
    assert (tmp_path / checkpoint.DAMAGED).is_dir()
    assert "checkpoint.old is whole: resuming from stage 1, step 1" in record.getMessage()
    assert found(tmp_path) == 1
    damage(tmp_path / FOLDER / name)
    with pytest.raises(TrainingError, match=says) as caught:
        found(tmp_path)
    assert "give --output another folder, or delete checkpoint to train from the beginning" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: what a full disk does, to every library alike."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 900, 30_000, 400_000])
def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path, size: int) -> None:
    """In the recipe, in the log, in a state's weights, in the finished model."""
    torch.set_num_threads(1)
    ready(tmp_path)
    with at_most(size), pytest.raises(TrainingError, match=r"cannot write: .*[Ff]ile too large") as caught:
        loop.train(SHORT, tmp_path)
    assert "when there is room to write, the same command resumes" in str(caught.value)
    run(SHORT, tmp_path)
    run(SHORT, tmp_path / "calm")
    ours, calm = (folder / loop.MODEL / "model.safetensors" for folder in (tmp_path, tmp_path / "calm"))
    assert ours.read_bytes() == calm.read_bytes()


HOLDER = """
import os, sys, time
from pathlib import Path
from vlmbench.training.loop.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
if os.fork() == 0:
    time.sleep(300)
    os._exit(0)
print("held", flush=True)
time.sleep(300)
"""


def test_a_folder_is_one_training_s_until_its_process_is_dead(tmp_path: Path) -> None:
    """Also while a child of it lives on, as those that prepare batches do for a moment."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(TrainingError, match=rf"another process trains here \(process {process.pid}\)") as caught:
            run(toy(), tmp_path)
        assert "wait for it, or give --output another folder" in str(caught.value)
        assert {path.name for path in tmp_path.iterdir()} <= {LOCK, "tokenizer"}, "nothing was touched"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        FolderLock(tmp_path).release()
        os.killpg(process.pid, signal.SIGKILL)
