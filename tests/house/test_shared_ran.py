"""What the test run itself promises: required tests that skip fail it, also when several processes share the tests.

Small projects that have this project's tests/conftest.py are run in processes of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[1]
REQUIRED = os.environ.get("VLMBENCH_REQUIRE", "").split()

PROBE = """
import pytest

@pytest.mark.browser
def test_browser() -> None:
    print("a lone surrogate, which cannot be sent: \\ud800")

def test_shared(shared) -> None:
    assert shared.is_dir()

def test_other() -> None:
    assert True

@pytest.mark.slow
def test_slow() -> None:
    assert True
"""
SLOW = "def test_in_a_slow_path() -> None: assert True"
GOLDEN = """
import pytest
from tests.golden.oracles.reading import CHECKED

@pytest.mark.parametrize("cases", [1, 20, 300, 4000])
def test_golden(record_property, cases) -> None:
    record_property(CHECKED, ["pope", cases])
"""
SETTINGS = """
[pytest]
addopts = --import-mode=importlib
markers =
    shared
    browser
    slow
slow_paths =
    tests/test_slow.py
"""
PARALLEL = ("-p", "xdist.plugin", "-n", "2", "--dist", "worksteal")


@pytest.mark.skipif("shared" not in REQUIRED, reason="VLMBENCH_REQUIRE does not say that ../shared is there")
def test_shared_folder_is_there(shared: Path) -> None:
    assert (shared / "golden" / "oracles").is_dir()
    assert (shared / "golden" / "parity").is_dir()
    assert (shared / "real").is_dir()


def run_probe(project: Path, require: str, *words: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run a small project that has this project's tests/conftest.py. `files`: its modules of tests."""
    (project / "tests").mkdir(parents=True)
    shutil.copy(TESTS / "conftest.py", project / "tests")
    for folder in ("golden", "support"):
        (project / "tests" / folder).symlink_to(TESTS / folder)
    for name, text in files.items():
        (project / "tests" / f"{name}.py").write_text(text)
    (project / "pytest.ini").write_text(SETTINGS)
    env = {**os.environ, "VLMBENCH_REQUIRE": require, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests", "--ignore=tests/golden", *words]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("require", "beside", "words", "code"),
    [
        ("", False, [], 0),
        ("shared", False, [], 1),
        ("shared browser", False, PARALLEL, 1),
        ("browser", False, [], 0),
        ("browser", True, ["-k", "shared"], 1),
    ],
)
def test_a_skipped_requirement_fails_the_run(
    tmp_path: Path, require: str, beside: bool, words: Sequence[str], code: int
) -> None:
    if beside:
        (tmp_path / "shared").mkdir()
    done = run_probe(tmp_path / "project", require, *words, test_probe=PROBE)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("VLMBENCH_REQUIRE names" in done.stdout) == bool(code)


@pytest.mark.slow
def test_counts_are_over_all_worker_processes(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    words = ("--golden", str(tmp_path), *PARALLEL)
    done = run_probe(tmp_path / "project", "shared browser", *words, test_probe=PROBE, test_golden=GOLDEN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4,321 cases checked  pope" in done.stdout
    assert "4,321 cases in all" in done.stdout
    assert "required browser: {'passed': 1}" in done.stdout


def test_fast_leaves_out_what_is_slow(tmp_path: Path) -> None:
    done = run_probe(tmp_path, "", "--fast", "-v", test_probe=PROBE, test_slow=SLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_other PASSED" in done.stdout
    assert "test_slow" not in done.stdout and "1 deselected" in done.stdout


def test_slow_paths_exist(pytestconfig: pytest.Config) -> None:
    paths = pytestconfig.getini("slow_paths")
    assert paths and not [path for path in paths if not (TESTS.parent / path).exists()]
