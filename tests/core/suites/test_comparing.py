"""The average of a suite in two runs: its difference, the gate, and the baseline file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.gate_runs import ran, script, truths, wrong
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.compare import baseline, compare
from vlmbench.compare.gates import gate
from vlmbench.compare.gates.rules import GateRules
from vlmbench.compare.suites import compared_suites
from vlmbench.runs.storage import reload

pytestmark = pytest.mark.slow

SUITE = """
name: two
tasks: [pope, gqa]
average:
  formula: weighted_mean
  members: [pope, {task: gqa, weight: 3}]
"""
SETTINGS = {"resamples": 2000, "seed": 0}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of a suite, and a worse one of its tasks alone: 50 answers to pope have turned."""
    folder = tmp_path_factory.mktemp("runs")
    file = folder / "two.yaml"
    file.write_text(SUITE, encoding="utf-8")
    good = {**script("pope", 0.05), **script("gqa", 0.1)}
    worse = {**good, **{key: wrong(good[key]) for key in list(truths("pope"))[:50]}}
    return (
        ran(folder / "one", good, "--suite", str(file), tasks=""),
        ran(folder / "two", worse, "--suite", str(file), tasks=""),
    )


def scores(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "scores.json").read_text("utf-8"))
    return found


def rules(**more: Any) -> GateRules:
    return GateRules(**{"max_drop": {"": 1.0}, "min_detectable_drop": {}, **more})


def test_the_difference_of_the_averages(runs: tuple[Path, Path]) -> None:
    found = compare.compare(*runs)
    (suite,), left_out = compared_suites(found, SETTINGS)
    pope, gqa = (task.best.paired for task in found.tasks)
    assert not left_out and suite.key == "suite:two"
    before, after = (scores(folder)["suite:two"]["average"]["value"] for folder in runs)
    assert suite.best.before == pytest.approx(before) and suite.best.after == pytest.approx(after)
    difference = suite.best.paired.difference
    assert difference.value == pytest.approx(after - before)
    assert difference.value == pytest.approx(0.25 * pope.difference.value) and gqa.difference.value == 0
    assert difference.low is not None and pope.difference.low is not None and gqa.difference.low is None
    reach = difference.value - difference.low
    assert reach > 0.25 * (pope.difference.value - pope.difference.low), "gqa, of which no answer turned, adds its own"
    parts = [part for group in suite.groups for part in group]
    distances = [part.share * (part.estimate.value - (part.estimate.low or math.nan)) for part in parts]
    assert reach == pytest.approx(math.hypot(*distances))
    assert suite.best.paired.p is not None and 0 < suite.best.paired.p < 0.01
    assert len(suite.lost) == len(found.tasks[0].lost) and difference.n == pope.n + gqa.n


def test_both_orders_agree(runs: tuple[Path, Path]) -> None:
    (there,), _ = compared_suites(compare.compare(*runs), SETTINGS)
    (back,), _ = compared_suites(compare.compare(*reversed(runs)), SETTINGS)
    assert back.best.paired.difference.value == pytest.approx(-there.best.paired.difference.value)
    assert back.best.paired.p == pytest.approx(there.best.paired.p)


def test_a_member_that_is_not_compared_leaves_the_average_out(runs: tuple[Path, Path]) -> None:
    found = compare.compare(*runs, tasks=["gqa"])
    assert compared_suites(found, SETTINGS) == ([], ["suite:two"])


def test_other_definitions_are_not_compared(runs: tuple[Path, Path]) -> None:
    first, second = (reload.load(folder) for folder in runs)
    changed = json.loads(json.dumps(second.manifest))
    changed["suites"]["suite:two"]["formula"] = "mean"
    found = compare.compare(first, replace(second, manifest=changed))
    assert compared_suites(found, SETTINGS) == ([], ["suite:two"])


def test_one_suite_run_is_enough(runs: tuple[Path, Path]) -> None:
    """The members' answers are there, whether or not the other run was made as a suite."""
    first, second = (reload.load(folder) for folder in runs)
    bare = replace(first, manifest={name: part for name, part in first.manifest.items() if name != "suites"})
    (suite,), _ = compared_suites(compare.compare(bare, second), SETTINGS)
    assert suite.best.paired.difference.value < 0


