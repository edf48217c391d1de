"""Answer files in benchmarks' own repositories, and what `vlmbench score` makes of them.

The repositories, as `git clone` makes them, are in ../shared/real/predictions or in the folder $VLMBENCH_ANSWERS.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED
from vlmbench.cli.main import main

FOLDERS = (SHARED / "real" / "predictions", Path(os.environ.get("VLMBENCH_ANSWERS", SHARED)))


def repository(name: str) -> Path:
    """A benchmark's repository, or a skip."""
    found = [folder / name for folder in FOLDERS if (folder / name).is_dir()]
    if not found:
        pytest.skip(f"no {name} in ../shared/real/predictions or $VLMBENCH_ANSWERS: answers are not redistributable")
    return found[0]


def scores(
    capsys: pytest.CaptureFixture[str], spec: str, predictions: Path, data: Path, least: float = 1
) -> dict[str, Any]:
    """Metric values that the command prints; `least`: the share of answers that must be scored."""
    files = ["--predictions", str(predictions), "--data", str(data)]
    assert main(["score", spec, *files, "--min-coverage", str(least), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out).values()
    assert entry["coverage"] >= least
    return {name: found["value"] for name, found in entry.items() if isinstance(found, dict) and "value" in found}
