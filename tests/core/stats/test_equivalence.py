"""Two one-sided tests: their formula by hand, and how often they call two models the same that differ by the margin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tests.support.simulated import World
from vlmbench.stats.effects import flip_size
from vlmbench.stats.equivalence import equivalence_p
from vlmbench.stats.metrics import Metric, mean
from vlmbench.stats.noninferiority import Spread, spread_of
from vlmbench.stats.paired import paired


def p_same(before: Metric, after: Metric, margin: float) -> float:
    found = paired(before, after, resamples=300)
    turned = int((before.items != after.items).any(axis=1).sum())
    flip = flip_size(before)
    p = equivalence_p(found, spread_of(found, before, after, turned), margin, 100.0, turned * flip)
    assert p is not None
    return p


def test_the_formula() -> None:
    names = [str(at // 4) for at in range(400)]
    before = [float(at % 3 > 0) for at in range(400)]
    after = [1 - value if at % 40 == 0 else value for at, value in enumerate(before)]
    found = paired(mean("accuracy", before, names), mean("accuracy", after, names))
    around = Spread(1.0, 0.25, 99)
    value = abs(found.difference.value)
    lost, margin = 2.5, 4.0
    extra = (math.sqrt(lost**2 + 4 * margin * (margin - value)) - lost) / 2
    t = (margin - value) / math.sqrt(1 + 0.25 * extra)
    assert equivalence_p(found, around, margin, 100.0, lost) == pytest.approx(stats.t.sf(t, 99))
    beyond = equivalence_p(found, around, value / 2, 100.0, lost)
    assert beyond is not None and beyond > 0.5
    assert equivalence_p(found, None, margin, 100.0, lost) is None
    assert equivalence_p(found, around, 0.0, 100.0, lost) is None


def test_the_variance_at_the_margin_is_that_of_the_likeliest_turned_answers() -> None:
    """Tango's: of 40 turned in 1,000, 20 each way, a difference of 20 is likeliest with 48 turned."""
    from scipy.optimize import brentq

    likeliest = brentq(lambda q: 20 / (q + 0.02) + 20 / (q - 0.02) - 960 / (1 - q), 0.021, 0.5)
    extra = (math.sqrt(4.0**2 + 4 * 2 * 2) - 4.0) / 2
    assert 4 + extra == pytest.approx(100 * likeliest, rel=0.01)


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
