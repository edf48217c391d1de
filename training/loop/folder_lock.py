"""One training per folder: a lock that is held as long as its process lives."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from pathlib import Path

from vlmbench.base.errors import TrainingError

LOGGER = logging.getLogger(__name__)
LOCK = ".lock"
_held: set[int] = set()
"""Open locks of this process. A forked child closes them at once: it must not hold a lock after its parent's death."""


class FolderLock:
    """Holds a folder. The kernel lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Raises TrainingError when another process trains there."""
        self._file = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            named = f" (process {holder})" if holder else ""
            hint = "wait for it, or give --output another folder"
            raise TrainingError(f"another process trains here{named}", where=str(folder), hint=hint) from None
        except OSError as error:
            LOGGER.warning("%s: this file system has no locks (%s): do not train twice here", folder, error.strerror)
        _held.add(self._file)
        with contextlib.suppress(OSError):  # on a full disk the number is missing, not the lock
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of the folder."""
        if self._file in _held:
            _held.discard(self._file)
            os.close(self._file)


def _leave_to_parent() -> None:
    for number in _held:
        with contextlib.suppress(OSError):
            os.close(number)
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
