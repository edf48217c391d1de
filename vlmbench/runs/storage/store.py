"""A run's folder: an append-only log of answers while it runs; parquet, scores and thumbnails when it closes.

    run.json         what was run, with everything needed to run it again (manifest.py); in the end also the checksums
                     of records, judgements and scores
    log.jsonl        an answer per line with its checksum (answer_log.py), written as they come, fsynced every second
                     (group_commit.py); gone when the run is finished
    records.parquet  one row a sample: question, prompt, answer, what it was read as, score, status,
                     and what the task's metrics read besides: metrics can be had again from it, without the data
    judgements.parquet  one row a verdict: run, value, status, the judge's own words; where a judge graded
    scores.json      {task: {metric: {value, low, high, n}, coverage, statuses, headline}}
    check.json       what `vlmbench check` said of it
    perturbations/   the same questions under perturbations: a run's folder each (compare/perturbed.py)
    perturbations.json   their paired differences
    thumbs/          small copies of the images, by content hash, for reports
    training_log.jsonl  the model's own, where its checkpoint carries one
    parts/           what workers have written and the log has not yet (parts.py); gone when the run is finished
    superseded/      results of the same run made with other weights, data or versions, never deleted
    *.damaged        copies of files that could not be read whole, kept when the run went on without them

Answers are found again by their key, a content hash of everything that decides them: a changed weight, image, prompt,
setting or task version has another key, so an old answer can never stand in for a new one.

A process may be killed between any two steps. Files are put in place whole; results that are about to be replaced are
first copied to superseded/, then scores.json goes, then run.json says that the run is not finished, and only then are
answers asked. So whatever is left, the same command resumes, and no reader meets new answers under old scores.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base import paths as places
from vlmbench.base.errors import StoreError
from vlmbench.base.files import replace_synced, write_atomically
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.runs.storage import answer_log as kept_answers
from vlmbench.runs.storage import reopening
from vlmbench.runs.storage.earlier_names import canonical
from vlmbench.runs.storage.group_commit import GroupCommit
from vlmbench.runs.storage.layout import (
    FORMAT,
    JUDGEMENTS,
    LOCK,
    LOG,
    MANIFEST,
    RECORDS,
    SCORES,
)
from vlmbench.runs.storage.run_files import describe_file, refuse_special, to_json

if TYPE_CHECKING:
    from vlmbench.runs.storage.remote_store import RemoteRun


LOGGER = logging.getLogger(__name__)


class AnswerKeys:
    """Keys of one model's answers to one task."""

    def __init__(self, *, model: str, settings: Mapping[str, Any], task: str, version: int) -> None:
        """`model` is the model's fingerprint."""
        head = orjson.dumps([FORMAT, model, sorted(settings.items()), task, version])
        self._head = hashlib.sha256(head[:-1] + b",")
        self._generation: Generation | None = None
        self._written = orjson.Fragment(b"")

    def of(self, request: Request, images: tuple[str, ...], example_images: tuple[str, ...] = ()) -> str:
        """Content hash of everything that decides an answer: 32 hex digits.

        `images` and `example_images` are the hashes of the encoded images.
        """
        if request.generation is not self._generation:  # nearly all requests of a task share theirs
            self._generation = request.generation
            self._written = orjson.Fragment(orjson.dumps(sorted(request.generation.to_dict().items())))
        content: list[Any] = [request.prompt, images, request.choices, self._written, request.seed or None]
        if request.history:  # nothing without one, so that keys of single questions stay what they were
            content.append(request.history)
        if more := request.extras:
            content.append([more, list(example_images)] if example_images else more)
        digest = self._head.copy()
        digest.update(orjson.dumps(content)[1:])
        return digest.hexdigest()[:32]


def answer_key(
    *,
    model: str,
    settings: Mapping[str, Any],
    task: str,
    version: int,
    request: Request,
    images: tuple[str, ...],
    example_images: tuple[str, ...] = (),
) -> str:
    """The key of one answer, as AnswerKeys has it."""
    return AnswerKeys(model=model, settings=settings, task=task, version=version).of(request, images, example_images)


