"""Tails of sums of fair signs against their exact distribution, and intervals that agree with the test."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.simulated import World
from vlmbench.stats.metrics import RATE, Metric, mean, ratio
from vlmbench.stats.paired import PERMUTATION, paired
from vlmbench.stats.pairs import sign_flips


def exact(sizes: list[int], total: int) -> float:
    """By adding one toss after the other."""
    most = sum(sizes)
    chances = np.zeros(2 * most + 1)
    chances[most] = 1.0
    for size in sizes:
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    return float(chances[np.abs(np.arange(-most, most + 1)) >= total].sum())


@pytest.mark.parametrize(("count", "largest", "far"), [(12, 5, 0.2), (20, 1, 0.3), (60, 4, 0.03), (300, 3, 0.01)])
def test_tails_down_to_a_millionth(count: int, largest: int, far: float) -> None:
    rng = np.random.default_rng(count)
    sizes = rng.integers(1, largest + 1, count).tolist()
    for deviations in (1.5, 2, 3, 4, 5):
        total = round(deviations * math.sqrt(sum(size * size for size in sizes)))
        total += (total - sum(sizes)) % 2
        if total < sum(sizes):
            found = sign_flips.two_sided(np.array(sizes, dtype=np.float64), total)
            assert found == pytest.approx(exact(sizes, total), rel=far)
            assert found >= 0.96 * exact(sizes, total), "an error makes p larger"


def test_ends() -> None:
    """All on one side is 2 of 2^C; nothing is certain; a sum of 0 says nothing."""
    assert sign_flips.two_sided(np.ones(10), 10.0) == pytest.approx(2 / 1024)
    assert sign_flips.two_sided(np.zeros(4), 0.0) == 1.0
    assert sign_flips.two_sided(np.ones(4), 0.0) == 1.0
    assert sign_flips.limits(np.array([1.0, -1, 2, -2, 0]), np.full(5, 0.2), 1.0, 0.05) is None


def test_the_interval_of_many_even_clusters_is_students() -> None:
    moved = np.random.default_rng(1).normal(size=400)
    moved -= moved.mean()
    found = sign_flips.limits(moved, np.full(400, 1 / 400), 3.0, 0.05)
    assert found is not None
    half = 1.966 * math.sqrt(400 / 399 * float(moved @ moved))
    assert found == pytest.approx((3 - half, 3 + half), abs=0.02 * half)


def clustered(lost: int, images: int, f1: bool = False) -> tuple[Metric, Metric]:
    """Four questions each; the first one about so many images turns from right to wrong."""
    names = [str(at // 4) for at in range(4 * images)]
    before = [1.0] * len(names)
    after = [float(at % 4 > 0 or at // 4 >= lost) for at in range(len(names))]
    if not f1:
        return mean("accuracy", before, names), mean("accuracy", after, names)
    one, other = (
        Metric("f1", np.stack([values, 0.5 * (np.array(values) + 1)], axis=1), names, ratio(), limits=RATE)
        for values in (before, after)
    )
    return one, other


@pytest.mark.parametrize("f1", [False, True])
def test_p_has_no_floor(f1: bool) -> None:
    """Thirty images lost an answer each and none gained one: 2 of 2^30, whatever the number of swaps."""
    found = paired(*clustered(30, 60, f1), resamples=2000)
    assert found.method == PERMUTATION and found.p is not None
    assert found.p == pytest.approx(2.0**-29, rel=0.5)
    fifteen = paired(*clustered(15, 60, f1), resamples=2000)
    assert fifteen.p is not None and 1e-5 < fifteen.p < 1.2e-4


def test_the_interval_holds_0_unless_the_test_rejects_it() -> None:
    rng = np.random.default_rng(2)
    seen = [0, 0]
    for images in (6, 10, 20, 40):
        names = [str(at // 6) for at in range(6 * images)]
        for _ in range(40):
            before, after = (rng.random((2, 6 * images)) < 0.75).astype(float)
            drop = rng.choice([0, 0.15, 0.3])
            after *= rng.random(6 * images) >= drop
            found = paired(mean("m", before.tolist(), names), mean("m", after.tolist(), names), resamples=500)
            low, high = found.difference.low, found.difference.high
            assert low is not None and high is not None and found.p is not None
            inside = low <= 0 <= high
            assert inside or found.p <= 0.05
            seen[int(inside)] += 1
            assert not inside or found.p > 0.02, "at most the noise of 500 swaps apart"
    assert min(seen) > 20
    assert paired(*clustered(3, 5)).difference.low is None, "five images can reject nothing"


@pytest.mark.slow
@pytest.mark.parametrize(("images", "each"), [(10, 18), (20, 18), (60, 6)])
def test_coverage_of_paired_differences(images: int, each: int) -> None:
    """Answers that turn by image: the interval holds the true difference of 0 in 95 % of all draws, or more."""
    rng = np.random.default_rng([images, each])
    world, tries, held = World(images, each, 0.8), 600, 0
    for _ in range(tries):
        right = world.rightness(rng)
        moving = rng.beta(0.5, 4.5, images).repeat(each)
        chance = np.where(right, 0.05 / 0.8, 0.05 / 0.2) * moving / 0.1
        metrics = [
            mean("m", r.astype(float).tolist(), world.clusters)
            for r in (right, right ^ (rng.random(len(right)) < chance))
        ]
        found = paired(metrics[0], metrics[1], resamples=300).difference
        held += found.low is None or (found.low <= 0 <= (found.high or 0))
    print(f"{images} x {each}: {held / tries:.3f}")
    assert held / tries >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / tries)
