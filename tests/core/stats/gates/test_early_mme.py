"""Looks at MME's sum: seldom wrong where it fell by just what is allowed, soon done where nothing or much changed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.performance.statistics.looks.early_gates import share
from tests.performance.statistics.looks.early_mme import simulated
from tests.performance.statistics.mme_gate import World
from vlmbench.stats.noninferiority import Outcome
from vlmbench.stats.sequential.boundary import Boundary

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("where", ["all subtasks", "small subtasks"])
def test_at_just_the_allowed_drop_a_look_is_seldom_wrong(where: str) -> None:
    """As early_mme prints it for 1,000 gates a row; one standard error of 60 is 0.028 and 0.013."""
    found = simulated(World(0.85, 0.002, 20.0, where), 60)
    assert share(found, Outcome.PASS) <= 0.05 + 2 * 0.028
    assert share(found, Outcome.FAIL) <= 0.01 + 2 * 0.013


def test_an_equal_model_passes_and_a_broken_one_fails_after_a_part() -> None:
    same, broken = simulated(World(0.85, 0.0), 3), simulated(World(0.85, 0.01, 500.0), 10)
    assert share(same, Outcome.PASS) == share(broken, Outcome.FAIL) == 1
    assert np.median([part for _, part in same]) <= 0.5
    assert np.median([part for _, part in broken]) <= 0.15


def test_the_time_of_a_sum_over_groups_is_that_of_its_information() -> None:
    boundary = Boundary(300, (20, 80, 200))
    assert boundary.time(300, (20, 80, 200)) == pytest.approx(300)
    assert boundary.time(60, (20, 20, 20)) == pytest.approx(300 * (1 / 20 + 1 / 80 + 1 / 200) / (3 / 20))
    assert boundary.time(49, (9, 20, 20)) == 0 == boundary.time(40, (20, 20))
    assert Boundary(300).time(17, ()) == 17
