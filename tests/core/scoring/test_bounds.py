"""The interval around both ends of what missing answers could make of a metric."""

from __future__ import annotations

import math

import pytest

from tests.performance.statistics.boards import missing
from tests.support.simulated import World
from vlmbench.scoring.bounds import shortened


def test_the_quantile_lies_between_two_sided_and_one_sided() -> None:
    """Imbens & Manski's 1.96 where nothing is missing, 1.645 where much is; 1.7 or so in between."""
    assert shortened(0.0, 2.0, 0.95) == 1
    assert shortened(50.0, 2.0, 0.95) == pytest.approx(1.6449 / 1.96, abs=1e-4)
    for width in (0.2, 0.5, 1.0, 3.0):
        share = shortened(width, 1.96, 0.95)  # a standard error of 1
        c = 1.95996 * share
        level = (1 + math.erf((c + width) / math.sqrt(2))) / 2 - (1 + math.erf(-c / math.sqrt(2))) / 2
        assert level == pytest.approx(0.95, abs=1e-5)
    assert shortened(1.0, 0.0, 0.95) == 1, "an end without an interval"


@pytest.mark.parametrize(("wrong", "right"), [(0.1, 0.0), (0.3, 0.0), (0.0, 0.1)])
def test_the_truth_is_held_however_answers_fail(wrong: float, right: float) -> None:
    """60 images with 18 questions: failing on what is wrong, or on what is right."""
    own, wide, _ = missing.coverage(World(60, 18, 0.75), wrong, right, 300)
    assert wide >= 0.93
    assert wrong < 0.3 or own < 0.6, "the score's own interval is of the answered questions"


def test_without_failures_it_is_the_score_s_own() -> None:
    own, wide, _ = missing.coverage(World(60, 6, 0.75), 0.0, 0.0, 50)
    assert own == wide
