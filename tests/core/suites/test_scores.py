"""A suite's entry in scores.json: the average where everything is there, and words where it is not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.runs.storage.run_files import SCORED, SUITE_SHAPE
from vlmbench.scoring.suites import scores as suite_scores
from vlmbench.scoring.suites.suite import Member, Suite, of_json


def entry(value: float | None, reach: float = 4.0, **more: Any) -> dict[str, Any]:
    """A task's entry with one metric."""
    bar = {"value": value, "low": None, "high": None, "n": 0 if value is None else 100}
    if value is not None:
        bar |= {"low": value - reach, "high": value + 2 * reach}
    told = {"accuracy": bar, "coverage": 1.0, "statuses": {"ok": 100}, "headline": "accuracy", "level": 0.9}
    return told | more


def suite(*members: Member, formula: str = "mean", **more: Any) -> Suite:
    return Suite("small", "two benchmarks", "tests", members, formula, **more)


A, B = Member("A", "a"), Member("B", "b@x")


def test_the_mean_and_its_interval() -> None:
    found = suite_scores.entry(suite(A, B), {"a": entry(40.0, 3.0), "b@x": entry(60.0, 4.0, coverage=0.9)})
    assert found["average"] == {"value": 50.0, "low": 47.5, "high": 55.0, "n": 200}
    assert (found["coverage"], found["level"], found["missing"], found["notes"]) == (0.9, 0.9, [], [])
    assert found["formula"] == "mean of A, B" and found["statuses"] == {}
    SCORED({"suite:small": found}, "")


def test_scales_weights_and_metrics() -> None:
    parts = {name: {"value": value, "low": value, "high": value, "n": 5} for name, value in (("f", 30.0), ("q", 50.0))}
    scored = {"a": entry(800.0), "b@x": entry(10.0) | parts}
    members = (Member("A", "a", divide_by=10, weight=3), Member("B", "b@x", ("f", "q")))
    assert suite_scores.entry(suite(*members), scored)["average"]["value"] == pytest.approx((80 + 40) / 2)
    weighted = suite_scores.entry(suite(*members, formula="weighted_mean"), scored)
    assert weighted["average"]["value"] == pytest.approx((3 * 80 + 40) / 4)
    assert weighted["formula"] == "weighted mean of 3 x A / 10, (B f + B q) / 2"
    assert suite_scores.entry(suite(*members, formula="sum"), scored)["average"]["value"] == pytest.approx(280)
    assert [one["figure"] for one in weighted["members"]] == [800.0, 40.0]


def test_metrics_of_one_task_count_as_dependent() -> None:
    scored = {"a": entry(50.0, 4.0)}
    twice = suite(Member("one", "a"), Member("other", "a", ("accuracy",)))
    assert suite_scores.entry(twice, scored)["average"] == {"value": 50.0, "low": 46.0, "high": 58.0, "n": 100}


@pytest.mark.parametrize(
    ("members", "scored", "note"),
    [
        ((A, Member("MMStar")), {"a": entry(1.0)}, "no average: MMStar is not in vlmbench"),
        ((A, Member("X"), Member("Y")), {"a": entry(1.0)}, "no average: X, Y are not in vlmbench"),
        ((A, B), {"a": entry(1.0)}, "no average: B was not run"),
        (
            (A, B),
            {"a": entry(1.0), "b@x": entry(None, statuses={"error": 3, "truncated": 1}, coverage=0.0)},
            "no average: B failed: no sample has a score (error 3, truncated 1)",
        ),
        (
            (A, B),
            {"a": entry(1.0), "b@x": entry(None, statuses={"unlabeled": 9})},
            "no average: B is scored by its server alone",
        ),
        ((A, Member("B", "b@x", ("f1",))), {"a": entry(1.0), "b@x": entry(1.0)}, "no average: B has no f1"),
        ((A, B), {"a": entry(1.0), "b@x": entry(None)}, "no average: B has no accuracy"),
    ],
)
def test_a_missing_member_gives_no_average_and_is_named(
    members: tuple[Member, ...], scored: dict[str, Any], note: str
) -> None:
    found = suite_scores.entry(suite(*members), scored)
    assert found["average"] == {"value": None, "low": None, "high": None, "n": 0, "note": note}
    assert found["notes"] == [note] and found["missing"]
    SCORED({"suite:small": found}, "")


def test_no_formula_no_average() -> None:
    found = suite_scores.entry(suite(A, B, formula=""), {"a": entry(1.0), "b@x": entry(2.0)})
    assert found["average"]["value"] is None and found["average"]["note"] == "no average: no formula is known for it"
    assert found["missing"] == []


def test_a_member_without_an_interval_leaves_the_average_without_one() -> None:
    bare = entry(60.0)
    bare["accuracy"] |= {"low": None, "high": None}
    found = suite_scores.entry(suite(A, B), {"a": entry(40.0), "b@x": bare})
    assert found["average"] == {"value": 50.0, "low": None, "high": None, "n": 200}


def test_a_suite_survives_run_json() -> None:
    made = suite(Member("A", "a", ("f", "q"), 20, 2), B, formula="weighted_mean", formula_source="here", note="n")
    SUITE_SHAPE(made.to_dict(), "")
    assert of_json(made.to_dict()) == made
    varied = made.with_tasks({"a": "a@x+temperature=0.7"}, "temperature=0.7")
    assert of_json(varied.to_dict()) == varied and varied.key == "suite:small+temperature=0.7"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: suite(A, formula="median"), "no formula named 'median'"),
        (lambda: suite(A, A), "two members are named A"),
        (lambda: suite(), "has no members"),
        (lambda: Suite("Big One", "", "", (A,)), "cannot be named 'Big One'"),
        (lambda: Member("A", "a", divide_by=0), "divide_by takes a number above 0"),
        (lambda: Member("A", "a", weight=math.nan), "weight takes a number above 0"),
    ],
)
def test_what_is_no_suite(make: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make()


def test_an_unknown_formula_has_near_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean mean"):
        suite(A, formula="meen")
