"""The board: which runs make one row, who leads a column, and the gaps to the best."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.reports.drawn_board import Drawn, drawn_runs, write
from tests.reports.fabricate import fabricate
from tests.reports.test_run_groups import changed

boards: Any = import_module("vlmbench.reports.board.board")
gaps: Any = import_module("vlmbench.reports.board.gaps")
leaders: Any = import_module("vlmbench.reports.board.leaders")
rows: Any = import_module("vlmbench.reports.board.rows")
runs: Any = import_module("vlmbench.reports.runs")


def made(folder: Path, name: str, **changes: Any) -> Path:
    """A run of one set of weights; what is named `part__field` is changed in its manifest."""
    told = {key: value for key, value in changes.items() if "__" in key or key == "finished"}
    recipe = {key: value for key, value in changes.items() if key not in told}
    run = fabricate(folder / name, images=4, **{"training": False, "pictures": False, **recipe})
    return changed(run, **{"model__fingerprint": "ab" * 32, **told})


def board_of(folders: list[Path]) -> dict[str, Any]:
    """The rows by label."""
    return {row.label: row for row in rows.rows(runs.load(folders))}


def test_sittings_of_one_model_are_one_row(tmp_path: Path) -> None:
    """Whatever the folders are called; a task that was run again is shown from the newest run."""
    pope = made(tmp_path, "monday", tasks=("pope",), finished="2026-01-01T00:00:00Z")
    both = made(tmp_path, "tuesday", tasks=("pope", "gqa"), finished="2026-01-02T00:00:00Z")
    (row,) = board_of([both, pope]).values()
    assert row.label == "tinyllava"
    assert {key: run.folder for key, run in row.cells.items()} == {"pope": both, "gqa": both}
    assert [run.folder for run in row.runs] == [both, pope]
    assert {key: [run.folder for run in older] for key, older in row.older.items()} == {"pope": [pope]}
    assert row.id not in [run.id for run in row.runs], "an id of all of them is the id of none"


def test_the_newest_complete_run_is_shown(tmp_path: Path) -> None:
    """A newer run that failed on some questions does not replace one that answered all."""
    whole = made(tmp_path, "whole", failures=0.0, finished="2026-01-01T00:00:00Z")
    failing = made(tmp_path, "failing", failures=0.3, finished="2026-01-02T00:00:00Z")
    (row,) = board_of([whole, failing]).values()
    assert {run.folder for run in row.cells.values()} == {whole}
    assert [run.folder for run in row.older["pope"]] == [failing]


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"asked__settings": {"engine": "shared", "dtype": "bfloat16"}}, "tinyllava, dtype bfloat16"),
        ({"asked__limit": 36}, "tinyllava, limit 36"),
        ({"perturb": "blind"}, "tinyllava, blind"),
        ({"model__fingerprint": "cd" * 32}, "tinyllava, weights cdcdcdcd"),
        ({"data": "/data/photos", "seed": 3, "asked__seed": 0}, "tinyllava, /data/photos"),
        ({"asked__ids": "ids.txt"}, "tinyllava, questions listed only"),
    ],
)
def test_other_settings_are_rows_of_their_own(tmp_path: Path, changes: Mapping[str, Any], label: str) -> None:
    """Named by what differs, never by their folders."""
    found = board_of([made(tmp_path, "a"), made(tmp_path, "b", **changes)])
    assert len(found) == 2 and label in found, list(found)
    assert not any("(a)" in name or "(b)" in name for name in found)


def test_a_later_version_of_a_task_replaces_an_earlier_one(tmp_path: Path) -> None:
    old = made(tmp_path, "old", tasks=("gqa",), seed=3, asked__seed=0, finished="2026-01-01T00:00:00Z")
    new = made(tmp_path, "new", tasks=("gqa",), finished="2026-01-02T00:00:00Z")
    assert len(board_of([old, new])) == 2, "other questions of the same version: neither may hide the other"
    scores = json.loads((new / "scores.json").read_text())
    (new / "scores.json").write_text(json.dumps({"gqa": {**scores["gqa"], "version": 2}}))
    (row,) = board_of([old, new]).values()
    assert row.cells["gqa"].folder == new


def result(value: float, low: float | None, high: float | None, **more: Any) -> Any:
    """A task's results with one metric."""
    bar = {"value": value, "low": low, "high": high, "n": 500, **more}
    return runs.TaskResult("t", {}, {"headline": "accuracy", "accuracy": bar, "coverage": 1.0, "statuses": {"ok": 500}})


def test_nobody_wins_with_nine_questions() -> None:
    """Highest, but with an interval from 11 to 100: neither the best nor bold, and said to have too few."""
    found = leaders.column(
        "t",
        {"nine": result(99.0, 11.0, 100.0), "good": result(85.0, 83.0, 87.0), "bad": result(60.0, 57.0, 63.0)},
        {},
        {},
    )
    assert (found.best, found.bold, found.few) == ("good", ["good"], ["nine"])
    assert found.gaps["nine"].value == pytest.approx(14.0) and not found.gaps["nine"].paired
    low = leaders.column("t", {"nine": result(73.0, 11.0, 98.0), "good": result(98.6, 97.0, 99.5)}, {}, {})
    assert (low.bold, low.few) == (["good"], ["nine"])


