"""Files read and written safely: no pipe or device is opened, no file is left half written, no text is half stored.

Text is stored byte for byte, in any script: a question in NFD stays in NFD from the task's file to the report.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from vlmbench.base.paths import is_remote


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a file that is no pipe or device and not longer than `limit`. Raises OSError."""
    if is_remote(path):
        return path.read_bytes()
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(0, "it is not a regular file")
        if facts.st_size > limit:
            raise OSError(0, f"it has {facts.st_size:,} bytes, more than {limit:,}")
        return file.read()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; what a full disk leaves of the new one is removed."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def replace_synced(temporary: Path, path: Path) -> None:
    """Put a file that was written beside another one in its place."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def unicode_problem(text: str) -> str:
    """Why a text cannot be encoded as UTF-8, for an error message; empty when it can.

    Only half of a surrogate pair, as in JSON's `"\\ud83d"`, has no encoding.
    """
    if text.isascii():
        return ""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        return f"character {error.start + 1} is {half}, half of a surrogate pair, which no text file can hold"
    return ""
