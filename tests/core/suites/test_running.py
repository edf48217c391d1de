"""Runs of suites: which tasks they ask, what lies in their folder, and that options hold for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vlmbench
from tests.support.toys import ToyTask
from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.scoring.suites import choosing
from vlmbench.scoring.suites.suite import Member, Suite

FILE = """
name: small
title: two benchmarks
data: sample
limit: 18
tasks:
  - pope@llava
  - task: vsr@minigpt_v2
    limit: 7
average:
  formula: mean
"""


def run(*words: str) -> int:
    return cli.main(["run", *words])


def scores(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "scores.json").read_text("utf-8"))
    return found


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text("utf-8"))
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_built_in_suite_and_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--tasks", "suite:mobilevlm6,vsr@minigpt_v2,pope@llava", "--output", str(tmp_path / "r")]
    assert run("--model", "echo,text=yes", *words) == exit_codes.OK
    shown, _ = capsys.readouterr()
    found = scores(tmp_path / "r")
    assert list(found) == [
        "gqa@llava", "scienceqa@llava", "textvqa@llava", "pope@llava", "mme@llava", "mmbench@llava", "vsr@minigpt_v2",
        "suite:mobilevlm6",
    ]  # fmt: skip
    average, perception = found["suite:mobilevlm6"]["average"], found["mme@llava"]["perception"]["value"]
    names = ("gqa@llava", "scienceqa@llava", "textvqa@llava", "pope@llava", "mmbench@llava")
    others = [found[name][found[name]["headline"]]["value"] for name in names]
    assert average["value"] == pytest.approx((sum(others) + perception / 20) / 6)
    assert average["low"] < average["value"] < average["high"]
    row = next(line for line in shown.splitlines() if line.startswith("suite:mobilevlm6 "))
    assert f"{average['value']:.1f}" in row and shown.index("pope@llava") < shown.index("suite:mobilevlm6 ")
    assert "average: mean of GQA, SQA-I, TextVQA, POPE, MME perception / 20, MMBench" in shown
    assert run("--model", "echo,text=yes", *words, "--json") == exit_codes.OK
    assert json.loads(capsys.readouterr().out) == found, "the same command resumes, and prints the same"


def test_missing_members_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    members = (Member("MM-Vet", "mmvet@vlmevalkit"), Member("Later"), Member("Never"))
    suite = Suite("half", "one of three", "tests", members, "mean", "tests")
    with registry.suites.temporarily_registered("half", suite):
        code = run("--model", "echo", "--tasks", "suite:half", "--limit", "2", "--output", str(tmp_path / "run"))
    out, err = capsys.readouterr()
    found = scores(tmp_path / "run")
    assert list(found) == ["mmvet@vlmevalkit", "suite:half"]
    assert code == exit_codes.BAD_RESULT and "no judge was named" in err, "as the member alone does"
    average = found["suite:half"]["average"]
    assert average["value"] is None and average["note"] == (
        "no average: MM-Vet failed: no sample has a score (judge_failed 2); Later, Never are not in vlmbench"
    )
    assert f"note: suite:half: {average['note']}" in out


def test_a_suite_of_which_nothing_is_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = Suite("later", "none", "tests", (Member("Later"),))
    with registry.suites.temporarily_registered("later", suite):
        assert run("--model", "echo", "--tasks", "suite:later") == exit_codes.USER_MUST_CHANGE
    assert "vlmbench has none of its members yet: Later" in capsys.readouterr().err


def test_a_file_sets_tasks_and_the_command_line_wins(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--model", "echo,text=yes", "--suite", str(file), "--output", str(tmp_path / "a")) == exit_codes.OK
    found = scores(tmp_path / "a")
    assert [sum(one["statuses"].values()) for one in found.values()] == [18, 7, 0]
    assert found["suite:small"]["average"]["n"] == found["pope@llava"]["mean_f1"]["n"] + 7
    words = ["--suite", str(file), "--limit", "5", "--output", str(tmp_path / "b"), "--max-new-tokens", "9"]
    assert run("--model", "echo,text=yes", *words, "--json") == exit_codes.OK
    found = scores(tmp_path / "b")
    assert list(found) == [
        "pope@llava+max_new_tokens=9", "vsr@minigpt_v2+max_new_tokens=9", "suite:small+max_new_tokens=9",
    ]  # fmt: skip
    assert [sum(one["statuses"].values()) for one in found.values()] == [5, 5, 0]


def test_a_file_may_name_the_model(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(FILE + 'model: "echo,text=no"\n', encoding="utf-8")
    assert run("--suite", str(file), "--output", str(tmp_path / "run"), "--json") == exit_codes.OK
    assert told(tmp_path / "run")["asked"]["model"] == "echo,text=no"
    assert run("--suite", str(file), "--model", "echo,text=yes", "--output", str(tmp_path / "o")) == exit_codes.OK
    assert told(tmp_path / "o")["asked"]["model"] == "echo,text=yes"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--tasks", "suite:mobilvlm6", "--model", "echo"], "no suite named 'mobilvlm6'\n  did you mean mobilevlm6"),
        (["--tasks", "suite:imp9,suite:imp9", "--model", "echo"], "suite named twice: suite:imp9"),
        (["--tasks", "pope,suite:imp9,pope", "--model", "echo"], "task named twice: pope"),
        (["--tasks", "suite:imp9"], "which model?"),
        (["--model", "echo"], "which tasks?"),
        (["--model", "echo", "--suite", "none.yaml"], "none.yaml: cannot read it"),
        (["--model", "echo", "--tasks", "suite:tinygptv", "--temperature", "0.7"], "ranks options by likelihood"),
    ],
)
def test_wrong_words(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) == exit_codes.USER_MUST_CHANGE
    assert problem in capsys.readouterr().err


def test_the_default_folder_is_short_and_the_same_each_time(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run("--model", "echo,text=yes", "--suite", str(file)) == exit_codes.OK
    (name,) = [path.name for path in (tmp_path / "runs").iterdir() if path.name.startswith("echo-suite_small-")]
    assert len(name) == len("echo-suite_small-") + 8


def test_a_changed_average_is_another_run(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "echo,text=yes", "--suite", str(file), "--output", str(tmp_path / "run")]
    assert run(*words) == exit_codes.OK
    file.write_text(FILE.replace("two benchmarks", "2 benchmarks"), encoding="utf-8")
    assert run(*words) == exit_codes.OK, "a title changes nothing"
    file.write_text(FILE.replace("formula: mean", "formula: sum"), encoding="utf-8")
    assert run(*words) == exit_codes.USER_MUST_CHANGE
    assert "the folder holds another run: suites was" in capsys.readouterr().err
    file.write_text(FILE.replace("limit: 7", "limit: 6"), encoding="utf-8")
    assert run(*words) == exit_codes.USER_MUST_CHANGE
    assert "limits was" in capsys.readouterr().err


def test_scoring_again_keeps_the_suite(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "echo,text=yes", "--suite", str(file), "--output", str(tmp_path / "run")) == exit_codes.OK
    before = scores(tmp_path / "run")
    file.unlink()
    assert cli.main(["score", str(tmp_path / "run"), "--json"]) == exit_codes.OK
    assert scores(tmp_path / "run") == before


def test_perturbed_runs_have_the_average_too(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--suite", str(file), "--perturb", "blind", "--output", str(tmp_path / "run")]
    assert run("--model", "echo,text=yes", *words) == exit_codes.OK
    blind = scores(tmp_path / "run" / "perturbations" / "blind")
    assert blind["suite:small"]["average"]["value"] is not None


def test_min_coverage_holds_for_members(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A member with failures: exit code 1, the average is of what has a score, its coverage is the lowest."""
    registry.tasks.add("toy", ToyTask(missing=(0,)))
    try:
        path = tmp_path / "s.yaml"
        toy = f"{{task: toy, data: {tmp_path}}}"
        path.write_text(f"name: s\ntasks: [{toy}, vsr@minigpt_v2]\naverage: {{formula: mean}}\n", encoding="utf-8")
        words = ["--model", "echo,text=yes", "--suite", str(path), "--output", str(tmp_path / "run")]
        assert run(*words) == exit_codes.BAD_RESULT
        _, err = capsys.readouterr()
        assert "toy: only 75.0 % of the samples have a score" in err and "suite:s: only" not in err
        found = scores(tmp_path / "run")["suite:s"]
        assert found["coverage"] == 0.75 and found["average"]["value"] is not None
        assert run(*words, "--min-coverage", "0.7") == exit_codes.OK
    finally:
        registry.tasks.remove("toy")


