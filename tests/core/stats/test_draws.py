"""The mean over several draws: its value, where its rows go, and that its interval covers as often as it says.

In the simulation a question has a chance of its own to be answered rightly, which leans to that of its image; N answers
are drawn to each. What treats the draws as independent must fail the same assertion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from vlmbench.stats.figures import draws
from vlmbench.stats.intervals import intervals
from vlmbench.stats.metrics import RATE, Metric, auroc, mean, ratio

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

WORLDS, IMAGES, EACH = 1000, 60, 6
LEVEL, OF_IMAGES, OF_QUESTIONS = 0.7, 0.15, 0.4
"""Chance of a right answer; correlation of chances about one image; of answers to one question, given its image."""


def chances(rng: np.random.Generator) -> Floats:
    """(questions,) each one's chance of a right answer: beta by image, then beta around it by question."""

    def beta(level: Floats, correlation: float) -> Floats:
        size = (1 - correlation) / correlation
        return np.clip(rng.beta(level * size, (1 - level) * size), 1e-9, 1 - 1e-9)

    images = beta(np.full(IMAGES, LEVEL), OF_IMAGES)
    return beta(np.repeat(images, EACH), OF_QUESTIONS)


def accuracy(right: Floats, yes: Floats) -> Metric:
    clusters = [str(at // EACH) for at in range(len(right))]
    return mean("accuracy", right.tolist(), clusters)


def f1(right: Floats, yes: Floats) -> Metric:
    """Of yes, which every second answer should be: TP / (TP + errors / 2)."""
    items = np.stack([yes * right, yes * right + (1 - right) / 2], axis=1)
    return Metric("f1", items, [str(at // EACH) for at in range(len(right))], ratio(), limits=RATE)


def pairs(right: Floats, yes: Floats) -> Metric:
    """MME's sum of accuracy and of pairs of questions about one image that are both right."""
    two = right.reshape(-1, 2)
    ones = np.ones(len(two))
    items = np.stack([two.sum(axis=1), 2 * ones, two.all(axis=1), ones], axis=1)

    def combine(sums: Floats) -> Floats:
        return ratio(0, 1)(sums) + ratio(2, 3)(sums)

    return Metric("subtask", items, [str(at * 2 // EACH) for at in range(len(two))], combine, limits=(0.0, 200.0))


BOTH = LEVEL**2 + OF_IMAGES * LEVEL * (1 - LEVEL)
MAKERS: dict[str, tuple[Callable[[Floats, Floats], Metric], float]] = {
    "accuracy": (accuracy, 100 * LEVEL),
    "f1": (f1, 100 * LEVEL),
    "pairs": (pairs, 100 * (LEVEL + BOTH)),
}
Average = Callable[[Sequence[Metric]], Metric]


def independent(metrics: Sequence[Metric]) -> Metric:
    """The mutant: every draw's images as images of their own."""
    clusters = [f"{cluster}~{draw}" for draw, metric in enumerate(metrics) for cluster in metric.clusters]
    return replace(metrics[0], items=np.concatenate([metric.items for metric in metrics]), clusters=clusters)


def covers(name: str, count: int, averaged: Average) -> None:
    """Assert that the 95 % interval holds the truth 93 to 97 times of 100: three standard errors of 1,000 worlds."""
    make, truth = MAKERS[name]
    rng = np.random.default_rng([count, len(name)])
    made = []
    for _ in range(WORLDS):
        chance = chances(rng)
        yes = (rng.random(len(chance)) < 0.5).astype(np.float64)
        made.append(averaged([make((rng.random(len(chance)) < chance).astype(np.float64), yes) for _ in range(count)]))
    found = intervals(made, resamples=200)
    held = sum(one.low is not None and one.high is not None and one.low <= truth <= one.high for one in found)
    print(f"{name}, {count} draws: {100 * held / WORLDS:.1f} %")
    assert 0.93 <= held / WORLDS <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("count", [1, 4, 8])
def test_the_interval_covers(name: str, count: int) -> None:
    covers(name, count, draws.average)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("count", [4, 8])
def test_draws_taken_for_independent_do_not(name: str, count: int) -> None:
    with pytest.raises(AssertionError):
        covers(name, count, independent)


def test_the_mean_of_the_draws_values() -> None:
    rng = np.random.default_rng(0)
    yes = (np.arange(12) % 2).astype(np.float64)
    for make in (accuracy, f1, pairs):
        drawn = [make((rng.random(12) < 0.6).astype(np.float64), yes) for _ in range(5)]
        averaged = draws.average(drawn)
        assert averaged.value() == pytest.approx(np.mean([metric.value() for metric in drawn]))
        assert (len(averaged.items), averaged.n) == (len(drawn[0].items), len(drawn[0].items))
        assert list(averaged.clusters) == list(drawn[0].clusters)


def test_rows_of_draws_with_missing_answers_go_to_their_clusters() -> None:
    """Sums by cluster are all that counts: those of each draw stay what they are."""
    drawn = [mean("m", [1, 0, 1], ["a", "a", "b"]), mean("m", [1, 1], ["b", "a"]), mean("m", [0], ["c"])]
    averaged = draws.average(drawn)
    assert sorted(averaged.clusters) == ["a", "a", "b", "c"]
    for column, metric in zip((0, 2, 4), drawn, strict=True):
        for name in "abc":
            rows = [at for at, cluster in enumerate(averaged.clusters) if cluster == name]
            own = [at for at, cluster in enumerate(metric.clusters) if cluster == name]
            assert averaged.items[rows, column : column + 2].sum(0).tolist() == metric.items[own].sum(0).tolist()
    assert averaged.value() == pytest.approx((200 / 3 + 100 + 0) / 3)
    assert averaged.n == 3


def test_an_auroc_of_several_draws() -> None:
    rng = np.random.default_rng(1)
    truth, clusters = [at % 3 == 0 for at in range(60)], [str(at // 6) for at in range(60)]
    drawn = [auroc("auroc", truth, (rng.normal(size=60) + truth).tolist(), clusters) for _ in range(3)]
    averaged = draws.average(drawn)
    assert averaged.value() == pytest.approx(np.mean([metric.value() for metric in drawn]))
    [one] = intervals([averaged])
    assert one.low is not None and one.high is not None and one.low < one.value < one.high
    assert one.n == 60


def test_all_right_in_every_draw_is_no_certainty() -> None:
    drawn = [mean("accuracy", [1.0] * 20, [str(at) for at in range(20)])] * 4
    [one], [alone] = intervals([draws.average(drawn)]), intervals(drawn[:1])
    assert (one.value, one.high) == (100.0, 100.0)
    assert one.low == pytest.approx(alone.low)


def test_undefined_in_one_draw_is_undefined() -> None:
    empty = f1(np.zeros(6), np.zeros(6))
    nothing = replace(empty, items=empty.items * 0, note="nothing was yes")
    averaged = draws.average([f1(np.ones(6), np.ones(6)), nothing])
    assert np.isnan(averaged.value())
    assert averaged.note == "nothing was yes"