def test_where_all_have_too_few_nothing_is_bold() -> None:
    found = leaders.column("t", {"a": result(70.0, 40.0, 90.0), "b": result(60.0, None, None)}, {}, {})
    assert (found.best, found.bold, found.few) == ("a", [], ["a", "b"])
    assert found.gaps["b"].low is None


def test_a_wide_interval_that_a_test_puts_on_top_is_the_best() -> None:
    """MME once: the best models' intervals are wide, those of the worst are not, and they are far apart."""
    results = {"top": result(1257.0, 1125.0, 1389.0), "low": result(453.0, 400.0, 506.0)}
    found = leaders.column("mme", results, {}, {}, scale=1000.0)
    assert (found.best, found.bold, found.few) == ("top", ["top"], [])
    assert leaders.column("mme", results, {}, {}, scale=2000.0).bold == ["top"]


def test_bold_is_the_best_and_what_the_corrected_test_does_not_tell_apart() -> None:
    """The paired test decides, not whether the intervals overlap."""
    results = {"a": result(80.0, 77.0, 83.0), "b": result(78.0, 75.0, 81.0), "c": result(60.0, 57.0, 63.0)}
    told = leaders.Gap(-2.0, -3.0, -1.0, 0.001, paired=True)
    assert leaders.column("t", results, {}, {}).bold == ["a", "b"]
    assert leaders.column("t", results, {"b": told}, {}).bold == ["a"]
    unclear = replace(told, p=0.04)  # among three pairs, Holm asks for .05 / 2
    assert leaders.column("t", results, {"b": unclear}, {}).bold == ["a"]
    assert leaders.column("t", results, {"b": replace(told, p=0.06)}, {}).bold == ["a", "b"]


def test_less_may_be_better() -> None:
    results = {"a": result(12.0, 10.0, 14.0, better="less"), "b": result(30.0, 28.0, 32.0, better="less")}
    found = leaders.column("t", results, {"b": leaders.Gap(18.0, 15.0, 21.0, 1e-9, paired=True)}, {})
    assert (found.best, found.bold) == ("a", ["a"])
    assert found.ranks == {"a": [1, 1], "b": [2, 2]}


def test_failing_makes_no_leader() -> None:
    """98 with a tenth missing is 88 at worst: the other, at 95, is the best."""
    results = {"fails": result(98.0, 97.0, 99.0, bounds=[88.0, 98.5]), "whole": result(95.0, 94.0, 96.0)}
    assert leaders.column("t", results, {}, {}).best == "whole"


def test_gaps_are_paired_and_averages_are_made_of_several_runs(tmp_path: Path) -> None:
    """A paired gap is narrower than the difference of two unrelated scores; a suite's members lie in two runs."""
    tasks = ["pope@llava", "gqa@llava", "textvqa@llava", "scienceqa@llava", "mme@llava", "mmbench:dev_en@llava"]
    drawn = [Drawn("good", 0.9, tasks[:3]), Drawn("good", 0.9, tasks[3:], "2026-03-02"), Drawn("poor", 0.2, tasks)]
    short = Drawn("short", 0.5, tasks[:2])
    folders = [write(tmp_path / f"r{at}", one, 100) for at, one in enumerate([*drawn, short])]
    opened = gaps.Opened()
    board = boards.board(runs.load(folders), opened)
    good, poor, lacking = board.rows
    assert board.scales["mme@llava"] == 2000 and board.scales["gqa@llava"] == 100
    column = board.columns()["pope@llava"]
    assert column.best == good.id and column.paired and column.bold == [good.id]
    gap = column.gaps[poor.id]
    wide = leaders.unpaired(*(row.merged.tasks[0].best for row in (poor, good)))
    assert gap.paired and gap.high < 0 and gap.high - gap.low < wide.high - wide.low
    (suite,) = board.averages
    assert suite == "suite:mobilevlm6"
    average = board.averages[suite][good.id].best
    assert average.value is not None and average.low < average.value < average.high
    assert board.averages[suite][lacking.id].best.value is None
    assert "TextVQA" in " ".join(board.averages[suite][lacking.id].notes)
    assert board.average_columns()[suite].gaps[poor.id].paired
    assert board.best_first()[0] is good and board.best_first()[-1] is lacking


def test_a_limit_on_records_leaves_the_largest_tasks_unpaired(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, Drawn(name, skill, ["textvqa", "scienceqa"]), 60) for name, skill in
               (("a", 0.9), ("b", 0.3))]  # fmt: skip
    found = rows.rows(runs.load(folders))
    sizes = {task.key: task.best.n for task in found[0].merged.tasks}
    assert sizes["scienceqa"] != sizes["textvqa"]
    small = min(sizes, key=lambda key: sizes[key])
    assert list(gaps.paired_gaps(found, gaps.Opened(), 2 * sizes[small]).gaps) == [small]


@pytest.mark.slow
def test_win_rates_count_ties_half(tmp_path: Path) -> None:
    folders = drawn_runs(tmp_path, ["textvqa", "scienceqa"], 60)
    board = boards.board(runs.load(folders), gaps.Opened())
    rates = boards.win_rates(board.columns())
    assert len(rates) == len(board.rows) == 12
    assert all(0 <= rate <= 100 for rate in rates.values())
    assert sum(rates.values()) / len(rates) == pytest.approx(50, abs=5), "what one wins another loses"
