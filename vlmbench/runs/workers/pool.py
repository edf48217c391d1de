"""Many replicas of one model as one model: each in a process of its own, on one machine or many, by Ray.

The pool is a Model like any other, so that a run with it is the same run: the runner alone scores, the store alone
writes. Whole groups go to the workers and whole groups' answers come back, so a worker that is killed leaves nothing
half done; what it held is given to others (scheduler.py).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from vlmbench.base.errors import ModelError, VlmbenchError
from vlmbench.base.model import Model
from vlmbench.base.samples import ImageRef, Request, Response
from vlmbench.data.images import decoding as images
from vlmbench.runs.execution.runner import GIVE_UP_AFTER
from vlmbench.runs.workers import worker as workers
from vlmbench.runs.workers.scheduler import WorkQueue
from vlmbench.runs.workers.worker import Answers, Portion, Replica, Share

LOGGER = logging.getLogger(__name__)
MOST_DEATHS = 5
"""Times in a row that a worker may die without an answer, before its slot is given up."""
TIMEOUT = 900.0
"""Seconds without an answer before a worker counts as hung."""
LOADING = 3600.0
"""Seconds that starting a worker and loading its model may take."""
READERS = 8
"""Threads that read images for the workers."""
PATIENCE = 3.0
"""Seconds to wait for the facts of workers that are still at a group which another has answered."""
GREATEST = frozenset({"peak_memory_bytes"})
"""Facts of which the greatest counts, not the sum over workers."""


@dataclass
class Slot:
    """One worker, and the ones that replace it when it dies."""

    number: int
    actor: Any = None
    loading: Any = None
    """Ref to its description, until it is there."""
    replica: Replica | None = None
    streams: list[Any] = field(default_factory=list)
    """Answers to come, a stream a portion, the one it works on first."""
    heard: float = 0.0
    """When it last sent something, or was given a portion (time.monotonic)."""
    deaths: int = 0
    """In a row, without an answer in between."""

    def release(self) -> None:
        """No worker is here any more."""
        self.actor = self.loading = self.replica = None
        self.streams = []

    @property
    def next_ref(self) -> Any:
        """The Ray reference of what the worker sends next; None when nothing is expected."""
        return self.loading if self.loading is not None else next(iter(self.streams), None)


class Pool:
    """A Model that answers by workers. Use it as a context, which ends them.

    `load` loads the model in each worker and must be picklable. The first worker that has loaded it describes it.
    """

    def __init__(self, load: Callable[[], Model], shares: Share, *, timeout: float = TIMEOUT) -> None:
        """Raises ModelError (or what `load` raises of ours), once, when the model cannot be loaded."""
        self._ray = workers.ray()
        self._load, self._share, self._timeout = load, shares, timeout
        self._actor = self._ray.remote(workers.Worker)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="vlmbench-read")
        self._failed_in_a_row = self._replaced = self._requeued = 0
        self._slots = [Slot(number) for number in range(shares.workers)]
        for slot in self._slots:
            self._begin(slot)
        try:
            first = self._first()
        except BaseException:
            self.close()
            raise
        self._first_facts = dict(first.facts)
        self._later_facts: list[Mapping[str, Any]] = []
        self._identity = first.identity
        self.name, self.fingerprint = first.name, first.fingerprint
        self.settings: Mapping[str, Any] = first.settings
        self.supports_logprobs, self.supports_multi_turn = first.supports_logprobs, first.supports_multi_turn
        self.supports_system_prompt, self.max_images = first.supports_system_prompt, first.max_images
        self.ignored_generation = first.ignored_generation
        self._gpu = first.gpu
        for line in first.warnings:
            LOGGER.warning("%s", line)

    # ------------------------------------------------------------------------------------------------- as a model

    @property
    def facts(self) -> Mapping[str, Any]:
        """A replica's facts; those that change while it works are summed, or averaged where they are no whole numbers.

        Of workers that died nothing is known.
        """
        facts = combined(self._first_facts, self._later_facts)
        if "training_log" in facts and not Path(str(facts["training_log"])).is_file():
            del facts["training_log"]  # it lies on the worker's machine
        setup = {"workers": self._share.workers, "worker_threads": self._share.cores}
        counts = {"workers_replaced": self._replaced, "groups_given_again": self._requeued}
        return {**facts, **setup, **({"worker_gpu": self._gpu} if self._gpu else {}), **counts}

    def _ask_facts(self) -> list[Mapping[str, Any]]:
        """The facts of the workers that are there and not busy for long."""
        refs = [slot.actor.facts.remote() for slot in self._slots if slot.replica]
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=PATIENCE) if refs else ([], [])
        facts = []
        for ref in done:
            with suppress(self._ray.exceptions.RayError):
                facts.append(self._ray.get(ref))
        return facts

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups, each by one worker. Raises ModelError when every group fails, or no worker is left."""
        listed = [list(group) for group in groups]
        queue = WorkQueue(len(listed), len(self._slots))
        before = self._requeued
        try:
            while not queue.done:
                self._feed(listed, queue)
                for slot in self._listen():
                    yield from self._hear(slot, listed, queue)
                for slot, reason in self._silent():
                    yield from self._lose(slot, reason, listed, queue)
                self._requeued = before + queue.requeued
        finally:
            for slot in self._slots:  # groups that another worker has answered first
                slot.streams = []
        self._later_facts = self._ask_facts()

    # ------------------------------------------------------------------------------------------------- the workers

    def _begin(self, slot: Slot) -> None:
        """Start a worker in a slot."""
        options = {"num_cpus": self._share.cores, "num_gpus": self._share.gpus, "max_restarts": 0}
        slot.actor = self._actor.options(**options).remote(self._load)
        slot.actor.watch.remote()
        slot.loading = slot.actor.describe.remote()
        slot.replica, slot.streams, slot.heard = None, [], time.monotonic()

    def _first(self) -> Replica:
        """The first description, whose worker is then ready. An error of the model is raised as it comes."""
        while True:
            for slot in self._listen():
                description = self._description(slot)
                if isinstance(description, VlmbenchError):
                    raise description
                if description is not None:
                    return description
            for slot, reason in self._silent():
                self._replace(slot, reason)

    def _description(self, slot: Slot) -> Replica | VlmbenchError | None:
        """What a worker says of its model, or why there is none; None when it died over it."""
        try:
            description: Replica | VlmbenchError = self._ray.get(slot.loading)
        except self._ray.exceptions.RayError as error:
            self._replace(slot, cause_of_loss(error))
            return None
        slot.loading, slot.heard = None, time.monotonic()
        if isinstance(description, Replica):
            slot.replica = description
        return description

    def _listen(self) -> list[Slot]:
        """Slots whose workers have sent something, after at most a second. Raises ModelError when no worker is left."""
        expected = [(slot.next_ref, slot) for slot in self._slots if slot.next_ref is not None]
        if not any(slot.actor for slot in self._slots):
            raise ModelError("no worker is left", hint="the warnings say why; fix it, and the same command resumes")
        refs = [ref for ref, _ in expected]
        if not refs:
            return []
        self._ray.wait(refs, num_returns=1, timeout=1.0)
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        return [slot for ref, slot in expected if ref in done]

    def _silent(self) -> list[tuple[Slot, str]]:
        """Workers that have sent nothing for too long, and the reason as a phrase."""
        found = []
        for slot in self._slots:
            limit, what = (
                (LOADING, "did not load its model in") if slot.loading else (self._timeout, "gave no answer for")
            )
            if slot.next_ref is not None and time.monotonic() - slot.heard > limit:
                found.append((slot, f"{what} {limit:g} s"))
        return found

    def _feed(self, groups: Sequence[Sequence[Request]], queue: WorkQueue) -> None:
        """Give every ready worker the portions that it can take."""
        for slot in self._slots:
            while slot.replica is not None and (portion := queue.acquire(slot.number)):
                loaded = list(self._readers.map(with_image_bytes, (groups[number] for number in portion)))
                content: Portion = list(zip(portion, loaded, strict=True))
                if not slot.streams:
                    slot.heard = time.monotonic()
                slot.streams.append(slot.actor.answer.options(num_returns="streaming").remote(content))

    def _hear(
        self, slot: Slot, groups: Sequence[Sequence[Request]], queue: WorkQueue
    ) -> Iterator[tuple[Request, Response]]:
        """Receive one thing from a worker: its description, a group's answers, the end of a portion, or its death."""
        if slot.loading is not None:
            self._welcome(slot)
            return
        try:
            result: Answers | VlmbenchError = self._ray.get(next(slot.streams[0]))
        except StopIteration:
            slot.streams.pop(0)
            slot.heard = time.monotonic()
            queue.finish_portion(slot.number)
            return
        except self._ray.exceptions.RayError as error:
            yield from self._lose(slot, cause_of_loss(error), groups, queue)
            return
        if isinstance(result, VlmbenchError):
            raise result
        slot.heard, slot.deaths = time.monotonic(), 0
        if queue.answered(result.number):
            yield from self._responses(result, groups[result.number])

    def _welcome(self, slot: Slot) -> None:
        """Admit a worker after the first, which must have the same model."""
        replica = self._description(slot)
        if isinstance(replica, VlmbenchError):
            self._close(slot, str(replica))
        elif replica is not None and replica.identity != self._identity:
            theirs = f"another model or vlmbench: {replica.identity}, not {self._identity}"
            what = f"the worker on {replica.node} has {theirs}"
            raise ModelError(what, hint="install the same version and weights on all machines")

    def _responses(self, result: Answers, group: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        """A group's answers; what has none is an error. Raises ModelError when too many groups in a row have none."""
        if any(result.responses):
            self._failed_in_a_row = 0
        self._failed_in_a_row += result.raised
        if self._failed_in_a_row >= GIVE_UP_AFTER:
            raise workers.broken(self.name, result.error)
        for request, response in zip(group, result.responses, strict=True):
            yield request, response or Response(finish="error", error=result.error)

    def _lose(
        self, slot: Slot, reason: str, groups: Sequence[Sequence[Request]], queue: WorkQueue
    ) -> Iterator[tuple[Request, Response]]:
        """A worker is dead or hung: another replaces it and its groups are requeued; after a few losses they fail."""
        self._replace(slot, reason)
        for number in queue.requeue(slot.number):
            for request in groups[number]:
                yield request, Response(finish="error", error=f"no worker survived it; the last one {reason}")

    def _replace(self, slot: Slot, reason: str) -> None:
        """Start another worker in a slot. Raises ModelError when the cluster is gone."""
        if workers.head_is_gone():
            for other in self._slots:
                other.release()
            raise ModelError("Ray's head is gone", hint="start it again; the same command resumes with what is missing")
        node = f" on {slot.replica.node}" if slot.replica else ""
        LOGGER.warning("worker %d%s %s; another takes its place", slot.number, node, reason)
        slot.deaths += 1
        self._ray.kill(slot.actor)
        if slot.deaths >= MOST_DEATHS:
            self._close(slot, f"{slot.deaths} workers died one after the other, without an answer")
        else:
            self._replaced += 1
            self._begin(slot)

    def _close(self, slot: Slot, reason: str) -> None:
        """Give up a slot."""
        LOGGER.warning("worker %d is given up: %s", slot.number, reason)
        slot.release()

    # ------------------------------------------------------------------------------------------------- as a context

    def close(self) -> None:
        """End the workers."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        there = [slot for slot in self._slots if slot.actor is not None]
        if there and workers.head_is_gone():
            self._send_away(there)
        for slot in there:
            if slot.actor is not None:
                self._ray.kill(slot.actor)
                slot.release()

    def _send_away(self, slots: Sequence[Slot]) -> None:
        """End workers without Ray's head, which kills them else: they are groups to, and on this machine made to.

        What a worker does not hear, because it is at a group or on a machine that is lost, it finds by itself
        (workers.ALONE).
        """
        left = [slot.actor.leave.remote() for slot in slots]
        self._ray.wait(left, num_returns=len(left), timeout=PATIENCE)
        for slot in slots:
            if slot.replica and slot.replica.node == socket.gethostname() and slot.replica.pid:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(slot.replica.pid, signal.SIGKILL)
            slot.release()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def cause_of_loss(error: Exception) -> str:
    """What happened to a worker, as a phrase."""
    known = {"OutOfMemoryError": "was killed, as its machine ran out of memory", "ActorDiedError": "died"}
    detail = (str(error).strip().splitlines() or [""])[-1]
    return known.get(type(error).__name__) or f"was lost ({type(error).__name__}: {detail:.160})"


def combined(first: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts as they were on loading, combined with those of all workers afterwards."""
    found = dict(first)
    for name in {name: None for facts in later for name in facts}:
        values = [facts[name] for facts in later if name in facts]
        if all(value == first.get(name) for value in values) or isinstance(values[0], str):
            found[name] = values[0]
        elif name in GREATEST:
            found[name] = max(values)
        elif all(isinstance(value, int) for value in values):
            found[name] = sum(values)
        else:
            found[name] = float(f"{sum(values) / len(values):.3g}")
    return found


# -------------------------------------------------------------------------------------------------------- images


def with_image_bytes(group: Sequence[Request]) -> list[Request]:
    """A group with its images' bytes, since the worker may be on a machine without their files.

    Images with the same source are read once. One that cannot be read raises the same error in the worker.
    """
    known: dict[Any, Callable[[], bytes]] = {}

    def loaded(ref: ImageRef) -> ImageRef:
        source = images.source_of(ref)
        if source not in known:
            try:
                known[source] = partial(_constant, ref.load())
            except Exception as error:  # reported by the model, as for its own readers
                known[source] = partial(_unreadable, error)
        return ImageRef(ref.name, known[source])

    return [replace(request, images=tuple(map(loaded, request.images))) for request in group]


def _constant(content: bytes) -> bytes:
    return content


def _unreadable(error: Exception) -> bytes:
    raise error
