"""The site's scripts: the committed bundles are those of the sources, and the sources keep to their rooms.

The digests that dist/build.json records show a stale bundle without node. With node and `npm ci` (make site-assets)
the bundles are built again and compared byte by byte, and the types are checked.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ASSETS = Path(__file__).resolve().parents[2] / "reports" / "site" / "assets"
DIST = ASSETS / "dist"
IMPORT = re.compile(r'^(?:import|export) .*?from "(\.[^"]+)";$', re.MULTILINE | re.DOTALL)
LONGEST_FILE = 400
MOST_ENTRIES = 16


def sources() -> dict[str, Path]:
    """The TypeScript that is bundled, by path below assets/."""
    found = [
        path
        for folder in ("pages", "lib", "lib/types", "views", "views/board")
        for path in (ASSETS / folder).glob("*.ts")
    ]
    return {path.relative_to(ASSETS).as_posix(): path for path in found if not path.name.endswith(".d.ts")}


def digest(path: Path) -> str:
    """SHA-256 of a file as a checkout with Unix line ends has it."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def record() -> dict[str, Any]:
    """What the last build wrote of itself."""
    found: dict[str, Any] = json.loads((DIST / "build.json").read_text("utf-8"))
    return found


def test_the_bundles_are_built_from_these_sources() -> None:
    """`make site-assets` builds them again; committed bundles need no node to be seen stale."""
    built = record()
    assert built["sources"] == {name: digest(path) for name, path in sources().items()}, "stale: make site-assets"
    assert built["bundles"] == {path.name: digest(path) for path in DIST.glob("*.js")}, "edited by hand"


def test_the_build_names_the_locked_version_of_its_tool() -> None:
    wanted = json.loads((ASSETS / "package.json").read_text("utf-8"))["devDependencies"]
    locked = json.loads((ASSETS / "package-lock.json").read_text("utf-8"))["packages"]
    assert record()["esbuild"] == wanted["esbuild"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_the_libraries_whose_types_are_checked_are_those_that_ship() -> None:
    shipped = {e["package"]: e["version"] for e in json.loads((ASSETS / "vendor/versions.json").read_text("utf-8"))}
    wanted = json.loads((ASSETS / "package.json").read_text("utf-8"))["devDependencies"]
    assert wanted["@observablehq/plot"] == shipped["@observablehq/plot"]


@pytest.mark.parametrize("command", [["node", "build.mjs", "--check"], ["node_modules/.bin/tsc"]])
def test_the_tools_agree(command: list[str]) -> None:
    if not shutil.which("node") or not (ASSETS / "node_modules").is_dir():
        pytest.skip("no node, or its packages are not installed here: make site-assets")
    done = subprocess.run(command, cwd=ASSETS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_point_down() -> None:
    """Entry points -> views -> lib, without a circle; imports of types alone count as well."""
    graph: dict[str, set[str]] = {}
    for name, path in sources().items():
        found = IMPORT.findall(path.read_text("utf-8"))
        graph[name] = {(path.parent / target).resolve().relative_to(ASSETS).as_posix() for target in found}
    assert sum(map(len, graph.values())) > 100
    list(TopologicalSorter(graph).static_order())  # raises CycleError
    floors = {"lib": 0, "lib/types": 0, "views": 1, "views/board": 1, "pages": 2}
    up = [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in targets
        if floors[str(Path(target).parent)] > floors[str(Path(name).parent)]
    ]
    assert not up


def test_sizes() -> None:
    """Files that are read at one go, folders that are seen at one glance."""
    assert not [name for name, path in sources().items() if len(path.read_text("utf-8").splitlines()) > LONGEST_FILE]
    for folder in (ASSETS, ASSETS / "lib", ASSETS / "views", ASSETS / "views" / "board"):
        assert len([path for path in folder.iterdir() if path.name != "node_modules"]) <= MOST_ENTRIES, folder.name


def test_no_script_parses_html_or_runs_text() -> None:
    """What data say goes into a page as text: no source may hold what could make it markup or code."""
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser")
    assert not [name for name, path in sources().items() if forbidden.search(path.read_text("utf-8"))]
