"""What the benchmarks' official scripts returned for adversarial answers, against ours, for every protocol."""

from __future__ import annotations

from pathlib import Path

from tests.golden.oracles.reading import Oracle, Reader


def test_equals_the_official_code(comparison: tuple[Path, Reader, str], oracle: Oracle) -> None:
    _, reader, variant = comparison
    reader(oracle, variant)
