"""Every long step has a bar on a terminal, and none anywhere else."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from vlmbench.base.process import exit_codes, progress
from vlmbench.cli.main import main

RUN = ["run", "--model", "echo,text=yes", "--tasks", "pope,gqa", "--limit", "12"]
STEPS = {
    "run": ["reading the questions", "reading the images of pope", "asking", "scoring", "computing intervals"],
    "score": ["scoring", "computing intervals"],
    "report": ["writing the pages", "comparing"],
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def commands(folder: Path) -> dict[str, list[str]]:
    first, second = str(folder / "first"), str(folder / "second")
    return {
        "another": [*RUN, "--seed", "1", "--output", second],
        "run": [*RUN, "--output", first],
        "score": ["score", first],
        "report": ["report", first, second, "--output", str(folder / "site")],
    }


def test_long_steps_have_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    for name, command in commands(tmp_path).items():
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        assert main(command) == exit_codes.OK
        monkeypatch.undo()
        monkeypatch.setattr(progress, "DELAY", 0.0)
        for step in STEPS.get(name, ()):
            assert f"{step}:" in screen.getvalue(), name


def test_a_file_has_no_bar(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    for command in commands(tmp_path).values():
        assert main(command) == exit_codes.OK
    out, err = capfd.readouterr()
    assert "\r" not in out + err and "%|" not in out + err


def test_what_is_done_in_a_moment_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(progress.each(range(5), "counting", "number")) == [0, 1, 2, 3, 4]
    assert screen.getvalue() == ""
