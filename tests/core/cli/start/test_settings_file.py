"""Defaults of options from vlmbench.toml, what it may not say, and `vlmbench doctor`."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.cli.verbs import doctor

FILE = """
runs = "here"

[run]
model = "echo,text=yes"
tasks = "pope"
limit = 4
json = true

[check]
max-drop = 2
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_options_of_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "vlmbench.toml").write_text(FILE)
    assert cli.main(["run"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["pope"]["statuses"] == {"ok": 4}
    assert err.startswith("vlmbench.toml: --model=echo,text=yes --tasks=pope --limit=4 --json\n")
    assert cli.main(["run", "--limit", "6", "--output", "other"]) == 0
    out, err = capsys.readouterr()
    assert sum(json.loads(out)["pope"]["statuses"].values()) == 6, "the command line goes first"
    assert "--limit" not in err
    assert cli.main(["check", "other", "--baseline", "other"]) in (0, 3)
    assert json.loads((folder / "other" / "check.json").read_text())["settings"]["max_drop"] == {"": 2.0}


REFUSED = {
    "[rnu]\nlimit = 1": "no verb in vlmbench.toml named 'rnu'",
    "[run]\nlimits = 1": "no option of run in vlmbench.toml named 'limits'",
    "[run]\ntrust_remote_code = true": "it runs code, and a settings file runs none",
    '[run]\nplugins = "x.py"': "plug-ins are code",
    '[run]\nmodel = "openai:x,base_url=http://elsewhere"': "base_url decides where a key is sent",
    '[run]\njson = "yes"': "[--json] takes no 'yes'",
    "[run]\nlimit = true": "[--limit] takes no True",
    "[run]\nlimit = [1]": "[--limit] takes no [1]",
    '[run]\nseed = "x"': "argument --seed: invalid int value: 'x'",
    '[run]\ndtype = "float8"': "argument --dtype: invalid choice",
}


@pytest.mark.parametrize("content", REFUSED)
def test_what_the_file_may_not_say(content: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "vlmbench.toml").write_text(content)
    assert cli.main(["run", "--model", "echo", "--tasks", "pope"]) == exit_codes.USER_MUST_CHANGE
    assert REFUSED[content] in capsys.readouterr().err
    assert not (folder / "runs").exists()


def test_doctor(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    (folder / "vlmbench.toml").write_text('cache = "c"\n')
    assert cli.main(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    found = json.loads(out)
    assert list(found) == ["versions", "packages", "extras", "devices", "places", "network"]
    assert found["network"]["OPENAI_API_KEY"] == "set" and "sk-secret" not in out
    assert found["places"]["cache"].startswith(str(folder / "c"))
    assert found["places"]["settings file"] == str(folder / "vlmbench.toml")
    assert "torch" in found["packages"] and "cores usable" in found["devices"]["cpu"]
    assert cli.main(["doctor"]) == 0
    assert "hugging face hub" in capsys.readouterr().out


def test_doctor_where_a_package_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def missing(name: str) -> str:
        if name == "rapidfuzz":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", missing)
    assert cli.main(["doctor"]) == exit_codes.BAD_RESULT
    assert "rapidfuzz is missing: `pip install vlmbench-eval`" in capsys.readouterr().out


def test_tasks_print_their_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tasks", "vsr", "mmbench"]) == 0
    out = capsys.readouterr().out
    assert "    prompt:\n      <image>\n      Based on the image, is this statement true or false?" in out
    assert "    ranked: True | False" in out
    assert "      Answer with the option's letter from the given choices directly." in out
