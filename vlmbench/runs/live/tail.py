"""A run's log, read as it grows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from vlmbench.base.errors import StoreError
from vlmbench.base.samples import Response
from vlmbench.runs.storage import answer_log
from vlmbench.runs.storage.layout import LOG, RECORDS

PART = 64 << 20
"""Bytes that are read at once."""


@dataclass
class Tail:
    """The answers of a folder so far: those of its records, and the lines of its log up to where it was last read."""

    folder: Path
    answers: dict[str, Response] = field(default_factory=dict)
    """By key, failures included: a run that is resumed asks their questions again."""
    latest: list[str] = field(default_factory=list)
    """Their keys in the order of the log."""
    damaged: int = 0
    """Lines that could not be read."""
    _place: int = 0
    """Bytes of the log that were read."""
    _file: int = 0
    """The log's inode: a run that mends its log writes a new one."""

    def __post_init__(self) -> None:
        if (self.folder / RECORDS).is_file():
            self.answers.update(answer_log.read_records(self.folder / RECORDS).answers)

    def read(self) -> bool:
        """Read what was appended since; returns whether there was something. A log that is gone adds nothing.

        Raises StoreError where it cannot be read.
        """
        path, found = self.folder / LOG, False
        try:
            with path.open("rb") as file:
                about = os.fstat(file.fileno())
                if about.st_ino != self._file or about.st_size < self._place:
                    self._file, self._place = about.st_ino, 0
                file.seek(self._place)
                while part := file.read(PART):
                    whole = part.rfind(b"\n") + 1
                    if not whole:  # half a line: its end is still to come
                        break
                    found = True
                    self._take(part[:whole])
                    self._place += whole
                    file.seek(self._place)
        except FileNotFoundError:
            return found
        except OSError as error:
            raise StoreError(f"cannot read it: {error.strerror or error}", where=str(path)) from None
        return found

    def _take(self, lines: bytes) -> None:
        kept = answer_log.read_lines(lines)
        self.damaged += len(kept.damaged)
        self.latest += kept.answers
        self.answers.update(kept.answers)
