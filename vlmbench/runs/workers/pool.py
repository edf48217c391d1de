"""Many replicas of one model as one model: each in a process of its own, on one machine or many, by Ray.

The pool is a Model like any other, so that a run with it is the same run: the runner alone scores, the store alone
writes. Whole groups go to the workers and whole groups' answers come back, so a worker that is killed leaves nothing
half done; what it held is given to others (handing.py).
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
from vlmbench.data import images
from vlmbench.runs.runner import GIVE_UP_AFTER
from vlmbench.runs.workers import worker as workers
from vlmbench.runs.workers.scheduler import Handing
from vlmbench.runs.workers.worker import Answers, Portion, Replica, Share

LOGGER = logging.getLogger(__name__)
MOST_DEATHS = 5
"""Times in a row that a worker may die without an answer, before its place is given up."""
TIMEOUT = 900.0
"""Seconds without an answer before a worker counts as hung."""
LOADING = 3600.0
"""Seconds that starting a worker and loading its model may take."""
READERS = 8
"""Threads that read pictures for the workers."""
PATIENCE = 3.0
"""Seconds to wait for the facts of workers that are still at a group which another has answered."""
GREATEST = frozenset({"peak_memory_bytes"})
"""Facts of which the greatest counts, not the sum over workers."""


@dataclass
class Place:
    """Where one worker works, and whoever takes over when it dies."""

    number: int
    actor: Any = None
    loading: Any = None
    """Ref to its description, until it is there."""
    replica: Replica | None = None
    streams: list[Any] = field(default_factory=list)
    """Answers to come, a stream a portion, the one it works on first."""
    heard: float = 0.0
    """When it last said something, or was given something to do."""
    deaths: int = 0
    """In a row, without an answer between."""

    def leave(self) -> None:
        """Nobody works here any more."""
        self.actor = self.loading = self.replica = None
        self.streams = []

    @property
    def awaited(self) -> Any:
        """What is to be heard of it next; None: nothing."""
        return self.loading if self.loading is not None else next(iter(self.streams), None)


class Pool:
    """A Model that answers by workers. Use it as a context, which ends them.

    `load` makes the model in each worker and must be picklable. The first worker that has loaded it says what it is.
    """

    def __init__(self, load: Callable[[], Model], shares: Share, *, timeout: float = TIMEOUT) -> None:
        """Raises ModelError (or what `load` raises of ours), once, when the model cannot be loaded."""
        self._ray = workers.ray()
        self._load, self._share, self._timeout = load, shares, timeout
        self._actor = self._ray.remote(workers.Worker)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="vlmbench-read")
        self._failed_in_a_row = self._replaced = self._given_again = 0
        self._places = [Place(number) for number in range(shares.workers)]
        for place in self._places:
            self._begin(place)
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
        told = {"workers": self._share.workers, "worker_threads": self._share.cores}
        counts = {"workers_replaced": self._replaced, "groups_given_again": self._given_again}
        return {**facts, **told, **({"worker_gpu": self._gpu} if self._gpu else {}), **counts}

    def _ask_facts(self) -> list[Mapping[str, Any]]:
        """The facts of the workers that are there and not busy for long."""
        asked = [place.actor.facts.remote() for place in self._places if place.replica]
        done, _ = self._ray.wait(asked, num_returns=len(asked), timeout=PATIENCE) if asked else ([], [])
        found = []
        for ref in done:
            with suppress(self._ray.exceptions.RayError):
                found.append(self._ray.get(ref))
        return found

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups, each by one worker. Raises ModelError when every group fails, or no worker is left."""
        asked = [list(group) for group in groups]
        handing = Handing(len(asked), len(self._places))
        before = self._given_again
        try:
            while not handing.done:
                self._feed(asked, handing)
                for place in self._listen():
                    yield from self._hear(place, asked, handing)
                for place, told in self._silent():
                    yield from self._lose(place, told, asked, handing)
                self._given_again = before + handing.given_again
        finally:
            for place in self._places:  # groups that another worker has answered first
                place.streams = []
        self._later_facts = self._ask_facts()

    # ------------------------------------------------------------------------------------------------- the workers

    def _begin(self, place: Place) -> None:
        """Start a worker in a place."""
        options = {"num_cpus": self._share.cores, "num_gpus": self._share.gpus, "max_restarts": 0}
        place.actor = self._actor.options(**options).remote(self._load)
        place.actor.watch.remote()
        place.loading = place.actor.describe.remote()
        place.replica, place.streams, place.heard = None, [], time.monotonic()

    def _first(self) -> Replica:
        """The first description, whose worker is then ready. An error of the model is raised as it comes."""
        while True:
            for place in self._listen():
                told = self._description(place)
                if isinstance(told, VlmbenchError):
                    raise told
                if told is not None:
                    return told
            for place, late in self._silent():
                self._replace(place, late)

    def _description(self, place: Place) -> Replica | VlmbenchError | None:
        """What a worker says of its model, or why there is none; None when it died over it."""
        try:
            told: Replica | VlmbenchError = self._ray.get(place.loading)
        except self._ray.exceptions.RayError as error:
            self._replace(place, reason(error))
            return None
        place.loading, place.heard = None, time.monotonic()
        if isinstance(told, Replica):
            place.replica = told
        return told

    def _listen(self) -> list[Place]:
        """Places that have something to say; none after a second of silence. Raises ModelError when none is left."""
        awaited = [(place.awaited, place) for place in self._places if place.awaited is not None]
        if not any(place.actor for place in self._places):
            raise ModelError("no worker is left", hint="the warnings say why; mend it, and the same command goes on")
        refs = [ref for ref, _ in awaited]
        if not refs:
            return []
        self._ray.wait(refs, num_returns=1, timeout=1.0)
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        return [place for ref, place in awaited if ref in done]

    def _silent(self) -> list[tuple[Place, str]]:
        """Workers that are not heard of for too long, and what that is called."""
        found = []
        for place in self._places:
            limit, what = (
                (LOADING, "did not load its model in") if place.loading else (self._timeout, "gave no answer for")
            )
            if place.awaited is not None and time.monotonic() - place.heard > limit:
                found.append((place, f"{what} {limit:g} s"))
        return found

    def _feed(self, asked: Sequence[Sequence[Request]], handing: Handing) -> None:
        """Give every ready worker what it can take."""
        for place in self._places:
            while place.replica is not None and (portion := handing.take(place.number)):
                groups = list(self._readers.map(packed, (asked[number] for number in portion)))
                content: Portion = list(zip(portion, groups, strict=True))
                if not place.streams:
                    place.heard = time.monotonic()
                place.streams.append(place.actor.answer.options(num_returns="streaming").remote(content))

    def _hear(
        self, place: Place, asked: Sequence[Sequence[Request]], handing: Handing
    ) -> Iterator[tuple[Request, Response]]:
        """Take one thing from a worker: its description, a group's answers, a portion's end, or its death."""
        if place.loading is not None:
            self._welcome(place)
            return
        try:
            told: Answers | VlmbenchError = self._ray.get(next(place.streams[0]))
        except StopIteration:
            place.streams.pop(0)
            place.heard = time.monotonic()
            handing.ended(place.number)
            return
        except self._ray.exceptions.RayError as error:
            yield from self._lose(place, reason(error), asked, handing)
            return
        if isinstance(told, VlmbenchError):
            raise told
        place.heard, place.deaths = time.monotonic(), 0
        if handing.answered(told.number):
            yield from self._responses(told, asked[told.number])

    def _welcome(self, place: Place) -> None:
        """A worker beside the first: the same model, or none at all."""
        told = self._description(place)
        if isinstance(told, VlmbenchError):
            self._close(place, str(told))
        elif told is not None and told.identity != self._identity:
            what = f"the worker on {told.node} has another model or vlmbench: {told.identity}, not {self._identity}"
            raise ModelError(what, hint="install the same version and weights on all machines")

    def _responses(self, told: Answers, group: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        """A group's answers; what has none is an error. Raises ModelError when too many groups in a row have none."""
        if any(told.responses):
            self._failed_in_a_row = 0
        self._failed_in_a_row += told.raised
        if self._failed_in_a_row >= GIVE_UP_AFTER:
            raise workers.broken(self.name, told.error)
        for request, response in zip(group, told.responses, strict=True):
            yield request, response or Response(finish="error", error=told.error)

    def _lose(
        self, place: Place, told: str, asked: Sequence[Sequence[Request]], handing: Handing
    ) -> Iterator[tuple[Request, Response]]:
        """A worker is dead or hung: another takes its place, its groups are given again, at last they fail."""
        self._replace(place, told)
        for number in handing.lost(place.number):
            for request in asked[number]:
                yield request, Response(finish="error", error=f"no worker survived it; the last one {told}")

    def _replace(self, place: Place, told: str) -> None:
        """Somebody new for a place. Raises ModelError when there is no cluster any more to find one in."""
        if workers.head_is_gone():
            for other in self._places:
                other.leave()
            raise ModelError("Ray's head is gone", hint="start it again; the same command goes on with what is missing")
        node = f" on {place.replica.node}" if place.replica else ""
        LOGGER.warning("worker %d%s %s; another takes its place", place.number, node, told)
        place.deaths += 1
        self._ray.kill(place.actor)
        if place.deaths >= MOST_DEATHS:
            self._close(place, f"{place.deaths} workers died one after the other, without an answer")
        else:
            self._replaced += 1
            self._begin(place)

    def _close(self, place: Place, told: str) -> None:
        """Give a place up."""
        LOGGER.warning("worker %d is given up: %s", place.number, told)
        place.leave()

    # ------------------------------------------------------------------------------------------------- as a context

    def close(self) -> None:
        """End the workers."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        there = [place for place in self._places if place.actor is not None]
        if there and workers.head_is_gone():
            self._send_away(there)
        for place in there:
            if place.actor is not None:
                self._ray.kill(place.actor)
                place.leave()

    def _send_away(self, places: Sequence[Place]) -> None:
        """End workers without Ray's head, which kills them else: they are asked to, and on this machine made to.

        What a worker does not hear, because it is at a group or on a machine that is lost, it finds by itself
        (workers.ALONE).
        """
        left = [place.actor.leave.remote() for place in places]
        self._ray.wait(left, num_returns=len(left), timeout=PATIENCE)
        for place in places:
            if place.replica and place.replica.node == socket.gethostname() and place.replica.pid:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(place.replica.pid, signal.SIGKILL)
            place.leave()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def reason(error: Exception) -> str:
    """What became of a worker, in few words."""
    known = {"OutOfMemoryError": "was killed, as its machine ran out of memory", "ActorDiedError": "died"}
    detail = (str(error).strip().splitlines() or [""])[-1]
    return known.get(type(error).__name__) or f"was lost ({type(error).__name__}: {detail:.160})"


def combined(first: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts as they were on loading, and those of all workers afterwards, as one."""
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


# ------------------------------------------------------------------------------------------------------- pictures


def packed(group: Sequence[Request]) -> list[Request]:
    """A group with its pictures' bytes, since the worker may be on a machine that has not their files.

    Pictures read the same way are read once. One that cannot be read stays one that cannot, with the same words.
    """
    known: dict[Any, Callable[[], bytes]] = {}

    def carried(picture: ImageRef) -> ImageRef:
        source = images.source_of(picture)
        if source not in known:
            try:
                known[source] = partial(_at_hand, picture.load())
            except Exception as error:  # told by the model, as it does with its own readers
                known[source] = partial(_unreadable, error)
        return ImageRef(picture.name, known[source])

    return [replace(request, images=tuple(carried(picture) for picture in request.images)) for request in group]


def _at_hand(content: bytes) -> bytes:
    return content


def _unreadable(error: Exception) -> bytes:
    raise error
