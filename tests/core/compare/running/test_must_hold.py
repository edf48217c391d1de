"""`run --gate --must-hold`: the run goes on until what must hold is decided too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.core.compare.many_images import turned
from tests.core.compare.running.worlds import POPE, World, asked, content
from vlmbench.base.process import exit_codes

pytestmark = pytest.mark.slow


def outcomes(run: Path) -> Mapping[str, tuple[str, str]]:
    """By metric: why it was tested, and the outcome."""
    return {test["metric"]: (test["kind"], test["outcome"]) for test in content(run, "check.json")["tasks"]}


def changed_in(world: World, split: str, lost: float, gained: float) -> dict[str, dict[str, str]]:
    """POPE's answers, of which a share of the right ones of one split is lost, and of the wrong ones of the others
    gained."""
    truth, said = world.truth["pope"], world.answers["pope"]
    mine = {key: text for key, text in said.items() if key.startswith(split)}
    others = {key: text for key, text in said.items() if key not in mine}
    return {"pope": {**turned(mine, lost, 0, truth, 3), **turned(others, 0, gained, truth, 4)}}


def test_what_must_hold_is_decided_while_the_run_goes_on(world: World) -> None:
    words = ("--gate", str(world.baseline), "--max-drop", "2%")
    plain = world.run("plain", world.answers, *words, tasks="pope")
    run = world.run("held", world.answers, *words, "--must-hold", "adversarial,yes_ratio", tasks="pope")
    found = outcomes(run)
    assert found["mean_f1"] == ("asked", "pass")
    assert found["yes_ratio"] == found["adversarial_f1"] == ("must hold", "pass")
    assert len(outcomes(plain)) == 1
    assert asked(plain)["pope"] <= asked(run)["pope"] < POPE * 18
    assert all(test["rule"].startswith("decided early at") for test in content(run, "check.json")["tasks"])


def test_a_part_that_falls_ends_the_run_though_the_headline_holds(world: World) -> None:
    answers = changed_in(world, "adversarial", 0.17, 0.9)
    words = ("--gate", str(world.baseline), "--must-hold", "adversarial")
    run = world.run("split", answers, *words, tasks="pope", code=exit_codes.BAD_RESULT)
    found = outcomes(run)
    assert found["adversarial_f1"] == ("must hold", "fail")
    assert found["mean_f1"][1] != "fail"


def test_answers_that_turn_to_yes_move_the_yes_ratio_away_from_its_target(world: World) -> None:
    truth, said = world.truth["pope"], world.answers["pope"]
    other = turned(said, 0.3, 0, truth, 5)
    answers = {"pope": {key: "yes" if other[key] == "yes" else text for key, text in said.items()}}
    words = ("--gate", str(world.baseline), "--must-hold", "yes_ratio", "--metric", "recall")
    run = world.run("yes", answers, *words, "--max-drop", "1%", tasks="pope", code=exit_codes.BAD_RESULT)
    assert outcomes(run)["yes_ratio"] == ("must hold", "fail")
    (told,) = (test for test in content(run, "check.json")["tasks"] if test["metric"] == "yes_ratio")
    assert "further from its target" in told["reason"] and "decided early" in told["reason"]


def test_a_part_of_few_images_has_the_run_asked_in_full(world: World) -> None:
    """No look can show that 600 questions of one split fell by no more than 0.1 points."""
    words = ("--gate", str(world.baseline), "--must-hold", "adversarial", "--max-drop", "1%,pope:adversarial=0.1")
    run = world.run("narrow", world.answers, *words, tasks="pope", code=exit_codes.INCONCLUSIVE)
    assert asked(run)["pope"] == POPE * 18
    assert outcomes(run)["mean_f1"] == ("asked", "pass")
    assert outcomes(run)["adversarial_f1"] == ("must hold", "unknown")
    assert content(run, "check.json")["parts"], "all was asked, so that the other parts can be tested"


def test_unknown_names_are_told_before_anything_is_asked(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--gate", str(world.baseline), "--must-hold", "adversaril")
    world.run("unknown", world.answers, *words, code=exit_codes.USER_MUST_CHANGE)
    told = capsys.readouterr().err
    assert "adversaril" in told and "adversarial" in told
    assert not (world.folder / "unknown").exists()
