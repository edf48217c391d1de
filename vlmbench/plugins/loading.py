"""Tasks and models from files: `--plugins FILE|DIR` imports them, and what they register is known by its name.

A plug-in is a .py file, or a package (a folder with __init__.py); another folder stands for every .py file in it but
tests (test_*.py) and those with a leading underscore. Its content hash is part of every run that uses it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry, settings
from vlmbench.base.errors import PluginError, VlmbenchError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from vlmbench.base.registry import Registry

TAKES = "--plugins takes .py files, packages, and folders of .py files, with commas between"


@dataclass(frozen=True)
class Plugin:
    """A file or package that was loaded."""

    path: Path
    hash: str
    """Of its source: 16 hex digits."""
    module: str
    """Its name in sys.modules: equal source has an equal name in every process."""
    names: tuple[tuple[str, str], ...]
    """(kind, name) of what it registered."""


_loaded: dict[Path, Plugin] = {}


def load(named: str) -> list[Plugin]:
    """Load what `--plugins` names. What is loaded already stays; a file that has changed since is loaded again.

    Raises PluginError, naming the file, for one that cannot be imported, registers nothing or takes a known name.
    """
    return [_load(path) for word in named.split(",") if word.strip() for path in _files(Path(word.strip()))]


def load_configured(flag: str | None) -> None:
    """Load what --plugins names, or VLMBENCH_PLUGINS. Raises PluginError."""
    if named := settings.load({"plugins": flag}).plugins:
        load(named)


def _files(path: Path) -> Iterator[Path]:
    """The plug-ins that a path stands for."""
    path = path.expanduser().resolve()
    if not path.exists():
        raise PluginError("no such file or folder", where=str(path), hint=TAKES)
    if path.suffix == ".py" or (path / "__init__.py").is_file():
        yield path
        return
    files = sorted(path.glob("*.py"))
    files = [file for file in files if not file.name.startswith(("_", "test_"))]
    if not files:
        raise PluginError("there is no plug-in", where=str(path), hint=TAKES)
    yield from files


def _load(path: Path) -> Plugin:
    digest = source_hash(path)
    earlier = _loaded.get(path)
    if earlier is not None and earlier.hash == digest:
        return earlier
    if earlier is not None:
        _forget(earlier)
    before = _registered()
    module = f"vlmbench_plugin_{path.stem}_{digest[:8]}"
    try:
        _import(path, module)
        names = tuple(sorted(_registered() - before))
        if not names:
            hint = "call vlmbench.add_task, add_model or add_suite in it, or put @vlmbench.model over a function"
            raise PluginError("it registers no task, no model and no suite", where=str(path), hint=hint)
    except (
        BaseException
    ):  # what it registered before it failed goes too: a fixed file must not collide with its own names
        _forget(Plugin(path, digest, module, tuple(_registered() - before)))
        raise
    _loaded[path] = Plugin(path, digest, module, names)
    return _loaded[path]


def _import(path: Path, name: str) -> None:
    """Run a plug-in. All that its code may raise becomes a PluginError that names the file."""
    folder = path if path.is_dir() else None
    source = path / "__init__.py" if folder else path
    where = None if folder is None else [str(folder)]
    spec = importlib.util.spec_from_file_location(
        name, source, loader=_Fresh(name, str(source)), submodule_search_locations=where
    )
    assert spec is not None and spec.loader is not None, "a loader was given"
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except VlmbenchError as error:
        raise PluginError(error.what, where=str(path), hint=error.hint) from error
    except (Exception, SystemExit) as error:
        problem = f"it cannot be imported: {type(error).__name__}: {error}"
        raise PluginError(problem, where=str(path), hint="fix it; --traceback shows the place") from error


class _Fresh(SourceFileLoader):
    """Reads the source every time: no bytecode beside the file, none that is older than it."""

    def path_stats(self, path: str | bytes) -> Mapping[str, Any]:
        """None: without the time of the last change nothing is cached."""
        raise OSError


def _kinds() -> tuple[Registry, ...]:
    return registry.tasks, registry.models, registry.recipes, registry.suites


def _registered() -> set[tuple[str, str]]:
    return {(kind.kind, name) for kind in _kinds() for name in kind.names()}


def _forget(plugin: Plugin) -> None:
    of_kind = {kind.kind: kind for kind in _kinds()}
    for kind, name in plugin.names:
        of_kind[kind].remove(name)
    for name in [name for name in sys.modules if name == plugin.module or name.startswith(f"{plugin.module}.")]:
        del sys.modules[name]
    _loaded.pop(plugin.path, None)


def unload() -> None:
    """Forget all that was loaded."""
    for plugin in list(_loaded.values()):
        _forget(plugin)


def source_hash(path: Path) -> str:
    """Content hash of a file, or of all .py files of a package and their places: 16 hex digits."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise PluginError(f"cannot read it: {error.strerror}", where=str(file), hint=TAKES) from None
        place = file.relative_to(path).as_posix() if path.is_dir() else ""
        digest.update(f"{place}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def source_of(kind: Registry, name: str) -> dict[str, str]:
    """{file or package: hash of its source} of the plug-in that registered a name; empty for what vlmbench has."""
    for plugin in _loaded.values():
        if (kind.kind, name) in plugin.names:
            return {plugin.path.name: plugin.hash}
    point = kind.entry_point(name)
    return {} if point is None else {registry.describe(point): _package_hash(point)}


def _package_hash(point: EntryPoint) -> str:
    """Of the whole top-level package of an entry point, since what it registers may lie anywhere in it."""
    spec = importlib.util.find_spec(point.module.partition(".")[0])
    if spec is not None and spec.origin is None:  # a namespace, shared with other packages: the module alone
        spec = importlib.util.find_spec(point.module)
    if spec is None or spec.origin is None:
        return "unknown"
    source = Path(spec.origin)
    return source_hash(source.parent if spec.submodule_search_locations else source)


def asked(tasks: Iterable[str], model: str = "") -> dict[str, dict[str, str]]:
    """What a run's manifest says of the plug-ins it uses: {"plugins": {name: hash}}; empty where there are none."""
    hashes: dict[str, str] = {}
    for name in tasks:
        hashes |= source_of(registry.tasks, name)
    if model:
        hashes |= source_of(registry.models, model)
    return {"plugins": dict(sorted(hashes.items()))} if hashes else {}
