"""Looks at any time: what they claim is held at all looks together, and few answers prove nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vlmbench.stats.metrics import RATE, TARGET, Metric, auroc, mean, ratio, upward
from vlmbench.stats.noninferiority import Margins, Outcome
from vlmbench.stats.sequential import betting, looks
from vlmbench.stats.sequential.boundary import FEWEST, Boundary

MARGINS = Margins()


def test_the_boundary_is_the_published_one() -> None:
    """arXiv 2103.06476: s_t sqrt(2 (t rho^2 + 1) / (t^2 rho^2) log(1 + sqrt(t rho^2 + 1) / (2 alpha))), s_t = 1."""
    boundary = Boundary(4000)
    start = 2 * math.log(10)
    rho2, t, alpha = (start + math.log(1 + start)) / 1000, 700, 0.05
    half_width = math.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * math.log(1 + math.sqrt(t * rho2 + 1) / (2 * alpha)))
    assert boundary.quantile(alpha, t) / math.sqrt(t) == pytest.approx(half_width)


def test_a_p_value_at_all_looks_is_the_alpha_whose_boundary_is_touched() -> None:
    from scipy.special import ndtr

    boundary = Boundary(500)
    for clusters in (30, 100, 500):
        for alpha in (0.001, 0.01, 0.05):
            z = boundary.quantile(alpha, clusters)
            assert boundary.p_value(float(ndtr(-z)), clusters) == pytest.approx(alpha)
    assert boundary.p_value(0.5, 100) == 1.0
    assert boundary.p_value(0.0, 100) == 0.0


def test_the_level_of_one_look_is_higher_and_falls_to_where_it_is_tuned() -> None:
    boundary = Boundary(1000)
    levels = [boundary.level(0.95, clusters) for clusters in (30, 100, 250, 1000)]
    assert all(0.95 < level < 1 for level in levels)
    assert boundary.level(0.99, 250) > levels[2]


def test_equal_answers_hold_after_as_many_as_the_rule_of_three_and_the_divided_money_ask() -> None:
    first = next(t for t in range(1, 1000) if betting.p_value(np.zeros(t), 0.01, fell=False) <= 0.05)
    assert math.log(0.05) / math.log1p(-0.01) < first < 450


def test_money_never_grows_on_average_at_the_allowed_drop() -> None:
    """Exactly, for every bet: the mean over the changes of a world that fell by just the allowed share."""
    for lost, gained in ((0.01, 0.0), (0.06, 0.05)):
        values, shares = np.array([-1.0, 0.0, 1.0]), np.array([lost, 1 - lost - gained, gained])
        for fell in (True, False):
            gains = (values + 0.01) * (-1 if fell else 1)
            most = betting.LARGEST / (1.01 if fell else 0.99)
            for bet, _ in betting.BETS:
                assert (1 + bet * most * gains).min() > 0
                assert shares @ (1 + bet * most * gains) == pytest.approx(1)
    assert sum(money for _, money in betting.BETS) == pytest.approx(1)


def test_limits_lie_around_the_mean_and_agree_with_the_p_values() -> None:
    changes = np.repeat([-1.0, 0.0, 1.0], [30, 900, 20])
    low, high = (betting.limit(changes, 0.05, upper=upper) for upper in (False, True))
    assert low < changes.mean() < high
    assert betting.p_value(changes, -low, fell=False) == pytest.approx(0.05, rel=1e-3)
    assert betting.p_value(changes, -high, fell=True) == pytest.approx(0.05, rel=1e-3)


def pair(before: np.ndarray, after: np.ndarray) -> tuple[Metric, Metric]:
    """(images, each) right or wrong, as two accuracies."""
    names = [str(at // before.shape[1]) for at in range(before.size)]
    items = [np.stack([side.ravel().astype(float), np.ones(side.size)], axis=1) for side in (before, after)]
    return (
        Metric("accuracy", items[0], names, ratio(), limits=RATE),
        Metric("accuracy", items[1], names, ratio(), limits=RATE),
    )


def look(before: np.ndarray, after: np.ndarray, margins: Margins = MARGINS, total: int = 500) -> looks.Look:
    return looks.look(*pair(before, after), int((before != after).sum()), margins, Boundary(total))


def test_single_questions_are_exact_and_clusters_are_not() -> None:
    right = np.ones((100, 1), dtype=bool)
    assert look(right, right).method == looks.EXACT
    many = np.ones((100, 6), dtype=bool)
    assert look(many, many).method == looks.NORMAL


def test_a_mean_is_a_mean_in_any_unit_and_f1_is_none() -> None:
    values = [0.0, 0.3, 1.0, 0.6]
    found = looks.changes(mean("vqa", values, list("abcd")), mean("vqa", [1.0, 0.3, 0.0, 0.6], list("abcd")))
    assert found is not None
    assert found[0].tolist() == pytest.approx([1.0, 0.0, -1.0, 0.0]) and found[1] == 100
    rows = np.array([[1.0, 1.0], [0.0, 0.5], [0.0, 0.0], [1.0, 1.0]])
    f1 = Metric("f1", rows, list("abcd"), ratio(), limits=RATE)
    assert looks.changes(f1, f1) is None


@pytest.mark.parametrize("each", [1, 18])
def test_few_images_decide_nothing_however_far_it_fell(each: int) -> None:
    right = np.ones((FEWEST - 1, each), dtype=bool)
    found = look(right, ~right)
    assert not found.fell(found.p, MARGINS)
    more = np.ones((FEWEST, each), dtype=bool)
    found = look(more, more ^ (np.arange(FEWEST) % 2 == 0)[:, None])
    assert found.fell(found.p, MARGINS)


def test_equal_answers_of_many_questions_on_few_images_do_not_hold() -> None:
    """Whole images may be lost: 149 are needed to see a drop of two points made of those."""
    assert looks.enough(MARGINS, 100.0) == 149
    for images, holds in ((148, False), (149, True)):
        right = np.ones((images, 100), dtype=bool)
        assert look(right, right, total=1000).held(MARGINS, 100.0) is holds


def test_a_target_is_left_though_the_questions_so_far_lie_on_its_other_side() -> None:
    """By 2.5 points more answers are yes than targets; so far the run was below, and seems to come nearer."""
    names = [str(at) for at in range(2000)]
    said = np.arange(2000) % 2 == 0
    target = said.copy()
    target[1::40] = True  # by chance, more targets are yes so far
    more = said.copy()
    more[3::40] = True
    pair = [
        Metric("yes_ratio", np.stack([answers.astype(float), np.ones(2000)], axis=1), names, ratio(), limits=RATE,
               better=TARGET, target=100 * float(target.mean()))
        for answers in (said, more)
    ]  # fmt: skip
    near = looks.look(upward(pair[0]), upward(pair[1]), 50, MARGINS, Boundary(9000))
    assert near.lower is not None and near.lower > -MARGINS.allowed
    for above, held in ((0.0, False), (-2.5, True)):
        found = looks.near_target(pair[0], pair[1], above, 50, MARGINS, Boundary(9000))
        assert found.value == pytest.approx(abs(above) - abs(above + 2.5))
        assert found.held(MARGINS, 100.0) is held
        assert found.fell(found.p, MARGINS) is not held


def test_what_cannot_be_looked_at_says_why() -> None:
    assert "order" in looks.unable(auroc("auroc", [True, False], [0.1, 0.2], ["a", "b"]))
    assert "largest" in looks.unable(Metric("cider", np.ones((2, 2)), ["a", "b"], ratio()))
    assert looks.unable(mean("accuracy", [1.0], ["a"])) == ""
    judged = Metric("total", np.ones((2, 2)), ["a", "b"], ratio(), limits=RATE, run_values=(1.0, 2.0))
    assert "judge" in looks.unable(judged)


def test_an_early_decision_says_after_how_many_questions() -> None:
    made = looks.EarlyDecision.of(looks.Look(40, 80, -20.0, 1e-9, -30, -10), Outcome.FAIL, 2e-9, 80, 1000)
    assert made.rule == "decided early at 80 of 1,000 questions"
    assert (made.outcome, made.p, made.p_holm) == (Outcome.FAIL, 1e-9, 2e-9)
