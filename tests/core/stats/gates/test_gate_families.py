"""A gate with parts fails an unchanged model in at most 5 of 100 cases, and finds a bar that fell by 5 points.

The whole tables: tests/performance/statistics/gate_families.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.performance.statistics.gate_families import ALLOWED, Design, failures, p_values
from vlmbench.stats import paired
from vlmbench.stats.metrics import mean
from vlmbench.stats.noninferiority import one_sided, spread_of

GATES = 400


@pytest.mark.parametrize("tasks", [1, 4, 16])
@pytest.mark.parametrize(("bars", "items", "turned"), [(3, 50, 0.10), (30, 50, 0.02), (10, 300, 0.10)])
def test_unchanged_models_seldom_fail(tasks: int, bars: int, items: int, turned: float) -> None:
    gates = GATES // (4 if tasks == 16 else 1)
    assert failures(Design(tasks, bars, items, turned), gates, 1)[0] <= 0.05


@pytest.mark.parametrize(("tasks", "bars"), [(1, 3), (1, 30), (4, 10)])
def test_falls_of_just_the_allowed_size_seldom_fail(tasks: int, bars: int) -> None:
    found = failures(Design(tasks, bars, 300, 0.10, ALLOWED), GATES, 2)[0]
    assert found <= 0.05 + 2 * (0.05 * 0.95 / GATES) ** 0.5


def test_one_bar_that_fell_is_found_though_the_headline_is_not() -> None:
    _, headline, bar = failures(Design(1, 10, 1000, 0.02, 5.0, 1), GATES, 3)
    assert bar >= 0.95
    assert headline <= 0.05


def test_the_simulations_p_values_are_the_gates() -> None:
    lost, gained, items = 17, 9, 300
    before = [1.0] * 250 + [0.0] * 50
    after = [0.0] * lost + [1.0] * (250 - lost) + [1.0] * gained + [0.0] * (50 - gained)
    names = [f"{row}" for row in range(items)]
    metrics = mean("m", before, names), mean("m", after, names)
    difference = paired.paired(*metrics)
    expected = one_sided(difference, spread_of(difference, *metrics, lost + gained), ALLOWED)
    assert float(p_values(np.array(lost), np.array(gained), items)) == pytest.approx(expected, rel=1e-6)