def test_from_python(file: Path, tmp_path: Path) -> None:
    result = vlmbench.evaluate(lambda images, question: "yes", suite=file, limit=4)
    assert list(result.summary) == ["pope@llava", "vsr@minigpt_v2", "suite:small"]
    average = result.scores[result.scores["task"] == "suite:small"]
    assert average["metric"].tolist() == ["average"] and average["headline"].tolist() == [True]
    assert result.coverage == 1.0 and len(result.records) == 8
    with pytest.raises(UsageError, match="which model"):
        vlmbench.evaluate(suite=file)
    with pytest.raises(UsageError, match=r"no option of vlmbench\.evaluate named 'limitt'"):
        vlmbench.evaluate("echo", suite=file, limitt=3)  # type: ignore[call-arg]


def test_a_plug_in_adds_a_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str], forgotten: None) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from vlmbench import Member, Suite, add_suite\n"
        "add_suite(Suite('mine', 'my two', 'me', (Member('VSR', 'vsr@minigpt_v2'),), 'mean'))\n"
    )
    words = ["--tasks", "suite:mine", "--plugins", str(plugin), "--limit", "4", "--output", str(tmp_path / "run")]
    assert run("--model", "echo,text=true", *words, "--json") == exit_codes.OK
    found = scores(tmp_path / "run")
    assert found["suite:mine"]["average"]["value"] == found["vsr@minigpt_v2"]["accuracy"]["value"]
    assert cli.main(["suites", "mine", "--plugins", str(plugin)]) == exit_codes.OK
    assert "my two" in capsys.readouterr().out


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["suites"]) == exit_codes.OK
    out = capsys.readouterr().out
    assert "imp9         Imp's nine (Shao et al. 2024): 9 of 9 members here" in out
    assert cli.main(["suites", "nanovlm9", "--json"]) == exit_codes.OK
    listed = json.loads(capsys.readouterr().out)["nanovlm9"]
    assert listed["missing"] == [one["benchmark"] for one in listed["members"] if one["task"] is None]
    assert listed["formula"] is None and len(listed["members"]) == 9
    assert cli.main(["suites", "imp8"]) == exit_codes.USER_MUST_CHANGE
    assert "did you mean imp9" in capsys.readouterr().err


def test_names_of_members_in_a_run() -> None:
    suites = {"suite:s": {"members": [{"task": "a"}, {"benchmark": "none here"}, {"task": "b@x"}]}}
    assert choosing.expanded(["b@x", "suite:s", "c"], suites) == ["b@x", "a", "c"]
    with pytest.raises(UsageError, match="no suite:t in the run\n  it has: suite:s"):
        choosing.expanded(["suite:t"], suites)
