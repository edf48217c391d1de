"""Options, fixtures and rules all tests share.

Some tests need what not every machine has: golden data and real photographs beside the project (marker `shared`), a
browser (marker `browser`). They skip where it is missing. VLMBENCH_REQUIRE="shared browser" says that it is there:
then one such test skipped, or none run, fails the whole run. .ci/run sets it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from vlmbench.plugins import loading as plugins

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Golden data and real photographs that may not be redistributed: beside the project where they are to be had."""
GOLDEN = Path(__file__).parent / "golden"
"""The tests in here carry the marker `shared`."""
NEEDS_SHARED = {"shared", "oracle", "parity"}
"""Fixtures whose tests carry the marker `shared` without saying so."""
OUTCOMES: dict[str, Counter[str]] = {}
"""By required marker: how many of its tests passed, failed and were skipped."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """--golden: the folder tests/golden reads."""
    parser.addoption("--golden", default=None, help="folder of golden data (default: ../shared/golden)")


def pytest_configure() -> None:
    """Take this machine's settings away, set hypothesis up, forget what an earlier session in this process counted."""
    for name in ("VLMBENCH_DATA", "VLMBENCH_RUNS", "VLMBENCH_CACHE", "VLMBENCH_PLUGINS"):
        os.environ.pop(name, None)
    settings.register_profile("vlmbench", deadline=None, derandomize=True)  # the same everywhere, busy machines too
    settings.load_profile("vlmbench")
    OUTCOMES.clear()
    OUTCOMES.update({marker: Counter() for marker in os.environ.get("VLMBENCH_REQUIRE", "").split()})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that reads the shared folder."""
    for item in items:
        if NEEDS_SHARED & set(getattr(item, "fixturenames", ())) or GOLDEN in item.path.parents:
            item.add_marker("shared")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what became of the tests whose needs are said to be met."""
    for marker, counts in OUTCOMES.items():
        if marker in report.keywords and (report.when == "call" or report.outcome != "passed"):
            counts[report.outcome] += 1


def broken_promises() -> list[str]:
    """One line for each marker of VLMBENCH_REQUIRE whose tests were skipped or absent."""
    return [
        f"VLMBENCH_REQUIRE names {marker!r}: {counts['passed']} tests passed, {counts['skipped']} were skipped"
        for marker, counts in OUTCOMES.items()
        if counts["skipped"] or not counts["passed"] + counts["failed"]
    ]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in which tests that had to run did not."""
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and broken_promises():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was required and what became of it."""
    for marker, counts in OUTCOMES.items():
        terminalreporter.write_line(f"required {marker}: {dict(counts)}")
    for line in broken_promises():
        terminalreporter.write_line(line, red=True)


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Plug-ins that a test loads are unknown to the next."""
    yield
    plugins.unload()


@pytest.fixture
def shared() -> Path:
    """The shared folder, or a skip that says it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the project: golden data and real photographs are not redistributable")
    return SHARED
