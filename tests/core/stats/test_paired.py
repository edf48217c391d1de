"""Paired comparisons: against closed forms, published examples and every swap tried by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from vlmbench.stats.metrics import Metric, auroc, average_precision, mean, ratio
from vlmbench.stats.paired import Paired, drop_p, holm, paired


def shares(before: list[float], after: list[float], clusters: list[str]) -> tuple[Metric, Metric]:
    """The same items answered twice."""
    return mean("accuracy", before, clusters), mean("accuracy", after, clusters)


def noisy(count: int, each: int, seed: int) -> tuple[Metric, Metric]:
    """F1-like ratios of two runs over clustered items."""
    rng = np.random.default_rng(seed)
    clusters = [f"image {i // each}" for i in range(count * each)]
    one, other = (
        Metric("f1", (rng.random((count * each, 2)) < (0.4, 0.8)).astype(np.float64), clusters, ratio()) for _ in "ab"
    )
    return one, other


def test_mcnemar_of_one_item_a_cluster() -> None:
    """5 gained, 15 lost: the binomial test of 20 tosses, whatever the order of the rows."""
    before = [1.0] * 15 + [0.0] * 5 + [1.0] * 60 + [0.0] * 20
    after = [0.0] * 15 + [1.0] * 5 + [1.0] * 60 + [0.0] * 20
    names = [f"i{n}" for n in range(100)]
    one = mean("accuracy", before, names)
    other = mean("accuracy", after[::-1], names[::-1])
    found = paired(one, other)
    assert found.method == "mcnemar exact" and (found.clusters, found.n) == (100, 100)
    assert found.p == pytest.approx(stats.binomtest(5, 20).pvalue)
    assert found.difference.value == pytest.approx(-10)
    # Bonett & Price 2012: (16/102 - 6/102) and its standard error by hand
    centre, error = -10 / 102, math.sqrt((22 / 102 - (10 / 102) ** 2) / 102)
    assert found.difference.low == pytest.approx(100 * (centre - 1.959964 * error), abs=1e-4)
    assert found.difference.high == pytest.approx(100 * (centre + 1.959964 * error), abs=1e-4)
    back = paired(other, one)
    assert back.p == found.p and back.difference.low == pytest.approx(-(found.difference.high or 0))


def test_no_discordant_pair() -> None:
    """Equal answers: p is 1, and the interval says how large a difference a few hundred questions could hide."""
    one, other = shares([1.0, 0.0] * 100, [1.0, 0.0] * 100, [str(i) for i in range(200)])
    found = paired(one, other)
    assert found.p == 1 and found.difference.value == 0
    assert (
        found.difference.low == pytest.approx(-(found.difference.high or 0)) and -2 < (found.difference.low or 0) < -1
    )
    clustered = paired(*shares([1.0, 0.0] * 100, [1.0, 0.0] * 100, [str(i // 4) for i in range(200)]))
    assert clustered.p == 1 and clustered.difference.low is None and clustered.method == "clustered permutation"


@pytest.mark.parametrize("soft", [0.1, 1.0])
def test_no_difference_beyond_the_range(soft: float) -> None:
    """Nearly all lost of few: an interval that does not tell of shares below -100."""
    names = [f"image {i // 2}" for i in range(24)]
    low = [soft if i == 3 else 0.0 for i in range(24)]
    found = paired(*shares([1.0] * 24, low, names)).difference
    assert found.low is not None and found.high is not None
    assert -100.0 <= found.low <= found.value <= found.high < 0.0


def test_every_swap_of_few_clusters() -> None:
    """Ten pictures: the test is exact, as brute force over all 1,024 swaps tells."""
    one, other = noisy(10, 4, 3)
    found = paired(one, other)
    seen, extreme = abs(other.value() - one.value()), 0
    group = np.array([int(name.removeprefix("image ")) for name in one.clusters])
    for swap in itertools.product((False, True), repeat=10):
        at = np.array(swap)[group][:, None]
        mine = ratio()(np.where(at, other.items, one.items).sum(axis=0))
        yours = ratio()(np.where(at, one.items, other.items).sum(axis=0))
        extreme += abs(float(yours) - float(mine)) >= seen - 1e-9
    assert found.p == pytest.approx(extreme / 1024)
    assert found.method == "clustered permutation" and found.clusters == 10


def test_a_permutation_of_single_items_is_close_to_mcnemar() -> None:
    """The same outcomes, once as a share and once as a sum that is no share."""
    rng = np.random.default_rng(1)
    before, after = (rng.random((2, 300)) < [[0.6], [0.7]]).astype(float)
    names = [str(i) for i in range(300)]
    exact = paired(*shares(list(before), list(after), names))
    doubled = (Metric("score", np.stack([2 * v, np.ones(300)], axis=1), names, ratio()) for v in (before, after))
    drawn = paired(*doubled)
    assert exact.method == "mcnemar exact" and drawn.method == "clustered permutation"
    assert drawn.p == pytest.approx(exact.p, abs=0.01)
    assert drawn.difference.low == pytest.approx(2 * (exact.difference.low or 0), abs=1)


def test_clusters_of_one_run_only() -> None:
    """A metric of the right answers alone can miss a picture in one run."""
    one = Metric("consistency", np.array([[1.0, 1], [0, 1], [1, 1]]), ["a", "b", "c"], ratio())
    other = Metric("consistency", np.array([[1.0, 1], [1, 1], [1, 1]]), ["b", "c", "d"], ratio())
    found = paired(one, other)
    assert found.clusters == 4 and found.difference.value == pytest.approx(100 / 3)
    assert found.p is not None and 0 < found.p <= 1


def test_undefined_and_one_cluster() -> None:
    """nan has no test; one picture neither."""
    empty = Metric("f1", np.zeros((3, 2)), list("abc"), ratio())
    found = paired(empty, empty)
    assert math.isnan(found.difference.value) and found.p is None and found.method == "undefined"
    assert paired(mean("a", [], []), mean("a", [], [])).method == "undefined"
    lone = paired(*shares([1.0, 1.0, 0.0], [0.0, 0.0, 0.0], ["a"] * 3))
    assert lone.p is None and lone.difference.low is None and lone.method == "one cluster"
    assert lone.difference.value == pytest.approx(-200 / 3)


def delong_by_pairs(truth: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Difference and its DeLong standard error, from the definition over all pairs, in 0-100."""
    found = []
    for scores in (one, other):
        wins = (scores[truth][:, None] > scores[~truth]) + 0.5 * (scores[truth][:, None] == scores[~truth])
        found.append((wins.mean(), wins.mean(axis=1), wins.mean(axis=0)))
    rows, columns = (np.cov(found[0][side], found[1][side]) for side in (1, 2))
    covariance = rows / truth.sum() + columns / (~truth).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return 100 * (found[1][0] - found[0][0]), 100 * math.sqrt(variance)


