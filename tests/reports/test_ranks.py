"""Ranks as ranges: corrected tests, and answers that are missing."""

from __future__ import annotations

import json
import random
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.performance.statistics.boards.ranks import apart
from tests.reports.written import report
from tests.support.gate_runs import changed, ran, truths, worse, wrong

build: Any = import_module("vlmbench.reports.site.build")
ranks: Any = import_module("vlmbench.reports.board.ranks")


def id_of(page: Path, row: dict[str, Any]) -> str:
    """The id of the run of a row."""
    return str(next(run["id"] for run in report(page)["runs"] if run["label"] == row["run"]))


def bar_of(value: float, half: float, **more: Any) -> Any:
    return ranks.Bar("f1", value, value - half, value + half, 500, **more)


def test_pairs_that_were_not_tested_are_corrected_with_the_others() -> None:
    """Intervals that just do not overlap are p .006: enough for one pair, not among 45."""
    two = {"a": bar_of(80.0, 1.0), "b": bar_of(82.1, 1.0)}
    assert ranks.board_ranks(two, {})["ranks"] == {"a": [2, 2], "b": [1, 1]}
    ten = {str(at): bar_of(80.0 + 2.1 * (at == 9), 1.0) for at in range(10)}
    assert set(map(tuple, ranks.board_ranks(ten, {})["ranks"].values())) == {(1, 10)}


def test_equal_models_are_seldom_ranked_apart_without_paired_tests() -> None:
    """Twenty equally good runs on unlike questions: some run ranked apart used to be in a third of all boards."""
    rng, apart = random.Random(5), 0
    for _ in range(100):
        bars = {str(at): bar_of(rng.gauss(80.0, 1.0), 1.96) for at in range(20)}
        apart += any(place != [1, 20] for place in ranks.board_ranks(bars, {})["ranks"].values())
    assert apart / 100 <= 0.05 + 0.045  # two standard errors


def test_missing_answers_win_no_rank() -> None:
    """The first run failed on what it would have got wrong; its lower end is that of the others."""
    tests = {("lucky", "honest"): (-9.0, 0.0001), ("honest", "bad"): (-30.0, 0.0001), ("lucky", "bad"): (-39.0, 0.0001)}
    bars = {"lucky": bar_of(98.0, 1.0, bounds=(85.0, 99.0)), "honest": bar_of(89.0, 1.0), "bad": bar_of(59.0, 1.0)}
    assert ranks.board_ranks(bars, tests)["ranks"] == {"lucky": [1, 2], "honest": [1, 2], "bad": [3, 3]}


def test_a_lead_must_be_significant_whatever_is_missing() -> None:
    """Still ahead at its lower end, but by less than chance may do."""
    tests = {("honest", "lucky"): (6.0, 1e-4)}
    for least, told in ((93.5, True), (91.9, False), (89.0, False)):
        bars = {"lucky": bar_of(96.0, 1.0, bounds=(least, 97.0)), "honest": bar_of(90.0, 1.0)}
        found = ranks.board_ranks(bars, tests)["ranks"]
        assert found == ({"lucky": [1, 1], "honest": [2, 2]} if told else {"lucky": [1, 2], "honest": [1, 2]}), least
    unpaired = {"lucky": bar_of(96.0, 1.0, bounds=(90.5, 97.0)), "honest": bar_of(90.0, 1.0)}
    assert ranks.board_ranks(unpaired, {})["ranks"] == {"lucky": [1, 2], "honest": [1, 2]}
    worse = {"low": bar_of(60.0, 1.0, bounds=(59.0, 61.0)), "honest": bar_of(90.0, 1.0)}
    assert ranks.board_ranks(worse, {("low", "honest"): (30.0, 0.0)})["ranks"] == {"low": [2, 2], "honest": [1, 1]}


@pytest.mark.slow
def test_the_worst_of_eleven_runs_wins_nothing_by_failing(tmp_path: Path) -> None:
    """It fails on nearly all that it would have got wrong: 98 and more, and once ranked 1-7 (of 11, it is the last)."""
    rng, runs_, truth = random.Random(2), [], truths("pope")
    for number in range(11):
        share = 0.14 if number else 0.19
        said = {key: wrong(text) if rng.random() < share else text for key, text in truth.items()}
        runs_.append(ran(tmp_path / f"r{number}", said, "--limit", "360"))
        changed(runs_[-1], "run.json", lambda content, name=f"{number}": content["model"].update(name=name))  # type: ignore[misc]
    table = pq.read_table(runs_[0] / "records.parquet").to_pylist()
    lost = [row for row, record in enumerate(table) if record["value"] == 0]
    failing = worse(runs_[0], tmp_path / "failing", dict.fromkeys(lost[: int(0.9 * len(lost))], "error"))
    page = build.write([*runs_[1:], failing], tmp_path / "site")
    rows = json.loads((tmp_path / "site" / "exports" / "leaderboard.json").read_text())["rows"]
    (row,) = [row for row in rows if row["coverage"] < 1]
    assert row["value"] > max(other["value"] for other in rows if other is not row) + 5
    assert (row["first rank"], row["last rank"]) == (1, 11)
    assert all(other["last rank"] - other["first rank"] == 10 for other in rows)
    assert rows[-1] is row or rows.index(row) >= 5, "sorted by what it is worth if all missing answers are wrong"
    assert row["low with missing"] < row["if missing wrong"] < row["value"] < row["if missing right"]
    shown = f"{100 * row['coverage']:.1f} %"
    assert f"| {shown} |" in (page.parent / "exports" / "leaderboard.md").read_text()
    assert shown in (page.parent / "exports" / f"run-{id_of(page, row)}.md").read_text()


@pytest.mark.parametrize("models", [20, 30])
def test_equal_models_of_unlike_questions(models: int) -> None:
    """The audit's boards: .33 and .58 of them had a model apart by intervals that do not overlap."""
    overlap, tests = apart(models, 500, 0.75, 0.0, 200)
    assert tests <= 0.05 + 0.03 < 0.2 < overlap


def test_questions_never_asked_are_missing_by_chance() -> None:
    """A gate that ended a run early makes it uncertain by its interval alone."""
    task: Any = import_module("vlmbench.reports.runs").TaskResult
    scores = {"headline": "f1", "f1": {"value": 90.0, "low": 88.0, "high": 92.0, "n": 50}, "coverage": 0.5}
    stopped = task("pope", {}, {**scores, "statuses": {"ok": 50, "not_asked": 50}})
    assert ranks._bounded(stopped).bounds is None
    broken = task("pope", {}, {**scores, "statuses": {"ok": 50, "not_asked": 49, "error": 1}})
    assert ranks._bounded(broken).bounds is not None
