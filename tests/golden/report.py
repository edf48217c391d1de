"""What a run over golden folders says at its end: cases per folder, what has no official value, what nothing reads.

Tests pass their counts in their reports' user properties, which reach the process that prints the summary also when
pytest-xdist runs the tests in others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.golden.oracles.reading import ABSENT, CHECKED


class Report:
    """Adds the counts up, prints the summary, and fails a run on a named folder of which no case was checked."""

    def __init__(self, root: Path, folders: Collection[str], unread: Collection[str], asked: bool) -> None:
        self.root, self.folders, self.unread, self.asked = root, folders, unread, asked
        self.cases: Counter[str] = Counter()
        self.absent: Counter[tuple[str, str]] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the counts out of a test's report: [name of the folder, what is counted]."""
        for name, value in report.user_properties if report.when == "call" else ():
            if name == CHECKED and isinstance(value, list | tuple):
                self.cases[value[0]] += value[1]
            elif name == ABSENT and isinstance(value, list | tuple):
                self.absent[value[0], value[1]] += 1

    def problem(self) -> str:
        """Why a run on a folder named by hand is a failure; "" where it is none."""
        if not self.asked or self.cases.total():
            return ""
        if not self.root.is_dir():
            return f"--golden {self.root}: there is no such folder"
        if not self.folders:
            return (
                f"--golden {self.root}: no golden folder in it; one holds expected.json and cases.json (oracles), "
                "or info.json and tensors.npz (parity)"
            )
        if len(self.unread) == len(self.folders):
            return f"--golden {self.root}: no test reads {', '.join(self.unread)}"
        return f"--golden {self.root}: no case was checked"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A golden folder named by hand of which no case was checked is a failure, not a success."""
        if self.problem() and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def lines(self) -> list[str]:
        """The summary: a line per folder, what has no official value below it, and the sum."""
        found = []
        for label in sorted({*self.folders, *self.cases}):
            if label in self.unread:
                found.append(f"      - unread: no test reads it  {label}")
                continue
            found.append(f"{self.cases[label]:7,} cases checked  {label}")
            absent = {what: number for (folder, what), number in sorted(self.absent.items()) if folder == label}
            found += [f"{number:15,} without an official value: {what}" for what, number in absent.items()]
        total = f"{self.cases.total():7,} cases in all"
        if self.absent:
            total += f"; {self.absent.total():,} comparisons left out: no official value"
        if self.unread:
            total += f"; {len(self.unread)} folders unread"
        return [*found, total]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the summary."""
        if not self.cases and not self.asked:
            return  # no golden test ran
        terminalreporter.section(f"golden data in {self.root}")
        for line in self.lines():
            terminalreporter.write_line(line)
        if self.problem():
            terminalreporter.write_line(self.problem(), red=True)
