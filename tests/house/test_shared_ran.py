"""A skipped test is not a passed one: where the golden data is said to be there, the tests that need it must run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
REQUIRED = os.environ.get("VLMBENCH_REQUIRE", "").split()

PROBE = """
import pytest

@pytest.mark.browser
def test_browser() -> None:
    assert True

def test_shared(shared) -> None:
    assert shared.is_dir()

def test_other() -> None:
    assert True
"""


@pytest.mark.skipif("shared" not in REQUIRED, reason="VLMBENCH_REQUIRE does not say that ../shared is there")
def test_shared_folder_is_there(shared: Path) -> None:
    assert (shared / "golden" / "oracles").is_dir()
    assert (shared / "golden" / "parity").is_dir()
    assert (shared / "real").is_dir()


def run_probe(project: Path, require: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a three-test project that has this project's tests/conftest.py."""
    (project / "tests").mkdir(parents=True)
    shutil.copy(TESTS / "conftest.py", project / "tests")
    (project / "tests" / "test_probe.py").write_text(PROBE)
    (project / "pytest.ini").write_text("[pytest]\nmarkers =\n    shared\n    browser\n")
    env = {**os.environ, "VLMBENCH_REQUIRE": require}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests", *words]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("require", "beside", "words", "code"),
    [
        ("", False, [], 0),
        ("shared", False, [], 1),
        ("shared browser", False, [], 1),
        ("shared browser", True, [], 0),
        ("browser", False, [], 0),
        ("browser", True, ["-k", "shared"], 1),
    ],
)
def test_a_skipped_requirement_fails_the_run(
    tmp_path: Path, require: str, beside: bool, words: list[str], code: int
) -> None:
    if beside:
        (tmp_path / "shared").mkdir()
    done = run_probe(tmp_path / "project", require, *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("VLMBENCH_REQUIRE names" in done.stdout) == bool(code)
