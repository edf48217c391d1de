"""A run's folder: an append-only log of answers while it runs; parquet, scores and thumbnails when it closes.

    run.json         what was run, with everything needed to run it again (manifest.py)
    log.jsonl        {"key", "response"} lines, written as answers come, fsynced per image group; gone when closed
    records.parquet  one row a sample: question, prompt, answer, what it was read as, score, status,
                     and what the task's metrics read besides: metrics can be had again from it, without the data
    judgements.parquet  one row a verdict: run, value, status, the judge's own words; where a judge graded
    scores.json      {task: {metric: {value, low, high, n}, coverage, statuses, headline}}
    check.json       what `vlmbench check` said of it
    ablations/       the same questions under changes: a run's folder each (ablated.py)
    ablations.json   their paired differences
    thumbs/          small copies of the pictures, by content hash, for reports
    training_log.jsonl  the model's own, where its checkpoint carries one
    superseded/      results of the same run made with other weights, data or versions, never deleted

Answers are found again by their key, a content hash of everything that decides them: a changed weight, picture, prompt,
setting or task version has another key, so an old answer can never stand in for a new one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench import places
from vlmbench.errors import StoreError
from vlmbench.nouns import ChoiceScore, Generation, Request, Response

if TYPE_CHECKING:
    from vlmbench.mirror import Mirror

LOG, RECORDS, SCORES, MANIFEST, THUMBS = "log.jsonl", "records.parquet", "scores.json", "run.json", "thumbs"
JUDGEMENTS, CHECK, ABLATIONS = "judgements.parquet", "check.json", "ablations.json"
TRAINING_LOG = "training_log.jsonl"
FORMAT = 1
"""Of the folder; part of every key."""


def answer_key(
    *, model: str, settings: Mapping[str, Any], task: str, version: int, request: Request, images: tuple[str, ...]
) -> str:
    """Content hash of everything that decides an answer: 32 hex digits.

    `model` is the model's fingerprint, `images` the hashes of the encoded pictures.
    """
    sampled = request.generation.temperature > 0  # then equal questions must be drawn independently
    content = [
        FORMAT,
        model,
        sorted(settings.items()),
        task,
        version,
        request.prompt,
        images,
        request.choices,
        _generation(request.generation),
        request.sample_id if sampled else None,
    ]
    if request.history:  # nothing without one, so that keys of single questions stay what they were
        content.append(request.history)
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:32]


def _generation(generation: Generation) -> list[Any]:
    return sorted(asdict(generation).items())


class RunStore:
    """One run's folder, open for one process. Use `RunStore.open`."""

    def __init__(self, folder: Path, lock: int, manifest: dict[str, Any], mirror: Mirror | None = None) -> None:
        self.folder = folder
        """On this machine."""
        self.place = folder if mirror is None else mirror.url
        """Where the run was asked to be."""
        self._mirror = mirror
        self.manifest = manifest
        self.answers: dict[str, Response] = {}
        """By key: what earlier sittings of this run already answered."""
        self._lock = lock
        self._log: int | None = None

    @classmethod
    def open(cls, folder: Path, manifest: dict[str, Any]) -> RunStore:
        """Make or reopen a run's folder and lock it; for a URL (places.path) a copy of it, which goes up as it grows.

        Raises StoreError when another process has it, when it holds a different run, or when it cannot be written.
        """
        mirror = None
        if places.is_remote(folder):
            from vlmbench.mirror import Mirror

            mirror = Mirror(folder)
            folder = mirror.local
        with _disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StoreError(
                "another process is running into this folder",
                where=str(folder),
                cure="wait for it, or name another --output",
            ) from None
        store = cls(folder, lock, manifest, mirror)
        try:
            if mirror is not None:
                mirror.pull()
            store._take_over()
            if mirror is not None:
                mirror.begun()
        except BaseException:
            os.close(lock)
            raise
        return store

    def _take_over(self) -> None:
        """Check what lies in the folder, load its answers, and start the log."""
        before = read_manifest(self.folder) if (self.folder / MANIFEST).is_file() else None
        if before is None and not all(_just_begun(path) for path in self.folder.iterdir()):
            raise StoreError(
                "the folder is not empty and holds no run", where=str(self.folder), cure="name another --output"
            )
        if before is not None:
            _check_same_run(self.folder, before, self.manifest)
            self.answers = read_answers(self.folder)
            if before.get("finished") and before["identity"] != self.manifest["identity"]:
                _supersede(self.folder)
        with _disk(self.folder):
            self._prepare_log()
            self._log = os.open(self.folder / LOG, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
            self.write_json(MANIFEST, self.manifest)

    def _prepare_log(self) -> None:
        """Cut a half-written last line, so that the next one does not glue to it; keep a closed run's answers."""
        path = self.folder / LOG
        if not path.is_file():
            if self.answers:
                lines = [_line(key, response) for key, response in self.answers.items()]
                write_atomically(path, b"".join(lines))
            return
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):
            with path.open("r+b") as file:
                file.truncate(end)

    def append(self, key: str, response: Response) -> None:
        """Put one answer into the log: one write call, so that a killed process leaves at most a cut last line."""
        assert self._log is not None, "append after close"
        self.answers[key] = response
        line = _line(key, response)
        with _disk(self.folder):
            if os.write(self._log, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """Make what was appended survive a power cut."""
        assert self._log is not None, "sync after close"
        with _disk(self.folder):
            os.fsync(self._log)
        if self._mirror is not None:
            self._mirror.logged()

    def finish(
        self,
        rows: Mapping[str, list[Any]],
        scores: Mapping[str, Any],
        judgements: Mapping[str, list[Any]] | None = None,
    ) -> None:
        """Write records.parquet, scores.json and the finished run.json; then the log has served."""
        with _disk(self.folder):
            self._write_table(RECORDS, rows)
            if judgements:
                self._write_table(JUDGEMENTS, judgements)
            else:
                (self.folder / JUDGEMENTS).unlink(missing_ok=True)
            self.write_json(SCORES, scores)
            self.manifest["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.write_json(MANIFEST, self.manifest)
            (self.folder / LOG).unlink(missing_ok=True)
        if self._mirror is not None:
            self._mirror.finished()

    def _write_table(self, name: str, columns: Mapping[str, list[Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        temporary = self.folder / (name + ".tmp")
        pq.write_table(pa.table(dict(columns)), temporary, compression="zstd")
        _replace(temporary, self.folder / name)

    def write_json(self, name: str, content: Any) -> None:
        """Write one JSON file of the folder, whole or not at all."""
        write_atomically(self.folder / name, to_json(content))

    def close(self) -> None:
        """Let go of the folder."""
        if self._log is not None:
            os.close(self._log)
            self._log = None
            if self._mirror is not None:
                self._mirror.logged(now=True)
        os.close(self._lock)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _just_begun(path: Path) -> bool:
    """Whether a file is one that a process killed before its first run.json leaves: the lock, an empty log."""
    return path.name in (".lock", f"{MANIFEST}.tmp") or (path.name == LOG and path.stat().st_size == 0)


def read_manifest(folder: Path) -> dict[str, Any]:
    """run.json of a run's folder. Raises StoreError when there is none or it cannot be read."""
    return _read_json(folder, MANIFEST)


def read_scores(folder: Path) -> dict[str, Any]:
    """scores.json of a finished run. Raises StoreError when there is none or it cannot be read."""
    return _read_json(folder, SCORES)


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        content = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        cure = (
            "name a folder written by `vlmbench run`"
            if name == MANIFEST
            else "let the run finish: the same command goes on"
        )
        raise StoreError(f"no {name} here", where=str(folder), cure=cure) from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise StoreError(f"cannot read it: {error}", where=str(path), cure="restore the file or run again") from None
    if not isinstance(content, dict):
        raise StoreError("not a JSON object", where=str(path), cure="restore the file or run again")
    return content


def read_answers(folder: Path) -> dict[str, Response]:
    """Every answer a run's folder holds, by key: of its log, or of its records once it is closed."""
    answers: dict[str, Response] = {}
    if (folder / RECORDS).is_file():
        answers.update(_answers_of_records(folder / RECORDS))
    if (folder / LOG).is_file():
        answers.update(_answers_of_log(folder / LOG))
    return {key: response for key, response in answers.items() if response.finish != "error"}


def _answers_of_log(path: Path) -> Iterator[tuple[str, Response]]:
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            return  # cut by a kill in the middle of a write: that answer is asked for again
        try:
            row = orjson.loads(line)
            response = row["response"]
            response["choices"] = tuple(ChoiceScore(**choice) for choice in response["choices"])
            yield row["key"], Response(**response)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise StoreError(f"line {number} is damaged: {error}", where=str(path), cure="delete that line") from None


def _answers_of_records(path: Path) -> Iterator[tuple[str, Response]]:
    import pyarrow.parquet as pq

    names = list(Response.__dataclass_fields__)
    for row in pq.read_table(path, columns=["key", *(n for n in names if n != "choices"), "choice_scores"]).to_pylist():
        choices = tuple(ChoiceScore(**choice) for choice in orjson.loads(row.pop("choice_scores")))
        yield row.pop("key"), Response(**row, choices=choices)


def _line(key: str, response: Response) -> bytes:
    return orjson.dumps({"key": key, "response": response}) + b"\n"


def _check_same_run(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    asked_before, asked_now = before.get("asked", {}), now["asked"]
    names = [*asked_now, *(name for name in asked_before if name not in asked_now)]
    differ = [name for name in names if asked_before.get(name) != asked_now.get(name)]
    if differ:
        told = "; ".join(f"{name} was {asked_before.get(name)!r}, is {asked_now.get(name)!r}" for name in differ)
        raise StoreError(f"the folder holds another run: {told}", where=str(folder), cure="name another --output")


def _supersede(folder: Path) -> None:
    """Move a finished run's results aside: same command, but other weights, data or versions."""
    with _disk(folder):
        aside = folder / "superseded" / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        while aside.exists():
            aside = aside.with_name(aside.name + "x")
        aside.mkdir(parents=True)
        for name in (MANIFEST, RECORDS, SCORES, JUDGEMENTS, CHECK, ABLATIONS):
            if (folder / name).is_file():
                (folder / name).rename(aside / name)


def to_json(content: Any) -> bytes:
    """Readable, key order kept, nan as null."""
    return (
        orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY) + b"\n"
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _replace(temporary: Path, path: Path) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a StoreError that says the cure; what was written before stays."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            cure = "free some space, then run the same command again: it goes on from the last answer"
        else:
            cure = "name an --output that can be written"
        raise StoreError(f"cannot write: {error.strerror or error}", where=str(folder), cure=cure) from None
