"""The wheel: one top-level name, its data inside, and the main job runs from it in another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "reports" / "site" / "assets"
WINGS = ("tasks", "models", "training", "reports")
BUILD = """
import sys
from hatchling.builders.wheel import WheelBuilder
print(*WheelBuilder(".").build(directory=sys.argv[1]))
"""
APART = f"""
import socket, sys
sys.path[:] = [entry for entry in sys.path if entry != {str(ROOT)!r}]

def refuse(self, address):
    raise SystemExit(f"asked the network for {{address}}")

socket.socket.connect = socket.socket.connect_ex = refuse
"""
"""As sitecustomize.py: no checkout on the path (an editable install puts it there), and no network."""
LOOK = """
import importlib.util, json
import vlmbench, vlmbench.tasks.yes_no.pope, vlmbench.models.systems.tinyllava, vlmbench.training, vlmbench.reports
loose = [name for name in ("tasks", "models", "training", "reports", "tests") if importlib.util.find_spec(name)]
print(json.dumps({"file": vlmbench.__file__, "path": list(vlmbench.__path__), "loose": loose}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built without network and without build isolation."""
    pytest.importorskip("hatchling", reason="hatchling is not installed here: make test installs it")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-c", BUILD, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.split("\n")[-2].strip())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel alone, without its dependencies, was installed."""
    target = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-index", "--no-compile", "--quiet", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    (target / "apart").mkdir()
    (target / "apart" / "sitecustomize.py").write_text(APART)
    return target


def outside(installed: Path, elsewhere: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in another folder with the wheel's package, without the checkout and without network."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VLMBENCH_"))}
    env |= {"PYTHONPATH": os.pathsep.join([str(installed), str(installed / "apart")])}
    return subprocess.run(
        [sys.executable, "-P", *words], cwd=elsewhere, env=env, capture_output=True, text=True, check=False
    )


def test_the_folder_apart_is_apart(installed: Path, tmp_path: Path) -> None:
    connect = "import socket; socket.create_connection(('127.0.0.1', 9))"
    assert "asked the network" in outside(installed, tmp_path, "-c", connect).stderr


def names_in(wheel: Path) -> list[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_top_level_is_vlmbench_alone(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"vlmbench"}


@pytest.mark.parametrize("wing", ["vlmbench", *WINGS])
def test_every_source_file_is_inside(wheel: Path, wing: str) -> None:
    prefix = "" if wing == "vlmbench" else "vlmbench/"
    inside = set(names_in(wheel))
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / wing).rglob("*") if is_ours(path)]
    assert files
    assert not [name for name in files if prefix + name not in inside]


def is_ours(path: Path) -> bool:
    """Whether a file belongs to the package: no cache, nothing hidden, no source of a bundle."""
    if not path.is_file() or {"__pycache__", "node_modules"} & set(path.parts) or path.name.startswith("."):
        return False
    return not (path.is_relative_to(ASSETS) and is_site_source(path))


def is_site_source(path: Path) -> bool:
    """Whether a file of the site's assets is for its developers alone."""
    return path.suffix in (".ts", ".mjs") or (path.suffix == ".json" and path.parent == ASSETS)


def test_data_is_inside(wheel: Path) -> None:
    names = names_in(wheel)
    assert "vlmbench/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    for start, end in (
        ("vlmbench/tasks/samples/pope/", ""),
        ("vlmbench/tasks/samples/gqa/", ""),
        ("vlmbench/models/weights/", ".safetensors"),
        ("vlmbench/reports/site/assets/", ".html"),
        ("vlmbench/reports/site/assets/dist/", "report.js"),
        ("vlmbench/reports/site/assets/dist/", "training.js"),
        ("vlmbench/reports/site/assets/vendor/", "LICENSE-plot.txt"),
    ):
        assert [name for name in names if name.startswith(start) and name.endswith(end)], f"nothing like {start}*{end}"


def test_nothing_else_is_inside(wheel: Path) -> None:
    assert not [name for name in names_in(wheel) if name.endswith((".ts", ".mjs")) or "node_modules" in name]
    assert not [name for name in names_in(wheel) if "/tests/" in name or "__pycache__" in name or "/typings/" in name]
    assert wheel.stat().st_size < 40 * 2**20


def test_import_names_are_those_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = outside(installed, tmp_path, "-c", LOOK)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert Path(seen["file"]).is_relative_to(installed)
    assert [Path(entry) for entry in seen["path"]] == [installed / "vlmbench"]
    assert seen["loose"] == []


def test_the_main_job_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    words = ["run", "--model", "tinyllava", "--tasks", "pope,gqa", "--limit", "12", "--output", "out", "--json"]
    done = outside(installed, tmp_path, "-m", "vlmbench.cli.main", *words)
    assert done.returncode == 0, done.stderr
    scores: Mapping[str, Mapping[str, object]] = json.loads(done.stdout)
    assert set(scores) == {"pope", "gqa"}
    assert [task["coverage"] for task in scores.values()] == [1.0, 1.0]
    assert json.loads((tmp_path / "out" / "scores.json").read_text()) == scores


def test_the_report_is_written_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    words = ["run", "--model", "tinyllava", "--tasks", "pope", "--limit", "6", "--output", "out"]
    assert outside(installed, tmp_path, "-m", "vlmbench.cli.main", *words).returncode == 0
    done = outside(installed, tmp_path, "-m", "vlmbench.cli.main", "report", "out", "--output", "page")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "page").glob("*.html"))
