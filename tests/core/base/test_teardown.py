"""The end of `vlmbench` leaves out Python's teardown, and nothing that anybody waits for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import atexit, os, sys, threading, time
{early}
sys.argv[:] = ["vlmbench", *sys.argv[1:]]
from vlmbench.cli.main import main
def hear(event, _, write=os.write):
    if event == "cpython.PyInterpreterState_Clear":
        write(1, b"taken apart")
sys.addaudithook(hear)
code = main()
atexit.register(print, "handler")
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
sys.stdout.write("unflushed")
{behind}
sys.exit(code)
"""


def ended(*words: str, early: str = "", behind: str = "") -> tuple[int, str]:
    """The exit code of a program that runs one command, and what it printed behind the command's own words."""
    code = PROGRAM.format(early=early, behind=behind)
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout[done.stdout.index("unflushed") :]


@pytest.mark.parametrize(("words", "code"), [(("models",), 0), (("run", "--model", "nobody", "--tasks", "pope"), 2)])
def test_nothing_is_taken_apart_but_all_else_comes_to_its_end(words: tuple[str, ...], code: int) -> None:
    assert ended(*words) == (code, "unflushedthread\nhandler\n")


def test_handlers_of_others_from_before_get_their_turn() -> None:
    early = 'import gc; atexit.register(lambda: print("coverage", gc.get_freeze_count() > 0))'
    code, said = ended("models", early=early)
    assert (code, said.splitlines()) == (0, ["unflushedthread", "handler", "coverage True", "taken apart"])


def test_an_error_behind_the_command_keeps_its_code() -> None:
    assert ended("models", behind="raise ValueError")[0] == 1


def test_stdout_that_takes_no_more_is_told(tmp_path: Path) -> None:
    code = PROGRAM.format(early="", behind="")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code, "models"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode != 0
    assert b"No space left" in done.stderr
