"""What a judge has said before, so that nothing is paid for twice: one line a reply, in the cache folder.

A file a judge: `judge/NAME-HASH.jsonl` below the cache folder. The key of a line is a content hash of the judge, the
messages, the settings, the run and how often the same was asked before. Lines are appended with one write call each: a
process killed at any moment leaves whole lines and at most one cut one, which is passed over.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from vlmbench.errors import StoreError
from vlmbench.nouns import JudgeAsk

SYNC_EVERY = 1.0
"""Seconds between two fsyncs: what a power cut may cost."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a judge."""

    text: str
    model: str = ""
    """What the server says it is."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    attempts: int = 1
    """Calls it took, failed ones included."""


def ask_key(judge: str, ask: JudgeAsk, run: int, repeat: int) -> str:
    """Content hash of everything that decides a reply: 32 hex digits.

    `judge` is the judge's identity. `repeat` counts equal asks of one dialogue: some rules ask the same again.
    """
    content = [judge, ask.messages, ask.max_tokens, ask.temperature, run, repeat]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:32]


class VerdictCache:
    """The replies of one judge, on disk. Open in one process or in several."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.replies: dict[str, Reply] = {}
        self._synced = time.monotonic()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
            content = path.read_bytes()
            self.replies.update(_lines(content))
            if content and not content.endswith(b"\n"):
                os.write(self._file, b"\n")  # a cut last line: let the next one not glue to it
        except OSError as error:
            raise _told(error, path) from None

    def add(self, key: str, reply: Reply) -> None:
        """Keep a reply: one write call."""
        self.replies[key] = reply
        line = orjson.dumps({"key": key, "reply": reply}) + b"\n"
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if time.monotonic() - self._synced > SYNC_EVERY:
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            raise _told(error, self.path) from None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _lines(content: bytes) -> Iterator[tuple[str, Reply]]:
    for line in content.splitlines():
        try:
            row = orjson.loads(line)
            yield row["key"], Reply(**row["reply"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue  # cut by a kill: that reply is asked for again


def _told(error: OSError, path: Path) -> StoreError:
    cure = "free some space, or set VLMBENCH_CACHE to a folder that can be written"
    return StoreError(f"cannot keep verdicts: {error.strerror or error}", where=str(path), cure=cure)
