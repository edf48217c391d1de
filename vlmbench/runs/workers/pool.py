"""Many replicas of one model as one model: each in a process of its own, on one machine or many, by Ray.

The pool is a Model like any other, so that a run with it is the same run: the runner alone scores, the store alone
closes the run. Whole groups go to the workers, which read the images and write the answers into parts of the log
(docs/decisions/0053); what comes back over Ray is which groups are done. A worker that is killed leaves nothing half
done; what it held and had not written is given to others (scheduler.py).
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
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from vlmbench.base.errors import ModelError, VlmbenchError
from vlmbench.base.model import Model
from vlmbench.base.samples import ImageRef, Request, Response
from vlmbench.runs.execution.planning import PlannedRequest
from vlmbench.runs.execution.runner import GIVE_UP_AFTER
from vlmbench.runs.storage.store import RunStore
from vlmbench.runs.workers import calls, cluster
from vlmbench.runs.workers import worker as workers
from vlmbench.runs.workers.calls import LARGEST_BYTES, Call
from vlmbench.runs.workers.cluster import Share
from vlmbench.runs.workers.hashing import by_workers
from vlmbench.runs.workers.images import all_travel, unchanged, with_image_bytes
from vlmbench.runs.workers.machines import Machines
from vlmbench.runs.workers.merging import GroupAnswers
from vlmbench.runs.workers.slots import Slot, cause_of_loss, check_version, combined
from vlmbench.runs.workers.worker import Finished, Portion, Progress, Replica

LOGGER = logging.getLogger(__name__)
MOST_DEATHS = 5
"""Times in a row that a worker may die without an answer, before its slot is given up."""
TIMEOUT = 900.0
"""Seconds without an answer before a worker counts as hung."""
LOADING = 3600.0
"""Seconds that starting a worker and loading its model may take."""
READERS = 8
"""Threads that read images for workers that cannot."""
PATIENCE = 3.0
"""Seconds to wait for the facts of workers that are still at a group which another has answered."""
EVERY = 0.5
"""Seconds between a worker's messages, at least."""
EACH = 0.004
"""Seconds of that for every worker: the process that listens gets 250 messages a second at most."""
TOGETHER = 64
"""Workers from which on their messages are heard together, after a pause."""
PAUSE = 0.05
"""Seconds of it."""


