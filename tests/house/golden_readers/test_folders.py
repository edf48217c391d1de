"""`--golden DIR`: which folders it finds, what its summary says, and when it fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.golden.folders import golden_folders, labels
from tests.golden.kinds import kinds
from tests.golden.oracles.reading import ABSENT, CHECKED
from tests.golden.report import Report

ROOT = Path(__file__).resolve().parents[3]
SMALL = "refcoco_iou_minigptv2"


def oracle(folder: Path) -> Path:
    """An oracle folder without cases."""
    folder.mkdir(parents=True)
    for part in ("cases", "expected"):
        (folder / f"{part}.json").write_text("{}", "utf-8")
    return folder


def parity(folder: Path) -> Path:
    """A parity folder whose content says nothing."""
    folder.mkdir(parents=True)
    (folder / "info.json").write_text("{}", "utf-8")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A golden tree with documents, and a folder of another form."""
    root = tmp_path / "tree"
    oracle(root / "oracles" / "pope")
    oracle(root / "oracles" / "gqa")
    parity(root / "parity" / "model")
    (root / "parity" / "model" / "llm").mkdir()
    (root / "parity" / "model" / "llm" / "config.json").write_text("{}", "utf-8")
    (root / "parity" / "README.md").write_text("words", "utf-8")
    (root / "parity" / "sounds").mkdir()
    (root / "parity" / "sounds" / "wave.npy").write_bytes(b"")
    return root


def found(root: Path) -> list[str]:
    """Names of the folders."""
    return sorted(labels(golden_folders(root), root).values())


def test_a_tree_its_halves_and_one_folder(tree: Path) -> None:
    assert found(tree) == ["gqa", "model", "pope", "sounds"]
    assert found(tree / "oracles") == ["gqa", "pope"]
    assert found(tree / "parity") == ["model", "sounds"]
    for name in ("oracles/pope", "parity/model", "parity/sounds"):
        assert found(tree / name) == [Path(name).name]
    assert found(tree.parent) == ["gqa", "model", "pope", "sounds"]


def test_other_ways_to_name_a_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(Path(f"{tree}/oracles/pope/")) == ["pope"]
    monkeypatch.chdir(tree / "oracles" / "pope")
    assert found(Path()) == ["pope"]
    assert found(Path("..")) == ["gqa", "pope"]
    assert [kinds(folder) for folder in golden_folders(Path())] == [["pope"]]


def test_links_are_followed_and_known_by_either_name(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert found(tmp_path / "link") == ["gqa", "model", "pope", "sounds"]
    (tmp_path / "other").symlink_to(tree / "oracles" / "pope")
    assert [kinds(folder) for folder in golden_folders(tmp_path / "other")] == [["pope"]]
    seeds = tmp_path / "seeds"
    oracle(seeds / "seed7")
    (tmp_path / "mme").symlink_to(seeds / "seed7")
    assert [kinds(folder) for folder in golden_folders(tmp_path / "mme")] == [["mme"]]


def test_one_benchmark_with_two_seeds(tmp_path: Path) -> None:
    oracle(tmp_path / "seed1" / "oracles" / "pope")
    oracle(tmp_path / "seed2" / "oracles" / "pope")
    assert found(tmp_path) == ["seed1/oracles/pope", "seed2/oracles/pope"]
    assert all(kinds(folder) == ["pope"] for folder in golden_folders(tmp_path))


def test_a_folder_without_data(tmp_path: Path) -> None:
    (tmp_path / "empty" / "oracles").mkdir(parents=True)
    (tmp_path / "empty" / "README.md").write_text("words", "utf-8")
    assert golden_folders(tmp_path / "empty") == []
    assert golden_folders(tmp_path / "absent") == []
    (tmp_path / "file").write_text("{}", "utf-8")
    assert golden_folders(tmp_path / "file") == []


def test_what_is_wrong_with_a_run(tree: Path, tmp_path: Path) -> None:
    assert "there is no such folder" in Report(tmp_path / "absent", [], [], asked=True).problem()
    assert "no golden folder in it" in Report(tmp_path, [], [], asked=True).problem()
    assert Report(tree, ["a", "b"], ["a", "b"], asked=True).problem().endswith("no test reads a, b")
    assert Report(tree, ["a", "b"], ["b"], asked=True).problem().endswith("no case was checked")
    assert not Report(tree, [], [], asked=False).problem()


def test_counts_come_from_reports(tree: Path) -> None:
    report = Report(tree, ["a", "b", "c"], ["c"], asked=True)
    properties: list[tuple[str, object]] = [(CHECKED, ["a", 5]), (ABSENT, ["a", "totals"]), ("worst", "x 1e-6")]
    for when in ("setup", "call", "teardown"):
        done = pytest.TestReport("test", ("", None, ""), {}, "passed", None, when, user_properties=properties)
        report.pytest_runtest_logreport(done)
    assert report.lines() == [
        "      5 cases checked  a",
        "              1 without an official value: totals",
        "      0 cases checked  b",
        "      - unread: no test reads it  c",
        "      5 cases in all; 1 comparisons left out: no official value; 1 folders unread",
    ]
    assert not report.problem()


def golden(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the oracles' tests on a folder."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/golden/oracles", *words]
    env = {name: value for name, value in os.environ.items() if name not in ("VLMBENCH_REQUIRE", "PYTEST_ADDOPTS")}
    env = {name: value for name, value in env.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [*command, "--golden", str(folder)], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


WORKERS = ["-n", "1"] if find_spec("xdist") else []
"""Tests run in another process than the one that prints the summary."""


@pytest.mark.slow
def test_an_unread_folder_is_named_and_counts_come_from_other_processes(shared: Path, tmp_path: Path) -> None:
    for name in (SMALL, "vsr"):
        shutil.copytree(shared / "golden" / "oracles" / name, tmp_path / "oracles" / name)
    oracle(tmp_path / "oracles" / "new_benchmark")
    expected = tmp_path / "oracles" / SMALL / "expected.json"
    content = json.loads(expected.read_text("utf-8"))
    content["iou"][3] = None
    expected.write_text(json.dumps(content), "utf-8")
    done = golden(tmp_path, *WORKERS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1,600 cases checked  vsr" in done.stdout
    assert f"300 cases checked  {SMALL}\n              1 without an official value: overlaps" in done.stdout
    assert "- unread: no test reads it  new_benchmark" in done.stdout
    assert "1,900 cases in all" in done.stdout


def test_a_run_that_read_nothing_fails_and_says_why(tmp_path: Path) -> None:
    done = golden(oracle(tmp_path / "new_benchmark").parent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"--golden {tmp_path}: no test reads new_benchmark" in done.stdout
