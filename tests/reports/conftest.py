"""Fabricated runs that tests of reports share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.fabricate import fabricate


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two tasks on the embedded sample. Read only."""
    return fabricate(tmp_path_factory.mktemp("runs") / "plain")


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose every text means harm. Read only."""
    return fabricate(tmp_path_factory.mktemp("runs") / "hostile", name="<img src=x onerror=alert(1)>", hostile=True)