class Pool:
    """A Model that answers by workers. Use it as a context, which ends them.

    `load` loads the model in each worker and must be picklable. The first worker that has loaded it describes it.
    """

    def __init__(self, load: Callable[[], Model], shares: Share, *, timeout: float = TIMEOUT) -> None:
        """Raises ModelError (or what `load` raises of ours), once, when the model cannot be loaded."""
        self._ray = cluster.ray()
        self._load, self._share, self._timeout = load, shares, timeout
        self._actor = self._ray.remote(workers.Worker)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="vlmbench-read")
        self._failed_in_a_row = self._replaced = self._requeued = 0
        self._machines = Machines()
        self._every = min(max(EVERY, EACH * shares.workers), timeout / 4)
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
        listed = [tuple(group) for group in groups]
        for batch in self._work(calls.of_requests(listed, len(self._slots), self._every)):
            for group in batch:
                yield from zip(listed[group.number], group.responses, strict=True)

    def answer_planned(
        self, groups: Sequence[Sequence[PlannedRequest]], store: RunStore
    ) -> Iterator[tuple[str, Response]]:
        """Answer what a run asks; the answers that come, by key, are in the run's log. Raises like `answer`."""
        call = calls.of_run(groups, len(self._slots), store.folder, self._every)
        for batch in self._work(call):
            for group in batch:
                store.extend(group.lines, dict(zip(group.keys, group.responses, strict=True)))
            store.sync()
            for group in batch:
                yield from zip(group.keys, group.responses, strict=True)
        call.merge.parts.remove()

    def image_hashes(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str]]:
        """Each image with its content hash, as the workers have read it; "" for one that they could not read."""
        return by_workers(self._ray, self._admitted, refs)

    def _admitted(self) -> list[Slot]:
        """The workers that are there by now."""
        loading = {slot.loading: slot for slot in self._slots if slot.loading is not None}
        loaded, _ = self._ray.wait(list(loading), num_returns=len(loading), timeout=0) if loading else ([], [])
        for ref in loaded:
            self._welcome(loading[ref])
        return [slot for slot in self._slots if slot.replica is not None]

    def _work(self, call: Call) -> Iterator[list[GroupAnswers]]:
        """Have groups answered, and hand over what has come since the last time."""
        queue = call.queue
        call.idle.update(range(len(self._slots)))
        before, error = self._requeued, None
        try:
            while not queue.done:
                self._feed(call)
                batch = []
                for slot in self._listen():
                    found, error = self._hear(slot, call)
                    batch += found
                    if error is not None:
                        break
                for slot, reason in self._silent():
                    batch += self._lose(slot, reason, call)
                if queue.requeued != self._requeued - before:
                    call.idle.update(range(len(self._slots)))
                self._requeued = before + queue.requeued
                if batch:
                    yield batch
                if error is not None:
                    raise error
        finally:
            for slot in self._slots:  # groups that another worker has answered first
                slot.streams = []
        self._later_facts = self._ask_facts()

    # ------------------------------------------------------------------------------------------------- the workers

    def _begin(self, slot: Slot) -> None:
        """Start a worker in a slot."""
        options = {"num_cpus": self._share.cores, "num_gpus": self._share.gpus, "max_restarts": 0}
        slot.actor = self._actor.options(**options).remote(self._load, str(Path.cwd()))
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
            check_version(description)
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
        if len(refs) > TOGETHER:
            time.sleep(PAUSE)
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

    def _feed(self, call: Call) -> None:
        """Give every worker that can take them portions. One that gets none is asked again only after a loss."""
        for number in sorted(call.idle):
            slot = self._slots[number]
            if slot.replica is None:
                continue
            sent = slot.replica.node in self._machines.without_data
            while portion := call.queue.acquire(number, LARGEST_BYTES if sent else call.largest):
                content = self._payload(call, portion, sent=sent)
                if not slot.streams:
                    slot.heard = time.monotonic()
                stream = slot.actor.answer.options(num_returns="streaming").remote(content, call.merge.part(number))
                slot.streams.append(stream)
            call.idle.discard(number)

    def _payload(self, call: Call, portion: Sequence[int], *, sent: bool) -> Portion:
        """Groups as a worker gets them; with the bytes of their images where it cannot read them, or nobody can."""
        groups = [call.make(number) for number in portion]
        heavy = [sent or group.number in call.by_bytes or not all_travel(group.requests) for group in groups]
        loaded = iter(
            self._readers.map(with_image_bytes, (g.requests for g, h in zip(groups, heavy, strict=True) if h))
        )
        return [
            replace(group, requests=tuple(unchanged(next(loaded), group.hashes)), hashes=None) if needs else group
            for group, needs in zip(groups, heavy, strict=True)
        ]

    def _hear(self, slot: Slot, call: Call) -> tuple[list[GroupAnswers], VlmbenchError | None]:
        """Receive one thing from a worker: its description, what it has finished, the end of a portion, or its death.

        An error that ends the run comes back beside the answers before it.
        """
        if slot.loading is not None:
            self._welcome(slot)
            call.idle.add(slot.number)
            return [], None
        try:
            told: Progress | VlmbenchError = self._ray.get(next(slot.streams[0]))
        except StopIteration:
            slot.streams.pop(0)
            slot.heard = time.monotonic()
            call.idle.add(slot.number)
            left = call.queue.finish_portion(slot.number)
            return call.merge.failed(left, f"{workers.NO_ANSWER}, on {len(left)} groups"), None
        except self._ray.exceptions.RayError as error:
            return self._lose(slot, cause_of_loss(error), call), None
        if isinstance(told, VlmbenchError):
            return [], told
        slot.heard, slot.deaths = time.monotonic(), 0
        assert slot.replica is not None
        self._machines.note_detour(slot.replica.node, told.detour)
        for one in told.finished:
            self._machines.note_images(slot.replica.node, one.unread)
            if one.unread:
                if slot.replica.node not in self._machines.without_data:  # it may be this image alone
                    call.by_bytes.add(one.number)
                call.queue.give_back(slot.number, one.number, blamed=False)
        return call.merge.take(slot.number, told), self._broken(told.finished)

    def _broken(self, finished: Sequence[Finished]) -> ModelError | None:
        """The error that ends the run when too many groups in a row have no answer."""
        for one in finished:
            if one.answered:
                self._failed_in_a_row = 0
            self._failed_in_a_row += bool(one.error)
            if self._failed_in_a_row >= GIVE_UP_AFTER:
                return workers.broken(self.name, one.error)
        return None

    def _welcome(self, slot: Slot) -> None:
        """Admit a worker after the first, which must have the same model."""
        replica = self._description(slot)
        if isinstance(replica, VlmbenchError):
            self._close(slot, str(replica))
        elif replica is not None and replica.identity != self._identity:
            what = f"the worker on {replica.node} has another model: {replica.identity}, not {self._identity}"
            raise ModelError(what, hint="bring the same weights to all machines")

    def _lose(self, slot: Slot, reason: str, call: Call) -> list[GroupAnswers]:
        """A worker is dead or hung: what it wrote counts, the rest is requeued, and another takes its place.

        Returns the answers in its part, and failures for what was lost too often.
        """
        salvaged = call.merge.salvage(slot.number)
        if salvaged:
            slot.deaths = 0
        self._replace(slot, reason)
        failed = call.queue.requeue(slot.number)
        return salvaged + call.merge.failed(failed, f"no worker survived it; the last one {reason}")

    def _replace(self, slot: Slot, reason: str) -> None:
        """Start another worker in a slot. Raises ModelError when the cluster is gone."""
        if cluster.head_is_gone():
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
        if there and cluster.head_is_gone():
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
