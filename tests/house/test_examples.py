"""The examples run, and show what they promise."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def run_example(name: str, folder: Path, *words: str) -> str:
    """What an example prints when run in a folder of its own."""
    folder_word = [] if name == "second_turns.py" else ["answers"]  # which keeps nothing
    command = [sys.executable, str(ROOT / "examples" / name), *folder_word, *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_score_existing_answers(tmp_path: Path) -> None:
    printed = run_example("score_existing_answers.py", tmp_path)
    always_yes, always_no = printed.split("$ vlmbench score ")[1:]
    assert "66.7" in always_yes
    assert "yes_ratio      100.0" in always_yes
    assert "yes_ratio        0.0" in always_no


def test_own_model(tmp_path: Path) -> None:
    assert "longwords" in run_example("own_model.py", tmp_path)
    scores = json.loads((tmp_path / "answers" / "run" / "scores.json").read_text())
    assert scores["pope"]["coverage"] == 1.0


def test_own_training(tmp_path: Path) -> None:
    printed = run_example("own_training.py", tmp_path)
    assert "step 30: loss" in printed and "step 60: loss" in printed and "before answers@step-0000030" in printed
    assert {path.name for path in (tmp_path / "answers").iterdir()} == {"step-0000030", "step-0000060"}


def test_demo_site(tmp_path: Path) -> None:
    assert "report: " in run_example("demo_site.py", tmp_path, "--tasks", "hateful_memes")
    site = tmp_path / "answers" / "site"
    assert (site / "index.html").is_file() and len(list((site / "data").glob("compare-*.js"))) == 6
    rows = json.loads((site / "exports" / "leaderboard.json").read_text("utf-8"))["rows"]
    assert (site / "exports" / "differences.csv").read_text("utf-8").count("hateful_memes") >= 2
    assert {row["run"] for row in rows} == {"tinyllava", "tinygptv", "echo"}


def test_a_drawn_set_of_pope_and_a_gate_that_finds_a_blind_model(tmp_path: Path) -> None:
    assert "answers: 40 images, 720 questions" in run_example("draw_pope.py", tmp_path, "40")
    data = ["--tasks", "pope", "--data", "answers"]
    plugin = ["--plugins", str(ROOT / "examples" / "blind_model.py")]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "vlmbench.cli.main", "run", *words, *data]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("--model", "tinyllava", "--output", "seeing").returncode == 0
    found = run(*plugin, "--model", "blind", "--gate", "seeing", "--output", "blind")
    assert found.returncode == 1, found.stderr
    assert "decided early at 540 of 720 questions" in found.stdout


def test_second_turns(tmp_path: Path) -> None:
    """First turns have a run's own score; the row is the one of the page, and the difference is that of its scores."""
    printed = run_example("second_turns.py", tmp_path, "--models", "tinyllava", "--tasks", "tallyqa")
    row = printed.splitlines()[-1]
    assert row in (ROOT / "docs" / "models" / "included.md").read_text("utf-8")
    first, second, difference = (float(cell.split()[0]) for cell in row.split("|")[5:8])
    assert difference == pytest.approx(second - first, abs=0.11)


def test_distil_study(tmp_path: Path) -> None:
    """Each kind of distillation is compared with the students without a teacher; a second call trains nothing again."""
    words = ["--share", "0.001", "--seeds", "2", "--tasks", "vizwiz", "--limit", "12"]
    printed = run_example("distil_study.py", tmp_path, *words)
    assert (tmp_path / "answers" / "study.md").read_text("utf-8") in printed
    assert {f"plain, seed {seed}" for seed in range(2)} <= {line.split(":")[0] for line in printed.splitlines()}
    for kind in ("logits", "answers"):
        (table,) = re.findall(rf"## {kind}\n\n```text\n(.*?)```", printed, re.DOTALL)
        assert "vizwiz" in table and kind in table
    logs = {path: path.stat().st_mtime_ns for path in (tmp_path / "answers").glob("*/training_log.jsonl")}
    assert len(logs) == 6
    assert run_example("distil_study.py", tmp_path, *words) == printed
    assert logs == {path: path.stat().st_mtime_ns for path in logs}


def test_each_example_is_tested() -> None:
    readme = Path(__file__).parent / "pages" / "test_readme.py"
    told = Path(__file__).read_text("utf-8") + readme.read_text("utf-8")
    assert not [path.name for path in (ROOT / "examples").glob("*.py") if f'"{path.name}"' not in told]
