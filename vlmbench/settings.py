"""Where data, cache and runs live: flags over environment over ./vlmbench.toml over defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from vlmbench import places
from vlmbench.errors import UnknownNameError, UsageError

CONFIG = "vlmbench.toml"
CODE = "plugins"


@dataclass(frozen=True)
class Settings:
    """The choices that are the same for every command."""

    data: str = "sample"
    """`sample` (embedded), `hub`, or a folder of official files (a path or a URL). VLMBENCH_DATA."""
    runs: str = "runs"
    """Folder (a path or a URL) in which runs get their own when --output names none. VLMBENCH_RUNS."""
    cache: str = "~/.cache/vlmbench"
    """Folder for downloads and judge verdicts. VLMBENCH_CACHE."""
    plugins: str = ""
    """Files and folders of tasks and models to load, with commas between. VLMBENCH_PLUGINS; not in vlmbench.toml, since
    they are code, and a folder that someone else made must not run it unasked."""

    @property
    def runs_folder(self) -> Path:
        """`runs` as a path."""
        return places.path(self.runs)

    @property
    def cache_folder(self) -> Path:
        """`cache` as a path."""
        return Path(self.cache).expanduser()


def load(flags: Mapping[str, str | None] | None = None, folder: Path | None = None) -> Settings:
    """Gather the settings. Raises UsageError for a broken vlmbench.toml, UnknownNameError for an unknown key."""
    names = [item.name for item in fields(Settings)]
    values = _from_file((folder or Path()) / CONFIG, names)
    for name in names:
        if env := os.environ.get(f"VLMBENCH_{name.upper()}"):
            values[name] = env
        if flag := (flags or {}).get(name):
            values[name] = flag
    return Settings(**values)


def _from_file(path: Path, names: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not valid TOML: {error}", where=str(path), cure="mend the file or remove it") from None
    for name, value in content.items():
        if name not in names:
            raise UnknownNameError(f"setting in {path}", name, names)
        if name == CODE:
            cure = "name them on the command line, --plugins, or in VLMBENCH_PLUGINS"
            raise UsageError("plug-ins are code, and a settings file runs none", where=str(path), cure=cure)
        if not isinstance(value, str):
            raise UsageError(f"{name} must be a string, not {value!r}", where=str(path), cure=f'write {name} = "…"')
    return content
