"""Where data, cache and runs live, and options' defaults: flags over environment over ./vlmbench.toml over defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vlmbench.base import paths
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.files import read_regular

CONFIG = "vlmbench.toml"
CODE = "plugins"
LARGEST = 1 << 20
"""Bytes of vlmbench.toml."""
LONGEST = 4096
"""Bytes of a path, as the system has it."""


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
        return paths.path(self.runs)

    @property
    def cache_folder(self) -> Path:
        """`cache` as a path."""
        return Path(self.cache).expanduser()


def load(flags: Mapping[str, str | None] | None = None, folder: Path | None = None) -> Settings:
    """Gather the settings. Raises UsageError for a broken vlmbench.toml, UnknownNameError for an unknown key."""
    names = [item.name for item in fields(Settings)]
    values = _places((folder or Path()) / CONFIG, names)
    for name in names:
        if env := os.environ.get(f"VLMBENCH_{name.upper()}"):
            values[name] = env
        if flag := (flags or {}).get(name):
            values[name] = flag
    for name, value in values.items():
        if len(os.fsencode(value)) > LONGEST or "\0" in value:
            problem = (
                f"{name} is no path: {'it holds a NUL' if chr(0) in value else f'it has {len(value):,} characters'}"
            )
            raise UsageError(problem, hint=f"look into VLMBENCH_{name.upper()}, {CONFIG} and the command's options")
    return Settings(**values)


def sections(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The tables of vlmbench.toml: by verb, defaults of its options. Raises UsageError for a broken file."""
    content = _content((folder or Path()) / CONFIG)
    return {name: value for name, value in content.items() if isinstance(value, dict)}


def _content(path: Path) -> dict[str, Any]:
    try:
        if not path.exists():
            return {}
        return tomllib.loads(read_regular(path, LARGEST).decode())
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot read it: {reason}", where=str(path), hint="fix the file or remove it") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, no UTF-8, a number of 5,000 digits, 5,000 brackets
        reason = "it is nested too deep" if isinstance(error, RecursionError) else f"{error!s:.200}"
        raise UsageError(f"not valid TOML: {reason}", where=str(path), hint="fix the file or remove it") from None


def _places(path: Path, names: list[str]) -> dict[str, str]:
    content = {name: value for name, value in _content(path).items() if not isinstance(value, dict)}
    for name, value in content.items():
        if name not in names:
            raise UnknownNameError(f"setting in {path}", name, names)
        if name == CODE:
            hint = "name them on the command line, --plugins, or in VLMBENCH_PLUGINS"
            raise UsageError("plug-ins are code, and a settings file runs none", where=str(path), hint=hint)
        if not isinstance(value, str):
            raise UsageError(f"{name} must be a string, not {value!r:.40}", where=str(path), hint=f'write {name} = "…"')
    return content
