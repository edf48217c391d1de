"""Whether a file is there, and its bytes, on this machine or an object store, with a DataError for all that can fail.

Only ordinary files are opened: a pipe would wait for ever and /dev/zero never ends. "Not there" is said only where the
place says so; a name that is too long, refused access, throttling and a connection that breaks are errors of their own.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, VlmbenchError
from vlmbench.base.paths import is_remote

DATA_BYTES = 8 << 30
"""A larger file of questions or answers is refused: it is read whole. The largest official one has half a GiB."""
IMAGE_BYTES = 512 << 20
"""A larger file of one image is refused."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
ABSENT = (errno.ENOENT, errno.ENOTDIR)


class Reaching:
    """Whatever a file system or an object store's library raises, as a DataError that says what happened.

    A class, as it is entered for every image: a generator's context takes three times as long.
    """

    __slots__ = ("path",)

    def __init__(self, path: Path | str) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, VlmbenchError):  # each store's has its own kinds
            raise DataError(f"cannot read it: {reason(error)}", where=f"{self.path}", hint=_cure(error)) from None


def reason(error: BaseException) -> str:
    """What an error says, in one line, with its kind where it is not the operating system's."""
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return str(error.strerror)
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"[:500] if message else type(error).__name__


def _cure(error: BaseException) -> str:
    own = isinstance(error, OSError | ValueError) and type(error).__module__ == "builtins"
    return "check the path" if own else "check the connection and the credentials, then run the same command again"


def is_file(path: Path) -> bool:
    """Whether something to read is there; a folder is not. Raises DataError where that cannot be found out."""
    with Reaching(path):
        kind = _kind(path)
        return kind is not None and kind != stat.S_IFDIR


def is_dir(path: Path) -> bool:
    """Whether a folder is there. Raises DataError where that cannot be found out."""
    with Reaching(path):
        return _kind(path) == stat.S_IFDIR


def leaves(folder: Path, name: str) -> bool:
    """Whether a link below a folder of this machine, which may be one itself, leads out of it."""
    path, linked = str(folder), False
    for part in name.split("/"):
        path = f"{path}/{part}"
        linked = linked or os.path.islink(path)  # noqa: PTH114 - a third of the time, for each image
    return linked and not Path(path).resolve().is_relative_to(folder.resolve())


def _kind(path: Path) -> int | None:
    """The file type, as stat has it; None where nothing is."""
    if is_remote(path):
        remote: Any = path
        try:
            info = remote.fs.info(remote.path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return stat.S_IFDIR if info.get("type") == "directory" else stat.S_IFREG
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise


def read_whole(path: Path, limit: int = DATA_BYTES) -> bytes:
    """An ordinary file's bytes. Raises DataError for anything else, and for more than `limit` bytes."""
    with Reaching(path):
        try:
            return path.read_bytes() if is_remote(path) else _read(path, limit)
        except FileNotFoundError:
            raise DataError("no such file", where=str(path), hint="check the path") from None


def _read(path: Path, limit: int) -> bytes:
    size = check_ordinary(path, limit)
    with path.open("rb") as file:
        content = file.read(size + 1)
        if len(content) > size:
            content += file.read(limit)
    if len(content) > limit:  # it grew, or a file system that gives no sizes
        raise _too_large(path, limit)
    return content


def check_ordinary(path: Path, limit: int = DATA_BYTES) -> int:
    """How many bytes an ordinary file has. Raises DataError for anything else and more than `limit`, OSError where
    nothing is."""
    about = path.stat()
    kind = stat.S_IFMT(about.st_mode)
    if kind != stat.S_IFREG:
        description = KINDS.get(kind, "a special file")
        raise DataError(f"cannot read it: {description}, not a file", where=str(path), hint="name an ordinary file")
    if about.st_size > limit:
        raise _too_large(path, limit)
    return about.st_size


def _too_large(path: Path, limit: int) -> DataError:
    problem = f"the file has more than {limit / (1 << 20):,.0f} MiB"
    return DataError(problem, where=str(path), hint="is it the right file? name another, or part it")
