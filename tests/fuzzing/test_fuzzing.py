"""A part of the fuzzing, always with the same seed: `python -m tests.fuzzing 10000` is the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzzing.__main__ import TARGETS, fuzz
from tests.fuzzing.targets import Target

pytestmark = pytest.mark.slow

CASES = {"questions": 80, "answers": 60, "runs": 25, "baselines": 8, "checkpoints": 15, "hub": 6}
"""By target; 30 of the others, which are quick."""


@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.name)
def test_damaged_files_are_refused_in_words_or_read_whole(kind: type[Target], tmp_path: Path) -> None:
    counts, failures = fuzz(kind(tmp_path), CASES.get(kind.name, 30), seed=11)
    assert not failures
    assert counts["refused"] and counts["refused"] + counts["accepted"] == CASES.get(kind.name, 30)
