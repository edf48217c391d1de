"""Gates that are looked at while a run goes on: seldom wrong at the boundary, and soon done elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from tests.performance.statistics.looks.early_gates import World, share, simulated
from vlmbench.stats.noninferiority import Outcome

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("each", [1, 18])
def test_at_just_the_allowed_drop_a_look_is_seldom_wrong(each: int) -> None:
    """alpha is 0.05 for a pass and a fifth of it for a fail; one standard error of 60 gates is 0.028 and 0.013."""
    found = simulated(World(each, drop=1.0), 60, often=True)
    assert share(found, Outcome.PASS) <= 0.05 + 2 * 0.028
    assert share(found, Outcome.FAIL) <= 0.01 + 2 * 0.013


@pytest.mark.parametrize(("each", "most"), [(1, 0.25), (18, 0.45)])
def test_an_unchanged_model_passes_after_a_part(each: int, most: float) -> None:
    found = simulated(World(each), 20)
    assert share(found, Outcome.PASS) >= 0.9
    assert np.median([part for _, part in found]) <= most


@pytest.mark.parametrize(("each", "drop"), [(1, 10.0), (18, 30.0)])
def test_a_broken_model_fails_at_once(each: int, drop: float) -> None:
    """Few images have to bet, which takes a drop that shows in most of them."""
    found = simulated(World(each, drop=drop), 20)
    assert share(found, Outcome.FAIL) == 1
    assert np.median([part for _, part in found]) <= 0.07


def test_answers_gained_many_at_once_on_few_hard_images_do_not_make_a_fall() -> None:
    """98 % are right and the wrong ones lie together: a fall by chance is seen before what was gained."""
    assert share(simulated(World(18, accuracy=0.98, drop=1.0), 60, often=True), Outcome.FAIL) <= 0.01 + 2 * 0.013


def test_images_lost_whole_do_not_pass_unseen() -> None:
    """The drop that must not slip through, of images all of whose answers are lost: 149 images show one of them."""
    found = simulated(World(18, turned=0.002, drop=2.0, whole=True), 60, often=True)
    assert share(found, Outcome.PASS) <= 0.05 + 2 * 0.028
