"""Which runs the site sets beside each other, and the ranges of their ranks."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.reports.fabricate import fabricate

run_groups: Any = import_module("vlmbench.reports.site.run_groups")
leaders: Any = import_module("vlmbench.reports.board.leaders")
ranks: Any = import_module("vlmbench.reports.board.ranks")
rows: Any = import_module("vlmbench.reports.board.rows")
comparisons: Any = import_module("vlmbench.reports.site.comparisons")
runs: Any = import_module("vlmbench.reports.runs")
calibration: Any = import_module("vlmbench.reports.site.calibration")
answer_stats: Any = import_module("vlmbench.reports.site.answer_stats")


def changed(folder: Path, **changes: Any) -> Path:
    """A run whose manifest says something else."""
    manifest = json.loads((folder / "run.json").read_text("utf-8"))
    for name, value in changes.items():
        part, _, key = name.partition("__")
        if key:
            manifest[part][key] = value
        else:
            manifest[part] = value
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    """Two commits of a model, the later one also blind, and another model."""
    base = fabricate(tmp_path / "base", images=4)
    weights = json.loads((base / "run.json").read_text())["model"]["fingerprint"]
    blind = changed(fabricate(tmp_path / "blind", images=4, perturb="blind", skill=0.5), model__fingerprint=weights)
    old = changed(fabricate(tmp_path / "old", images=4), finished="2025-12-01T00:00:00Z", model__fingerprint="0" * 64)
    (old / "check.json").write_text('{"outcome": "fail", "tasks": []}')
    other = fabricate(tmp_path / "other", images=4, name="other", tasks=("gqa",))
    return {run.folder.name: run for run in runs.load([base, blind, old, other])}


def test_perturbed_runs_histories_and_pairs(loaded: Any) -> None:
    every = list(loaded.values())
    ids = {name: run.id for name, run in loaded.items()}
    assert run_groups.perturbed_runs(every) == [{"base": ids["base"], "runs": [ids["blind"]]}]
    assert run_groups.histories(every) == [{"name": "tinyllava", "runs": [ids["old"], ids["base"]]}]
    board = rows.rows(run_groups.contenders(every))
    found = [(one.id, other.id) for one, other in run_groups.pairs(every, board)]
    assert found[:3] == [(ids["base"], ids["old"]), (ids["base"], ids["blind"]), (ids["base"], ids["other"])]
    assert len(found) == len({frozenset(pair) for pair in found}) == 4
    assert loaded["old"].gate == {"outcome": "fail", "tasks": []} and loaded["base"].gate is None


def test_ranks_are_ranges(loaded: Any) -> None:
    """By the difference over its error; by paired tests where there are some, whatever the intervals."""
    results = {
        name: next(task for task in loaded[name].tasks if task.key == "pope") for name in ("base", "blind", "old")
    }

    def found(tests: Any) -> Any:
        column = leaders.column("pope", results, {}, tests)
        return dict(column.ranks), column.paired

    assert found({}) == ({"base": [1, 2], "blind": [3, 3], "old": [1, 2]}, False)
    told = {("old", "base"): (1.5, 0.001), ("base", "blind"): (-40.0, 0.4)}
    assert found(told) == ({"base": [1, 2], "blind": [2, 3], "old": [2, 2]}, True)
    borderline = {("old", "base"): (1.5, 0.03), ("base", "blind"): (-40.0, 0.04)}
    assert found(borderline)[0]["base"] == [1, 3]  # Holm: 2 x 0.03 is too much


def test_older_runs_with_failures_and_no_bounds_are_never_told_apart(loaded: Any) -> None:
    run = loaded["base"]
    task = replace(run.tasks[0], scores={**run.tasks[0].scores, "coverage": 0.9})
    assert ranks.upward(task).bounds == (-math.inf, math.inf)


def test_perturbed_runs_are_corrected_over_all_perturbations_and_tasks() -> None:
    def task(key: str, p: float, value: float | None = 1.0) -> dict[str, Any]:
        rows = [("f1", value, p), ("accuracy", 2.0, 0.02)]
        made = [{"name": name, "paired": {"p": p, "difference": {"value": v}}} for name, v, p in rows]
        return {"key": key, "headline": "f1", "differences": made}

    found = {("plain", "blind"): {"tasks": [task("pope", 0.01), task("gqa", 0.9)]},
             ("plain", "noise"): {"tasks": [task("pope", 0.03, None)]}}  # fmt: skip
    (entry,) = comparisons.with_holm([{"base": "plain", "runs": ["blind", "noise"]}], found)
    assert entry["p_holm"] == {"blind": {"pope": 0.03, "gqa": 0.9}, "noise": {"pope": 0.04}}
    assert entry["same_holm"] == {"blind": {"pope": None, "gqa": None}, "noise": {"pope": None}}


def columns(**given: Any) -> dict[str, Any]:
    """Records that differ in what is given."""
    count = len(next(iter(given.values())))
    whole = {"choice_scores": ["[]"] * count, "margin": [None] * count, "status": ["ok"] * count}
    return {**whole, **given}


def test_calibration() -> None:
    """Of choices by softmax, of generated answers by the margin; the error is the mean distance."""
    certain = json.dumps([{"logprob": 0.0, "choice": "a", "tokens": 1}, {"logprob": -1e9, "choice": "b", "tokens": 1}])
    even = json.dumps([{"logprob": -1.0, "choice": "a", "tokens": 1}, {"logprob": -1.0, "choice": "b", "tokens": 1}])
    found = calibration.calibration(columns(choice_scores=[certain] * 20 + [even] * 20, value=[1.0] * 20 + [0.0] * 20))
    assert [(b["confidence"], b["right"], b["count"]) for b in found["bins"]] == [(0.5, 0.0, 20), (1.0, 1.0, 20)]
    assert found["error"] == pytest.approx(0.25) and found["count"] == 40
    found = calibration.calibration(columns(margin=[0.0] * 30 + [float("inf"), None], value=[0.5] * 32))
    assert found["bins"][0]["confidence"] == 0.5 and found["error"] == 0 and found["count"] == 30
    assert calibration.calibration(columns(margin=[1.0] * 5, value=[1.0] * 5)) is None


def test_confusions() -> None:
    """Few kinds of targets make a table; yes and no, free answers and boxes do not."""
    targets = ['"A"', '"b"', '"C"', '"A"']
    found = answer_stats.confusion({"target": targets, "parsed_answer": ["a", "b", "", "C"]})
    assert found == {"labels": ["a", "b", "c"], "rows": [[1, 0, 1], [0, 1, 0], [0, 0, 0]], "other": [0, 0, 1]}
    assert answer_stats.confusion({"target": ['"yes"', '"no"'], "parsed_answer": ["yes", "no"]}) is None
    assert answer_stats.confusion({"target": ['["a"]', "3", '{"bbox": []}'], "parsed_answer": ["", "", ""]}) is None
    assert answer_stats.confusion({"target": targets, "parsed_answer": ["", "", "", ""]}) is None
