"""Files out of a zip archive into a data folder: only the requested files, nothing outside, nothing half.

An archive is judged before anything is written: names that lead out, two members for one place, encryption, parts that
unpack beyond reason or beyond the room on the disk.
"""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from vlmbench.base.errors import DataError

CHUNK = 1 << 20
RATIO = 300
"""What unpacks to more than so many times its size is a bomb: images hardly shrink, annotations some tenfold..."""
SMALL = 64 << 20
"""... unless it is no larger than this when unpacked."""
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, IndexError)
"""What zipfile raises for archives that are damaged or need more than it can."""


def extract(archive: Path, patterns: Sequence[str], root: Path, *, progress: bool = True) -> list[str]:
    """Take files out of a zip into a folder: `patterns` are file paths, found by their last part, and folders, whole.

    Returns those of `patterns` that the archive has nothing for. Raises DataError for an archive that is broken, would
    fill the disk, or whose names lead out of the folder or to one place twice; then nothing is written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            placed = _placed(opened, archive, patterns)
            _refuse_bombs(list(placed.values()), archive, root)
            _write(opened, placed, root, archive, progress)
    except OSError as error:
        raise _cannot_write(error, root) from None
    except DAMAGE as error:
        problem = f"not a readable zip file: {type(error).__name__}: {error}"
        raise DataError(problem, where=str(archive), hint="remove it and try again") from None
    return [path for path in patterns if not any(_covers(path, place) for place in placed)]


def _cannot_write(error: OSError, root: Path) -> DataError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "free some space, then try again" if full else "name another --data, or unpack the archive by hand"
    return DataError(f"cannot write: {error.strerror or error}", where=str(error.filename or root), hint=hint)


def _covers(pattern: str, place: str) -> bool:
    return place == pattern or place.startswith(pattern + "/")


def _placed(opened: zipfile.ZipFile, archive: Path, patterns: Sequence[str]) -> dict[str, zipfile.ZipInfo]:
    """Members that somebody wants, by where they belong below the data folder."""
    infos = [info for info in opened.infolist() if not info.is_dir()]
    for info in infos:
        _refuse_escape(info, archive)
    by_place: dict[str, list[zipfile.ZipInfo]] = {}
    for info in infos:
        if (place := _place(info.filename, patterns)) is not None:
            by_place.setdefault(place, []).append(info)
    return {place: _only(place, members, archive) for place, members in by_place.items()}


def _only(place: str, members: Sequence[zipfile.ZipInfo], archive: Path) -> zipfile.ZipInfo:
    """The one member for a place: of several the one whose whole path is meant, or any if their contents are equal."""
    exact = [info for info in members if info.filename == place or info.filename.endswith(f"/{place}")]
    candidates = exact or list(members)
    if len({(info.CRC, info.file_size) for info in candidates}) > 1:
        names = " and ".join(repr(info.filename) for info in candidates[:2])
        problem = f"the archive holds several files for {place}: {names}"
        raise DataError(problem, where=str(archive), hint="unpack it by hand, and put the right one there")
    return candidates[0]


def _place(member: str, patterns: Sequence[str]) -> str | None:
    """Where a member of the archive belongs below the data folder; None if nobody wants it."""
    parts = PurePosixPath(member.replace("\\", "/")).parts
    if not parts or parts[-1].startswith("._") or "__MACOSX" in parts:
        return None
    for path in patterns:
        name = PurePosixPath(path).name
        if parts[-1] == name:
            return path
        if name in parts[:-1] and "." not in name:
            return "/".join([path, *parts[parts.index(name) + 1 :]])
    return None


def _refuse_escape(info: zipfile.ZipInfo, archive: Path) -> None:
    name = info.filename.replace("\\", "/")
    parts = name.split("/")
    link = stat.S_ISLNK(info.external_attr >> 16)
    if name.startswith("/") or ".." in parts or ":" in parts[0] or link:
        problem = f"the archive holds {info.filename!r}, which would be written outside the data folder"
        raise DataError(problem, where=str(archive), hint="do not use this archive")


def _refuse_bombs(infos: Sequence[zipfile.ZipInfo], archive: Path, root: Path) -> None:
    hint = "do not use this archive"
    for info in infos:
        if info.flag_bits & 1:
            problem = f"{info.filename!r} is encrypted"
            raise DataError(problem, where=str(archive), hint="unpack it by hand with its password")
        if info.file_size > SMALL and info.file_size > RATIO * max(info.compress_size, 1):
            problem = f"{info.filename!r} unpacks from {info.compress_size:,} to {info.file_size:,} bytes"
            raise DataError(problem, where=str(archive), hint=hint)
    needed = sum(info.file_size for info in infos)
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        problem = f"unpacked it needs {needed:,} bytes, and {free:,} are free"
        raise DataError(problem, where=str(root), hint="free some space or name another --data, then try again")


def _write(
    opened: zipfile.ZipFile, placed: Mapping[str, zipfile.ZipInfo], root: Path, archive: Path, progress: bool
) -> None:
    from tqdm import tqdm

    for place, info in tqdm(placed.items(), unit="file", desc="unpacking", disable=None if progress else True):
        try:
            _write_member(opened, info, root / place)
        except DAMAGE as error:
            problem = f"{info.filename!r:.200} is damaged: {type(error).__name__}: {error!s:.200}"
            raise DataError(problem, where=str(archive), hint="remove it and try again") from None


def _write_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    if path.is_file() and path.stat().st_size == info.file_size and _crc(path) == info.CRC:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with opened.open(info) as source, part.open("wb") as file:
            shutil.copyfileobj(source, file, CHUNK)
        if part.stat().st_size != info.file_size:
            raise zipfile.BadZipFile(f"{part.stat().st_size:,} of {info.file_size:,} bytes")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _crc(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            checksum = zlib.crc32(block, checksum)
    return checksum
