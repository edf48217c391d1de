"""The compression study: which forms no other beats, cells as ordinary runs, resumed and not measured again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import ModelError, UsageError
from vlmbench.cli.main import main
from vlmbench.compare.compression import fronts, study
from vlmbench.compare.compression.study import Plan
from vlmbench.reports.site import compression


def test_the_front_by_hand() -> None:
    """b is as cheap as a and better; c is dearer and worse than b; d is the best; e is as good as d and dearer."""
    points = {"a": (1.0, 50.0), "b": (1.0, 60.0), "c": (2.0, 55.0), "d": (3.0, 70.0), "e": (4.0, 70.0)}
    assert fronts.front(points) == ["b", "d"]
    assert fronts.front({"a": (1.0, 5.0), "b": (1.0, 5.0)}) == ["a", "b"]
    assert fronts.front({}) == []


def cell(name: str, size: float, score: float, better: str = "more", reason: str = "") -> dict[str, Any]:
    """A measured cell."""
    told = {"metric": "m", "score": score, "better": better, "difference": -1.0, "low": -2.0, "high": 0.5}
    costs = dict.fromkeys(("bytes", "flops", "latency"), None if reason else size)
    return {"name": name, "reason": reason, "tasks": {} if reason else {"t": told}, **costs}


def test_less_may_be_better_and_impossible_forms_are_on_no_front() -> None:
    cells = [cell("a", 1, 10.0, "less"), cell("b", 2, 20.0, "less"), cell("c", 0, 0, reason="32 groups")]
    assert fronts.fronts(cells)["t"]["bytes"] == ["a"]
    found = {"model": "m|<b>", "cells": cells, "fronts": fronts.fronts(cells)}
    assert "not possible: 32 groups" in fronts.markdown(found)
    assert "-1.00 (-2.00 to +0.50)" in fronts.markdown(found)
    rows = list(csv.reader(io.StringIO(fronts.as_csv(found))))
    assert [row[0] for row in rows] == ["form", "a", "b", "c"]
    page = compression.page(found)
    assert "m|&lt;b&gt;" in page
    assert "<b>" not in page
    assert "src=" not in page
    assert "http" not in page


def test_contradictory_words() -> None:
    with pytest.raises(UsageError, match="no format 'int2'"):
        Plan("tinyllava", "pope", formats=["int2"])
    with pytest.raises(UsageError, match="nothing to study"):
        Plan("tinyllava", "pope", formats=[])
    with pytest.raises(UsageError, match="--visual-tokens contradicts"):
        Plan("tinyllava,template=phi", "pope", visual_tokens=["0.5"])


def test_cells_are_runs_and_the_same_command_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["compress-study", "tinyllava", "--tasks", "gqa", "--limit", "150", "--formats", "float32,int4"]
    words += ["--repeats", "1", "--ratio", "language_model.heads=0.25", "--set", "stages.recover.steps=1"]
    words += ["--set", "pruning.score=magnitude", "--visual-tokens", "0.5", "--output", str(tmp_path), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    cells = {one["name"]: one for one in found["cells"]}
    assert list(cells) == [
        f"{form}-{kind}"
        for form in ("whole", "whole-tokens-0.5", "pruned-language_model.heads-0.25")
        for kind in ("float32", "int4")
    ]
    whole, pruned = cells["whole-float32"], cells["pruned-language_model.heads-0.25-float32"]
    assert pruned["bytes"] < whole["bytes"] > cells["whole-int4"]["bytes"]
    assert pruned["flops"] < whole["flops"] > cells["whole-tokens-0.5-float32"]["flops"]
    assert "do not go into groups of 32" in cells["pruned-language_model.heads-0.25-int4"]["reason"]
    assert whole["tasks"]["gqa"]["difference"] is None
    assert pruned["tasks"]["gqa"]["low"] <= pruned["tasks"]["gqa"]["difference"] <= pruned["tasks"]["gqa"]["high"]
    assert json.loads((Path(pruned["run"]) / "run.json").read_text("utf-8"))["model"]["facts"]["parameters"] < 2459712
    measured, again = study._measured, []

    def counted(plan: Plan, form: study.Form, *more: Any) -> dict[str, Any]:
        again.append(form.name)
        return measured(plan, form, *more)

    monkeypatch.setattr(study, "_measured", counted)
    assert main(words) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == found
    assert again == ["pruned-language_model.heads-0.25-int4"], "what is there is not measured again, what failed is"
    assert "pruned-language_model.heads-0.25-int4 failed before, and is tried again: " in told.err
    assert {path.name for path in tmp_path.iterdir()} >= {"study.json", "study.md", "study.csv", "index.html"}


def test_a_form_that_failed_is_measured_when_its_cause_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first cell is measured once; the second fails, and is measured by the same call later."""
    asked: list[str] = []
    missing = True

    def measured(_: Plan, form: study.Form, *__: Any) -> dict[str, Any]:
        asked.append(form.name)
        if missing and form.format == "int8":
            raise ModelError("no kernel for int8", where=form.model)
        return {"bytes": 1, "flops": 1, "latency": 1.0, "per_token": 1.0, "tasks": {}}

    monkeypatch.setattr(study, "_measured", measured)
    plan = Plan("tinyllava", "pope", formats=["float32", "int8"])
    assert [one["reason"] for one in study.run(plan, tmp_path)["cells"]] == ["", "no kernel for int8"]
    missing = False
    assert [one["reason"] for one in study.run(plan, tmp_path)["cells"]] == ["", ""]
    assert [one["reason"] for one in study.run(plan, tmp_path)["cells"]] == ["", ""]
    assert asked == ["whole-float32", "whole-int8", "whole-int8"]
