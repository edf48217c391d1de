"""Who may import whom: wings -> core -> libraries. The start of the program stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WINGS = ("tasks", "models", "training", "reports")
HEAVY = frozenset({"torch", "transformers", "datasets", "pandas", "openai"})
LIGHT_COMMANDS = (
    ["--help"],
    ["--version"],
    ["tasks"],
    ["models"],
    ["run", "--help"],
    ["ask", "--help"],
    ["score", "--help"],
    ["compare", "--help"],
    ["check", "--help"],
    ["baseline", "--help"],
)


def module_files(folder: str) -> list[Path]:
    """The Python files of a top-level folder."""
    return sorted((ROOT / folder).rglob("*.py"))


def is_type_checking(node: ast.AST) -> bool:
    """Whether a statement is `if TYPE_CHECKING:`."""
    if not isinstance(node, ast.If):
        return False
    return ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(node: ast.AST, *, everywhere: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run when a module is imported; with `everywhere` also those in functions and for checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif everywhere or not (is_type_checking(child) or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)):
            yield from imports(child, everywhere=everywhere)


def names(statement: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    """The absolute names of modules an import statement may load. `package`: where relative ones start."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    base = statement.module or ""
    if statement.level:
        parts = package.split(".")
        base = ".".join([*parts[: len(parts) - statement.level + 1], *([base] if base else [])])
    return [base, *(f"{base}.{alias.name}" for alias in statement.names)]


def package_of(path: Path) -> str:
    """`vlmbench.models.parts` for models/parts/vision/tower.py: what a single dot means there."""
    parts = path.relative_to(ROOT).parent.parts
    return ".".join(parts if parts[0] == "vlmbench" else ("vlmbench", *parts))


def wing_of(name: str) -> str | None:
    """The wing a module name belongs to, if any."""
    found = re.match(r"(?:vlmbench\.)?(tasks|models|training|reports)(?:\.|$)", name)
    return found[1] if found else None


def imported(path: Path, *, everywhere: bool = True) -> list[tuple[int, str]]:
    """(line, absolute name) of everything a file imports."""
    tree = ast.parse(path.read_text("utf-8"))
    package = package_of(path)
    return [(s.lineno, name) for s in imports(tree, everywhere=everywhere) for name in names(s, package)]


def offences(path: Path, forbidden: frozenset[str]) -> list[str]:
    """The imports of a file that reach into one of these wings."""
    where = path.relative_to(ROOT)
    return [f"{where}:{line} imports {name}" for line, name in imported(path) if wing_of(name) in forbidden]


@pytest.mark.parametrize("wing", WINGS)
def test_wings_never_import_wings(wing: str) -> None:
    others = frozenset(WINGS) - {wing}
    assert not [line for path in module_files(wing) for line in offences(path, others)]


@pytest.mark.parametrize("wing", WINGS)
def test_inside_a_wing_imports_are_relative(wing: str) -> None:
    bad = []
    for path in module_files(wing):
        for statement in imports(ast.parse(path.read_text("utf-8")), everywhere=True):
            absolute = isinstance(statement, ast.Import) or not statement.level
            if absolute and any(wing_of(name) == wing for name in names(statement, package_of(path))):
                bad.append(f"{path.relative_to(ROOT)}:{statement.lineno} {ast.unparse(statement)}")
    assert not bad


def test_core_names_wings_only_as_strings() -> None:
    assert not [line for path in module_files("vlmbench") for line in offences(path, frozenset(WINGS))]


def test_core_imports_heavy_libraries_only_inside_functions() -> None:
    heavy = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in module_files("vlmbench")
        for line, name in imported(path, everywhere=False)
        if name.partition(".")[0] in HEAVY
    ]
    assert not heavy


def test_tasks_import_heavy_libraries_only_inside_functions() -> None:
    """`vlmbench tasks` and `vlmbench score` load every task: none may pull in a library of this weight."""
    heavy = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in module_files("tasks")
        for line, name in imported(path, everywhere=False)
        if name.partition(".")[0] in HEAVY
    ]
    assert not heavy


def test_nouns_import_nothing_of_ours() -> None:
    path = ROOT / "vlmbench" / "base" / "samples.py"
    assert not [name for _, name in imported(path, everywhere=False) if name.startswith("vlmbench")]


@pytest.mark.parametrize("words", LIGHT_COMMANDS, ids=" ".join)
def test_light_commands_load_no_heavy_library(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from vlmbench.cli.main import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as stop:\n"
        "    code = stop.code\n"
        f"loaded = sorted({set(HEAVY)!r} & set(sys.modules))\n"
        "sys.exit(f'loaded {loaded}' if loaded else code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_a_small_run_imports_no_pandas(tmp_path: Path) -> None:
    """pyarrow imports it to look at a column: 0.1 s of every run."""
    code = (
        "import sys\n"
        "from vlmbench.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.exit('loaded pandas' if 'pandas' in sys.modules else code)\n"
    )
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope,gqa", "--output", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from vlmbench.models import tinyllava", "models"),
        ("import vlmbench.models.engine.engine", "models"),
        ("from vlmbench import models", "models"),
        ("from ..models import engine", "models"),
        ("from .. import models", "models"),
        ("def f():\n    from models.engine import go", "models"),
        ("from vlmbench import registry", None),
        ("from . import gqa", None),
    ],
)
def test_the_reading_of_imports(source: str, expected: str | None) -> None:
    """The rule sees each way in which tasks/x.py could reach another wing."""
    found = [name for s in imports(ast.parse(source), everywhere=True) for name in names(s, "vlmbench.tasks")]
    wings = {wing_of(name) for name in found} - {None, "tasks"}
    assert wings == ({expected} if expected else set())
