"""Every benchmark runs on its embedded sample from the command line, with a scripted model and a scripted judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlmbench.base import registry
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli

JUDGED = {
    "mmvet": "echo,text=0.5",
    "mmvet_v2": "echo,text=0.5",
    "charxiv": "echo,text=no object: wrong by the rule",
    "llava_bench": "echo,text=7 8",
    "mmhal": "echo,text=Rating: 4",
    "mathverse": "echo,text=1",
}


@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    words = ["run", "--model", "echo,text=yes", "--tasks", name, "--output", str(tmp_path / "run"), "--json"]
    judge = ["--judge", JUDGED[name]] if name in JUDGED else []
    assert cli.main([*words, *judge]) == exit_codes.OK
    entry = json.loads(capsys.readouterr().out)[name]
    assert entry["coverage"] == 1
    assert entry["headline"] in entry
    assert sum(entry["statuses"].values()) >= 20