def test_delong_of_single_items() -> None:
    """Close to the definition over all pairs; scores of the two runs need no common scale."""
    rng = np.random.default_rng(2)
    truth = rng.random(400) < 0.4
    one, other = truth + rng.normal(0, 1, 400), truth + rng.normal(0, 1.5, 400)
    other = np.round(other, 1)
    names = [str(i) for i in range(400)]
    found = paired(auroc("auroc", list(truth), list(one), names), auroc("auroc", list(truth), list(7 * other), names))
    value, error = delong_by_pairs(truth, one, other)
    assert found.method == "delong"
    assert found.difference.value == pytest.approx(value) and found.error == pytest.approx(error, rel=0.005)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(value) / error), rel=0.06)


def test_areas_by_cluster_agree_with_the_bootstrap() -> None:
    """Clustered AUROC: the closed form's error is the bootstrap's. Average precision has the bootstrap's alone."""
    rng = np.random.default_rng(3)
    names = [str(i // 5) for i in range(600)]
    easy = rng.normal(0, 1, 120).repeat(5)
    truth = rng.random(600) < 0.5
    scores = [truth + easy + rng.normal(0, 1, 600) for _ in range(2)]
    areas = [auroc("auroc", list(truth), list(score), names) for score in scores]
    found = paired(areas[0], areas[1])
    from vlmbench.stats.intervals import resample

    spread = (resample(areas[1], resamples=4000) - resample(areas[0], resamples=4000)).std(ddof=1)
    assert found.error == pytest.approx(spread, rel=0.05)
    precision = paired(*(average_precision("ap", list(truth), list(score), names) for score in scores), resamples=1000)
    assert precision.method == "clustered jackknife" and precision.p is not None and 0 < precision.p <= 1
    equal = paired(areas[0], areas[0])
    assert equal.p == 1 and equal.difference.low is None


def test_holm() -> None:
    """The worked example: 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02; None is no test."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "e": None})
    assert found == {"a": 0.03, "b": pytest.approx(0.06), "c": pytest.approx(0.06), "d": 0.02, "e": None}
    assert list(found) == list("abcde")
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0} and holm({}) == {}


def test_the_test_of_an_allowed_drop() -> None:
    """Half the two-sided p where none is allowed; larger the more is allowed; 1 where nothing moved."""
    one, _ = noisy(60, 6, 5)
    worse = Metric("f1", one.items * np.array([0.8, 1.0]), one.clusters, ratio())
    found = paired(one, worse)
    assert found.p is not None and found.error is not None
    assert drop_p(found) == pytest.approx(found.p / 2)
    some, much = drop_p(found, 1.0), drop_p(found, 30.0)
    assert some is not None and much is not None and some < 0.001 < 0.99 < much
    assert found.error == pytest.approx(((found.difference.high or 0) - (found.difference.low or 0)) / 4, rel=0.1)
    assert drop_p(paired(one, one), 1.0) == 1
    assert drop_p(paired(one, one)) == pytest.approx(0.5)
    assert drop_p(Paired(found.difference, None, "one cluster", 1, 1)) is None
    better = drop_p(paired(worse, one))
    assert better is not None and better > 0.99


def test_repeatable_and_blind_to_row_order() -> None:
    """Same seed, same numbers; shuffled rows too."""
    one, other = noisy(40, 5, 8)
    turn = np.random.default_rng(0).permutation(200)
    shuffled = Metric("f1", other.items[turn], [other.clusters[i] for i in turn], ratio())
    assert paired(one, other) == paired(one, other) == paired(one, shuffled)
    assert paired(one, other, seed=1) != paired(one, other)


def test_runs_of_a_judge_add_their_variance() -> None:
    """Two sides, five runs each: errors add as squares, and one run adds nothing."""
    one, other = noisy(60, 4, 9)
    alone = paired(one, other)
    runs = (40.0, 50.0, 60.0, 42.0, 58.0)
    judged = paired(replace(one, run_values=runs), replace(other, run_values=runs))
    spread = np.var(runs, ddof=1) / 5
    assert alone.error is not None and alone.p is not None and judged.p is not None
    assert judged.error == pytest.approx(math.sqrt(alone.error**2 + 2 * spread))
    assert judged.method == "clustered bootstrap, judge runs added" and judged.p > 0.7
    assert (judged.difference.low or 0) < (alone.difference.low or 0)
    assert paired(replace(one, run_values=(40.0,)), other) == alone
