"""What a teacher said, kept in one file: by question and picture, with checksums, read through memory mapping.

Layout, little-endian: MAGIC; header; records. A header is (length u32, crc32 u32, JSON): whose answers these are. A
record is (length u32, crc32 u32, entries): what was asked at one go, written at once and flushed to the disk, so that
after a kill it is there whole or not at all. An entry is (key 16 bytes, status u32, bytes of text u32, tokens u32, top
u32), the text in UTF-8 with zeros up to a multiple of 4, then int32 tokens (n,), int32 ids (n, top), float32
log-probabilities (n, top), float32 rest (n,).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import mmap
import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOGGER = logging.getLogger(__name__)
MAGIC = b"VLMTEACH"
FRAME, ENTRY = struct.Struct("<II"), struct.Struct("<16sIIII")
OK, FAILED, TRUNCATED, EMPTY = range(4)
"""Statuses. Where it is not OK the data's own answer stands in, with its hard loss alone."""
REASONS = ("", "failed", "cut at max_new_tokens", "empty")
HINT = "delete the file, and the teacher is asked again"


@dataclass(frozen=True, slots=True)
class Said:
    """What a teacher said to one question."""

    status: int = OK
    text: str = ""
    """Its answer; why there is none, where it failed."""
    tokens: NDArray[np.int32] | None = None
    """(n,) the answer's tokens and the end token; None where nothing was scored."""
    ids: NDArray[np.int32] | None = None
    """(n, top) the likeliest in the place of each."""
    logprobs: NDArray[np.float32] | None = None
    rest: NDArray[np.float32] | None = None
    """(n,) log of the probability of all others."""

    def packed(self, key: bytes) -> bytes:
        """As an entry."""
        text = self.text.encode("utf-8", "replace")
        padded = text + bytes(-len(text) % 4)
        if self.tokens is None or self.ids is None or self.logprobs is None or self.rest is None:
            return ENTRY.pack(key, self.status, len(text), 0, 0) + padded
        head = ENTRY.pack(key, self.status, len(text), *self.ids.shape)
        numbers = [(self.tokens, "<i4"), (self.ids, "<i4"), (self.logprobs, "<f4"), (self.rest, "<f4")]
        return head + padded + b"".join(array.astype(kind).tobytes() for array, kind in numbers)


