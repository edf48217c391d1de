"""The commands and the file of docs/evaluate/suites.md, as they stand there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli

PAGE = Path(__file__).resolve().parents[3] / "docs" / "evaluate" / "suites.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_command_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (file,) = blocks("yaml")
    (tmp_path / "suite.yaml").write_text(file, encoding="utf-8")
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) == 8 and all(line.startswith("vlmbench ") for line in commands)
    for line in commands:
        assert cli.main(shlex.split(line)[1:]) == exit_codes.OK, f"{line}\n{capsys.readouterr().err}"
    nightly = json.loads((tmp_path / "runs" / "nightly" / "scores.json").read_text("utf-8"))
    assert list(nightly) == [
        "pope@llava+max_new_tokens=16", "vsr@minigpt_v2+max_new_tokens=8", "suite:nightly",
    ]  # fmt: skip
    assert nightly["suite:nightly"]["formula"] == "weighted mean of 2 x pope@llava, VSR accuracy"
    smoke = json.loads((tmp_path / "runs" / "smoke" / "scores.json").read_text("utf-8"))
    assert [sum(entry["statuses"].values()) for entry in smoke.values()] == [5, 5, 0]


@pytest.mark.parametrize("words", [["--help"], ["tasks"], ["run", "--help"]], ids=" ".join)
def test_other_commands_load_neither_yaml_nor_the_table(words: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "vlmbench.cli.main", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "vlmbench.base.errors" in done.stderr, "the list of imports is there"
    assert not [line for line in done.stderr.splitlines() if re.search(r"\b(yaml|suites)\b", line)]
