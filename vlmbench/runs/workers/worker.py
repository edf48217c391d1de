"""A model in a process of its own, as a Ray actor: loads one replica, answers portions of groups, writes its part.

What a worker cannot do comes back as a value, not as a raised error: Ray wraps what is raised, and the pool must tell
a model that fails from a process that died.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from vlmbench.base.errors import ModelError, StoreError, VlmbenchError
from vlmbench.base.model import Model
from vlmbench.base.samples import ImageRef, Request, Response
from vlmbench.base.version import __version__
from vlmbench.data import encoding
from vlmbench.data.images import decoding as images
from vlmbench.parsing import thinking
from vlmbench.runs.execution import capabilities
from vlmbench.runs.storage import answer_log, parts
from vlmbench.runs.workers.cluster import head_is_gone
from vlmbench.runs.workers.images import Group, read_here

Portion = Sequence[Group]
NO_ANSWER = "the model gave no answer"
ALONE = 30.0
"""Seconds without a question after which a worker ends itself, where Ray's head is gone: nobody else can end it."""


@dataclass(frozen=True)
class Replica:
    """What a worker tells of its model."""

    name: str
    fingerprint: str
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    supports_logprobs: bool
    supports_multi_turn: bool
    supports_system_prompt: bool
    max_images: int | None
    ignored_generation: tuple[str, ...]
    node: str
    gpu: str
    version: str = __version__
    warnings: tuple[str, ...] = ()
    """What was logged while it was loaded."""
    pid: int = 0

    @property
    def identity(self) -> tuple[Any, ...]:
        """What must be the same for all workers."""
        return self.name, self.fingerprint, dict(self.settings), self.version


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of one group."""

    group: Group
    responses: tuple[Response | None, ...] = ()
    """In the order of its requests; None: no answer."""
    error: str = ""
    """Why requests have no answer."""
    raised: bool = False
    """Whether the model raised; told of one group each time it does."""
    unread: str = ""
    """Why its images cannot be read on this machine: it was not asked."""

    def lines(self) -> list[bytes]:
        """The lines of the log: one per request, as the runner stores answers."""
        whole = (one or Response(finish="error", error=self.error) for one in self.responses)
        clean = [thinking.apart(encoding.sanitized(one)) for one in whole]
        return [answer_log.line(key, one) for key, one in zip(self.group.keys, clean, strict=True)]


@dataclass(frozen=True, slots=True)
class Finished:
    """What the pool is told of one group: not its answers, which are in the part."""

    number: int
    answered: bool
    """Whether any request has an answer."""
    error: str = ""
    """What the model raised."""
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a worker has finished since it last told."""

    finished: tuple[Finished, ...]
    part: str
    """The name of its part."""
    size: int
    """Bytes of the part that hold these groups' answers and are safe."""
    lines: bytes = b""
    """The answers' lines, from a worker that cannot write its part."""
    detour: str = ""
    """Why it cannot."""


