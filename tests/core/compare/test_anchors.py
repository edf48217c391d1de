"""Total drops since an anchor: the ratchet, what a baseline carries along, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.gate_runs import EACH, IMAGES, changed, drifted, ran, script, stored, wrong
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.compare import anchors, baseline
from vlmbench.compare.gates import gate
from vlmbench.compare.gates.rules import GateRules
from vlmbench.runs.storage import reload
from vlmbench.stats.noninferiority import Outcome

RULES = GateRules({"": 1.0}, {})


@pytest.mark.slow
@pytest.mark.parametrize(("drop", "by"), [(0.5, 7), (0.8, 5)])
def test_the_ratchet_is_stopped(drop: float, by: int) -> None:
    """Ten commits of -0.5 (or -0.8) each, with a baseline that is renewed at each: all ten used to pass."""
    rng = np.random.default_rng(3)
    right = rng.random(IMAGES * EACH) < 0.87
    last, outcomes, steps = stored(right, "commit 0"), [], []
    for number in range(1, 11):
        right = drifted(right, drop, rng)
        run = stored(right, f"commit {number}")
        alone = gate.check(run, replace(last, anchors=()), RULES)
        steps.append(alone.outcome)
        outcomes.append(gate.check(run, last, RULES).outcome)
        last = anchors.carried(run, last)
        assert [anchor.name for anchor in last.anchors] == ["commit 0"]
    assert Outcome.FAIL not in steps, "each step alone is within what is allowed"
    total = [drop * number for number in range(1, 11)]
    assert all(outcome is not Outcome.FAIL for outcome, fell in zip(outcomes, total, strict=True) if fell <= 2)
    assert Outcome.FAIL in outcomes[:by]
    assert all(outcome is Outcome.FAIL for outcome, fell in zip(outcomes, total, strict=True) if fell >= 3.4)


def check(run: Path, last: Path, *words: str) -> int:
    return cli.main(["check", str(run), "--baseline", str(last), "--min-detectable-drop", "10", *words])


def written(run: Path, file: Path, *words: str) -> int:
    return cli.main(["baseline", str(run), "--output", str(file), *words])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four commits, each with 30 more wrong answers of 1,080: 2.8 points."""
    folder, answers = tmp_path_factory.mktemp("anchors"), script("pope", 0.05)
    found = [ran(folder / "0", answers)]
    for number in range(1, 4):
        start = number * 200
        answers = {
            key: wrong(said) if start <= at < start + 30 else said for at, (key, said) in enumerate(answers.items())
        }
        found.append(ran(folder / str(number), answers))
    return found


def test_a_baseline_carries_its_anchor_along(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, first = tmp_path / "baseline.json", tmp_path / "first.json"
    assert written(runs[0], first) == exit_codes.OK
    file.write_bytes(first.read_bytes())
    for run in runs[1:3]:
        assert written(run, file, "--anchor", str(file)) == exit_codes.OK
    capsys.readouterr()
    kept = baseline.read(file)
    (anchor,) = kept.anchors
    before = baseline.read(first)
    assert anchor.tasks["pope"].answers_hash == before.tasks["pope"].answers_hash
    assert baseline.make(replace(anchor, anchors=())) == first.read_bytes()  # nothing wears off on the way
    assert baseline.make(kept) == file.read_bytes()
    words = ("--max-drop", "4")
    assert check(runs[3], file, *words, "--max-total-drop", "20") == exit_codes.OK
    assert check(runs[3], file, *words, "--max-total-drop", "3") == exit_codes.BAD_RESULT
    told = capsys.readouterr().out
    assert "mean_f1 since anchor" in told and "pope: FAIL: since the anchor echo (weights " in told
    found = json.loads((runs[3] / "check.json").read_text())
    assert [one["outcome"] for one in found["tasks"]] == ["pass", "fail"]
    assert found["by_task"]["pope"]["outcome"] == "fail" and len(found["anchors"]) == 1
    assert found["tasks"][1]["difference"]["value"] < 3 * found["tasks"][0]["difference"]["value"] / 1.5
    assert found["tasks"][1]["max_drop"] == 3


def test_an_anchor_can_be_named_and_allows_twice_the_drop(runs: list[Path], tmp_path: Path) -> None:
    assert check(runs[2], runs[1], "--max-drop", "9", "--anchor", str(runs[0])) == exit_codes.OK
    assert [one["max_drop"] for one in json.loads((runs[2] / "check.json").read_text())["tasks"]] == [9, 18]
    assert check(runs[3], runs[2], "--max-drop", "6", "--anchor", str(runs[0]), "--max-total-drop", "2.5") == 1


def test_all_tests_are_one_family(runs: list[Path]) -> None:
    report = gate.check(runs[3], runs[2], replace(RULES, max_total_drop={"": 5.0}), anchor=runs[0])
    assert {verdict.margins.tests for verdict in report.verdicts} == {2}
    ps = sorted(verdict.decision.p or 0 for verdict in report.verdicts)
    assert sorted(verdict.p_holm or 0 for verdict in report.verdicts)[0] == pytest.approx(2 * ps[0] / gate.FIRST)


def test_another_version_needs_a_new_anchor(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old.json"
    assert written(runs[0], old) == exit_codes.OK
    changed(old, "", lambda content: content["tasks"]["pope"]["entry"].update(protocol="another"))  # type: ignore[index]
    file = tmp_path / "new.json"
    assert written(runs[1], file, "--anchor", str(old)) == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert "pope: protocol: another before, official after" in told
    assert "needs a new anchor" in told and "--new-anchor" in told and not file.exists()
    assert check(runs[1], runs[0], "--anchor", str(old)) == exit_codes.USER_MUST_CHANGE
    assert written(runs[1], file, "--anchor", str(old), "--new-anchor", "pope") == exit_codes.OK
    assert not baseline.read(file).anchors
    assert written(runs[2], file, "--anchor", str(file)) == exit_codes.OK
    (anchor,) = baseline.read(file).anchors
    assert anchor.tasks["pope"].answers_hash == reload.load(runs[1]).tasks["pope"].answers_hash


def test_a_task_without_an_anchor_gets_the_last_baseline() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(180) < 0.9
    first, second, third = (stored(right, name) for name in "abc")
    twice = replace(second, tasks={**second.tasks, "other": second.tasks["pope"]}, anchors=[first])
    again = replace(third, tasks={**third.tasks, "other": third.tasks["pope"]})
    kept = anchors.carried(again, twice).anchors
    assert [(anchor.name, list(anchor.tasks)) for anchor in kept] == [("a", ["pope"]), ("b", ["other"])]
    with pytest.raises(UsageError, match="has no task 'gqa'"):
        anchors.carried(again, twice, ["gqa"])


def test_bad_words(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "b.json"
    assert written(runs[0], file, "--new-anchor", "pope") == exit_codes.USER_MUST_CHANGE
    assert check(runs[1], runs[0], "--max-total-drop", "-1") == exit_codes.USER_MUST_CHANGE
    assert check(runs[1], runs[0], "--max-total-drop", "2,popee=3") == exit_codes.USER_MUST_CHANGE
    assert "did you mean pope" in capsys.readouterr().err
    assert written(runs[1], file, "--anchor", str(runs[0])) == exit_codes.OK
    capsys.readouterr()
    assert written(runs[2], file) == exit_codes.OK
    assert "the anchor of the file before is gone" in capsys.readouterr().err
    changed(file, "", lambda content: content.update(anchors=[{"vlmbench": 3}]))
    assert check(runs[1], file) == exit_codes.USER_MUST_CHANGE
    assert "anchors" in capsys.readouterr().err