class RunStore:
    """One run's folder, open for one process. Use `RunStore.open`."""

    def __init__(self, folder: Path, lock: int, manifest: dict[str, Any], remote: RemoteRun | None = None) -> None:
        self.folder = folder
        """On this machine."""
        self.place = folder if remote is None else remote.url
        """The folder or URL that was named."""
        self._remote = remote
        self.manifest = manifest
        self.answers: dict[str, Response] = {}
        """By key: the answers of the run so far."""
        self._lock = lock
        self._log: int | None = None
        self._commit: GroupCommit | None = None
        self._finished = False
        """Whether run.json says that its results are whole."""

    @classmethod
    def open(cls, folder: Path, manifest: dict[str, Any]) -> RunStore:
        """Make or reopen a run's folder and lock it; for a URL (places.path) a copy of it, which goes up as it grows.

        Raises StoreError when another process has it, when it holds a different run, or when it cannot be written.
        """
        remote = None
        if places.is_remote(folder):
            from vlmbench.runs.storage.remote_store import RemoteRun

            remote = RemoteRun(folder)
            folder = remote.local
        with _Disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StoreError(
                "another process is running into this folder",
                where=str(folder),
                hint="wait for it, or name another --output",
            ) from None
        store = cls(folder, lock, manifest, remote)
        try:
            if remote is not None:
                remote.download()
            store._take_over()
            if remote is not None:
                remote.started()
        except BaseException:
            os.close(lock)
            raise
        return store

    def _take_over(self) -> None:
        """Check what lies in the folder, load its answers, and start the log."""
        refuse_special(self.folder)
        with _Disk(self.folder):
            before = reopening.manifest_of(self.folder)
            if before is not None:
                _check_same_run(self.folder, before, self.manifest)
            self.answers = reopening.read_answers(self.folder, mend=True)
            same = before is not None and before["identity"] == self.manifest["identity"]
            if (self.folder / SCORES).is_file() if before is None else before.get("finished") and not same:
                keep_records = bool(self.manifest.get("rescoring"))
                if not keep_records:
                    reopening.keep_in_log(self.folder, self.answers)
                reopening.supersede(self.folder, keep_records=keep_records)
            self._log = os.open(self.folder / LOG, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
            self._commit = GroupCommit(self._log)
            self.manifest["finished"] = None
            self._finished = bool(same and before is not None and before.get("finished"))
            if not self._finished:  # else its results are still the run's
                self.write_json(MANIFEST, self.manifest)

    def append(self, key: str, response: Response) -> None:
        """Put one answer into the log: one write call, so that a killed process leaves at most a cut last line.

        A failure is written too, for who watches the run, but it is no answer: its question is asked again next time.
        """
        assert self._log is not None, "append after close"
        if response.finish != "error":
            self.answers[key] = response
        line = kept_answers.line(key, response)
        with _Disk(self.folder):
            if os.write(self._log, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def extend(self, lines: Sequence[bytes], answers: Mapping[str, Response]) -> None:
        """Put answers into the log whose lines workers have written already (parts.py), in one write."""
        assert self._log is not None, "extend after close"
        self.answers.update((key, response) for key, response in answers.items() if response.finish != "error")
        content = b"".join(lines)
        with _Disk(self.folder):
            if os.write(self._log, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """Make what was appended survive a power cut, in a second at the latest (group_commit.py)."""
        assert self._commit is not None, "sync after close"
        with _Disk(self.folder):
            self._commit.ask()
        if self._remote is not None:
            self._remote.appended()

    def finish(
        self,
        write_records: Callable[[Path], None],
        scores: Mapping[str, Any],
        judgements: Mapping[str, list[Any]] | None = None,
        decorate: Callable[[Path], None] | None = None,
    ) -> None:
        """Write records.parquet, scores.json and the finished run.json; then the log has served.

        `write_records` writes the records to a path (record_columns.writer).
        `decorate` is called with the folder when all that is safe, for what reports only look nicer with.
        """
        with _Disk(self.folder):
            self.manifest["finished"] = None
            if self._finished:  # new records under the old scores must not be read as one run
                self.write_json(MANIFEST, {**self.manifest, "rescoring": True})
            self._put_table(RECORDS, write_records)
            if judgements:
                self._put_table(JUDGEMENTS, partial(_write_columns, judgements))
            else:
                (self.folder / JUDGEMENTS).unlink(missing_ok=True)
            self.write_json(SCORES, scores)
            written = [name for name in (RECORDS, JUDGEMENTS, SCORES) if (self.folder / name).is_file()]
            self.manifest.pop("rescoring", None)
            self.manifest["files"] = {name: describe_file(self.folder / name) for name in written}
            self.manifest["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.write_json(MANIFEST, self.manifest)
            self._finished = True
            (self.folder / LOG).unlink(missing_ok=True)
        if decorate is not None:
            decorate(self.folder)
        if self._remote is not None:
            self._remote.finished()

    def _put_table(self, name: str, write: Callable[[Path], None]) -> None:
        """Have a table written, and put it in its place whole."""
        temporary = self.folder / (name + ".tmp")
        try:
            write(temporary)
            replace_synced(temporary, self.folder / name)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def write_json(self, name: str, content: Any) -> None:
        """Write one JSON file of the folder, whole or not at all."""
        write_atomically(self.folder / name, to_json(content))

    def close(self) -> None:
        """Let go of the folder."""
        if self._log is not None and self._commit is not None:
            if (error := self._commit.end()) is not None and not self._finished:
                LOGGER.warning("%s: a power cut may still take the last answers: %s", self.folder, error.strerror)
            os.close(self._log)
            self._log = self._commit = None
            if self._remote is not None:
                self._remote.appended(now=True)
        os.close(self._lock)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _write_columns(columns: Mapping[str, list[Any]], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(dict(columns)), path, compression="zstd", row_group_size=kept_answers.ROWS)


def _check_same_run(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    stored, requested = before.get("asked", {}), now["asked"]
    changed = []
    for name in dict.fromkeys([*requested, *stored]):
        old, new = stored.get(name), requested.get(name)
        if canonical({name: old}) != canonical({name: new}):
            changed.append(f"{name} was {old!r}, is {new!r}")
    if changed:
        what = f"the folder holds another run: {'; '.join(changed)}"
        raise StoreError(what, where=str(folder), hint="name another --output")


def refuse_unwritable(folder: Path) -> None:
    """Raise StoreError, before a model is loaded, where a folder of this machine cannot be made or written to."""
    if places.is_remote(folder):
        return
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    with _Disk(folder):
        Path(tempfile.mkdtemp(prefix=".vlmbench-", dir=place)).rmdir()


class _Disk:
    """Turn what the disk refuses into a StoreError that says the hint; what was written before stays.

    A class, as it is entered for every answer: a generator's context takes three times as long.
    """

    __slots__ = ("folder",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space, then run the same command again: it resumes from the last answer"
        else:
            hint = "name an --output that can be written"
        raise StoreError(f"cannot write: {error.strerror or error}", where=str(self.folder), hint=hint) from None
