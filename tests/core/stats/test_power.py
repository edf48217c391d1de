"""What a comparison can show before it is made: closed forms against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tests.performance.statistics.designs.announced_power import SETTINGS, Setting
from tests.performance.statistics.designs.announced_power import found as announced
from vlmbench.stats import power
from vlmbench.stats.metrics import Metric, mean
from vlmbench.stats.paired import paired
from vlmbench.stats.power import Design


def test_the_closed_form() -> None:
    """9,000 questions about 500 pictures: the numbers of the docstring by hand."""
    clusters = [str(i // 18) for i in range(9000)]
    design = power.planned(clusters, discordance=0.2, correlation=0.1)
    assert power.design_effect(clusters, 0.1) == pytest.approx(2.7)
    assert design.error == pytest.approx(100 * math.sqrt(0.2 * 2.7 / 9000))
    least = power.detectable(design)
    assert least == pytest.approx((1.9647 + 0.8422) * design.error, rel=2e-3)
    assert least is not None and power.chance(design, least) == pytest.approx(0.8, abs=1e-3)
    assert power.chance(design, 0.0) == pytest.approx(0.05, abs=1e-3)
    assert power.design_effect(["a"] * 3 + ["b"], 1.0) == pytest.approx(10 / 4)
    assert power.independent(0.7) == pytest.approx(0.42)


def test_mcnemar_by_hand() -> None:
    """Thirty questions, every outcome summed: discordance 0.4, difference 20 points."""
    up, down = 0.3, 0.1
    total = 0.0
    for gained in range(31):
        for lost in range(31 - gained):
            if stats.binomtest(gained, gained + lost).pvalue <= 0.05 if gained + lost else False:
                total += stats.multinomial.pmf([gained, lost, 30 - gained - lost], 30, [up, down, 1 - up - down])
    assert power.chance(Design(30, 30, 100 * math.sqrt(0.4 / 30), 0.4), 20.0) == pytest.approx(total, abs=1e-6)


def test_how_many_are_needed() -> None:
    """The fewest pictures that reach the power; half the effect takes four times as many."""
    design = power.planned([str(i // 18) for i in range(9000)], discordance=0.2, correlation=0.1)
    one, half = power.needed(design, 1.0), power.needed(design, 0.5)
    assert one is not None and half is not None
    assert half.clusters == pytest.approx(4 * one.clusters, rel=0.01) and one.items == 18 * one.clusters
    assert power.chance(one, 1.0) >= 0.8 > power.chance(one.of(one.clusters - 2), 1.0)
    single = power.needed(power.planned([str(i) for i in range(50)], discordance=0.2, correlation=0.0), 5.0)
    assert single is not None and single.items == single.clusters and power.chance(single, 5.0) >= 0.8
    assert 600 < single.items < 680  # Connor's formula without the test's discreteness: 625
    assert power.needed(design, 30.0) is None and power.needed(design, 0.0) is None


def test_what_cannot_be_found() -> None:
    """One picture, or a handful of questions: no difference, said so."""
    assert power.detectable(power.planned(["a"] * 6, discordance=0.3, correlation=0.1)) is None
    assert power.detectable(power.planned(list("abcd"), discordance=0.3, correlation=0.1)) is None
    assert power.chance(Design(6, 1, 5.0), 50.0) == 0.0


def test_correlation_is_found_again() -> None:
    """Beta-binomial pictures have the correlation 1 / (a + b + 1)."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 4000)
    clusters = [str(i) for i, size in enumerate(sizes) for _ in range(size)]
    values = (rng.random(len(clusters)) < rng.beta(2.1, 0.9, 4000).repeat(sizes)).astype(float)
    assert power.correlation(values, clusters) == pytest.approx(0.25, abs=0.02)
    assert power.correlation(values, [str(i) for i in range(len(values))]) == 0
    assert power.correlation(np.array([1.0, 0, 1, 0]), list("aabb")) == 0
    assert power.correlation(np.ones(4), list("aabb")) == 0 and power.correlation(np.ones(4), ["a"] * 4) == 0


def outcomes(rng: np.random.Generator, clusters: int, each: int, effect: float, shared: float) -> tuple[Metric, Metric]:
    """Two models on the same questions: `shared` of the pictures' difficulty is common, the rest is each one's own."""
    names = [str(i // each) for i in range(clusters * each)]
    common, *own = rng.normal(size=(3, clusters))
    made = []
    for model, share in enumerate((0.5 - effect / 200, 0.5 + effect / 200)):
        ease = math.sqrt(0.25 * shared) * common + math.sqrt(0.25 * (1 - shared)) * own[model]
        border = stats.norm.ppf(share) * math.sqrt(1.25)
        made.append(
            mean("accuracy", list((rng.normal(size=clusters * each) < border + ease.repeat(each)) * 1.0), names)
        )
    return made[0], made[1]


@pytest.mark.parametrize(("clusters", "each"), [(300, 1), (60, 6), (40, 18)])
def test_the_power_is_as_announced(clusters: int, each: int) -> None:
    """A planted difference at the announced minimum is found 80 % of the time; none, at most 5 %."""
    rng = np.random.default_rng(11)
    one, other = outcomes(rng, 4000, each, 0.0, 0.5)
    values = other.items[:, 0] - one.items[:, 0]
    measured = power.correlation(values, list(one.clusters))
    names = [str(i // each) for i in range(clusters * each)]
    design = power.planned(names, discordance=float((values**2).mean()), correlation=measured)
    effect = power.detectable(design)
    assert effect is not None and effect < 20
    tries = 500
    found = sum(
        (paired(*outcomes(rng, clusters, each, effect, 0.5), resamples=400).p or 1) <= 0.05 for _ in range(tries)
    )
    alarms = sum((paired(*outcomes(rng, clusters, each, 0.0, 0.5), resamples=400).p or 1) <= 0.05 for _ in range(tries))
    assert 0.75 <= found / tries <= 0.86
    assert alarms / tries <= 0.07  # 5 % and twice its simulation error; tests/performance has the long runs


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS[:5], ids=lambda one: f"{one.name}-{one.images}x{one.each}")
def test_power_in_each_metrics_own_unit(setting: Setting) -> None:
    """Here 500 comparisons (standard error .018); tests/performance/statistics/designs has the long runs."""
    least, share = announced(setting, 10, 50)
    print(f"{setting}: {least:.2f} found {share:.3f}")
    assert 0.75 <= share <= 0.85


def test_pooled_designs() -> None:
    """The mean variance per cluster, at the size of the last comparison."""
    found = power.pooled([Design(400, 100, 1.0), Design(800, 200, 2.0)])
    assert (found.items, found.clusters) == (800, 200)
    assert found.error == pytest.approx(math.sqrt((100 * 1 + 200 * 4) / 2 / 200))


def test_equal_metrics_have_no_design() -> None:
    one = mean("accuracy", [1.0, 0.0] * 20, [str(at // 4) for at in range(40)])
    assert power.between(one, one) is None
    assert power.between(mean("a", [1.0], ["x"]), mean("a", [0.0], ["x"])) is None
