"""The gate on MME's perception sum, in its real subtask sizes: it decides about as often as an ideal paired test.

The whole table, 5,000 draws a row: tests/performance/statistics/mme_gate.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.performance.statistics.mme_gate import COUNTS, MARGINS, World, compared, decisions, perception, rates
from vlmbench.stats import effects, paired
from vlmbench.stats.metrics import mean
from vlmbench.stats.noninferiority import Outcome, Spread, decide, one_sided, spread_of

DRAWS = 400
ERROR = 2 * 0.5 / DRAWS**0.5
"""Two standard errors of a share, at most."""


@pytest.mark.parametrize("fall", [0, 20, 40, 75])
def test_the_power_curve_is_near_the_ideal_one(fall: int) -> None:
    """Within 5 points, as measured with 5,000 draws; here as far as 400 draws can tell."""
    found = rates(decisions(World(fall=fall), DRAWS, 100 + fall))
    assert found.passed >= found.ideal_passed - 0.05 - ERROR / 2
    assert found.failed >= found.ideal_failed - 0.05 - ERROR / 2


@pytest.mark.parametrize("level", [0.85, 0.95])
def test_verdicts_at_the_allowed_fall_are_seldom_wrong(level: float) -> None:
    found = rates(decisions(World(level, fall=20), DRAWS, 7))
    assert found.failed <= 0.05 + 0.022  # two standard errors of .05
    assert found.passed <= 0.05 + 0.022


def test_what_must_not_go_unnoticed_does_not_pass() -> None:
    assert rates(decisions(World(fall=MARGINS.min_detectable_drop), DRAWS, 8)).passed <= 0.01


def test_the_announced_drop_is_found() -> None:
    tells = rates(decisions(World(), 60, 9)).tells
    assert tells < 80
    assert rates(decisions(World(fall=tells), 200, 10)).failed >= 0.8


def test_through_pairing_itself() -> None:
    """The bootstrap's standard error is the closed form that the simulations use."""
    before, after = next(World(turned=0.03, fall=40).draws(1, 3))
    metrics = perception(before), perception(after)
    turned = float((before != after).sum())
    made = []
    for difference in (compared(*metrics), paired.paired(*metrics, resamples=4000)):
        around = spread_of(difference, *metrics, turned)
        made.append(decide(difference, around, one_sided(difference, around, 20.0), MARGINS))
    assert made[0].outcome == made[1].outcome
    assert made[1].lower == pytest.approx(made[0].lower, abs=1.5)
    assert made[1].p == pytest.approx(made[0].p, abs=0.01)


def test_answers_that_count_differently() -> None:
    """One answer of a subtask of 20 images moves the sum ten times as far as one of 200."""
    before, after = next(World().draws(1, 4))
    _, shape = effects.flip_and_shape(perception(before), perception(after))
    per_answer = 100 / COUNTS
    expected = (COUNTS * per_answer).sum() ** 2 / COUNTS.sum() / (COUNTS * per_answer**2).sum()
    assert shape.alike == pytest.approx(expected, rel=0.15)
    assert shape.freedom is not None and shape.freedom < 100
    names = [f"{row}" for row in range(200)]
    right = (np.arange(200) % 5 > 0).astype(float)
    turned = np.abs(right - (np.arange(200) == 3))
    even = effects.flip_and_shape(*(mean("m", values.tolist(), names) for values in (right, turned)))
    assert (even[1].alike, even[1].inflation, even[1].freedom) == (1.0, 1.0, None)


def test_groups_without_a_wrong_answer_are_worth_what_the_others_are() -> None:
    before, after = next(World().draws(1, 5))
    for right in (before, after):
        right[:30] = True
    around = spread_of(compared(perception(before), perception(after)), perception(before), perception(after), 20.0)
    assert around is not None and around.alike == pytest.approx(0.45, abs=0.08)


def test_nothing_turned_is_no_certainty() -> None:
    before, _ = next(World().draws(1, 6))
    difference = compared(perception(before), perception(before))
    around = spread_of(difference, perception(before), perception(before), 0.0)
    assert around is not None and around.error > 0
    assert decide(difference, around, 1.0, MARGINS).outcome is Outcome.PASS


# ------------------------------------------------------------------------------------------------- limits of one test


def test_the_lower_limit_solves_its_equation() -> None:
    around = Spread(0.4, 0.05, 100)
    for value in (-2.0, -0.3, 0.0, 0.4, 3.0):
        limit = around.lower_limit(value, 1.7)
        assert value - limit == pytest.approx(1.7 * around.error_under(-limit, value), rel=1e-6)


def test_the_limit_is_tangos_for_shares() -> None:
    """Of 1,000 answers 12 were lost and 8 gained; the variance under a fall is that of the restricted estimates."""
    lost, gained, fall = 12, 8, 15.0
    around = Spread((lost + gained) ** 0.5, 1.0, 10**6)
    grid = np.linspace(0.01, 60, 600_000)  # of the gained ones
    likelihood = lost * np.log(grid + fall) - (grid + fall) + gained * np.log(grid) - grid
    best = grid[likelihood.argmax()]
    assert around.error_under(fall, gained - lost) == pytest.approx((2 * best + fall) ** 0.5, rel=1e-3)


@pytest.mark.parametrize(("lost", "gained"), [(0.0, 0.0), (0.0, 9.0), (9.0, 0.0)])
def test_the_error_under_a_fall_is_never_smaller_than_the_one_seen(lost: float, gained: float) -> None:
    around = Spread(max(1.0, lost + gained) ** 0.5, 1.0, 1000)
    errors = [around.error_under(fall, gained - lost) for fall in (0.0, 1.0, 5.0, 20.0)]
    assert errors[0] == around.error and errors == sorted(errors)
    assert around.lower_limit(gained - lost, 1.645) < gained - lost
