"""What a training's data are: their sizes and digests, stored with each checkpoint and compared when it resumes.

Annotation files are hashed whole. Large weights and shards, above WHOLE bytes together, are hashed by their sizes and
by blocks of each file; images by the size of each one and the content of some (sources/files/image_digest.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, TrainingError

from ..recipe.recipe import Pool, Recipe, Stage
from . import init

WHOLE = 2 << 30
"""Files of one pool up to this many bytes together are hashed whole."""
BLOCK, BLOCKS = 1 << 16, 4
CHUNK = 1 << 22
ANNOTATIONS = frozenset({".json", ".jsonl", ".p", ".pkl"})
"""Files that a reader takes from a folder."""
MODEL = frozenset({".json", ".txt", ".model", ".safetensors", ".bin"})
"""Files of a checkpoint folder that decide what a training starts from."""
OWN = frozenset({"recipe.json"})
"""Files of a checkpoint folder that tell where it comes from, and decide nothing."""


def of_files(recipe: Recipe) -> dict[str, Any]:
    """The files that a recipe names, by name: {bytes, files, digest}. What is not there yet is left out."""
    named: dict[str, tuple[list[Path], bool]] = {}
    for stage in recipe.stages:
        if stage.data != "scenes":
            named[stage.data] = ([Path(stage.data)], True)
        for pool in stage.pools:
            named.update(_files_of(pool, Path(recipe.data)))
    for place in (recipe.start, *recipe.parts.values()):
        if place:
            named[place] = (list(_model_files(init.part_folder(place))), False)
    digests = {}
    for name, (files, whole) in named.items():
        there = [path for path in files if path.is_file()]
        if there:
            digests[name] = _digest(there, whole)
    return digests


def of_rows(stage: Stage, rows: Mapping[str, Any]) -> dict[str, Any]:
    """What the opened pools of a stage hold: counted rows, and a digest of their images."""
    return {f"rows of {stage.name}.{name}": pool.digest() for name, pool in rows.items() if hasattr(pool, "digest")}


def check(before: Mapping[str, Any], now: Mapping[str, Any], where: Path) -> None:
    """Raises TrainingError when something that was read before is not what it was."""
    for name, digest in now.items():
        if name in before and before[name] != digest:
            message = f"{name} is not what this training began with: {_difference(before[name], digest)}"
            hint = "bring the old one back, or give --output another folder: a training there begins with the new data"
            raise TrainingError(message, where=str(where), hint=hint)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    changed = [name for name in now if name != "digest" and before.get(name) != now[name]]
    changes = [f"{name} were {before.get(name, 0):,}, are {now[name]:,}" for name in changed]
    return ", ".join(changes) or "as large as before, but with another content"


def _files_of(pool: Pool, root: Path) -> Iterator[tuple[str, tuple[list[Path], bool]]]:
    if pool.kind == "scenes":
        return
    path = root / pool.path
    if pool.kind == "webdataset":
        from ..sources.shards import expand

        try:
            yield str(path), ([Path(name) for name in expand(str(path))], False)
        except DataError:  # told when the stage opens it
            return
    elif path.is_dir():
        yield str(path), (sorted(file for file in path.iterdir() if file.suffix in ANNOTATIONS), True)
    else:
        yield str(path), ([path], True)
    for option in pool.options.values():
        if isinstance(option, str) and option and "\0" not in option and Path(option).is_file():
            yield option, ([Path(option)], True)


def _model_files(folder: Path) -> Iterable[Path]:
    files = (path for path in folder.rglob("*") if path.suffix in MODEL and path.name not in OWN)
    return sorted(files)


def _digest(files: list[Path], whole: bool) -> dict[str, Any]:
    sizes = [path.stat().st_size for path in files]
    whole = whole or sum(sizes) <= WHOLE
    digest = hashlib.sha256()
    for path, size in zip(files, sizes, strict=True):
        digest.update(f"{path.name} {size}\n".encode("utf-8", "surrogatepass"))
        with path.open("rb") as file:
            if whole or size <= BLOCK * BLOCKS:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
            else:
                for at in range(BLOCKS):
                    file.seek(at * (size - BLOCK) // (BLOCKS - 1))
                    digest.update(file.read(BLOCK))
    return {"files": len(files), "bytes": sum(sizes), "digest": digest.hexdigest()[:32]}
