"""Rows of a tar shard, and how many are lost where it is damaged.

Python's tarfile, like the libraries built on it, takes a header that cannot be read for the archive's end. A cut or
overwritten shard would so quietly give a part of its rows.
"""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK = tarfile.BLOCKSIZE
EMPTY = b"\0" * BLOCK
INDEXES = ("index.json", "shardindex.json", "wids.json")
"""webdataset's own index of a folder of shards."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One shard."""

    rows: int
    """That can be read."""
    damage: str = ""
    """What is wrong with it; "": nothing."""
    lost: int = 0
    """Rows that cannot be read: counted where an index tells how many there were, estimated otherwise."""
    expected: int | None = None
    """Rows by an index."""


def count(shard: str, key_of: Callable[[str], str | None]) -> Counted:
    """Go through a shard's headers. `key_of` gives the row that a file belongs to, by its name; None: to none."""
    path, last, rows, at, damage = Path(shard), None, 0, 0, ""
    expected = _expected(path)
    try:
        with tarfile.open(path, "r:*") as tar:
            for member in tar:
                key = key_of(member.name)
                if member.isreg() and key is not None and key != last and not member.name.startswith("__"):
                    last, rows = key, rows + 1
                at = tar.offset
            damage = _end(tar)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        damage = f"{type(error).__name__}: {error}"
        rows = max(rows - 1, 0)  # the last one's data are cut off
    if not damage and expected is not None and rows < expected:
        damage = "rows are missing"
    if not damage:
        return Counted(rows, expected=expected)
    if expected is not None:
        return Counted(rows, damage, max(expected - rows, 1), expected)
    return Counted(rows, damage, _lost(path, rows, at))


def _end(tar: tarfile.TarFile) -> str:
    """What is wrong where the last header was looked for; "" where the archive ends as it should."""
    file: Any = tar.fileobj
    file.seek(tar.offset)
    blocks = file.read(2 * BLOCK)
    if not blocks:
        return "it has no end-of-archive mark: it is cut off"
    if len(blocks) < BLOCK:
        return f"it is cut off inside a header, at byte {tar.offset:,}"
    if blocks[:BLOCK] != EMPTY:
        return f"the header at byte {tar.offset:,} cannot be read"
    if blocks[BLOCK:] != EMPTY:
        return (
            "its end-of-archive mark is cut off" if len(blocks) < 2 * BLOCK else "there is more behind an empty block"
        )
    return "" if _only_zeros(file) else f"there is more behind the end-of-archive mark at byte {tar.offset:,}"


def _only_zeros(file: Any) -> bool:
    while chunk := file.read(1 << 20):
        if chunk.strip(b"\0"):
            return False
    return True


def _lost(path: Path, rows: int, at: int) -> int:
    """An estimate from the bytes behind the damage: at least one row."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - tarfile.RECORDSIZE))
            size -= len(tail := file.read()) - len(tail.rstrip(b"\0"))  # an archive ends in zeros
    except OSError:
        return 1
    return max(1, round((size - at) * rows / at)) if rows and size > at else 1


def _expected(path: Path) -> int | None:
    """Rows that the shard was written with, by img2dataset's statistics or by webdataset's index beside it."""
    stats = _json(path.with_name(f"{path.name.partition('.')[0]}_stats.json"))
    if isinstance(stats, dict) and _is_count(stats.get("successes")):
        return int(stats["successes"])
    for name in INDEXES:
        for entry in _shards_of(_json(path.with_name(name))):
            if str(entry.get("url", "")).rpartition("/")[2] == path.name and _is_count(entry.get("nsamples")):
                return int(entry["nsamples"])
    return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _shards_of(index: Any) -> Iterator[dict[str, Any]]:
    listed = index.get("shardlist") if isinstance(index, dict) else None
    yield from (entry for entry in listed if isinstance(entry, dict)) if isinstance(listed, list) else ()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
