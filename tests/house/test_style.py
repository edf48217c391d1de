"""Lint and types are clean, and a few habits that no linter of ours knows are kept."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ("vlmbench", "tasks", "models", "training", "reports")
FOLDERS = (*CODE, "tests", "docs", "examples")
MAY_PRINT = ("vlmbench/cli/", "vlmbench/base/process/terminal.py", "reports/text/table.py")
"""Where text for the user is printed; everything else returns values or raises."""
MOST_ARMS = 4
PICKLES = {"pickle", "cPickle", "dill", "shelve", "joblib", "cloudpickle"}
"""Modules whose files run code when they are read. The name of pickle's error may be used, to catch it."""


def sources(folders: tuple[str, ...] = FOLDERS) -> list[Path]:
    """The Python files of some folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@functools.cache
def parsed(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text("utf-8"))


def run_tool(*words: str) -> subprocess.CompletedProcess[str]:
    """Run an installed development tool over the project, or skip."""
    if importlib.util.find_spec(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed here: make test installs it")
    env = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_ruff() -> None:
    done = run_tool("ruff", "check", "--output-format=concise", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_format() -> None:
    done = run_tool("ruff", "format", "--check", ".")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nruff format mends it"


@pytest.mark.slow
def test_mypy_strict() -> None:
    """The wings are checked under the names they are imported by, through the links in typings/."""
    if not (ROOT / "typings" / "vlmbench" / "tasks" / "__init__.py").is_file():
        pytest.skip("no links in typings/: a source archive, or a system without symbolic links")
    done = run_tool("mypy", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    checked = int(done.stdout.rpartition("in ")[2].split()[0])
    assert checked >= len(sources()), done.stdout


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the text of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def bare_excepts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """`except:`, and `except BaseException` that does not raise again."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield node.lineno, "bare except"
        elif "BaseException" in ast.unparse(node.type) and not any(isinstance(n, ast.Raise) for n in ast.walk(node)):
            yield node.lineno, "except BaseException that swallows"


def evaluations(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Running text as code."""
    yield from ((call.lineno, f"{name}()") for call, name in calls(tree) if name in ("eval", "exec"))


def unsafe_loads(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Ways in which reading a file runs code from it: pickle, and torch.load without weights_only=True."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in PICKLES:
            if {alias.name for alias in node.names} - {"UnpicklingError"}:
                yield node.lineno, f"takes from {node.module}"
        elif isinstance(node, ast.Import) and {alias.name for alias in node.names} & PICKLES - {"pickle"}:
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle" and "Error" not in node.attr:
            yield node.lineno, f"uses pickle.{node.attr}"
    for call, name in calls(tree):
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if name == "torch.load" and options.get("weights_only") != "True":
            yield call.lineno, "torch.load without weights_only=True"
        if name in ("np.load", "numpy.load") and options.get("allow_pickle", "False") != "False":
            yield call.lineno, "np.load with allow_pickle"
        if name in ("yaml.load", "yaml.unsafe_load"):
            yield call.lineno, name


def long_chains(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """if/elif chains of more than four arms, the last `else` not counted: they want to be a table."""
    inner = {id(n.orelse[0]) for n in ast.walk(tree) if isinstance(n, ast.If) and is_elif(n)}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and id(node) not in inner:
            arms = 1
            while is_elif(node):
                node = node.orelse[0]
                assert isinstance(node, ast.If)
                arms += 1
            if arms > MOST_ARMS:
                yield node.lineno, f"a chain of {arms} arms"


def is_elif(node: ast.If) -> bool:
    """Whether the else of an if is one more if."""
    return len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)


Rule = Callable[[ast.AST], Iterator[tuple[int, str]]]
RULES: tuple[Rule, ...] = (bare_excepts, evaluations, unsafe_loads, long_chains)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_habits(rule: Rule) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {what}"
        for path in sources(
            CODE if rule is unsafe_loads else FOLDERS
        )  # tests may write the pickles that must be refused
        for line, what in rule(parsed(path))
    ]
    assert not found


def test_only_the_surface_prints() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sources(CODE)
        if not path.relative_to(ROOT).as_posix().startswith(MAY_PRINT)
        for call, name in calls(parsed(path))
        if name == "print"
    ]
    assert not found, f"print() belongs in {', '.join(MAY_PRINT)}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [p for p in sources() if p.stat().st_size and not ast.get_docstring(parsed(p))]
    assert not [str(path.relative_to(ROOT)) for path in silent]


@pytest.mark.parametrize(
    ("rule", "source", "count"),
    [
        (bare_excepts, "try:\n    pass\nexcept:\n    pass", 1),
        (bare_excepts, "try:\n    pass\nexcept BaseException:\n    raise", 0),
        (evaluations, "exec('x')", 1),
        (evaluations, "model.eval()", 0),
        (unsafe_loads, "import torch\ntorch.load(p)", 1),
        (unsafe_loads, "torch.load(p, weights_only=True)", 0),
        (unsafe_loads, "torch.load(p, weights_only=False)", 1),
        (unsafe_loads, "from pickle import load", 1),
        (unsafe_loads, "import pickle\npickle.loads(b)", 1),
        (unsafe_loads, "import pickle\ntry:\n    f()\nexcept pickle.UnpicklingError:\n    raise", 0),
        (unsafe_loads, "import dill, json", 1),
        (long_chains, "if a: pass\nelif b: pass\nelif c: pass\nelif d: pass\nelse: pass", 0),
        (long_chains, "if a: pass\nelif b: pass\nelif c: pass\nelif d: pass\nelif e: pass", 1),
    ],
)
def test_the_rules_see_what_they_should(rule: Rule, source: str, count: int) -> None:
    assert len(list(rule(ast.parse(source)))) == count
