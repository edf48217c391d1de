"""`make golden GOLDEN=DIR` = `pytest tests/golden --golden DIR`: what the official code returned, against ours.

DIR holds oracles/ and parity/, or their folders directly, or is one such folder. A folder is known by its files and,
for oracles, by its benchmark's name; folders no test here reads are listed as such. Zero cases is a failure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES: Counter[str] = Counter()
SIGNS = {"oracles": ("expected.json",), "parity": ("info.json", "lr_schedules.json")}
"""Files by one of which a golden folder of each kind is known."""


def golden_folders(root: Path, kind: str) -> list[Path]:
    """The folders of one kind (`oracles` or `parity`) under a golden folder, in name order."""
    for base in (root / kind, root):
        if any((base / sign).is_file() for sign in SIGNS[kind]):
            return [base]
        if found := sorted({path.parent for sign in SIGNS[kind] for path in base.glob(f"*/{sign}")}):
            return found
    return []


def golden_root(config: pytest.Config) -> Path:
    """The golden folder in use."""
    return Path(config.getoption("--golden") or ROOT.parent / "shared" / "golden")


def pytest_configure() -> None:
    """Forget what an earlier session in this process counted."""
    CASES.clear()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A golden folder named by hand of which no case was checked is a failure, not a success."""
    asked = session.config.getoption("--golden") is not None
    if asked and not CASES.total() and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how many cases of which folder were checked, and which folders nothing here reads."""
    root = golden_root(config)
    folders = {folder.name for kind in ("oracles", "parity") for folder in golden_folders(root, kind)}
    if folders or config.getoption("--golden"):
        terminalreporter.section(f"golden data in {root}")
    for name in sorted(folders | set(CASES)):
        line = f"{CASES[name]:7,} cases checked" if CASES[name] else "      - no test here reads it"
        terminalreporter.write_line(f"{line}  {name}")
    if folders or config.getoption("--golden"):
        terminalreporter.write_line(f"{CASES.total():7,} cases in all")


def facts(folder: Path, name: str) -> dict[str, object]:
    """A JSON object of a golden folder; empty without the file."""
    file = folder / name
    return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`parity_folder` is each parity folder that the test module's `reads(folder)` says it reads."""
    if "parity_folder" in metafunc.fixturenames:
        every = golden_folders(golden_root(metafunc.config), "parity")
        read = [folder for folder in every if metafunc.module.reads(folder)]
        folders: list[Path | None] = [*read] or [None]
        names = [folder.name if folder else "none" for folder in folders]
        metafunc.parametrize("parity_folder", folders, ids=names, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where golden data is, tests of a kind of folder that is not among it are left out; without any, they skip."""
    root = golden_root(config)
    idle = {item for item in items if none_to_read(item)}
    if golden_folders(root, "parity"):
        config.hook.pytest_deselected(items=[item for item in items if item in idle])
        items[:] = [item for item in items if item not in idle]
    for item in idle:
        item.add_marker(pytest.mark.skip(reason=f"no golden data under {root}"))


def none_to_read(item: pytest.Item) -> bool:
    """Whether a test reads a parity folder, and none of its kind is there."""
    params: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    return "parity_folder" in params and params["parity_folder"] is None


@pytest.fixture
def counted() -> Callable[[Path, int], None]:
    """Tests say here how many cases of a folder they checked."""

    def add(folder: Path, cases: int) -> None:
        CASES[folder.name] += cases

    return add


@pytest.fixture
def oracle(request: pytest.FixtureRequest) -> Callable[[str], tuple[Path, dict[str, object], dict[str, object]]]:
    """oracle(name) gives (folder, cases.json, expected.json) of a benchmark, or skips saying it is absent."""

    def find(name: str) -> tuple[Path, dict[str, object], dict[str, object]]:
        root = golden_root(request.config)
        for folder in golden_folders(root, "oracles"):
            if folder.name == name:
                read = [json.loads((folder / f"{part}.json").read_text("utf-8")) for part in ("cases", "expected")]
                return folder, read[0], read[1]
        pytest.skip(f"no golden oracle {name!r} under {root}")

    return find
