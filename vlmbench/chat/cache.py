"""Replies of servers, so that nothing is paid for twice: one line per reply, in the cache folder.

A file for each server and model: `judge/NAME-HASH.jsonl` or `answers/NAME-HASH.jsonl` below the cache folder. The key
of a line is a content hash of everything that decides the reply. Lines are appended with one write call each: a process
killed at any moment leaves whole lines and at most one cut one, which is passed over.
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

from vlmbench.base.errors import StoreError
from vlmbench.base.samples import ImageRef, JudgeRequest
from vlmbench.data.images import decoding as images

SYNC_EVERY = 1.0
"""Seconds between two fsyncs: what a power cut may cost."""
VERSION = 3
"""Of the lines. Version 1 does not distinguish a model that said nothing from a server that gave no answer; version 2
has no thoughts."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a chat server."""

    text: str
    model: str = ""
    """What the server says it is."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    attempts: int = 1
    """Calls it took, failed ones included."""
    finish: str = "stop"
    """Why it ended, in the server's word."""
    first: tuple[tuple[str, float], ...] = ()
    """The likeliest first tokens with their log-probabilities, where they were asked for."""
    seconds: float = 0.0
    """Share of the wall time in which many were asked at once."""
    none: str = ""
    """Why this is no answer, where the server gave none. Such a reply is not kept."""
    reasoning: str = ""
    """The thoughts that the server tells beside the text."""
    reasoning_tokens: int = 0
    """How many of `completion_tokens` were thoughts, where the server counts them."""


def reply_key(judge: str, request: JudgeRequest, run: int, repeat: int) -> str:
    """Content hash of everything that decides a reply: 32 hex digits. Reads the images, which count by their bytes.

    `judge` is the judge's identity. `repeat` counts equal requests of one conversation: some rules repeat a request.
    Raises ImageError for an image that cannot be read.
    """
    messages = [
        (role, content if isinstance(content, str) else [_hashed(part) for part in content])
        for role, content in request.messages
    ]
    content = [judge, messages, request.max_tokens, request.temperature, run, repeat]
    if request.json_object or request.seed is not None:  # keys of requests without them stay as they were
        content += [request.json_object, request.seed]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:32]


def _hashed(part: str | ImageRef) -> str | dict[str, str]:
    return part if isinstance(part, str) else {"image": images.fingerprint(part.load())}


def cache_file(folder: Path, name: str, identity: str) -> Path:
    """Where the replies of one server and model lie: a readable name, made unique by a hash of the identity."""
    safe = "".join(character if character.isalnum() or character in "-_." else "_" for character in name)[:60]
    return folder / f"{safe}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.jsonl"


class ReplyCache:
    """The replies of one server and model, on disk. Open in one process or in several.

    Without a path they are kept in memory alone.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.replies: dict[str, Reply] = {}
        self._synced = time.monotonic()
        self._file: int | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
            content = path.read_bytes()
            self.replies.update(_lines(content))
            if content and not content.endswith(b"\n"):
                os.write(self._file, b"\n")  # a cut last line: the next one starts on a line of its own
        except OSError as error:
            raise _store_error(error, path) from None

    def add(self, key: str, reply: Reply) -> None:
        """Keep a reply: one write call."""
        self.replies[key] = reply
        if self._file is None or self.path is None:
            return
        line = orjson.dumps({"version": VERSION, "key": key, "reply": reply}) + b"\n"
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if time.monotonic() - self._synced > SYNC_EVERY:
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            raise _store_error(error, self.path) from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)


def _lines(content: bytes) -> Iterator[tuple[str, Reply]]:
    for line in content.splitlines():
        try:
            row = orjson.loads(line)
            first = tuple((text, value) for text, value in row["reply"].pop("first", ()))
            reply = Reply(**row["reply"], first=first)
            if reply.text or first or row.get("version", 1) > 1:
                yield row["key"], reply
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            continue  # cut by a kill: that request is sent again


def _store_error(error: OSError, path: Path) -> StoreError:
    hint = "free some space, or set VLMBENCH_CACHE to a folder that can be written"
    return StoreError(f"cannot keep replies: {error.strerror or error}", where=str(path), hint=hint)
