"""What `vlmbench new` writes works as it is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("kind", "files"), [("task", 4), ("model", 2)])
def test_the_written_test_passes(kind: str, files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", kind, "brand_new"]) == exit_codes.OK
    assert len(list((tmp_path / "brand_new").iterdir())) == files
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "brand_new"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["brand_new"]
    assert not [path for path in (tmp_path / "brand_new").glob("*.py") if f"my_{kind}" in path.read_text("utf-8")]


@pytest.mark.usefixtures("forgotten")
def test_the_told_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "task", "brand_new"]) == exit_codes.OK
    words = capsys.readouterr().out.splitlines()[-1].split()[1:]
    words[words.index("tinyllava")] = "echo,text=red"
    assert cli.main(words) == exit_codes.OK


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["task", "pope"], "there is a task named pope already"),
        (["model", "echo"], "there is a model named echo already"),
        (["task", "My-Task"], "cannot be a task's name"),
        (["task", "fine", "--output", "full"], "there is something already"),
    ],
)
def test_what_is_refused(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert cli.main(["new", *words]) == exit_codes.USER_MUST_CHANGE
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
