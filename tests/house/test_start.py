"""Commands that ask no model start at once: under 150 ms of processor time."""

from __future__ import annotations

import pytest

from tests.performance.start import COMMANDS, LIMIT, processor_seconds

TRIES = 5


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_start(words: list[str]) -> None:
    """The best of a few tries: a busy machine slows some of them."""
    assert min(processor_seconds(words) for _ in range(TRIES)) < LIMIT
