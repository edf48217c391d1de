"""Pairs of questions by group: rates and sums by hand, halves of pairs, and groups that are not there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vlmbench.stats.figures.question_pairs import QuestionPairs, question_pairs
from vlmbench.stats.intervals import interval

ORDER = ("count", "colour", "text")


def pairs(*answers: tuple[str, str, float]) -> QuestionPairs:
    return question_pairs(answers, ORDER)


THREE = pairs(
    ("colour", "c1", 1), ("count", "n1", 1), ("count", "n1", 1), ("count", "n2", 1), ("count", "n2", 0),
    ("colour", "c1", 1), ("count", "n3", 0), ("count", "n3", 0),
)  # fmt: skip
"""Of `count` one pair is right, one half right, one wrong; of `colour` the only one is right."""


def test_rates_of_a_group() -> None:
    accuracy, both = THREE.accuracy("count_acc", "count", "acc"), THREE.pair_accuracy("both", "count", "acc_plus")
    assert accuracy.value() == pytest.approx(50) and accuracy.n == 6 and len(accuracy.items) == 3
    assert both.value() == pytest.approx(100 / 3) and both.limits == (0, 100)
    score = THREE.both_rates("count", "count", "subtask")
    assert score.value() == accuracy.value() + both.value() and score.limits == (0, 200)
    assert (score.name, score.breakdown, score.label, list(score.clusters)) == (
        "count", "subtask", "count", ["n1", "n2", "n3"]
    )  # fmt: skip


def test_a_model_that_always_says_yes_gets_half_of_the_questions_and_no_pair() -> None:
    always = pairs(*((group, f"{group}{n}", value) for group in ORDER for n in range(4) for value in (1, 0)))
    assert {always.accuracy("a", group, "").value() for group in ORDER} == {50}
    assert {always.pair_accuracy("p", group, "").value() for group in ORDER} == {0}
    assert always.total("total", ORDER).value() == pytest.approx(150)


def test_half_a_pair_counts_for_the_accuracy_alone() -> None:
    half = pairs(("text", "t1", 1), ("text", "t2", 1), ("text", "t2", 0))
    assert half.accuracy("a", "text", "").value() == pytest.approx(200 / 3)
    assert half.pair_accuracy("p", "text", "").value() == 0
    assert math.isnan(pairs(("text", "t1", 1)).pair_accuracy("p", "text", "").value())


def test_a_total_adds_the_groups_that_are_there_and_names_the_others() -> None:
    total = THREE.total("total", ORDER, "subtasks")
    assert total.value() == pytest.approx(50 + 100 / 3 + 200) and total.limits == (0, 400) and total.n == 8
    assert total.note == "a sum over 2 of 3 subtasks, at most 400: without text"
    one = THREE.total("colour alone", ("colour",))
    assert one.value() == pytest.approx(200) and one.note == "" and list(one.clusters) == ["c1"]
    assert THREE.present(("text", "colour", "count")) == ["count", "colour"] and not pairs().present(ORDER)


def test_a_total_is_resampled_by_group() -> None:
    """A drawn set in which one group is twice as often moves no other group's rate."""
    total = THREE.total("total", ORDER)
    weights = np.array([2.0 if cluster == "c1" else 1.0 for cluster in total.clusters])
    assert float(total.combine(weights @ total.items)) == pytest.approx(total.value())
    found = interval(total)
    assert found.low is not None and found.high is not None and 0 <= found.low <= total.value() <= found.high <= 400
