"""Fingerprints of checkpoints: SHA-256 over all files that decide an answer, or a hub's commit.

An adapter's covers the base that it names. Each file's content is hashed once in a process, until it changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlmbench.base.errors import ModelError

DECIDING = (".json", ".jinja", ".model", ".py", ".safetensors", ".tiktoken", ".txt", ".spm", ".bpe", ".vocab")
"""Suffixes of what decides the answers in a checkpoint's folder: weights, configs, tokenizer, processor, templates."""
ADAPTER = "adapter_config.json"
ASIDE = re.compile(r"\..*|__pycache__|checkpoint-\d+|global_step\d+|runs")
"""Folders inside a checkpoint's that hold something else: hidden ones, and what training leaves."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a file that is written again has another time: only older ones are remembered."""
_known: dict[tuple[str, int, int, int], str] = {}


def of_file(path: Path) -> str:
    """Hash a file's content with SHA-256."""
    facts = path.stat()
    key = (os.path.realpath(path), facts.st_ino, facts.st_size, facts.st_mtime_ns)
    if key in _known:
        return _known[key]
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if time.time_ns() - facts.st_mtime_ns > SETTLED:
        _known[key] = digest
    return digest


def of_folder(folder: Path, suffixes: tuple[str, ...] = DECIDING) -> str:
    """Hash names and contents of the deciding files, subfolders and the base of an adapter included."""
    digest = hashlib.sha256()
    for path in files(folder, suffixes):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{of_file(path)}\n".encode())
    if (base := base_of(folder)) and not (folder / "config.json").is_file():
        place = Path(base).expanduser()
        if place.is_dir():
            digest.update(f"base\0{of_folder(place, suffixes)}\n".encode())
    return digest.hexdigest()


def files(folder: Path, suffixes: tuple[str, ...] = DECIDING) -> Iterator[Path]:
    """List the deciding files of a folder, sorted by name. `suffixes` empty: all files."""
    paths = []
    for place, inside, names in os.walk(folder):
        inside[:] = [name for name in inside if not ASIDE.fullmatch(name)]
        paths += [Path(place) / name for name in names if not suffixes or Path(name).suffix in suffixes]
    return iter(sorted(path for path in paths if path.is_file()))


def base_of(folder: Path) -> str:
    """The model that an adapter's folder names; empty for a folder that holds none.

    Raises ModelError for a config that cannot be read.
    """
    path = folder / ADAPTER
    if not path.is_file():
        return ""
    try:
        named = json.loads(path.read_text("utf-8"))["base_model_name_or_path"]
    except (ValueError, RecursionError, KeyError, TypeError, OSError) as error:
        hint = "it needs base_model_name_or_path: the folder or hub name of the model that was trained"
        raise ModelError(f"not an adapter's config: {error!r}", where=str(path), hint=hint) from None
    if not isinstance(named, str) or not named:
        hint = "write the folder or hub name of the model that was trained"
        raise ModelError("base_model_name_or_path is empty", where=str(path), hint=hint)
    return named


def of_commit(name: str, commit: str | None) -> str:
    """Return the fingerprint of a model of the hub. Raises ModelError without a commit."""
    if not commit:
        raise ModelError("the hub names no commit of it", where=name, hint="download it and name the folder")
    return f"{name}@{commit}"


def of_code(*objects: Any) -> str:
    """Hash the Python files that came with a checkpoint; empty for classes of installed packages."""
    folders = set()
    for item in objects:
        module = sys.modules.get(type(item).__module__)
        if module is not None and module.__name__.startswith("transformers_modules") and module.__file__:
            folders.add(Path(module.__file__).parent)
    paths = sorted(path for folder in folders for path in folder.glob("*.py"))
    return (
        hashlib.sha256("".join(f"{path.name}\0{of_file(path)}\n" for path in paths).encode()).hexdigest()
        if paths
        else ""
    )
