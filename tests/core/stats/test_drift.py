"""The test for a drift: its formula, its error over long histories, how soon it sees a fall."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.integrate import quad

from tests.performance.statistics.histories import drift as simulated
from tests.performance.statistics.histories.drift import World
from vlmbench.stats.metrics import Metric, ratio
from vlmbench.stats.trends.drift import ALPHA, TYPICAL, Step, batch, change_error, drift, value_error


def test_the_mixture_is_that_over_rates() -> None:
    """One step: the mean of normal likelihood ratios over a half-normal distribution of rates, half of the weight."""
    fall, error, scale = 1.3, 0.6, 1.5
    rho = (TYPICAL * scale) ** 2
    rates = scipy_stats.halfnorm(scale=1 / math.sqrt(rho))
    whole, _ = quad(lambda rate: rates.pdf(rate) * math.exp(rate * fall - rate**2 * error**2 / 2), 0, 40)
    evidence, _ = drift([Step(fall, error, scale)])
    assert evidence == [pytest.approx(whole / 2 + 1 / 2, rel=1e-6)]


def test_one_history_is_one_row_of_many() -> None:
    rng = np.random.default_rng(2)
    falls, errors = rng.normal(0.1, 0.5, (3, 12)), rng.uniform(0.3, 0.6, (3, 12))
    many = batch(falls, errors, np.full(3, 1.2))
    for row in range(3):
        steps = [Step(*pair, 1.2) for pair in zip(falls[row], errors[row], strict=True)]
        assert drift(steps, alpha=1e-9)[0] == pytest.approx(many[row].tolist())


def test_an_unchanged_model_is_a_fair_game() -> None:
    """The evidence has mean 1 at every step (here of errors that are known)."""
    rng = np.random.default_rng(3)
    evidence = batch(rng.normal(0, 0.5, (40_000, 5)), np.full((40_000, 5), 0.5), np.full(40_000, 3.0))
    error = evidence.std(axis=0) / 200
    assert (np.abs(evidence.mean(axis=0) - 1) < 4 * error + 0.01).all()


@pytest.mark.parametrize(
    "world",
    [
        World(60, 18, 0.02),
        World(60, 18, 0.02, lasting=False),
        World(500, 1, 0.02),
        World(200, 6, 0.05),
        World(20, 18, 0.05),
        World(20, 18, 0.02, restless=0.2),
    ],
)
def test_histories_of_50_unchanged_runs_seldom_alarm(world: World) -> None:
    """Turned answers that stay and noise around one model; few images, and few images of which answers turn."""
    found = simulated.alarms(world, 50, 400)
    assert np.isfinite(found).mean() <= ALPHA


@pytest.mark.parametrize(("fall", "latest"), [(0.3, 6), (0.5, 3), (1.0, 2)])
def test_a_drift_of_pope_is_found_within_a_few_runs(fall: float, latest: int) -> None:
    """9,000 questions about 500 images, 2 % of the answers turn at each commit."""
    found = simulated.alarms(World(500, 18, 0.02), 16, 30, fall)
    assert np.median(found) <= latest
    assert np.isfinite(found).all()


def test_an_alarm_says_since_when_and_begins_anew() -> None:
    steps = [Step(fall, 0.3, 1.0) for fall in (-0.1, 0.1, 0.0, -0.2, 0.1, 0.7, 0.7, 0.7, 0.7, 0.0, 0.1)]
    evidence, (alarm,) = drift(steps)
    assert (alarm.since, alarm.at) == (5, 7) and alarm.fall == pytest.approx(2.1)
    assert alarm.p == pytest.approx(1 / evidence[7]) and alarm.p < ALPHA
    assert evidence[8] < 20, "counted from the alarm on"


def test_a_rise_and_a_return_are_no_drift() -> None:
    steps = [Step(fall, 0.3, 1.0) for fall in (-2.0, -1.0, 0.1, -0.1)]
    assert not drift(steps)[1]
    later, alarms = drift([*steps, *[Step(0.8, 0.3, 1.0)] * 3])
    assert alarms and alarms[0].since == 4 and later[3] < 1, "a peak is where a drift is counted from"


def test_a_new_stretch_has_no_past() -> None:
    """Falls before and after a break do not add up, and each stretch may alarm."""
    falls = [Step(0.55, 0.3, 1.0)] * 2
    assert not drift([*falls, Step(0.55, 0.3, 1.0, begins=True), falls[0]])[1]
    assert drift([*falls, *falls])[1]
    evidence, alarms = drift([*falls, Step(0.8, 0.3, 1.0, begins=True), *[Step(0.8, 0.3, 1.0)] * 3])
    assert alarms[0].since == 2 and evidence


def test_errors_of_a_share_are_those_of_the_simulation() -> None:
    rng = np.random.default_rng(4)
    world = World(30, 6, 0.1)
    right = simulated.histories(world, 2, 1, rng)
    clusters = [str(at // 6) for at in range(180)]
    metrics = []
    for run in range(2):
        rows = (np.arange(6) < right[0, run][:, None]).astype(float).ravel()
        metrics.append(Metric("accuracy", np.stack([rows, np.ones(180)], axis=1), clusters, ratio()))
    falls, errors, scale = simulated.steps(world, right)
    assert metrics[0].value() - metrics[1].value() == pytest.approx(falls[0, 0])
    assert change_error(*metrics) == pytest.approx(errors[0, 0], rel=0.01)
    assert value_error(metrics[0]) == pytest.approx(scale[0], rel=0.01)


def test_what_has_no_error() -> None:
    one = Metric("accuracy", np.ones((3, 2)), ["a"] * 3, ratio())
    assert change_error(one, one) is None and value_error(one) is None
