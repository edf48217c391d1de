"""The gate's rule by simulation: it seldom fails a model that did not fall, and finds the drop it says it finds."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import numpy as np
import pytest

from vlmbench.stats import paired
from vlmbench.stats.effects import flip_size
from vlmbench.stats.intervals import Estimate
from vlmbench.stats.metrics import Metric, mean, ratio
from vlmbench.stats.noninferiority import (
    Decision,
    Margins,
    Outcome,
    Same,
    Spread,
    decide,
    one_sided,
    spread,
    spread_of,
    undefined,
)
from vlmbench.stats.paired import MCNEMAR, PERMUTATION, Paired

PLAIN = Margins()
SETTINGS = {
    "one question an image": (1000, 1, 0.02),
    "many single questions": (5000, 1, 0.10),
    "few images": (60, 18, 0.10),
    "MME-like": (500, 6, 0.02),
    "POPE-like": (500, 18, 0.02),
    "GQA-like": (400, 32, 0.10),
}
"""Images, questions an image, share of the answers that turn by chance (as many right as wrong)."""


def outcomes(
    rng: np.random.Generator, images: int, each: int, noise: float, drop: float
) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong before and after, (images, each); some images are harder than others, 85 % are right before."""
    share, alike = 0.85, 0.3
    ease = rng.beta(share * (1 - alike) / alike, (1 - share) * (1 - alike) / alike, size=images)
    before = rng.random((images, each)) < ease[:, None]
    turned = rng.random((images, each))
    lost, gained = (noise / 2 + drop) / share, noise / 2 / (1 - share)
    return before, np.where(before, turned >= lost, turned < gained)


def judged(before: np.ndarray, after: np.ndarray, margins: Margins = PLAIN) -> Decision:
    """The decision on simulated outcomes. For equal clusters the standard error has a closed form: no bootstrap."""
    change = (after.astype(float) - before).sum(axis=1)
    images, n = len(change), before.size
    error = 100 * math.sqrt(((change - change.mean()) ** 2).sum() * images / (images - 1)) / n
    method = PERMUTATION
    if n == images:
        lost, gained = ((change < 0).sum() + 1) / (n + 2), ((change > 0).sum() + 1) / (n + 2)
        method, error = MCNEMAR, 100 * math.sqrt((lost + gained - (lost - gained) ** 2) / (n + 2))
    found = Paired(Estimate(100 * change.sum() / n, None, None, n), 0.5, method, images, n, error)
    apart = change - change.mean()
    third = (apart**3).mean() / max(1e-12, (apart**2).mean()) ** 1.5 / math.sqrt(images)
    around = spread(found, 100 / (n - 1), float((before != after).sum()), third)
    return decide(found, around, one_sided(found, around, margins.allowed), margins)


def simulate(images: int, each: int, noise: float, drop: float, times: int, seed: int) -> list[Decision]:
    """Decisions on so many draws; `drop` in points."""
    rng = np.random.default_rng(seed)
    return [judged(*outcomes(rng, images, each, noise, drop / 100)) for _ in range(times)]


def share(found: list[Decision], outcome: Outcome) -> float:
    """How often it came to this."""
    return Counter(one.outcome for one in found)[outcome] / len(found)


@cache
def announced(name: str) -> float:
    """The drop the gate says it finds, on runs that did not change."""
    return float(np.median([one.detectable or math.inf for one in simulate(*SETTINGS[name], 0.0, 60, 0)]))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_drop_of_the_announced_size_is_found(name: str) -> None:
    found = simulate(*SETTINGS[name], announced(name), 400, 2)
    assert share(found, Outcome.FAIL) >= 0.8 - 0.04  # two standard errors of 400 draws
    assert share(found, Outcome.PASS) <= 0.03


