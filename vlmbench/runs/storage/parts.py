"""Parts of a run's log: what each worker answered, in a file of its own, until the run's process has taken it over.

    parts/.token                  random: a worker that reads the same one sees the same folder
    parts/part-0003-9f2c1a7b.jsonl    lines as in log.jsonl, of worker 3; a group of questions is one write

A part has one writer, and only whole lines are read. What is in log.jsonl too is known by its key and taken once, so a
process may be killed between any two steps: parts that are still there when a run is opened are merged then.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vlmbench.base.samples import Response
from vlmbench.runs.storage import answer_log
from vlmbench.runs.storage.layout import LOG, PARTS

LOGGER = logging.getLogger(__name__)
TOKEN = ".token"
PATTERN = "part-*.jsonl"
CHUNK = 16 << 20
"""Bytes of a part that are read at once."""
PATIENCE = 5.0
"""Seconds that a network's file system may take to show what another machine has written."""


@dataclass(frozen=True)
class Part:
    """Where a worker writes, and how often it makes that safe."""

    folder: Path | None
    """The run's parts/; None: the answers are wanted in messages."""
    name: str
    token: str
    every: float
    """Seconds between one fsync, and one message to the run's process, and the next."""


class Buffer:
    """What a worker has in place of a part where it cannot reach the run's folder: lines that go with its messages."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def write(self, lines: Sequence[bytes]) -> None:
        """Keep the lines of a group."""
        self._lines += lines

    def flush(self) -> tuple[int, bytes]:
        """No bytes in a file, and the lines since the last time."""
        lines, self._lines = b"".join(self._lines), []
        return 0, lines

    def close(self) -> None:
        """Nothing is open."""


class PartWriter:
    """A worker's part. Raises OSError, from all of its methods, where the folder cannot be reached or written to."""

    def __init__(self, folder: Path, part: Part) -> None:
        if (folder / TOKEN).read_text("ascii") != part.token:
            raise FileNotFoundError(errno.ENOENT, "it is another folder on this machine", str(folder))
        self._file = os.open(folder / part.name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
        self._size = 0

    def write(self, lines: Sequence[bytes]) -> None:
        """Append the lines of a group: one call, so that a killed worker leaves a group whole or (with luck) cut."""
        content = b"".join(lines)
        if os.write(self._file, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(content)

    def flush(self) -> tuple[int, bytes]:
        """Make it survive a power cut. The bytes of the file, and no lines to send."""
        os.fsync(self._file)
        return self._size, b""

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)


def writer(part: Part) -> tuple[PartWriter | Buffer, str]:
    """Where a worker puts its lines, and why that is not the part, if it is not."""
    if part.folder is None:
        return Buffer(), ""
    try:
        return PartWriter(part.folder, part), ""
    except OSError as error:
        return Buffer(), f"cannot write to {part.folder}: {error.strerror or error}"


@dataclass
class PartReader:
    """The answers of one worker that nobody has taken yet, read as its part grows or as they come in messages."""

    path: Path
    answers: dict[str, tuple[bytes, Response]] = field(default_factory=dict)
    """By key: the line as it is, with its end, and what it says."""
    damaged: int = 0
    """Lines that could not be read."""
    _place: int = 0
    """Bytes that were read."""
    _late: bool = False
    """Whether bytes that were announced did not come: they are not waited for again."""

    def read(self, size: int | None = None) -> None:
        """Read whole lines up to a size that the worker announced, or to the end; missing files and bytes are damage.

        Raises OSError where the file is there and cannot be read.
        """
        until = time.monotonic() + (0 if size is None or self._late else PATIENCE)
        while self._read_on(size) and time.monotonic() < until:
            time.sleep(0.02)
        if size is not None and self._place < size:
            self.damaged += 1
            self._late = True

    def _read_on(self, size: int | None) -> bool:
        """Returns whether announced bytes are missing."""
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(self._place)
            while lines := file.readlines(CHUNK):
                for line in lines:
                    if not line.endswith(b"\n") or (size is not None and self._place + len(line) > size):
                        return size is not None and self._place < size  # half a line, or one that is not safe yet
                    self._take(line)
                    self._place += len(line)
        return size is not None and self._place < size

    def take(self, lines: bytes) -> None:
        """Read lines of a message."""
        for line in lines.split(b"\n")[:-1]:
            self._take(line + b"\n")

    def _take(self, line: bytes) -> None:
        try:
            key, response = answer_log.parse(line[:-1])
        except ValueError:
            self.damaged += 1
        else:
            self.answers[key] = line, response

    def pop(self, keys: Sequence[str]) -> list[tuple[bytes, Response]]:
        """The answers of a whole group, which are then taken; none, and nothing is taken, where one is missing."""
        if not all(key in self.answers for key in keys):
            return []
        return [self.answers.pop(key) for key in keys]

    def drop(self, keys: Iterable[str]) -> None:
        """Forget answers that another worker gave before."""
        for key in keys:
            self.answers.pop(key, None)


class PartFolder:
    """The parts of one run, for its process."""

    def __init__(self, run: Path | None, every: float) -> None:
        """`every`: seconds between a worker's messages. Without a run all answers come in messages."""
        self._run, self._every = run, every
        self._token = secrets.token_hex(16)
        self._readers: dict[str, PartReader] = {}
        if run is not None:
            (run / PARTS).mkdir(exist_ok=True)
            (run / PARTS / TOKEN).write_text(self._token, "ascii")

    def new(self, worker: int) -> Part:
        """A part for a worker, which no other process writes to."""
        name = f"part-{worker:04}-{secrets.token_hex(4)}.jsonl"
        folder = None if self._run is None else self._run.absolute() / PARTS
        self._readers[name] = PartReader((folder or Path()) / name)
        return Part(folder, name, self._token, self._every)

    def reader(self, name: str) -> PartReader:
        """What reads a part that was made here."""
        return self._readers[name]

    def remove(self) -> None:
        """Remove the parts, whose answers are in the log."""
        if self._run is not None:
            _remove(self._run, self._readers.values())


def answers(run: Path) -> dict[str, Response]:
    """Every answer in the parts of a run that a lost process left, by key."""
    return {key: response for key, (_, response) in _found(_leftover(run)).items()}


def merge(run: Path, known: Mapping[str, Response]) -> dict[str, Response]:
    """Move what a lost process left in parts into the run's log; returns the answers that were not known.

    Damaged lines are told of, and the part is kept as NAME.damaged. Raises OSError.
    """
    left = _leftover(run)
    found = {key: one for key, one in _found(left).items() if key not in known}
    if found:
        with (run / LOG).open("ab") as log:
            log.write(b"".join(line for line, _ in found.values()))
            log.flush()
            os.fsync(log.fileno())
    _remove(run, left)
    return {key: response for key, (_, response) in found.items()}


def _leftover(run: Path) -> list[PartReader]:
    readers = [PartReader(path) for path in sorted((run / PARTS).glob(PATTERN))]
    for reader in readers:
        reader.read()
    return readers


def _found(readers: Iterable[PartReader]) -> dict[str, tuple[bytes, Response]]:
    """Of two answers to a question the first; failures are none."""
    found: dict[str, tuple[bytes, Response]] = {}
    for reader in readers:
        for key, one in reader.answers.items():
            if one[1].finish != "error":
                found.setdefault(key, one)
    return found


def _remove(run: Path, readers: Iterable[PartReader]) -> None:
    """Remove parts whose answers are in the log; a damaged one is kept in the run's folder."""
    for reader in readers:
        if reader.damaged and reader.path.is_file():
            copy = run / f"{reader.path.name}.damaged"
            told = f"{reader.damaged} damaged lines: what they answered is asked again"
            LOGGER.warning("%s: %s; it is kept as %s", reader.path, told, copy.name)
            reader.path.replace(copy)
        reader.path.unlink(missing_ok=True)
    (run / PARTS / TOKEN).unlink(missing_ok=True)
    with suppress(OSError):  # there is none, or it holds something else
        (run / PARTS).rmdir()
