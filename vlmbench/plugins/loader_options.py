"""The options of a built-in model by the source of its loader: importing one takes seconds, a wrong word must not.

A loader is `load(checkpoint, *, option=default, ...)`, or `load = partial(other.load, ...)`.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def of_loader(path: str) -> Mapping[str, str] | None:
    """Option to the source of its default, of the loader at "module:name"; None where the source does not tell."""
    module, _, name = path.partition(":")
    tree = _source(module)
    found = None if tree is None else _defined(tree, name)
    if tree is not None and isinstance(found, ast.FunctionDef):
        defaults = zip(found.args.kwonlyargs, found.args.kw_defaults, strict=True)
        return {
            argument.arg: "" if default is None else _shown(module, tree, default) for argument, default in defaults
        }
    partial = found.value if isinstance(found, ast.Assign) else None
    if isinstance(partial, ast.Call) and partial.args and isinstance(partial.args[0], ast.Attribute):
        other = partial.args[0]
        beside = f"{module.rpartition('.')[0]}.{ast.unparse(other.value)}"
        return of_loader(f"{beside}:{other.attr}")
    return None


def _source(module: str) -> ast.Module | None:
    """A module's syntax tree. Finding its file imports the packages above it, which are small."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return ast.parse(Path(spec.origin).read_bytes())


def _defined(tree: ast.Module, name: str) -> ast.stmt | None:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == name:
            return statement
        if isinstance(statement, ast.Assign | ast.AnnAssign) and name in _names(statement):
            return statement
    return None


def _names(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    """What an assignment gives a value, several at once (`A, B = 1, 2`) left out."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _shown(module: str, tree: ast.Module, default: ast.expr) -> str:
    """A default as it is written on the command line; of a constant its value, wherever it is defined."""
    if isinstance(default, ast.Constant):
        return str(default.value).lower() if isinstance(default.value, bool) else str(default.value)
    if isinstance(default, ast.Name):
        found = _defined(tree, default.id)
        if isinstance(found, ast.Assign | ast.AnnAssign) and found.value is not None:
            return _shown(module, tree, found.value)
        for statement in tree.body:
            if not isinstance(statement, ast.ImportFrom):
                continue
            where = _absolute(module, statement)
            for alias in statement.names:
                if default.id == (alias.asname or alias.name) and (other := _source(where)):
                    return _shown(where, other, ast.Name(alias.name))
    return ast.unparse(default)


def _absolute(module: str, statement: ast.ImportFrom) -> str:
    """The module that a `from ... import` names."""
    if not statement.level:
        return statement.module or ""
    above = module.split(".")[: -statement.level]
    return ".".join([*above, *([statement.module] if statement.module else [])])