class Worker:
    """The actor. `load` makes the model, and must be picklable."""

    def __init__(self, load: Callable[[], Model], folder: str = "") -> None:
        """`folder`: the working directory of the process that starts it, for relative paths, if it is here too."""
        with suppress(OSError):
            os.chdir(folder or ".")
        self._model: Model | None = None
        self._failed: VlmbenchError | None = None
        with _Kept() as kept:
            try:
                self._model = load()
            except VlmbenchError as error:
                self._failed = error
            except Exception as error:  # whatever a library raises, the pool tells it once
                self._failed = ModelError(f"the model cannot be loaded: {type(error).__name__}: {error}")
        self._warnings = tuple(kept.lines)
        self._busy, self._asked = False, time.monotonic()
        self._part: parts.Part | None = None
        self._sink: parts.PartWriter | parts.Buffer = parts.Buffer()
        self._detour = ""

    def describe(self) -> Replica | VlmbenchError:
        """The model, or why there is none."""
        if self._model is None:
            assert self._failed is not None
            return self._failed
        from vlmbench.runs.storage.manifest import hardware

        model = self._model
        return Replica(
            model.name,
            model.fingerprint,
            dict(model.settings),
            dict(model.facts),
            capabilities.supports_logprobs(model),
            capabilities.supports_multi_turn(model),
            capabilities.supports_system_prompt(model),
            capabilities.max_images(model),
            capabilities.ignored_generation(model),
            socket.gethostname(),
            str(hardware().get("gpu", "")),
            warnings=self._warnings,
            pid=os.getpid(),
        )

    def facts(self) -> Mapping[str, Any]:
        """The model's facts, counts included."""
        assert self._model is not None
        return dict(self._model.facts)

    def hashes(self, refs: Sequence[ImageRef]) -> list[str]:
        """The content hashes of images, for planning; "" for one that cannot be read here."""

        def one(ref: ImageRef) -> str:
            try:
                return images.fingerprint(ref.load())
            except Exception:  # the process that asks tries it itself
                return ""

        return [found for _, found in images.prefetch(refs, one)]

    def watch(self) -> None:
        """From now on, end this process when the head has gone and nothing was asked for a while."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(ALONE / 10)
            if not self._busy and time.monotonic() - self._asked > ALONE and head_is_gone():
                os._exit(0)

    def leave(self) -> None:
        """End this process: for a driver that cannot have it ended, since Ray's head is gone."""
        os._exit(0)

    def answer(self, portion: Portion, part: parts.Part) -> Iterator[Progress | VlmbenchError]:
        """Which groups are done, whenever it is time, and at the end; an error of ours, once, when the model is broken.

        Their answers are in the part by then, or in the message where this machine does not reach it.
        """
        self._busy = True
        try:
            yield from self._in_batches(portion, part)
        except OSError as error:  # of the part: what is not safe is not told of
            hint = "free some space or fix the access, then run the same command again: it resumes"
            yield StoreError(f"a worker cannot write: {error.strerror or error}", where=str(part.folder), hint=hint)
        finally:
            self._busy, self._asked = False, time.monotonic()

    def _in_batches(self, portion: Portion, part: parts.Part) -> Iterator[Progress | VlmbenchError]:
        self._open(part)
        finished: list[Finished] = []
        last = time.monotonic()

        def told() -> Progress:
            nonlocal last
            size, lines = self._sink.flush()
            done = tuple(finished)
            finished.clear()
            last = time.monotonic()
            return Progress(done, part.name, size, lines, self._detour)

        for outcome in self._answer(portion):
            if isinstance(outcome, VlmbenchError):
                if finished:
                    yield told()
                yield outcome
                return
            if not outcome.unread:
                self._sink.write(outcome.lines())
            raised = outcome.error if outcome.raised else ""
            finished.append(Finished(outcome.group.number, any(outcome.responses), raised, outcome.unread))
            if time.monotonic() - last >= part.every:
                yield told()
        if finished:
            yield told()

    def _open(self, part: parts.Part) -> None:
        """Write into this part from now on."""
        if part != self._part:
            self._sink.close()
            self._sink, self._detour = parts.writer(part)
            self._part = part

    def _answer(self, portion: Portion) -> Iterator[Answers | VlmbenchError]:
        assert self._model is not None
        rest = list(portion)
        while rest:
            out = _Out(rest)
            try:
                for request, response in self._model.answer(out):
                    yield from out.answered(request, response)
            except VlmbenchError as failure:
                yield failure
                return
            except Exception as failure:  # a bug in an adapter: the groups it had are lost, not the run
                told = f"{type(failure).__name__}: {failure}"
                if not out.open:
                    yield broken(self._model.name, told)
                    return
                out.close()
                yield from out.unfinished(told, raised=True)
                rest = rest[out.drawn :]
                continue
            for _ in out:  # what a model never drew has no answer either
                pass
            yield from out.unfinished(NO_ANSWER)
            return


def broken(name: str, told: str) -> ModelError:
    """A model that raises whatever it is given."""
    hint = "the answers so far are kept; fix it and run the same command"
    return ModelError(f"{name} fails on every group: {told}", hint=hint)


class _Out:
    """Gives a model its groups, with the images read ahead, and collects the answers."""

    def __init__(self, portion: Portion) -> None:
        self._portion = portion
        self._read = images.prefetch(portion, read_here)
        self.drawn = 0
        self._groups: dict[int, Group] = {}
        self._responses: dict[int, list[Response | None]] = {}
        self._place: dict[int, tuple[int, int]] = {}
        self._unread: list[Answers] = []

    def __iter__(self) -> Iterator[Sequence[Request]]:
        for _, (group, reason) in self._read:
            self.drawn += 1
            if reason:
                self._unread.append(Answers(group, unread=reason))
                continue
            self._groups[group.number] = group
            self._responses[group.number] = [None] * len(group.requests)
            self._place.update({id(request): (group.number, index) for index, request in enumerate(group.requests)})
            yield group.requests

    def answered(self, request: Request, response: Response) -> Iterator[Answers]:
        """The group, when this was its last answer; nothing for one that is not asked or answered before."""
        found = self._place.pop(id(request), None)
        if found is not None:
            number, index = found
            self._responses[number][index] = response
            if None not in self._responses[number]:
                yield Answers(self._groups.pop(number), tuple(self._responses.pop(number)))

    def close(self) -> None:
        """Read nothing more ahead."""
        self._read.close()

    @property
    def open(self) -> bool:
        """Whether it has groups that are not finished."""
        return bool(self._responses)

    def unfinished(self, error: str, *, raised: bool = False) -> Iterator[Answers]:
        """The groups it had and did not finish, and those that it could not be given."""
        for place, (number, responses) in enumerate(self._responses.items()):
            yield Answers(self._groups[number], tuple(responses), error, raised and place == 0)
        yield from self._unread


class _Kept(logging.Handler):
    """Keeps warnings, to be shown once for all workers."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def __enter__(self) -> _Kept:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
