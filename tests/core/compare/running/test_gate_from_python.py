"""`vlmbench.evaluate(..., gate=BASELINE)`: as `run --gate`, with the outcome in the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vlmbench
from tests.core.compare.running.worlds import POPE, World, content
from vlmbench.api import Result
from vlmbench.base.errors import UnknownNameError, UsageError

pytestmark = pytest.mark.slow


def answering(said: dict[str, str], tmp_path: Path) -> str:
    """A model that gives these answers."""
    path = tmp_path / "said.json"
    path.write_text(json.dumps(said))
    return f"echo:{path}"


def test_it_passes_early_and_says_what_share_it_asked(world: World, tmp_path: Path) -> None:
    model, data = answering(world.answers["vsr"], tmp_path), world.data
    result = vlmbench.evaluate(model, "vsr", data=data, gate=world.baseline, output=tmp_path / "run")
    command = world.run("command", world.answers, "--gate", str(world.baseline), tasks="vsr")
    assert result.gate is not None and result.gate.passed and result.gate.outcome == "pass"
    assert 0 < result.gate.asked["vsr"] < 0.85
    assert result.gate.asked["vsr"] == pytest.approx(result.coverage)
    assert "decided early at" in str(result.gate)
    for name in ("scores.json", "check.json"):
        mine, other = content(tmp_path / "run", name), content(command, name)
        for one in (mine, other):
            one.pop("after", None)
        assert mine == other
    assert Result.load(tmp_path / "run").gate == result.gate


def test_a_fall_is_an_outcome_and_no_error(world: World, tmp_path: Path) -> None:
    """A function is asked, into a temporary folder, against a result."""
    before = Result.load(world.baseline)
    rules: dict[str, Any] = {"max_drop": {"": "1%", "pope": 2.0}, "alpha": 0.01, "max_status": {"error": "0"}}
    result = vlmbench.evaluate(lambda images, question: "yes", "pope", data=world.data, gate=before, **rules)
    assert result.gate is not None and not result.gate.passed
    assert result.gate.outcome == "fail" and result.gate.asked["pope"] < 0.3
    assert result.gate.content["settings"]["alpha"] == pytest.approx(0.01 * 0.8)
    assert result.gate.content["settings"]["max_drop"] == {"": "1 %", "pope": 2.0}
    assert any("fell by" in reason for reason in result.gate.reasons["pope"])
    assert int((result.records["status"] == "not_asked").sum()) > POPE * 18 / 2


def test_a_task_object_of_the_baseline_is_known(world: World, tmp_path: Path) -> None:
    """The baseline is read while the task is registered."""
    from tests.support.toys import ToyTask

    task = ToyTask(pictures=120, each=1)
    before = vlmbench.evaluate("echo,text=yes", task, data=tmp_path, output=tmp_path / "before")
    assert before.gate is None
    after = vlmbench.evaluate("echo,text=yes", task, data=tmp_path, gate=before)
    assert after.gate is not None and after.gate.outcome in ("pass", "unknown")


def test_options_that_do_not_fit_are_refused(world: World) -> None:
    with pytest.raises(UsageError, match="must_hold: for a gate alone"):
        vlmbench.evaluate("echo", "vsr", must_hold=["yes_ratio"])
    with pytest.raises(UsageError, match="--perturb"):
        vlmbench.evaluate("echo", "vsr", data=world.data, gate=world.baseline, perturb="blind")
    with pytest.raises(UnknownNameError, match="max_drp"):
        vlmbench.evaluate("echo", "vsr", max_drp=1)  # type: ignore[call-arg]
    with pytest.raises(UnknownNameError, match="nothing"):
        vlmbench.evaluate("echo", "vsr", data=world.data, gate=world.baseline, must_hold="nothing")
