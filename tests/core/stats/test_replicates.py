"""Several answers, judge runs and training seeds: the parts of the variance, intervals and differences.

tests/performance/statistics/designs/replicates.py has the whole grid; docs/evaluate/statistics.md prints it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.performance.statistics.designs.replicates import Recipe, of_a_difference, of_a_mean
from vlmbench.stats.figures import draws
from vlmbench.stats.metrics import auroc, mean
from vlmbench.stats.seeds.replicates import Parts, decompose, difference, interval


def test_the_parts_by_hand() -> None:
    """Three images, two replicates; every influence is 100/3 (x - mean)."""
    rows = ([1.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    parts = decompose([mean("accuracy", list(row), list("abc")) for row in rows])
    assert parts is not None
    moved = np.array([[(x - np.mean(row)) / 3 * 100 for x in row] for row in rows])
    average = moved.mean(axis=0)
    assert parts.values == pytest.approx((200 / 3, 100 / 3)) and parts.value == pytest.approx(50)
    assert parts.total == pytest.approx(3 / 2 * float(average @ average))
    assert parts.within == pytest.approx(float(moved.var(axis=0, ddof=1).sum()))
    assert parts.runs == pytest.approx(max(0.0, np.var(parts.values, ddof=1) - parts.within))
    assert parts.between == pytest.approx(max(0.0, parts.total - parts.within / 2))


def test_more_replicates_remove_what_is_theirs() -> None:
    parts = Parts(70.0, (69.0, 71.0), total=5.0, within=4.0, runs=2.0, freedom=59.0, n=600)
    assert parts.between == 3.0 and parts.best_count == pytest.approx(math.sqrt(4 / 3))
    assert [parts.error(k) for k in (1, 2, 6)] == pytest.approx([3.0, math.sqrt(6), 2.0])
    assert parts.error() == parts.error(2)
    even = replace(parts, total=1.0)
    assert even.between == 0 and even.best_count == math.inf
    assert parts.to_json()["between_runs"] == pytest.approx(math.sqrt(2))


def test_equal_replicates_are_one() -> None:
    """Without any difference between replicates, all variance is the questions'."""
    rng = np.random.default_rng(0)
    one = mean("accuracy", (rng.random(300) < 0.8).astype(float).tolist(), [str(at // 5) for at in range(300)])
    parts = decompose([one, one, one])
    assert (
        parts is not None and parts.within == pytest.approx(0, abs=1e-20) and parts.runs == pytest.approx(0, abs=1e-20)
    )
    assert parts.between == pytest.approx(parts.total) and parts.total > 0
    changed = difference([one, one], [one, one])
    assert changed is not None and changed.p is None and changed.difference.low is None


def test_what_has_no_parts() -> None:
    lone = mean("accuracy", [1.0, 0.0], ["a", "a"])
    assert decompose([lone, lone]) is None, "one image"
    one = mean("accuracy", [1.0, 0.0], ["a", "b"])
    assert decompose([one]) is None, "one replicate"
    assert decompose([one, mean("accuracy", [], [])]) is None, "undefined in one"


def test_the_interval_stays_inside_the_limits() -> None:
    parts = Parts(98.5, (98.0, 99.0), total=1.0, within=0.1, runs=0.4, freedom=59.0, n=600)
    found = interval(parts, (0.0, 100.0))
    assert found.low is not None and found.high is not None
    assert 60 < found.low < 98.5 < found.high < 100
    free = interval(parts, None)
    assert free.high is not None and free.high > 100
    narrow = interval(replace(parts, runs=0.0), (0.0, 100.0))
    assert narrow.low is not None and narrow.low > found.low


def test_p_and_interval_agree() -> None:
    rng = np.random.default_rng(3)
    recipe = Recipe(3, 80, 5, luck=1.0)
    seen = set()
    for drop in (0.0, 3.0, 8.0) * 8:
        hard = recipe.questions(rng)
        later = replace(recipe, level=recipe.level - drop / 100)
        found = difference(*(one.metrics(one.answers(rng, hard)) for one in (recipe, later)))
        assert found is not None and found.p is not None
        low, high = found.difference.low, found.difference.high
        assert low is not None and high is not None
        assert (low <= 0 <= high) is (found.p >= 0.05)
        seen.add(found.p < 0.05)
        near, far = found.p_same(abs(found.difference.value) / 2), found.p_same(abs(found.difference.value) + 100)
        assert near is not None and far is not None and near > 0.5 > 0.001 > far
    assert seen == {True, False}


def test_draws_are_split_again() -> None:
    rng = np.random.default_rng(1)
    names = [str(at // 4) for at in range(80)]
    shares = [mean("accuracy", (rng.random(80) < 0.6).astype(float).tolist(), names) for _ in range(3)]
    truth = [at % 3 == 0 for at in range(80)]
    areas = [auroc("auroc", truth, (rng.normal(size=80) + truth).tolist(), names) for _ in range(3)]
    for metrics in (shares, areas):
        again = draws.split(draws.average(metrics))
        assert [metric.value() for metric in again] == pytest.approx([metric.value() for metric in metrics])
        assert [list(metric.clusters) for metric in again] == [names] * 3
    assert draws.split(shares[0]) == []
    parts = decompose(draws.split(draws.average(shares)))
    assert parts is not None and parts.count == 3 and parts.within > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [Recipe(3), Recipe(3, luck=1.0), Recipe(3, luck=4.0), Recipe(5, luck=2.0), Recipe(4, 400, 1, luck=2.0),
     Recipe(4, agree=0.2), Recipe(8, agree=0.7, f1=True)],
    ids=lambda one: f"{one.replicates}-{one.images}x{one.each}-luck{one.luck:g}-agree{one.agree:g}",
)  # fmt: skip
def test_intervals_over_seeds_and_answers_cover(recipe: Recipe) -> None:
    """600 runs: two standard errors are .018."""
    held, alone = of_a_mean(recipe, 600)
    print(f"{recipe}: {held:.3f}, one replicate {alone:.3f}")
    assert 0.93 <= held <= 0.985
    assert alone < 0.9 or recipe.luck < 4, "what takes a seed for the recipe is too sure"


@pytest.mark.slow
@pytest.mark.parametrize("luck", [0.0, 2.0])
def test_two_recipes_of_three_seeds(luck: float) -> None:
    held, alarms = of_a_difference(Recipe(3, 200, 5, luck), 600)
    print(f"luck {luck:g}: {held:.3f} covers, {alarms:.3f} false alarms")
    assert held >= 0.93 and alarms <= 0.05 + 0.018
