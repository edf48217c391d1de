"""Intervals: against brute force, against published closed forms, and by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import beta

from vlmbench.stats import influence
from vlmbench.stats import intervals as statistics
from vlmbench.stats.clustered import resampling
from vlmbench.stats.intervals import Estimate, difference, interval, intervals, resample, wilson
from vlmbench.stats.metrics import RATE, Metric, auroc, average_precision, mean, ratio
from vlmbench.stats.paired import paired

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats


def f1(sums: Floats) -> Floats:
    """F1 from the sums of true positives, false positives and false negatives."""
    return ratio()(np.stack([2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2]], axis=-1))


def random_f1(clusters: int, each: int, seed: int) -> Metric:
    """An F1 over random outcomes, clustered."""
    rng = np.random.default_rng(seed)
    truth, answer = rng.random((2, clusters * each)) < [[0.5], [0.6]]
    items = np.stack([truth & answer, ~truth & answer, truth & ~answer], axis=1).astype(np.float64)
    return Metric("f1", items, [f"image {i // each}" for i in range(len(items))], f1)


def test_same_as_copying_the_rows_of_drawn_clusters() -> None:
    """The product of weights and sums is the metric of the rows a plain bootstrap would copy."""
    metric = random_f1(clusters=7, each=3, seed=1)
    names = np.array(metric.clusters)
    order = sorted(set(metric.clusters))
    weights = np.concatenate(list(resampling._draw_weights(7, 50, 3)))
    assert (weights.sum(axis=1) == 7).all()
    expected = []
    for row in weights:
        copied = [metric.items[names == name] for name, times in zip(order, row, strict=True) for _ in range(times)]
        expected.append(float(f1(np.concatenate(copied).sum(axis=0))))
    assert resample(metric, resamples=50, seed=3) == pytest.approx(expected)


def test_edges_agree_with_an_independent_bootstrap() -> None:
    """Other random numbers and row copies instead of weights: the interval agrees to the simulation's error."""
    metric = random_f1(clusters=80, each=4, seed=2)
    rng = np.random.default_rng(99)
    rows = np.arange(len(metric.items)).reshape(80, 4)
    draws = [float(f1(metric.items[rows[rng.integers(0, 80, 80)].ravel()].sum(axis=0))) for _ in range(4000)]
    found = interval(metric, resamples=4000)
    assert found.low is not None and found.high is not None
    tail = statistics._expanded_tail(80, 0.95)
    assert 0.018 < tail < 0.025
    assert (found.low, found.high) == pytest.approx(np.quantile(draws, [tail, 1 - tail]), abs=0.5)


def test_mean_of_single_scores_is_close_to_the_t_interval() -> None:
    """With one score a cluster, far from the limits, the interval of a mean is about as wide as Student's."""
    values = np.random.default_rng(5).random(25)
    found = interval(mean("score", list(values), [str(i) for i in range(25)]))
    half = 2.0639 * values.std(ddof=1) / 5 * 100  # t(24, .975)
    assert found.low == pytest.approx(values.mean() * 100 - half, abs=1.5)
    assert found.high == pytest.approx(values.mean() * 100 + half, abs=1.5)


def test_wilson_known_values() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0 / 20, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_all_right_counts_between_clusters_and_questions() -> None:
    """Sixty questions about ten pictures, all right: less than sixty pictures tell, more than ten."""
    found = interval(mean("accuracy", [1.0] * 60, [str(i % 10) for i in range(60)]))
    assert found.value == found.high == 100 and found.n == 60
    ten, sixty = (interval(mean("a", [1.0] * n, [str(i) for i in range(n)])).low for n in (10, 60))
    assert ten is not None and sixty is not None and found.low is not None and ten < found.low < sixty
    none = interval(mean("accuracy", [0.0] * 60, [str(i % 10) for i in range(60)]))
    assert none.low == 0 and none.high == pytest.approx(100 - found.low)