def test_compare_shows_it(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", *map(str, runs)]) == exit_codes.OK
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("suite:two "))
    assert "average" in row and " -" in row
    assert cli.main(["compare", *map(str, runs), "--tasks", "suite:two", "--json"]) == exit_codes.OK
    content = json.loads(capsys.readouterr().out)
    (told,) = content["suites"]
    assert told["formula"] == "weighted mean of pope, 3 x gqa"
    assert [one["share"] for one in told["members"]] == [0.25, 0.75]
    assert [task["key"] for task in content["tasks"]] == ["pope", "gqa"]


def test_the_gate_tests_members_and_average(runs: tuple[Path, Path]) -> None:
    report = gate.check(runs[1], runs[0], rules())
    assert [verdict.task.key for verdict in report.verdicts] == ["pope", "gqa", "suite:two"]
    outcomes = {key: one["outcome"] for key, one in report.by_task.items()}
    assert outcomes == {"pope": "fail", "gqa": "unknown", "suite:two": "fail"}, "gqa: all the same on too few images"
    told = report.verdicts[2].to_json()
    assert told["metric"] == "average" and told["failed"] == 0 and told["items_of_split"] is None
    assert report.verdicts[2].decision.rule == "fell" and "fell by" in report.verdicts[2].reason


def test_the_allowed_drop_can_be_the_averages_own(runs: tuple[Path, Path]) -> None:
    loose = {"": 50.0, "suite:two": 30.0}
    assert gate.check(runs[1], runs[0], rules(max_drop=loose)).outcome == "pass"
    report = gate.check(runs[1], runs[0], rules(max_drop={"": 50.0, "suite:two": 0.5}), tasks=["suite:two"])
    assert {key: one["outcome"] for key, one in report.by_task.items()} == {
        "pope": "pass", "gqa": "pass", "suite:two": "fail",
    }  # fmt: skip


def test_the_same_run_passes(runs: tuple[Path, Path]) -> None:
    report = gate.check(runs[0], runs[0], rules())
    assert report.verdicts[2].decision.outcome == "pass" and report.verdicts[2].metric.paired.difference.value == 0


def test_named_metrics_leave_the_average_out(runs: tuple[Path, Path]) -> None:
    report = gate.check(runs[1], runs[0], rules(metric="accuracy"))
    assert [verdict.task.key for verdict in report.verdicts] == ["pope", "gqa"]


def test_an_average_that_was_named_must_be_there(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no suite:three in the run"):
        gate.check(runs[1], runs[0], rules(), tasks=["suite:three"])
    first, second = (reload.load(folder) for folder in runs)
    changed = json.loads(json.dumps(second.manifest))
    changed["suites"]["suite:two"]["formula"] = "mean"
    other = replace(second, manifest=changed)
    with pytest.raises(UsageError, match="the average of suite:two cannot be tested"):
        gate.check(other, first, rules(), tasks=["suite:two"])
    assert "suite:two" in gate.check(other, first, rules()).to_json()["left_out"]


def test_a_baseline_file_keeps_the_suite(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "base.json"
    assert cli.main(["baseline", str(runs[0]), "--output", str(file)]) == exit_codes.OK
    stored = baseline.read(file, ["suite:two"])
    assert list(stored.tasks) == ["pope", "gqa"] and list(stored.suites) == ["suite:two"]
    code = cli.main(["check", str(runs[1]), "--baseline", str(file), "--junit", str(tmp_path / "j.xml")])
    assert code == exit_codes.BAD_RESULT
    out = capsys.readouterr().out
    assert "suite:two: FAIL: fell by" in out
    assert 'name="suite:two average"' in (tmp_path / "j.xml").read_text("utf-8")
    kept = json.loads((runs[1] / "check.json").read_text("utf-8"))
    assert kept["by_task"]["suite:two"]["outcome"] == "fail"
