"""Two one-sided tests: their formula by hand, and how often they call two models the same that differ by the margin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tests.support.simulated import World
from vlmbench.compare.differences import difference
from vlmbench.stats.metrics import Metric, mean
from vlmbench.stats.pairs.amounts import Amount
from vlmbench.stats.pairs.equivalence import equivalence_p


def p_same(before: Metric, after: Metric, margin: float) -> float:
    found = difference(before, after, {"resamples": 300}, Amount(margin)).equivalence
    assert found is not None and found.p is not None
    return found.p


def test_the_formula() -> None:
    """The larger of both tails is that of the nearer margin."""
    assert equivalence_p(-1.0, 1.5, 99, 4.0) == pytest.approx(stats.t.sf(2.0, 99))
    assert equivalence_p(1.0, 1.5, 99, 4.0) == pytest.approx(stats.t.sf(2.0, 99))
    assert equivalence_p(5.0, 1.5, 99, 4.0) == pytest.approx(stats.t.cdf(1 / 1.5, 99))
    assert equivalence_p(math.nan, 1.5, 99, 4.0) is None and equivalence_p(1.0, 1.5, 99, 0.0) is None
    assert (equivalence_p(1.0, 0.0, 99, 4.0), equivalence_p(4.0, 0.0, 99, 4.0)) == (0.0, 1.0)


def test_equal_answers_prove_no_more_than_their_images() -> None:
    """No image of C turned: fewer than 1 - alpha^(1/C) of all would, however many questions each has."""
    for images, same in ((60, False), (298, False), (300, True)):
        one = mean("accuracy", [1.0, 0.0] * (9 * images), [str(at // 18) for at in range(18 * images)])
        assert p_same(one, one, 1.0) == pytest.approx(0.99**images)
        assert (p_same(one, one, 1.0) <= 0.05) is same


def turned(rng: np.random.Generator, world: World, flips: float, drop: float) -> tuple[Metric, Metric]:
    """A model and a later version: `flips` of the answers turn, by image, so that accuracy falls by `drop` points."""
    right = world.rightness(rng)
    moving = np.clip(rng.beta(0.5, 0.5 * (1 - flips) / flips, world.pictures), 0, 1).repeat(world.each)
    down = (flips + drop / 100) / 2 / world.level
    up = (flips - drop / 100) / 2 / (1 - world.level)
    chance = np.where(right, down, up) * moving / flips
    later = right ^ (rng.random(len(right)) < chance)
    names = world.clusters
    return mean("accuracy", right.astype(float).tolist(), names), mean("accuracy", later.astype(float).tolist(), names)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pictures", "each", "flips"), [(300, 1, 0.04), (1000, 1, 0.04), (60, 18, 0.06), (200, 6, 0.06)]
)
def test_models_that_differ_by_the_margin_are_seldom_called_the_same(pictures: int, each: int, flips: float) -> None:
    rng = np.random.default_rng([pictures, each])
    world = World(pictures, each, 0.75, 0.2 if each > 1 else 0.01)
    margin, tries = 2.0, 800
    wrong = sum(p_same(*turned(rng, world, flips, margin), margin) <= 0.05 for _ in range(tries)) / tries
    print(f"{pictures} x {each}, {100 * flips:g} % turned: {wrong:.3f} called the same at the margin")
    assert wrong <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / tries)


@pytest.mark.slow
def test_equal_models_are_found_the_same() -> None:
    rng = np.random.default_rng(4)
    world = World(1000, 1, 0.75, 0.01)
    tries = 200
    found = sum(p_same(*turned(rng, world, 0.04, 0.0), 2.0) <= 0.05 for _ in range(tries)) / tries
    assert found >= 0.8
