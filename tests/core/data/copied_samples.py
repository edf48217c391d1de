"""Copies of embedded samples, for tests that change their files."""

from __future__ import annotations

import shutil
from pathlib import Path

from vlmbench.data.files import Folder

SIZED = ("screenspot", "screenspot_v2")
"""Benchmarks whose boxes need the sizes of their images as soon as they are read."""


def copy_sample(name: str, root: Path) -> None:
    """Copy a benchmark's embedded files; its images only where reading needs them."""
    ignore = None if name in SIZED else shutil.ignore_patterns("*.png", "*.jpg")
    shutil.copytree(Folder.sample(name).root, root, ignore=ignore)
