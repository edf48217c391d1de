"""Histories of runs: drifts, gaps, other questions and versions, failures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.gate_runs import Flags, changed, drifted, ran, script, stored, wrong
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.compare.history import Trend, sentences, trends
from vlmbench.runs.storage.reload import StoredRun

SIZE = 60 * 18


def falling(falls: Sequence[float]) -> list[Flags]:
    rng = np.random.default_rng(5)
    found = [rng.random(SIZE) < 0.87]
    for fall in falls:
        found.append(drifted(found[-1], fall, rng))
    return found


def trend_of(runs: Sequence[StoredRun]) -> Trend:
    return trends((run.name, run) for run in runs)["pope"]


def named(rights: Sequence[Flags]) -> list[StoredRun]:
    return [stored(right, f"r{number}") for number, right in enumerate(rights)]


def test_a_drift_is_found_and_told() -> None:
    trend = trend_of(named(falling([0.0] * 3 + [1.0] * 7)))
    assert trend.headline == "accuracy" and len(trend.steps) == 10
    content = trend.to_json()
    first, *later = content["alarms"]
    assert first["run"] in ("r4", "r5", "r6") and first["since"] in ("r2", "r3") and first["fall"] > 1.5
    assert [one["since"] for one in later] == [one["run"] for one in content["alarms"][:-1]], "it goes on falling"
    told = sentences(trend)[0]
    assert told.startswith("Drift: from ") and "accuracy became worse by " in told and "at most 5 %" in told


def test_runs_that_do_not_change_are_quiet() -> None:
    trend = trend_of(named(falling([0.0] * 12)))
    assert not trend.to_json()["alarms"]
    assert sentences(trend)[0].startswith("No drift in 13 runs (p ")


def test_falls_add_up_to_the_whole() -> None:
    rights = falling([0.4] * 6)
    trend = trend_of(named(rights))
    whole = 100 * (rights[0].mean() - rights[-1].mean())
    assert sum(step.fall for step in trend.steps) == pytest.approx(whole)


def test_failing_for_a_while_hides_nothing() -> None:
    """Questions that are about to become wrong fail in the run in between."""
    first = np.random.default_rng(0).random(SIZE) < 0.9
    lost = np.flatnonzero(first)[:40]
    after = first.copy()
    after[lost] = False
    runs = [stored(first, "a"), stored(after, "b", failed=set(lost.tolist())), stored(after, "c")]
    falls = [step.fall for step in trend_of(runs).steps]
    assert falls == [pytest.approx(0), pytest.approx(100 * 40 / SIZE)]


def test_a_run_with_many_failures_is_left_out() -> None:
    rights = falling([0.0, 0.0])
    runs = named(rights)
    runs[1] = stored(rights[1], "r1", failed=set(range(200)))
    trend = trend_of(runs)
    assert trend.runs == ["r2"] and trend.before == ["r0"]
    assert sentences(trend)[1:] == ["r1 is left out: 81.5 % of the questions have a score, 95 % must."]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"protocol": "another"}, "protocol: official before, another after"),
        ({"hashes": {"samples": "other"}}, "questions: 1,080"),
        ({"judge": {"name": "x"}}, "judge: "),
    ],
)
def test_what_cannot_be_compared_begins_a_new_stretch(other: dict[str, Any], told: str) -> None:
    rights = falling([0.9] * 5)
    runs = [stored(right, f"r{at}", **(other if at > 2 else {})) for at, right in enumerate(rights)]
    trend = trend_of(runs)
    assert [step.begins for step in trend.steps] == [False, False, True, False]
    assert trend.runs == ["r1", "r2", "r4", "r5"]
    (line,) = [line for line in sentences(trend) if line.startswith("A new stretch begins with r3: ")]
    assert told in line


def test_runs_of_an_earlier_version_are_not_tested() -> None:
    """What is installed computes the figures, so that those of another version cannot be had."""
    rights = enumerate(falling([0.9] * 3))
    runs = [stored(right, f"r{at}", version=0) if at < 2 else stored(right, f"r{at}") for at, right in rights]
    trend = trend_of(runs)
    assert trend.runs == ["r3"] and [one.run for one in trend.breaks] == ["r1", "r2"]
    assert "version: 0 before, 1 after" in sentences(trend)[-1]


def test_several_tasks_share_the_error() -> None:
    runs = named(falling([0.0, 0.0]))
    both = [StoredRun(run.path, run.manifest, {**run.tasks, "other": run.tasks["pope"]}) for run in runs]
    found = trends((run.name, run) for run in both)
    assert {trend.alpha for trend in found.values()} == {0.025}


@pytest.mark.slow
def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 for a drift; other limits are histories of their own; one run alone is none."""
    answers = script("pope", 0.05)
    runs = []
    for number in range(4):
        said = {key: wrong(text) if at % 100 < 6 * number else text for at, (key, text) in enumerate(answers.items())}
        runs.append(ran(tmp_path / f"r{number}", said))
        named_so = {"name": "m", "fingerprint": str(number)}
        changed(runs[-1], "run.json", lambda content, new=named_so: content["model"].update(new))  # type: ignore[misc]
        day = f"2026-01-0{number + 1}T10:00:00Z"
        changed(runs[-1], "run.json", lambda content, day=day: content.update(finished=day))  # type: ignore[misc]
    small = ran(tmp_path / "small", answers, "--limit", "90")
    changed(small, "run.json", lambda content: content["model"].update(name="m"))  # type: ignore[attr-defined]
    capsys.readouterr()
    assert cli.main(["history", *map(str, [*runs, small])]) == exit_codes.BAD_RESULT
    told = capsys.readouterr().out
    assert told.startswith("m: 4 runs, oldest first\n\npope: mean_f1\n") and "DRIFT" in told
    assert "Drift: from 2026-01-01 10:00 to 2026-01-0" in told and "1 runs belong to no history" in told
    assert cli.main(["history", str(runs[0]), str(runs[0].parent / "r0")]) == exit_codes.USER_MUST_CHANGE
    assert cli.main(["history", str(runs[0]), str(small)]) == exit_codes.USER_MUST_CHANGE
    assert "there is no history among these runs" in capsys.readouterr().err
