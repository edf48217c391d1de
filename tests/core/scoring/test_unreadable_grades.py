"""Judges whose words hold no grade: the official rule stands, and everybody sees it; no reply is no grade at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli

TASKS = ("mmvet", "mmvet@vlmevalkit", "mmvet@lmms_eval", "llava_bench@official", "llava_bench@vlmevalkit")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


def run(folder: Path, task: str, judge: str, *more: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the task's scores."""
    words = ["run", "--model", "echo,text=something", "--tasks", task, "--judge", judge, "--limit", "4"]
    code = cli.main([*words, "--output", str(folder), *more])
    return code, json.loads((folder / "scores.json").read_text("utf-8"))[task]


@pytest.mark.parametrize("task", TASKS)
def test_a_text_without_a_grade(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scored by the rule, as the papers' scripts do; counted, noted, and kept with each verdict."""
    code, entry = run(tmp_path / "run", task, "echo,text=I cannot say", "--judge-runs", "2")
    count = entry["statuses"]["ok"]
    assert code == exit_codes.OK and entry["judge"]["unread"] == 2 * count == entry["judge"]["verdicts"]
    note = f"{2 * count} of {2 * count} judge's replies hold no grade; the protocol's rule still scores them"
    assert note in entry["notes"]
    told = capsys.readouterr().out
    assert note in told and f"{2 * count} replies held no grade" in told
    rows = pq.read_table(tmp_path / "run" / "judgements.parquet").to_pylist()
    assert len(rows) == 2 * count and all(row["unread"] and row["status"] == "ok" for row in rows)
    assert cli.main(["score", str(tmp_path / "run"), "--judge", "echo,text=I cannot say"]) == exit_codes.OK
    assert "judge's replies hold no grade" in capsys.readouterr().out


@pytest.mark.parametrize("task", [*TASKS, "llava_bench", "mmbench@official_judge"])
@pytest.mark.parametrize("text", ["", " ", "<think>0.5, or 8 10, or A"])
def test_no_reply(task: str, text: str, tmp_path: Path) -> None:
    """Neither nothing nor half a thought makes a grade, though there are numbers in it."""
    code, entry = run(tmp_path / "run", task, f"echo,text={text}".replace(", ", " "))
    assert code == exit_codes.BAD_RESULT and set(entry["statuses"]) == {"judge_failed"} and entry["coverage"] == 0
    assert entry[entry["headline"]]["value"] is None


@pytest.mark.parametrize(
    ("task", "text"), [("mmvet", "nan"), ("mmvet@vlmevalkit", "nan"), ("llava_bench@official", "8 nan")]
)
def test_a_grade_that_is_no_number_makes_no_total(
    task: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scripts take "nan" for a grade. What is shown is no total, why, and an exit code of its own."""
    code, entry = run(tmp_path / "run", task, f"echo,text={text}")
    assert code == exit_codes.BAD_RESULT and entry[entry["headline"]]["value"] is None
    assert any("are not finite numbers: totals over them are undefined" in note for note in entry["notes"])
    told = capsys.readouterr()
    assert "not finite" in told.out and entry["judge"]["unread"] == entry["statuses"]["ok"]


def test_a_thought_before_the_grade_is_passed_over(tmp_path: Path) -> None:
    """No number in it is the grade."""
    _, entry = run(tmp_path / "run", "mmvet", "echo,text=<think>0.1 or 0.2</think> 0.7")
    assert entry["total"]["value"] == pytest.approx(70) and entry["judge"]["unread"] == 0


def test_published_grades_are_counted_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """MM-Vet's script records 0 for a reply without a number."""
    from vlmbench.base import registry
    from vlmbench.data.files import Folder

    samples = registry.tasks.get("mmvet").samples(Folder.sample("mmvet"), "test")
    grades = {
        s.id: {"model": ["m"], "content": ["0.5" if n else "Sorry"], "score": [0.5 if n else 0.0]}
        for n, s in enumerate(samples)
    }
    path = tmp_path / "grades.json"
    path.write_text(json.dumps(grades))
    assert cli.main(["score", "mmvet", "--predictions", str(path)]) == exit_codes.OK
    assert f"1 of {len(samples)} judge's replies hold no grade" in capsys.readouterr().out
