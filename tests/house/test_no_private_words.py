"""What is committed speaks of the project alone: no paths of one machine, no secrets, nothing said to be temporary."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THIS = Path(__file__).resolve()

FORBIDDEN = {
    "a path of one machine": r"(?<![\w./:~-])/(?:home|Users|root|work|workspace|mnt|media|tmp)/[\w.]|\b[A-Z]:\\Users\\",
    "a key": r"\b(?:sk-[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16})\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a merge conflict": r"^(?:<{7}|>{7}) ",
    "a package index's host": r"(?i)\b(?:pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org|deb\.debian\.org)\b",
}


def committed() -> list[Path]:
    """The files git knows, links and binary files left out."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: nothing says which files are committed")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink() and path != THIS]


def text_of(path: Path) -> str:
    """A file's text; empty for a binary one."""
    raw = path.read_bytes()
    return "" if b"\0" in raw[:4096] else raw.decode("utf-8", "replace")


def findings(text: str) -> list[str]:
    """What of the forbidden a text holds, with line numbers."""
    return [
        f"{text.count(chr(10), 0, found.start()) + 1}: {what}: {found[0]!r}"
        for what, pattern in FORBIDDEN.items()
        for found in re.finditer(pattern, text, re.MULTILINE)
    ]


def test_committed_files_hold_nothing_private() -> None:
    assert not [f"{path.relative_to(ROOT)}:{line}" for path in committed() for line in findings(text_of(path))]


def test_nothing_committed_is_huge() -> None:
    assert not [path.name for path in committed() if path.stat().st_size > 12 * 2**20]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("see /home/anna/data", 1),
        ("reads /mnt/disk/golden and '/root/x'", 2),
        ("coverage in /tmp/x", 1),
        ("a framework/tmp/x, tmp/x and https://host/home/x", 0),
        ("the work/day ratio; root/ folder; ~/work/x", 0),
        ("token hf_" + "a" * 34, 1),
    ],
)
def test_the_patterns(text: str, count: int) -> None:
    assert len(findings(text)) == count