class AnswerFile:
    """What one teacher said, by key. Read by many, written by one process at a time."""

    def __init__(self, path: Path, mark: Mapping[str, Any], *, write: bool) -> None:
        """Opens or begins the file. `mark`: whose answers they are, JSON-like; `write`: hold it for `add`.

        Raises StoreError where it holds those of another teacher, is damaged, or another process writes to it.
        """
        self.path, self._places = path, dict[bytes, int]()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _begin(path, mark)
            self._file = os.open(path, os.O_RDWR if write else os.O_RDONLY)
        except OSError as error:
            raise _unusable(path, error) from None
        try:
            if write:
                self._lock()
            self._end = self._read(mark, write=write)
            self._map()
        except BaseException:
            self.close()
            raise
        if not write:
            os.close(self._file)  # the mapping stays

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait for it, or name another file: --set distil.cache=FILE"
            raise StoreError("another process asks this teacher", where=str(self.path), hint=hint) from None
        except OSError as error:
            LOGGER.warning("%s: this file system has no locks (%s): write to it once at a time", self.path, error)

    def _read(self, mark: Mapping[str, Any], *, write: bool) -> int:
        """Check everything and find all entries; returns where the last whole record ends."""
        size = os.fstat(self._file).st_size
        with mmap.mmap(self._file, size, prot=mmap.PROT_READ) if size else memoryview(b"") as content:
            view = memoryview(content)
            try:
                return self._scan(view, mark, write=write)
            finally:
                view.release()

    def _scan(self, view: memoryview, mark: Mapping[str, Any], *, write: bool) -> int:
        if bytes(view[: len(MAGIC)]) != MAGIC:
            raise StoreError("not a file of a teacher's answers", where=str(self.path), hint="name another file")
        header, at = self._frame(view, len(MAGIC))
        if header is None:
            raise StoreError("damaged: its header is not what was written", where=str(self.path), hint=HINT)
        if differences := _differences(json.loads(header), mark):
            hint = f"name another file (--set distil.cache=FILE), or {HINT}"
            raise StoreError(f"holds the answers of another teacher: {differences}", where=str(self.path), hint=hint)
        while at < len(view):
            record, end = self._frame(view, at)
            if record is None and end < len(view):
                message = f"damaged: the record at byte {at:,} is not what was written"
                raise StoreError(message, where=str(self.path), hint=HINT)
            if record is None:
                LOGGER.warning("%s: the last record was cut short by a kill; its questions are asked again", self.path)
                if write:
                    os.ftruncate(self._file, at)
                return at
            self._index(record, at + FRAME.size)
            at = end
        return at

    def _frame(self, view: memoryview, at: int) -> tuple[bytes | None, int]:
        """The content of a header or record, None where it is not whole, and where it ends."""
        if len(view) < at + FRAME.size:
            return None, len(view)
        length, checksum = FRAME.unpack_from(view, at)
        end = at + FRAME.size + length
        if end > len(view):
            return None, len(view)
        content = bytes(view[at + FRAME.size : end])
        return (content if zlib.crc32(content) == checksum else None), end

    def _index(self, record: bytes, start: int) -> None:
        at = 0
        while at < len(record):
            key, _, text, tokens, top = ENTRY.unpack_from(record, at)
            self._places[key] = start + at
            at += ENTRY.size + text + -text % 4 + 4 * tokens * (2 + 2 * top)

    def _map(self) -> None:
        self._content = mmap.mmap(self._file, self._end, prot=mmap.PROT_READ)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: bytes) -> Said | None:
        """What was said; None where it was not asked."""
        import numpy as np

        place = self._places.get(key)
        if place is None:
            return None
        _, status, length, count, top = ENTRY.unpack_from(self._content, place)
        place += ENTRY.size
        text = self._content[place : place + length].decode("utf-8")
        if not count:
            return Said(status, text)
        place += length + -length % 4
        arrays = []
        for kind, width in (("<i4", 1), ("<i4", top), ("<f4", top), ("<f4", 1)):
            arrays.append(np.frombuffer(self._content, kind, count * width, place))
            place += 4 * count * width
        tokens, ids, logprobs, rest = arrays
        return Said(status, text, tokens, ids.reshape(count, top), logprobs.reshape(count, top), rest)

    def add(self, said: Iterable[tuple[bytes, Said]]) -> None:
        """Append answers as one record, on the disk when this returns. Raises StoreError where they cannot be."""
        content = b"".join(one.packed(key) for key, one in said)
        record = FRAME.pack(len(content), zlib.crc32(content)) + content
        try:
            written = 0
            while written < len(record):
                written += os.pwrite(self._file, record[written:], self._end + written)
            os.fsync(self._file)
        except OSError as error:
            raise _unusable(self.path, error) from None
        self._index(content, self._end + FRAME.size)
        self._end += len(record)
        self._map()

    def close(self) -> None:
        """Let go of a file that was held for writing."""
        with contextlib.suppress(OSError):  # the mapping holds the lock too
            fcntl.flock(self._file, fcntl.LOCK_UN)
        os.close(self._file)


def _begin(path: Path, mark: Mapping[str, Any]) -> None:
    """A file with a header, under its name only when it is on the disk."""
    header = json.dumps(mark, sort_keys=True).encode()
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with fresh.open("wb") as file:
        file.write(MAGIC + FRAME.pack(len(header), zlib.crc32(header)) + header)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = sorted(name for name in {**before, **now} if before.get(name) != now.get(name))
    return "; ".join(f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}" for name in names)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _unusable(path: Path, error: OSError) -> StoreError:
    hint = "make room, or name another file: --set distil.cache=FILE"
    return StoreError(f"cannot keep the teacher's answers: {error.strerror}", where=str(path), hint=hint)
