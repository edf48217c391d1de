"""Rooms and floors: no circle of imports, no import upwards, no folder that shows too much at once."""

from __future__ import annotations

import ast
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from docs.printing import rooms

MOST = 16
"""Entries of a folder that a reader takes in at once."""
EQUALS = {
    "docs/benchmarks": "a page per benchmark",
    "docs/decisions": "half a page per decision",
    "vlmbench/cli/verbs": "a file per verb",
}
"""Families of small equals, and what each of them holds; the images of tasks/samples are another."""
MARKER = "py.typed"
"""An empty file that type checkers look for: nothing to take in."""


@pytest.fixture(scope="module")
def known() -> dict[str, Path]:
    """All modules."""
    return rooms.modules()


@pytest.fixture(scope="module")
def arrows(known: dict[str, Path]) -> dict[str, dict[str, str]]:
    """The imports between them."""
    return rooms.module_arrows(known)


def test_no_circle_of_modules(arrows: dict[str, dict[str, str]]) -> None:
    assert len(arrows) > 200, "the reading of modules is broken"
    assert sum(map(len, arrows.values())) > 800, "the reading of imports is broken"
    assert not rooms.circles(arrows)


def test_no_circle_of_folders(known: dict[str, Path], arrows: dict[str, dict[str, str]]) -> None:
    """Each folder by itself, the deepest too. vlmbench's own __init__ is the public door: it names rooms above."""
    group = {name: rooms.folder_of(path) for name, path in known.items()}
    assert not rooms.circles(rooms.grouped(known, arrows, group))


def test_imports_go_down(known: dict[str, Path], arrows: dict[str, dict[str, str]]) -> None:
    group = {name: rooms.room_of(path) for name, path in known.items()}
    assert not rooms.upward(rooms.grouped(known, arrows, group))


def test_every_room_is_on_a_floor(known: dict[str, Path]) -> None:
    found = {rooms.room_of(path) for path in known.values() if len(path.relative_to(rooms.ROOT).parts) > 2}
    assert not {room for room in found if rooms.floor_of(room) is None}


def test_every_room_has_a_door(known: dict[str, Path]) -> None:
    """Its `__init__` says what belongs here and what does not."""
    lacking = []
    for folder in sorted({path.parent for path in known.values()}):
        door = folder / "__init__.py"
        text = ast.get_docstring(ast.parse(door.read_text("utf-8"))) if door.is_file() else None
        if folder.parent != rooms.ROOT and len((text or "").splitlines()) < 4:
            lacking.append(str(folder.relative_to(rooms.ROOT)))
    assert not lacking


def test_folders_are_taken_in_at_once() -> None:
    shown = subprocess.run(["git", "ls-files"], cwd=rooms.ROOT, capture_output=True, text=True, check=True).stdout
    entries = defaultdict(set)
    for line in shown.splitlines():
        parts = line.split("/")
        for depth in range(1, len(parts)):
            if parts[depth] != MARKER:
                entries["/".join(parts[:depth])].add(parts[depth])
    crowded = {
        folder: len(names)
        for folder, names in entries.items()
        if len(names) > MOST and folder not in EQUALS and not folder.startswith("tasks/samples")
    }
    assert not crowded


def test_the_diagram_is_that_of_the_code() -> None:
    assert rooms.PICTURE.read_text("utf-8") == rooms.picture(), "write it again: python -m docs.printing.rooms"


def test_the_reading_sees_lazy_and_type_only_imports() -> None:
    source = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from vlmbench.cli import main\n"
        "def f():\n    from . import near\n    import vlmbench.api\n"
    )
    found = {name for name, _ in rooms.imports(ast.parse(source), "vlmbench.runs")}
    assert {"vlmbench.cli.main", "vlmbench.runs.near", "vlmbench.api"} <= found


def test_circles_and_upward_imports_are_found() -> None:
    assert rooms.circles({"a": {"b": ""}, "b": {"c": ""}, "c": {"a": ""}, "d": {"a": ""}}) == [["a", "b", "c"]]
    up = {"vlmbench/base": {"vlmbench/cli": "x.py:1"}, "tasks/yes_no": {"vlmbench/data": "", "models/parts": "y.py:2"}}
    found = rooms.upward(up)
    assert [line.partition(":")[0] for line in found] == ["x.py", "y.py"]
