"""The level of the intervals is what scores.json says of it, in every table and file."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.reports import written
from tests.reports.fabricate import Recipe, fabricate

build: Any = import_module("vlmbench.reports.site.build")
ranks: Any = import_module("vlmbench.reports.board.ranks")
runs: Any = import_module("vlmbench.reports.runs")
table: Any = import_module("vlmbench.reports.text.table")


def at_level(folder: Path, level: float) -> Path:
    """The run with this level in its scores.json."""
    scores = json.loads((folder / "scores.json").read_text("utf-8"))
    for entry in scores.values():
        entry["level"] = level
    (folder / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two runs with 90 % intervals that can be compared."""
    recipe = Recipe(tasks=("okvqa",), breakdowns=False, training=False)
    made = [fabricate(tmp_path / name, recipe, name=name, skill=skill) for name, skill in (("a", 0.8), ("b", 0.6))]
    return [at_level(folder, 0.9) for folder in made]


def test_every_file_of_a_site(folders: list[Path], tmp_path: Path) -> None:
    page = build.write(folders, tmp_path / "out")
    report = written.report(page)
    assert {task["level"] for run in report["runs"] for task in run["tasks"]} == {0.9}
    (name,) = written.names(page, "compare-")
    assert [task["level"] for task in written.data(page, name)["tasks"]] == [0.9]
    texts = {path.name: path.read_text("utf-8") for path in (page.parent / "exports").glob("*.md")}
    assert not [name for name, text in texts.items() if "95 %" in text]
    for name in ("leaderboard.md", "metrics.md", "differences.md"):
        assert "Intervals are 90 %" in texts[name]


def test_differences_are_computed_at_the_level_of_the_runs(folders: list[Path], tmp_path: Path) -> None:
    """A 90 % interval is narrower than a 95 % one of the same answers."""

    def width(output: Path) -> float:
        page = build.write(folders, output)
        (task,) = written.data(page, written.names(page, "compare-")[0])["tasks"]
        ends = task["differences"][0]["paired"]["difference"]
        return float(ends["high"] - ends["low"])

    narrow = width(tmp_path / "narrow")
    for folder in folders:
        at_level(folder, 0.95)
    assert 0.7 < narrow / width(tmp_path / "wide") < 0.95


def test_text_and_markdown(folders: list[Path]) -> None:
    (run,) = runs.load(folders[:1])
    scores = {task.key: task.scores for task in run.tasks}
    for text in (table.text(run.manifest, scores), table.markdown(run.manifest, scores)):
        assert "90 % interval" in text and "95 %" not in text
    old = {name: value for name, value in scores["okvqa"].items() if name != "level"}
    both = {**scores, "other": {**old, "level": 0.975}, "old": old}
    assert "90 % / 95 % / 97.5 % interval" in table.text(run.manifest, both)


def test_ranks_know_how_wide_an_interval_is() -> None:
    """Ends that lie as far off mean more of a wide interval: at 99 % these two differ, at 68 % they do not."""

    def board(level: float) -> Any:
        bars = {name: runs.Bar("f1", value, value - 2, value + 2, 500, level=level) for name, value in
                (("a", 80.0), ("b", 83.0))}  # fmt: skip
        return ranks.board_ranks(bars, {})["ranks"]

    assert board(0.99) == {"a": [2, 2], "b": [1, 1]}
    assert board(0.68) == {"a": [1, 2], "b": [1, 2]}
