"""Answers that a judge graded, in two runs: unchanged ones keep their grade, and an unknown lean decides nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.performance.statistics.judges import judge_lean
from tests.performance.statistics.judges.judged_runs import JUDGE, KEY, run_of
from vlmbench.base.samples import Status
from vlmbench.compare import baseline, compare
from vlmbench.compare.compare import TaskComparison
from vlmbench.compare.gates import gate
from vlmbench.compare.gates.rules import GateRules
from vlmbench.compare.gates.verdict import Verdict
from vlmbench.runs.storage.reload import StoredRun
from vlmbench.stats.noninferiority import Outcome

COUNT = 60
TEXTS = [f"answer {at}" for at in range(COUNT)]
OTHER = {**JUDGE, "name": "another judge"}


def grades(value: float, runs: int = 1) -> NDArray[np.float64]:
    return np.full((COUNT, runs), value)


def compared(before: StoredRun, after: StoredRun) -> TaskComparison:
    (task,) = compare.compare(before, after, bars=False, resamples=500).tasks
    return task


def checked(before: StoredRun, after: StoredRun, **rules: float) -> Verdict:
    (verdict,) = gate.check(after, before, GateRules({}, {}, **rules)).verdicts  # type: ignore[arg-type]
    return verdict


def reworded(share: float) -> list[str]:
    return [f"other {at}" if at < share * COUNT else text for at, text in enumerate(TEXTS)]


def test_unchanged_answers_have_the_earlier_grade_on_both_sides() -> None:
    found = compared(run_of(TEXTS, grades(0.5)), run_of(TEXTS, grades(0.8)))
    assert found.best.paired.difference.value == 0 and found.best.paired.p == 1 and found.best.after == 50
    assert not found.gained and found.judging.regraded == len(found.judging.reused) == COUNT
    told = "60 of 60 graded answers did not change and keep the earlier grade; the judge graded 60 of them otherwise"
    assert told in found.notes[0] and len(found.notes) == 1


def test_changed_answers_keep_their_own_grades() -> None:
    found = compared(run_of(TEXTS, grades(0.5)), run_of(reworded(0.5), grades(0.8)))
    assert found.best.paired.difference.value == pytest.approx(15) and len(found.gained) == COUNT / 2
    assert found.judging.share == 0.5 and "on 50 % of the answers" in found.notes[1]


@pytest.mark.parametrize("runs", [(1, 1), (2, 2), (1, 3), (5, 1), (2, 3)], ids=str)
def test_any_numbers_of_judge_runs(runs: tuple[int, int]) -> None:
    """What the runs of the judge vary in over unchanged answers cancels."""
    rng = np.random.default_rng(1)
    before, after = (np.round(rng.random((COUNT, count)), 1) for count in runs)
    found = compared(run_of(TEXTS, before), run_of(TEXTS, after))
    assert found.best.paired.difference.value == pytest.approx(0, abs=1e-9) and found.best.paired.p == 1
    assert checked(run_of(TEXTS, before), run_of(TEXTS, after), alpha=0.4).decision.outcome is Outcome.PASS


def test_a_grade_is_reused_where_the_judge_failed_the_second_time() -> None:
    after = run_of(TEXTS, grades(0.5))
    task = after.tasks[KEY]
    lost = replace(task.items[0], score=replace(task.items[0].score, value=None, status=Status.JUDGE_FAILED))
    damaged = replace(task, items=[lost, *task.items[1:]])
    found = compared(run_of(TEXTS, grades(0.5)), replace(after, tasks={KEY: damaged}))
    assert len(found.ids) == len(found.judging.reused) == COUNT


def test_a_baseline_file_knows_its_answers(tmp_path: Path) -> None:
    before = run_of(TEXTS, grades(0.5))
    baseline.write(before, tmp_path / "b.json")
    stored = baseline.read(tmp_path / "b.json")
    assert checked(stored, run_of(TEXTS, grades(0.3)), alpha=0.4).decision.rule == "same answers"


def test_answers_that_a_baseline_does_not_know_are_not_reused() -> None:
    """Format 1 and 2 kept no hashes; neither do files of grades keep answers."""
    old = run_of([""] * COUNT, grades(0.5))
    found = compared(old, run_of(TEXTS, grades(0.5)))
    assert not found.judging.reused and found.judging.unknown == COUNT and found.judging.share == 1
    assert found.notes[0].startswith("60 graded answers may be unchanged, which old baselines")
    assert not compared(old, old).judging.reused


def test_another_judge_or_prompt() -> None:
    """Compare shows what the judges differ in; a gate asks of the model alone, and decides where nothing changed."""
    before = run_of(TEXTS, grades(0.5))
    other = compared(before, run_of(TEXTS, grades(0.8), OTHER))
    assert other.best.paired.difference.value == pytest.approx(30) and other.judging.other_judge
    assert "graded by different judges, whose lean is in no interval: graded by judge" in " ".join(other.notes)
    same = checked(before, run_of(TEXTS, grades(0.2), OTHER), alpha=0.4)
    assert (same.decision.outcome, same.decision.rule) == (Outcome.PASS, "same answers")
    changed = checked(before, run_of(reworded(0.5), grades(0.2), OTHER))
    assert (changed.decision.outcome, changed.decision.rule) == (Outcome.UNKNOWN, "other judge")
    assert "fell by 15.0; graded by judge (identity one, prompt words) before and another judge" in changed.reason
    prompted = checked(before, run_of(TEXTS, grades(0.2), {**JUDGE, "prompt_hash": "others"}))
    assert prompted.decision.rule == "other judge"


def test_one_run_of_the_judge_is_no_reason_to_fail_but_a_collapse_is() -> None:
    """The same change is a fall where several runs of the judge agree on it, and not where one run may lean by it."""
    words = reworded(1.0)
    small = checked(run_of(TEXTS, grades(0.5)), run_of(words, grades(0.42)))
    assert small.decision.outcome is Outcome.UNKNOWN and small.items_needed is None
    assert "a standard deviation of 4 points on 100 % of the answers is assumed" in small.reason
    assert "would be needed" not in small.reason
    several = checked(run_of(TEXTS, grades(0.5, 2)), run_of(words, grades(0.42, 2)))
    assert several.decision.outcome is Outcome.FAIL
    assert checked(run_of(TEXTS, grades(0.5)), run_of(words, grades(0.1))).decision.outcome is Outcome.FAIL


def test_a_lean_on_few_answers_hardly_matters() -> None:
    found = compared(run_of(TEXTS, grades(0.5)), run_of(reworded(0.05), grades(0.5)))
    assert found.judging.lean == pytest.approx(0.05 * 0.04 * 2**0.5)
    assert compared(run_of(TEXTS, grades(0.5, 2)), run_of(reworded(1), grades(0.5, 2))).judging.lean == 0
    assert compared(run_of(TEXTS, grades(0.5, 2)), run_of(reworded(1), grades(0.5))).judging.lean == pytest.approx(0.04)


def test_tasks_without_a_judge_have_none_of_this(tmp_path: Path) -> None:
    from tests.support.gate_runs import ran, script
    from vlmbench.runs.storage import reload

    run = reload.load(ran(tmp_path / "run", script("pope", 0.1), "--limit", "18"))
    (task,) = compare.compare(run, run, bars=False, resamples=200).tasks
    assert task.judging.pairs == 0 and not task.notes and task.judging.doubt == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "runs", "most"), [(0.0, 1, 0.0), (1.0, 1, 0.1), (None, 1, 0.1), (None, 2, 0.1)], ids=str
)
def test_a_leaning_judge_fails_no_unchanged_model(changed: float | None, runs: int, most: float) -> None:
    """40 pairs at the largest lean, 4 points: fails in at most alpha, .05, of them, with three standard errors."""
    found = judge_lean.shares(changed, runs, 4.0, 40)
    assert found.fails <= most and (changed != 0.0 or (found.passes == 1 and found.differs == 0))