def test_a_drop_of_the_announced_size_is_found_on_the_whole() -> None:
    assert (
        np.mean([share(simulate(*SETTINGS[name], announced(name), 200, 7), Outcome.FAIL) for name in SETTINGS]) >= 0.8
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_a_model_that_did_not_change_is_not_failed(name: str) -> None:
    found = simulate(*SETTINGS[name], 0.0, 300, 3)
    assert share(found, Outcome.FAIL) <= 0.02
    enough = [one for one in found if (one.detectable or math.inf) <= PLAIN.min_detectable_drop]
    assert not enough or share(enough, Outcome.PASS) >= 0.95


@pytest.mark.parametrize(("images", "each"), [(24, 1), (60, 1), (218, 1), (20, 18)])
def test_few_answers_fail_a_model_that_did_not_change_less_often_than_alpha(images: int, each: int) -> None:
    """As docs/evaluate/gate.md says: up to 4 of 100 where one answer in ten turns."""
    assert share(simulate(images, each, 0.10, 0.0, 1000, 11), Outcome.FAIL) <= 0.04 + 0.012  # two standard errors


@pytest.mark.parametrize("name", ["MME-like", "POPE-like"])
def test_with_items_enough_it_passes(name: str) -> None:
    assert share(simulate(*SETTINGS[name], 0.0, 300, 4), Outcome.PASS) >= 0.95


@pytest.mark.parametrize("name", SETTINGS)
def test_a_drop_of_just_the_allowed_size_seldom_fails(name: str) -> None:
    assert share(simulate(*SETTINGS[name], PLAIN.allowed, 400, 5), Outcome.FAIL) <= 0.05 + 0.025


def test_a_drop_that_must_be_found_seldom_passes() -> None:
    for name in ("MME-like", "POPE-like", "many single questions"):
        assert share(simulate(*SETTINGS[name], PLAIN.min_detectable_drop, 300, 6), Outcome.PASS) <= 0.05


def test_the_items_it_asks_for_are_enough() -> None:
    images, each, noise = SETTINGS["few images"]
    needed = float(np.median([one.needed or 0 for one in simulate(images, each, noise, 0.0, 60, 0)]))
    assert needed > 5
    enough = simulate(math.ceil(images * needed), each, noise, 0.0, 100, 1)
    assert share(enough, Outcome.PASS) >= 0.8
    found = simulate(math.ceil(images * needed), each, noise, PLAIN.min_detectable_drop, 100, 2)
    assert share(found, Outcome.FAIL) >= 0.72


def test_through_pairing_itself() -> None:
    """The bootstrap's standard error stands for the closed form."""
    rng = np.random.default_rng(8)
    before, after = outcomes(rng, 300, 6, 0.05, 0.01)
    names = [str(row // 6) for row in range(before.size)]
    one, other = (mean("accuracy", side.ravel().astype(float).tolist(), names) for side in (before, after))
    found = paired.paired(one, other, resamples=2000)
    around = spread_of(found, one, other, float((before != after).sum()))
    made = decide(found, around, one_sided(found, around, 1.0), PLAIN)
    closed = judged(before, after)
    assert made.outcome == closed.outcome
    assert made.p == pytest.approx(closed.p, abs=0.005)
    for name in ("lower", "upper", "detectable"):
        assert getattr(made, name) == pytest.approx(getattr(closed, name), abs=0.1)


# ------------------------------------------------------------------------------------------------------ the rule itself


def paired_with(value: float, error: float | None, n: int = 10_000, clusters: int = 10_000) -> Paired:
    return Paired(Estimate(value, None, None, n), 0.5, MCNEMAR, clusters, n, error)


CASES = [
    (0.0, 0.2, "pass", "excluded"),
    (5.0, 2.0, "pass", "excluded"),
    (-0.8, 0.3, "pass", "would have been found"),
    (-1.3, 0.3, "unknown", "too close"),
    (-2.5, 0.3, "fail", "fell"),
    (0.0, 1.0, "unknown", "too few items"),
    (-3.0, 1.5, "unknown", "too few items"),
    (-9.0, 1.5, "fail", "fell"),
]


@pytest.mark.parametrize(("value", "error", "outcome", "rule"), CASES)
def test_the_cases_of_the_documentation(value: float, error: float, outcome: str, rule: str) -> None:
    found, around = paired_with(value, error), Spread(error, 0.0, 10_000)
    made = decide(found, around, one_sided(found, around, 1.0), PLAIN)
    assert (made.outcome, made.rule) == (outcome, rule)


@pytest.mark.parametrize(("clusters", "outcome"), [(1, "unknown"), (148, "unknown"), (149, "pass"), (500, "pass")])
def test_equal_answers_pass_where_so_many_pictures_exclude_the_drop(clusters: int, outcome: str) -> None:
    """The rule of three: were 2 of 100 pictures lost, 149 would all be spared in fewer than 5 of 100 cases."""
    made = decide(paired_with(0.0, None, clusters=clusters), None, None, PLAIN, same=Same(certain=False))
    assert made.outcome == outcome
    assert (made.rule, made.needed) == ("same answers", None) or made.needed == pytest.approx(
        148.3 / clusters, rel=0.01
    )


def test_the_same_model_passes_and_nothing_to_go_by_does_not() -> None:
    found = paired_with(0.0, None, clusters=1)
    assert decide(found, None, None, PLAIN, same=Same(certain=True)).outcome is Outcome.PASS
    assert decide(found, None, None, PLAIN).rule == "undefined"


@pytest.mark.parametrize("drop", [2, 5])
def test_a_model_that_lost_what_must_be_found_seldom_passes_on_equal_answers(drop: int) -> None:
    """Small sets: all answers are the same by luck, which used to pass whatever their number."""
    rng, margins = np.random.default_rng(9), Margins(min_detectable_drop=float(drop))
    for images in (10, 24, 60, 100, 200, 400):
        passed = 0
        for _ in range(400):
            lost = int((rng.random(images) < drop / 100).sum())
            made = decide(paired_with(0.0, None, clusters=images), None, None, margins, same=Same(False))
            passed += lost == 0 and made.outcome is Outcome.PASS
        assert passed / 400 <= 0.05 + 0.025


@pytest.mark.parametrize(
    ("before", "after", "outcome", "rule"),
    [
        (86.0, math.nan, "fail", "became undefined"),
        (math.nan, 86.0, "unknown", "was undefined"),
        (math.nan, math.nan, "unknown", "undefined"),
    ],
)
def test_what_is_undefined(before: float, after: float, outcome: str, rule: str) -> None:
    made = undefined(before, after)
    assert made is not None and (made.outcome, made.rule) == (outcome, rule)
    assert undefined(1.0, 2.0) is None


@pytest.mark.parametrize(("n", "outcome"), [(50, Outcome.UNKNOWN), (1000, Outcome.PASS)])
def test_few_answers_of_which_none_turned_are_no_certainty(n: int, outcome: Outcome) -> None:
    right = np.ones((n, 1), dtype=bool)
    assert judged(right, right).outcome is outcome


def test_holm_decides() -> None:
    found, around = paired_with(-2.0, 0.5), Spread(0.5, 0.0, 1000)
    p = one_sided(found, around, 1.0)
    assert p is not None and p < 0.05
    assert decide(found, around, p, PLAIN).outcome is Outcome.FAIL
    assert decide(found, around, 3 * p, Margins(tests=3)).outcome is Outcome.UNKNOWN


def test_more_tests_tell_only_larger_drops() -> None:
    found, around = paired_with(0.0, 0.5), Spread(0.5, 0.01, 1000)
    alone, among = (decide(found, around, 0.9, Margins(tests=tests)).detectable or 0 for tests in (1, 10))
    assert among > alone


def test_the_size_of_one_flip() -> None:
    names = [str(row) for row in range(50)]
    assert flip_size(mean("m", [1.0] * 25 + [0.0] * 25, names)) == pytest.approx(100 / 49)
    assert flip_size(mean("m", [1.0] * 50, names)) == 2.0
    weighted = Metric("w", np.stack([np.eye(50)[0], np.ones(50)], axis=1), names, ratio(scale=2000.0))
    assert flip_size(weighted) > 40


def test_reach_solves_its_equation() -> None:
    around = Spread(0.4, 0.05, 100)
    for start in (-3.0, -0.5, 0.0, 2.0):
        x = around.reach(1.7, start)
        assert x == pytest.approx(1.7 * math.sqrt(0.4**2 + 0.05 * max(0.0, x + start)), rel=1e-9)
