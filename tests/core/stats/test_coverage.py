"""The 95 % interval holds the truth 94 to 96 times of 100, however many questions a picture has.

tests/performance/statistics has more images, fewer images, easier questions: docs/evaluate/statistics.md prints it.
"""

from __future__ import annotations

import pytest

from tests.support.simulated import MAKERS, World, coverage

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("each", [1, 6, 18, 32])
def test_coverage(name: str, each: int) -> None:
    """60 pictures whose questions are alike; with one question each 200, since 60 right-or-wrongs take few values."""
    world = World(200 if each == 1 else 60, each)
    assert 0.94 <= coverage(name, world, 1500 if name == "auroc" else 2500) <= 0.96