def test_pictures_that_are_all_mixed() -> None:
    """Every one of many pictures half right: that is no clustering, so nearly as many single questions."""
    found, single = (
        interval(mean("accuracy", [1.0, 0.0] * 40, [str(i // each) for i in range(80)])) for each in (2, 1)
    )
    assert found.low is not None and single.low is not None
    assert single.low - 0.7 < found.low <= single.low + 0.1


def test_one_cluster() -> None:
    """Several questions about one picture tell nothing about others; a single question about it is one draw."""
    share = interval(mean("accuracy", [1.0, 1.0, 0.0], ["a"] * 3))
    assert share.value == pytest.approx(200 / 3) and share.low is None and share.high is None
    assert share.reason == "too few to tell: one image" and share.to_json()["reason"] == share.reason
    assert interval(random_f1(clusters=1, each=9, seed=0)).reason == "too few to tell: one image"
    single = interval(mean("accuracy", [1.0], ["a"]))
    assert single.low is not None and single.low < 10 and single.high == 100 and "reason" not in single.to_json()


def test_no_spread_of_other_metrics_has_no_interval() -> None:
    """F1 of answers that are all right: 100, and the bootstrap knows nothing more."""
    items = np.tile([1.0, 0.0, 0.0], (12, 1))
    found = interval(Metric("f1", items, list("aabbccddeeff"), f1))
    assert found == Estimate(100.0, None, None, 12, "too few to tell: images that are all alike")


def test_f1_of_all_right_answers_reaches_down_as_far_as_the_pictures_allow() -> None:
    # 20 pictures of two questions each, one of them with the answer yes, all right.
    items = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]] * 20)
    found = interval(Metric("f1", items, [str(i // 2) for i in range(40)], f1, opposite=np.array([0.0, 20.0, 20.0])))
    share = interval(mean("accuracy", [1.0] * 40, [str(i // 2) for i in range(40)])).low
    assert share is not None
    right = share / 100
    assert (found.value, found.high) == (100, 100)
    assert found.low == pytest.approx(100 * 2 * right * 20 / (2 * right * 20 + (1 - right) * 40))


def test_an_area_without_a_misplaced_item() -> None:
    """All five positives above all nine negatives: the rarer kind decides how far down an area may be."""
    few = interval(auroc("auroc", [True] * 5 + [False] * 9, [1.0] * 5 + [0.0] * 9, [str(i) for i in range(14)]))
    more = interval(auroc("auroc", [True] * 5 + [False] * 90, [1.0] * 5 + [0.0] * 90, [str(i) for i in range(95)]))
    many = interval(auroc("auroc", [True] * 50 + [False] * 90, [1.0] * 50 + [0.0] * 90, [str(i) for i in range(140)]))
    assert few.high == more.high == many.high == 100
    assert few.low is not None and more.low is not None and many.low is not None
    assert 55 < few.low < more.low < 85 < many.low


def test_a_share_of_single_items_lies_between_jeffreys_and_clopper_pearson() -> None:
    """One question a picture: quantiles of beta distributions, whatever the seed."""
    found = interval(mean("accuracy", [1.0] * 81 + [0.0] * 182, [str(i) for i in range(263)]))
    ends = [
        [100 * float(beta.ppf(tail, 81 + right, 182 + wrong)) for tail, right, wrong in pair]
        for pair in (((0.025, 0.5, 0.5), (0.975, 0.5, 0.5)), ((0.025, 0, 1), (0.975, 1, 0)))
    ]
    assert found.low is not None and found.high is not None
    assert ends[1][0] < found.low < ends[0][0] and ends[0][1] < found.high < ends[1][1]
    assert found.low == pytest.approx((ends[0][0] + ends[1][0]) / 2, abs=0.02)


def test_unclustered_auroc_is_delong() -> None:
    """The standard error is DeLong's over all pairs; its interval stays within the limits."""
    rng = np.random.default_rng(4)
    truth = rng.random(300) < 0.3
    scores = truth + rng.normal(0, 1, 300)
    metric = auroc("auroc", list(truth), list(scores), [str(i) for i in range(300)])
    wins = (scores[truth][:, None] > scores[~truth]).astype(float)
    by_hand = wins.mean(axis=1).var(ddof=1) / truth.sum() + wins.mean(axis=0).var(ddof=1) / (~truth).sum()
    moved = influence.area(metric, np.arange(300), 300)
    assert moved is not None and influence.error(moved) == pytest.approx(100 * math.sqrt(by_hand), rel=0.01)
    found = interval(metric)
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 * 196.8 * math.sqrt(by_hand), rel=0.03)


def test_influence_is_the_jackknife() -> None:
    """Leaving one cluster out, by hand; an order metric gives the same way."""
    metric = random_f1(clusters=12, each=5, seed=3)
    names = np.array(metric.clusters)
    codes, count = statistics.cluster_codes(metric.clusters)
    without = np.array([float(f1(metric.items[names != name].sum(axis=0))) for name in sorted(set(metric.clusters))])
    moved = influence.influence(metric, codes, count, statistics.cluster_sums(metric.items, codes, count))
    assert moved is not None
    assert influence.error(moved) == pytest.approx(math.sqrt(11 / 12 * np.sum((without - without.mean()) ** 2)))
    spread = resample(metric, resamples=4000).std()
    assert influence.error(moved) == pytest.approx(spread * math.sqrt(12 / 11), rel=0.1)
    scores = np.random.default_rng(0).random(60)
    areas = [make("x", list(scores > 0.6), list(scores[::-1]), metric.clusters) for make in (auroc, average_precision)]
    for area in areas:
        found = influence.influence(area, codes, count)
        assert found is not None and found.sum() == pytest.approx(0, abs=1e-9)
        assert influence.error(found) == pytest.approx(resample(area, resamples=2000).std(), rel=0.25)


def test_freedom_of_uneven_clusters() -> None:
    """Normal values have C - 1 degrees of freedom; one cluster that does it all leaves one."""
    normal = np.random.default_rng(0).normal(size=50)
    assert 30 < influence.freedom(normal) <= 49
    assert influence.freedom(np.array([1.0] + [-1e-3] * 999)) < 3
    assert influence.freedom(np.array([1.0, -1.0] * 10)) == 19 and influence.freedom(np.zeros(5)) == 4


def test_runs_of_a_judge_widen_the_interval() -> None:
    """Errors add as squares; one run, or runs that agree, change nothing."""
    clusters = [str(i // 2) for i in range(120)]
    metric = mean("total", list(np.random.default_rng(1).random(120)), clusters)
    bounded, free = metric, replace(metric, limits=None)
    for one in (bounded, free):
        alone = interval(one)
        wide = interval(replace(one, run_values=(40.0, 50.0, 60.0, 50.0, 50.0)))
        assert alone.low is not None and alone.high is not None and wide.low is not None and wide.high is not None
        half, more = (alone.high - alone.low) / 2, (wide.high - wide.low) / 2
        added = 2.5 * math.sqrt(50 / 5)  # t of five runs, or of the degrees of freedom of both errors (2.4)
        assert more == pytest.approx(math.sqrt(half**2 + added**2), rel=0.12)
        assert interval(replace(one, run_values=(40.0,))) == interval(replace(one, run_values=(5.0, 5.0))) == alone


def test_noise_of_single_grades_is_not_counted_again() -> None:
    """Runs that differ by no more than their grades' noise add nothing; what is beyond it adds t(R-1) errors."""
    metric = mean("total", list(np.random.default_rng(1).random(60)), [str(i) for i in range(60)])
    runs = (50.0, 54.0)  # variance 8
    for one, close in ((metric, 1e-6), (replace(metric, limits=None), 0.04)):  # the bootstrap's sides are uneven
        alone = interval(one)
        assert interval(replace(one, run_values=runs, run_noise=8.0)) == alone
        wide = interval(replace(one, run_values=runs, run_noise=6.0))
        assert None not in (alone.low, alone.high, wide.low, wide.high)
        reach, more = (float(e.high or 0) - e.value for e in (alone, wide))
        assert more == pytest.approx(math.hypot(reach, 12.7062047 * math.sqrt((8 - 6) / 2)), rel=close)


def test_one_question_per_image_has_no_correlation_to_find() -> None:
    """Scores between 0 and 1 count as answers of their variance: the interval is that of so many single ones."""
    scores = np.random.default_rng(4).choice([0.0, 0.3, 0.6, 1.0], 80)
    found = interval(mean("vqa", list(scores), [str(i) for i in range(80)]))
    share = float(scores.mean())
    answers = 80 * 82 / (80 * float(scores.var()) / (share * (1 - share)) + 2)
    right, wrong = answers * share, answers * (1 - share)
    expected = [100 * float(beta.ppf(0.025, right + 0.25, wrong + 0.75))]
    expected += [100 * float(beta.ppf(0.975, right + 0.75, wrong + 0.25))]
    assert (found.low, found.high) == pytest.approx(expected)


def test_a_biased_statistic_has_its_value_inside() -> None:
    """A chi-square grows with every resample: percentiles would lie above the value."""
    rng = np.random.default_rng(2)
    counts = rng.multinomial(1, [0.1] * 10, size=300).astype(float)

    def chi(sums: Floats) -> Floats:
        expected = sums.sum(axis=-1, keepdims=True) / 10
        return np.asarray(((sums - expected) ** 2 / expected).sum(axis=-1))

    found = interval(Metric("chi", counts, [str(i // 3) for i in range(300)], chi))
    assert found.low is not None and found.high is not None and found.low < found.value < found.high


def test_undefined() -> None:
    """nan without an interval, null in JSON; no warning."""
    metric = Metric("f1", np.zeros((4, 3)), list("abcd"), f1)
    found = interval(metric)
    assert math.isnan(found.value) and found.low is None and found.high is None
    assert found.to_json() == {"value": None, "low": None, "high": None, "n": 4}
    assert math.isnan(interval(Metric("f1", np.zeros((0, 3)), [], f1)).value)


def test_sometimes_undefined() -> None:
    """One positive in four clusters: the resamples that miss it (about a third) are left out, not counted as 0."""
    items = np.array([[1.0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    metric = Metric("f1", items, list("abcd"), f1)
    assert 0.2 < np.isnan(resample(metric)).mean() < 0.45
    assert interval(metric).value == pytest.approx(200 / 3)
    rare = Metric("f1", np.vstack([items, np.zeros((0, 3))]), list("abcd"), lambda sums: f1(np.maximum(sums - 1, 0)))
    assert interval(rare, seed=1).low is None


def test_repeatable_and_blind_to_row_order() -> None:
    """Same seed, same interval; shuffled rows too; another seed, another one."""
    metric = random_f1(clusters=30, each=5, seed=4)
    turn = np.random.default_rng(0).permutation(len(metric.items))
    shuffled = Metric("f1", metric.items[turn], [metric.clusters[i] for i in turn], f1)
    assert interval(metric) == interval(metric)
    assert interval(shuffled).low == pytest.approx(interval(metric).low)
    assert interval(metric, seed=1) != interval(metric)
    assert intervals([metric, shuffled])[0] == interval(metric)


def test_metrics_over_the_same_pictures_move_together() -> None:
    """The difference of two metrics that differ by a constant has no spread."""
    clusters = [str(i // 3) for i in range(90)]
    values = np.random.default_rng(0).random(90)
    one, other = mean("a", list(values), clusters), mean("b", list(values / 2 + 0.25), list(clusters))
    assert resample(one) / 2 + 25 == pytest.approx(resample(other))


def test_a_paired_difference_is_narrower_than_two_intervals() -> None:
    """Two graders of the same pictures, a point apart: what the pictures have in common cancels."""
    dice = np.random.default_rng(5)
    clusters = [str(i // 6) for i in range(240)]
    common = np.repeat(dice.random(40), 6)
    one, other = (mean("x", list(common + more + dice.normal(0, 0.02, 240)), clusters) for more in (0.01, 0.0))
    found, alone = difference(one, other), interval(one)
    assert found.value == pytest.approx(one.value() - other.value()) == pytest.approx(1.0, abs=0.5)
    assert found.low is not None and found.high is not None and alone.low is not None and alone.high is not None
    assert 0 < found.low < found.value < found.high
    assert found.high - found.low < 0.1 * (alone.high - alone.low)
    back = difference(other, one)
    assert back.low == pytest.approx(-found.high) and back.high == pytest.approx(-found.low)


def test_a_difference_without_spread_or_pairs() -> None:
    """Equal answers tell nothing about the next picture; other pictures cannot be paired at all."""
    one = mean("a", [1.0, 0.0, 1.0, 1.0], list("aabb"))
    assert difference(one, one) == Estimate(0.0, None, None, 4)
    with pytest.raises(ValueError, match="different clusters"):
        difference(one, mean("a", [1.0, 0.0, 1.0, 1.0], list("aabc")))


def test_blocks_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix too large to hold is worked off in rows, with the same draws."""
    metric = random_f1(clusters=40, each=2, seed=6)
    whole = resample(metric, resamples=200)
    monkeypatch.setattr(resampling, "BLOCK", 500)
    assert resample(metric, resamples=200) == pytest.approx(whole)


def test_every_figure_of_a_whole_gqa_run_has_an_interval() -> None:
    """12,578 questions about 398 pictures, 40 metrics."""
    rng = np.random.default_rng(9)
    clusters = [f"n{i}" for i in rng.integers(0, 398, 12_578)]
    metrics = []
    for index in range(40):
        keep = rng.random(12_578) < (1.0 if index < 5 else 0.2)
        at = np.flatnonzero(keep)
        metrics.append(mean(str(index), list(rng.random(len(at)) < 0.6), [clusters[i] for i in at]))
    assert all(one.low is not None for one in intervals(metrics))


def by_pairs(targets: Sequence[bool], scores: Sequence[float]) -> float:
    """AUROC by its definition: over all pairs of a positive and a negative item."""
    positive = [score for score, target in zip(scores, targets, strict=True) if target]
    negative = [score for score, target in zip(scores, targets, strict=True) if not target]
    won = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    return 100 * won / (len(positive) * len(negative))


def by_thresholds(targets: Sequence[bool], scores: Sequence[float]) -> float:
    """Average precision by its definition."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        said = [target for target, score in zip(targets, scores, strict=True) if score >= threshold]
        recall = sum(said) / sum(targets)
        total += (recall - before) * sum(said) / len(said)
        before = recall
    return 100 * total


def test_metrics_of_the_order_of_items() -> None:
    """The values, and the resamples, are those of copied rows."""
    rng = np.random.default_rng(5)
    targets = [bool(word) for word in rng.random(40) < 0.4]
    scores = [round(float(s), 1) for s in rng.random(40)]  # with ties
    clusters = [f"image {i // 4}" for i in range(40)]
    weights = np.concatenate(list(resampling._draw_weights(10, 30, 7)))
    for make, plain in ((auroc, by_pairs), (average_precision, by_thresholds)):
        metric = make("x", targets, scores, clusters)
        assert metric.value() == pytest.approx(plain(targets, scores))
        copied = [[i for i in range(40) for _ in range(int(row[i // 4]))] for row in weights]
        right = [plain([targets[i] for i in rows], [scores[i] for i in rows]) for rows in copied]
        assert resample(metric, resamples=30, seed=7) == pytest.approx(right)
        found = interval(metric)
        assert found.low is not None and found.high is not None and found.low < found.value < found.high
        assert found.n == 40
    assert math.isnan(auroc("x", [True, True], [1, 2], ["a", "b"]).value())
    assert math.isnan(auroc("x", [], [], []).value()) and math.isnan(
        average_precision("x", [False], [1], ["a"]).value()
    )
    assert auroc("x", [True, False], [1, 1], ["a", "b"]).value() == 50


@pytest.mark.parametrize("level", [0.90, 0.99])
def test_another_level(level: float) -> None:
    """The closed form at that level, and wider intervals at a higher level, for every way to compute one."""
    share = mean("accuracy", [1.0] * 45 + [0.0] * 15, [str(i) for i in range(60)])
    tail = (1 - level) / 2
    expected = [100 * float(beta.ppf(tail, 45.25, 15.75)), 100 * float(beta.ppf(1 - tail, 45.75, 15.25))]
    found = interval(share, level=level)
    assert (found.low, found.high) == pytest.approx(expected)
    clustered, free = random_f1(30, 3, 5), random_f1(40, 2, 4)
    bounded = replace(clustered, limits=RATE)
    for metric in (share, clustered, bounded, free, replace(free, run_values=(60.0, 62.0, 61.0))):
        other, usual = interval(metric, level=level), interval(metric)
        width = [high - low for low, high in ((e.low, e.high) for e in (other, usual)) if low is not None and high]
        assert (width[0] > width[1]) is (level > 0.95)
    names = [str(i) for i in range(60)]
    before, after = mean("a", [1.0, 0.0] * 30, names), mean("a", [1.0, 1.0, 0.0] * 20, names)
    other, usual = (paired(before, after, level=at).difference for at in (level, 0.95))
    assert other.low is not None and usual.low is not None
    assert (other.low < usual.low) is (level > 0.95)
