"""A run on an object store: worked on in a copy on this machine, whose log goes up in parts (docs/decisions/0023).

    URL/run.json, records.parquet, ...      as in a run's folder, put whole; the finished run.json last
    URL/log/SESSION-000001.jsonl            answers of a run that is not finished, in parts that never change

An object is there whole or not at all, so a killed run leaves nothing half written. Parts are named by the
session of the process: two of them, on two machines, cannot overwrite each other's.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from vlmbench.base import paths, settings
from vlmbench.base.errors import DataError, StoreError
from vlmbench.base.files import write_atomically
from vlmbench.runs.storage.layout import (
    CHECK,
    JUDGEMENTS,
    LOG,
    MANIFEST,
    PARTIAL,
    RECORDS,
    SCORES,
    SUPERSEDED,
    THUMBS,
    TRAINING_LOG,
)
from vlmbench.runs.storage.run_files import read_manifest

LOGGER = logging.getLogger(__name__)
EVERY = 5.0
"""Seconds between parts: the most that a machine which is lost for good takes with it."""
LONGEST_PAUSE = 300.0
"""Seconds between tries to reach a place that does not take parts."""
PIECE = 64 << 20
"""Bytes of one part."""
RETRIES = (1.0, 4.0, 15.0, 60.0)
"""Seconds before a result that was refused, by a full or throttled store for instance, is sent again."""
FINAL = (PermissionError, FileNotFoundError, NotImplementedError)
"""Errors that waiting does not mend."""
PARTS = "log"
RESULTS = (MANIFEST, RECORDS, SCORES, JUDGEMENTS, CHECK, TRAINING_LOG)
PASSING = (JUDGEMENTS, CHECK)
"""Results that a run may have no longer."""


class RemoteRun:
    """One run's URL and its copy here, which a RunStore works on and reports every change of."""

    def __init__(self, url: Path, use: str = "runs") -> None:
        """`use` keeps the copies of a run that is going on from those made to read: a folder of the cache."""
        self.url = url
        self._fs: Any = url.fs  # type: ignore[attr-defined]
        self._root: str = url.path.rstrip("/")  # type: ignore[attr-defined]
        digest = hashlib.sha256(str(url).encode()).hexdigest()[:16]
        name = re.sub(r"[^\w@.-]", "_", url.name).encode()[:180].decode(errors="ignore")  # names have 255 bytes
        self.local = settings.load().cache_folder / use / f"{name}-{digest}"
        self._session = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
        self._parts = 0
        self._sent = 0
        """Bytes of the log here that are there: what comes behind them is new."""
        self._due = time.monotonic() + EVERY
        self._failures = 0
        """Times in a row that a part could not be written."""

    def fetch(self) -> None:
        """Bring the results here for reading. Raises StoreError when the place cannot be read."""
        with self._reaching("read"):
            self._fs.invalidate_cache()
            there = self._names()
            if MANIFEST not in there:  # a copy of a run that was there once would pass for it
                raise StoreError("there is no run", where=str(self.url), hint="check the address")
            self._copy(there)

    def download(self) -> None:
        """Bring the run here to resume it. Answers that were never sent, as this machine was cut off, are kept.

        Raises StoreError when the place cannot be read, or holds something else.
        """
        with self._reaching("read"):
            self._fs.invalidate_cache()
            there = self._names()
            parts = [self._fs.cat_file(path) for name, path in sorted(there.items()) if name.startswith(f"{PARTS}/")]
            if there and MANIFEST not in there:
                raise StoreError("it is not empty and holds no run", where=str(self.url), hint="name another --output")
            if not there and _finished(self.local):  # somebody removed the run there
                self._forget()
            self._copy(there)
            sent, own = b"".join(parts), self.local / LOG
            known = set(sent.split(b"\n"))
            lines = own.read_bytes().split(b"\n")[:-1] if own.is_file() else []  # the last one may be cut
            rest = b"".join(line + b"\n" for line in lines if line not in known)
            self._sent = len(sent)
            if sent or rest:
                write_atomically(own, sent + rest)

    def _names(self) -> dict[str, str]:
        """The files there: names below the URL to the file system's paths. Not what lies deeper, or is superseded."""
        found = {}
        for folder in ("", f"{PARTS}/", f"{THUMBS}/"):
            try:
                listed = self._fs.ls(f"{self._root}/{folder}".rstrip("/"), detail=True)
            except FileNotFoundError:
                continue
            for entry in listed:
                if entry["type"] == "file":
                    found[folder + entry["name"].rpartition("/")[2]] = entry["name"]
        return found

    def _copy(self, there: dict[str, str]) -> None:
        """Copies of results; a thumbnail's name is its content, so one that is here is right."""
        self.local.mkdir(parents=True, exist_ok=True)
        for name in PASSING:
            if name not in there:
                (self.local / name).unlink(missing_ok=True)
        for name, path in there.items():
            here = self.local / name
            thumb = name.startswith(f"{THUMBS}/")
            if name in RESULTS or (thumb and not here.is_file()):
                here.parent.mkdir(exist_ok=True)
                self._fs.get_file(path, str(here))

    def _forget(self) -> None:
        """Empty the copy; its lock is held."""
        for path in self.local.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != ".lock":
                path.unlink()

    def started(self) -> None:
        """Send the new run.json, so that the place says what it holds."""
        with self._reaching("write"):
            self._put(MANIFEST)

    def appended(self, *, now: bool = False) -> None:
        """Send the log's new lines as a part, if it is time. An unreachable place is tried again later and later."""
        if not (now or time.monotonic() >= self._due):
            return
        try:
            while lines := self._new_lines():
                self._fs.pipe_file(f"{self._root}/{PARTS}/{self._session}-{self._parts + 1:06}.jsonl", lines)
                self._parts += 1
                self._sent += len(lines)
                self._failures = 0
        except Exception as error:  # every protocol's library has its own kinds
            self._failures += 1
            pause = min(EVERY * 2**self._failures, LONGEST_PAUSE)
            when = "by the next command" if now else f"in {pause:.0f} s"
            told = (
                f"cannot write: {type(error).__name__}: {error}; the answers are kept in {self.local} and sent {when}"
            )
            LOGGER.warning("%s: %s", self.url, told)
            self._due = time.monotonic() + pause
        else:
            self._due = time.monotonic() + EVERY

    def _new_lines(self) -> bytes:
        """Whole lines of the log that were not sent, of at most PIECE bytes (or one line)."""
        try:
            with (self.local / LOG).open("rb") as file:
                file.seek(self._sent)
                content = file.read(PIECE)
                if b"\n" not in content:
                    content += file.readline()
        except FileNotFoundError:
            return b""
        return content[: content.rfind(b"\n") + 1]

    def finished(self) -> None:
        """Send the results, the manifest last; then the parts have served. Raises StoreError: the copy here is kept."""
        with self._reaching("write"):
            self._fs.invalidate_cache()
            there = self._names()
            for path in sorted(self.local.rglob("*")):
                name = path.relative_to(self.local).as_posix()
                known = name in RESULTS or (path.parent.parent.name == SUPERSEDED and path.parent.name != PARTIAL)
                if (
                    path.is_file()
                    and name != MANIFEST
                    and (known or (path.parent.name == THUMBS and name not in there))
                ):
                    self._put(name)
            self._remove(path for name, path in there.items() if name in PASSING and not (self.local / name).is_file())
            self._put(MANIFEST)
            self._remove(path for name, path in there.items() if name.startswith(f"{PARTS}/"))

    def _put(self, name: str) -> None:
        content = (self.local / name).read_bytes()
        self._again(lambda: self._fs.pipe_file(f"{self._root}/{name}", content))

    def _remove(self, paths: Iterator[str]) -> None:
        for path in paths:
            self._again(partial(self._fs.rm_file, path))

    def _again(self, send: Callable[[], object]) -> None:
        """Do it; what a store refuses is tried again after a while. Raises what it raises at last."""
        for pause in RETRIES:
            try:
                send()
            except FINAL:
                raise
            except Exception as error:  # every protocol's library has its own kinds
                LOGGER.warning("%s: %s: %s; tried again in %g s", self.url, type(error).__name__, error, pause)
                time.sleep(pause)
            else:
                return
        send()

    @contextmanager
    def _reaching(self, what: str) -> Iterator[None]:
        """Whatever the protocol's library raises, as an error that says the hint."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            message = f"cannot {what}: {type(error).__name__}: {error}"
            hint = f"the copy in {self.local} is kept: fix the access, then run the same command again"
            raise StoreError(message, where=str(self.url), hint=hint) from None


def _finished(folder: Path) -> bool:
    try:
        return bool(read_manifest(folder).get("finished"))
    except StoreError:
        return False


def fetch_run(text: str) -> Path:
    """A finished run's folder to read: for a URL a copy of it on this machine, brought up to date."""
    place = paths.path(text)
    if not paths.is_remote(place):
        return place
    mirror = RemoteRun(place, "read")
    mirror.fetch()
    return mirror.local


def fetch_run_or_file(text: str) -> Path:
    """A finished run's folder, or a baseline file: for a URL a copy of it on this machine. Raises StoreError."""
    place = paths.path(text)
    if not paths.is_remote(place) or not place.name.endswith(".json"):
        return fetch_run(text)
    from vlmbench.data.reading import read_whole

    try:
        content = read_whole(place)
    except DataError as error:
        raise StoreError(error.what, where=error.where, hint=error.hint) from None
    folder = RemoteRun(place, "read").local
    folder.mkdir(parents=True, exist_ok=True)
    (folder / place.name).write_bytes(content)
    return folder / place.name
