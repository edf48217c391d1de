"""Find the golden folders under a folder, and tell which of them a reader is there for.

`--golden DIR` takes a whole tree (oracles/ and parity/), either half of it, or one golden folder, under any path that
leads there. A golden folder is known by its files; what is in it, by its name (oracles) or its content (parity).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

DEPTH = 3
"""How many folders below DIR are looked into: seeds, halves of a tree, golden folders."""
ORACLE = "expected.json"
PARITY = ("info.json", "lr_schedules.json", "tensors.npz")


def is_golden(folder: Path) -> bool:
    """Whether a folder has the files by which golden folders are known."""
    return any((folder / name).is_file() for name in (ORACLE, *PARITY))


def holds_data(folder: Path) -> bool:
    """Whether a folder has files of its own, other than documents."""
    return any(path.is_file() and path.suffix != ".md" and path.name[0] != "." for path in folder.iterdir())


def golden_folders(root: Path) -> list[Path]:
    """Every golden folder at or below `root`, sorted, those of unknown form among them; none lies in another."""
    root = root.resolve() if root.name in ("", "..") else root
    found = search(root, DEPTH) if root.is_dir() else []
    return found or ([root] if root.is_dir() and holds_data(root) else [])


def search(folder: Path, depth: int) -> list[Path]:
    """Golden folders at or below a folder; below the first level, a folder of other files is one of unknown form."""
    if is_golden(folder):
        return [folder]
    below = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._") if depth else []
    found = [golden for path in below for golden in search(path, depth - 1)]
    unknown = not any(map(is_golden, found)) and depth < DEPTH and holds_data(folder)
    return [folder] if unknown else found


def labels(folders: list[Path], root: Path) -> dict[Path, str]:
    """What each folder is called in test names and in the summary: its name, with the path where two share one."""
    names = Counter(folder.name for folder in folders)
    return {f: str(f.relative_to(root)) if names[f.name] > 1 else f.name for f in folders}
