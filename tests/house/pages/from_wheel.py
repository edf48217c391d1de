"""The tutorials, run to their ends by an installed wheel: `make wheel-test`, minutes, needs the package index.

    python -m tests.house.pages.from_wheel [OPTION OF PIP INSTALL ...]

Builds the wheel, installs it with the pinned versions into a fresh environment outside the checkout, runs every command
of the tutorials there without a network (where `unshare` may make such a place), and prints sizes and times.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.house.pages import blocks
from tests.support.paths import ROOT

TUTORIALS = ("paper-table", "release-gate")
BUILD = """
import sys
from hatchling.builders.wheel import WheelBuilder
list(WheelBuilder(".").build(directory=sys.argv[1]))
"""
OFFLINE = ("unshare", "--map-root-user", "--net")


def installed(folder: Path, options: Sequence[str]) -> Path:
    """A fresh environment with the wheel of this checkout; returns its programs' folder."""
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    programs = folder / "venv" / "bin"
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", *options]
    begun = time.monotonic()
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)], cwd=folder, check=True)
    print(f"wheel {megabytes([wheel]):.1f} MB, environment {megabytes((folder / 'venv').rglob('*')):,.0f} MB,", end=" ")
    print(f"installed in {time.monotonic() - begun:.0f} s")
    return programs


def megabytes(files: Iterator[Path] | Sequence[Path]) -> float:
    """The size of files."""
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink()) / 1e6


def run_page(page: Path, folder: Path, env: Mapping[str, str], offline: Sequence[str]) -> None:
    """Every command of a page, in order. Raises SystemExit at the first that does not do what the page says."""
    begun, count = time.monotonic(), 0
    for block in blocks.blocks(page):
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            (folder / "block.py").write_text(block.text, encoding="utf-8")
            subprocess.run([*offline, "python", "block.py"], cwd=folder, env=env, check=True)
        elif block.language in blocks.SHELL:
            for command in (one for one in blocks.commands(block) if not one.out_of_reach):
                words = [*offline, "bash", "-c", command.text]
                done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
                if problem := command.problem(done.returncode, done.stdout):
                    sys.exit(f"{block.where}: {command.text}\n{problem}\n{done.stderr}")
                count += 1
    written = megabytes(folder.rglob("*"))
    print(f"{page.name}: {count} commands in {time.monotonic() - begun:.0f} s, {written:.1f} MB of files")


def main(options: Sequence[str]) -> None:
    """Build, install, run."""
    unshared = shutil.which(OFFLINE[0]) and subprocess.run([*OFFLINE, "true"], check=False).returncode == 0
    print("without a network" if unshared else "with a network: unshare cannot take it away here")
    with tempfile.TemporaryDirectory() as name:
        programs = installed(Path(name), options)
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VLMBENCH_", "VIRTUAL"))
        }
        env = {**kept, "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]), "HOME": name}
        for tutorial in TUTORIALS:
            folder = Path(name) / tutorial
            folder.mkdir()
            run_page(ROOT / "docs" / "tutorials" / f"{tutorial}.md", folder, env, OFFLINE if unshared else ())


if __name__ == "__main__":
    main(sys.argv[1:])
