"""Options all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Golden data and real photographs that may not be redistributed: beside the project where they are to be had."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """--golden: the folder tests/golden reads."""
    parser.addoption("--golden", default=None, help="folder of golden data (default: ../shared/golden)")


@pytest.fixture
def shared() -> Path:
    """The shared folder, or a skip that says it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the project: golden data and real photographs are not redistributable")
    return SHARED
