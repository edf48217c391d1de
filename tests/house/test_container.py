"""The Containerfile agrees with the package, and what it copies is enough to build it, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = (ROOT / "Containerfile").read_text("utf-8")
STEPS = [line.split(" ", 1) for line in FILE.splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BUILD = (
    "import sys; from hatchling.builders.wheel import WheelBuilder; print(*WheelBuilder('.').build(directory='out'))"
)


def steps(kind: str) -> list[str]:
    """What follows an instruction, everywhere."""
    return [rest for name, rest in STEPS if name == kind]


def copied() -> list[str]:
    """What it takes from the checkout."""
    return [path for words in steps("COPY") if not words.startswith("--from") for path in words.split()[:-1]]


def test_what_it_copies_is_there_and_in_git() -> None:
    listed = subprocess.run(["git", "ls-files", *copied()], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git repository: a source archive")
    assert {name.split("/")[0] for name in listed.stdout.splitlines()} == set(copied())


def test_nothing_else_reaches_the_builder() -> None:
    rules = [line for line in (ROOT / ".containerignore").read_text("utf-8").splitlines() if line[:1] not in ("", "#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(copied())
    later = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    for secret in (".env", "prod.env", "server.pem", ".git", "__pycache__", ".netrc"):
        assert any(fnmatch(secret, rule) for rule in later), secret
    assert (ROOT / ".dockerignore").resolve() == ROOT / ".containerignore"


def test_versions_and_names_are_those_of_the_package() -> None:
    (python,) = (value.partition("=")[2] for value in steps("ARG") if value.startswith("PYTHON="))
    pins = (ROOT / "constraints.txt").read_text("utf-8")
    assert f"(Python {python}, Linux" in pins and PROJECT["requires-python"] == f">={python}"
    assert steps("ENTRYPOINT") == ['["vlmbench"]'] and "vlmbench" in PROJECT["scripts"]
    assert all("-c constraints.txt" in step for step in steps("RUN") if "pip install" in step)
    assert re.search(r"^torch==", pins, re.MULTILINE)
    extras = {name for found in re.findall(r"EXTRAS=\[(.*?)\]", FILE) for name in found.split(",")}
    assert extras <= set(PROJECT["optional-dependencies"])
    known = set(
        re.findall(r"VLMBENCH_[A-Z]+", " ".join(p.read_text("utf-8") for p in (ROOT / "vlmbench").rglob("*.py")))
    )
    assert set(re.findall(r"VLMBENCH_[A-Z]+", FILE)) <= known


def test_it_does_not_run_as_root_and_keeps_what_must_last() -> None:
    names = [name for name, _ in STEPS]
    assert steps("USER") == ["vlmbench"] and "RUN" not in names[names.index("USER") :]
    assert steps("VOLUME") == ['["/cache", "/runs"]']
    assert not re.search(r"(?i)(token|password|secret|api_key)", FILE)


@pytest.mark.slow
def test_what_it_copies_is_enough_for_the_wheel(tmp_path: Path) -> None:
    """All files of the package are in the wheel that is built from the copied ones alone."""
    pytest.importorskip("hatchling", reason="hatchling is not installed here: make test installs it")
    for name in copied():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    built = subprocess.run([sys.executable, "-c", BUILD], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next((tmp_path / "out").glob("*.whl"))) as archive:
        inside = set(archive.namelist())
    tracked = subprocess.run(["git", "ls-files", "vlmbench"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert set(tracked.stdout.split()) <= inside
    for part in ("tasks/samples/pope/", "models/weights/tinyllava-nano/", "reports/site/assets/dist/"):
        assert any(name.startswith(f"vlmbench/{part}") for name in inside), part
