"""Options, fixtures and rules all tests share.

Some tests need what not every machine has: golden data and real photographs beside the project (marker `shared`), a
browser (marker `browser`). They skip where it is missing. VLMBENCH_REQUIRE="shared browser" says that it is there:
then one such test skipped, or none run, fails the whole run. .ci/run sets it.

`pytest --fast` (`make test-fast`) leaves out tests marked `slow` and the paths of `slow_paths` in pyproject.toml.
"""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from vlmbench.plugins import loading as plugins

if "PYTEST_XDIST_WORKER" in os.environ:  # one core per worker process, also for the processes that its tests start
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Golden data and real photographs that may not be redistributed: beside the project where they are to be had."""
GOLDEN = Path(__file__).parent / "golden"
"""The tests in here carry the marker `shared`."""
NEEDS_SHARED = {"shared", "oracle", "parity"}
"""Fixtures whose tests carry the marker `shared` without saying so."""
OUTCOMES: dict[str, Counter[str]] = {}
"""By required marker: how many of its tests passed, failed and were skipped."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """--golden: the folder tests/golden reads. --fast, and the paths it leaves out."""
    parser.addoption("--golden", default=None, help="folder of golden data (default: ../shared/golden)")
    parser.addoption("--fast", action="store_true", help="leave out tests marked slow and the paths of slow_paths")
    parser.addini("slow_paths", type="linelist", help="files and folders that --fast does not read")


def pytest_configure(config: pytest.Config) -> None:
    """Take this machine's settings away, set hypothesis up, forget what an earlier session in this process counted."""
    for name in ("VLMBENCH_DATA", "VLMBENCH_RUNS", "VLMBENCH_CACHE", "VLMBENCH_PLUGINS"):
        os.environ.pop(name, None)
    settings.register_profile("vlmbench", deadline=None, derandomize=True)  # the same everywhere, busy machines too
    settings.load_profile("vlmbench")
    OUTCOMES.clear()
    OUTCOMES.update({marker: Counter() for marker in os.environ.get("VLMBENCH_REQUIRE", "").split()})
    if getattr(config.option, "tx", None) and not config.getoption("--fast"):
        # With worker processes this one collects nothing, so it does not read tests/golden/conftest.py by itself.
        importlib.import_module("tests.golden.conftest").pytest_configure(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --fast, do not read the paths of slow_paths; otherwise leave the decision to pytest."""
    slow = {config.rootpath / path for path in config.getini("slow_paths")}
    return True if config.getoption("--fast") and collection_path in slow else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --fast, leave out tests marked slow; mark every test that reads the shared folder."""
    if config.getoption("--fast"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    for item in items:
        if NEEDS_SHARED & set(getattr(item, "fixturenames", ())) or GOLDEN in item.path.parents:
            item.add_marker("shared")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what became of the tests whose needs are said to be met; make captured output fit to be sent.

    Some tests print lone surrogates, which pytest-xdist cannot send from a worker.
    """
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
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
