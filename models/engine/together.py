"""Answers decoded together, across images: a bounded number of them, each replaced as soon as it is at its end.

While answers about some images go on, the prompts about the next ones run (`add`), as long as rows and memory for keys
and values suffice; then one forward gives each answer that goes on its next token. The lanes of a forward see nothing
of each other (lanes/attention). Whether a model can do this is tried once, on the first lanes that meet: the same step
together and lane by lane must give the same logits, else lanes go one after the other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError, UnknownNameError, UsageError
from vlmbench.base.samples import Generation

from .decoding import Job, Observer, Outcome, choose, no_observer
from .group_images import describe
from .lanes.columns import crop, lengths
from .margin_scale import is_finite, max_difference, tolerance
from .memory import halving, out_of_memory
from .shared_prefix import Group, Lane, Limits, PackedEngine

if TYPE_CHECKING:
    from .lanes.static import StaticRow

LOGGER = logging.getLogger(__name__)
SMALLEST_PACK = 16
"""Out of memory in packs of this many tokens: given up."""
AUTO = "auto"
ROWS, ROWS_GPU = 32, 128
"""Answers that go on at the same time, where nothing else is asked for."""
MEMORY, SHARE = 2 * 2**30, 0.4
"""Bytes of keys and values in main memory, or their share of a GPU's free memory, where nothing else is asked for."""
PIXELS = 10 * 2**20
"""What the images of answers in flight hold."""
DECODE = "decode"
"""What `compile` takes."""
NOT_TRIED, TOGETHER = "not tried", "together"
Given = tuple[Tensor, Mapping[str, Any]]
"""A lane's tokens, and what the model takes beside them."""


@dataclass(eq=False)
class Work:
    """Jobs about the same images, and what became of them."""

    jobs: Sequence[Job]
    features: Callable[[], Any]
    """Called when it is their turn."""
    observe: Observer = no_observer
    pixels: int = 0
    """What the images hold while the jobs are in flight."""
    outcomes: Sequence[Outcome] = ()
    """In the jobs' order, once all are at their end."""
    error: Exception | None = None
    """Why there are none."""
    seconds: float = 0.0
    group: Group | None = None
    lanes: int = 0
    """How many are not at their end."""


@dataclass(frozen=True)
class Bounds:
    """What may be in flight."""

    rows: int
    """Answers that go on at the same time."""
    memory: int
    """Bytes of their keys and values; answers that take more by themselves go alone."""
    pixels: int
    """Of their images; more only where those of one work are more."""
    pack_tokens: int = 512
    """Tokens of prompts behind a prefix that go through the network at once."""


def rows_of_setting(batch: str) -> int:
    """The number that `batch_size` names; 0 for `auto`. Raises UsageError."""
    if batch != AUTO and not (batch.isdecimal() and int(batch) > 0):
        raise UsageError(f"batch takes a number above 0 or {AUTO}, not {batch!r}")
    return 0 if batch == AUTO else int(batch)


def check_compile(word: str, kind: str) -> None:
    """Raises UnknownNameError for a word that is neither empty nor DECODE, UsageError where answers go one by one."""
    if word and word != DECODE:
        raise UnknownNameError("part to compile", word, (DECODE,))
    if word and kind != "shared":
        raise UsageError(f"compile={word} is for answers that are decoded together", hint="use --engine shared")


def bounds_of(batch: int, memory: int, device: torch.device, pack_tokens: int) -> Bounds:
    """The bounds that a user sets; 0: what suits the device."""
    cuda = device.type == "cuda"
    if not memory:
        memory = int(SHARE * torch.cuda.mem_get_info(device)[0]) if cuda else MEMORY
    return Bounds(batch or (ROWS_GPU if cuda else ROWS), memory, PIXELS, pack_tokens)


class Together:
    """The works in flight. Deterministic: the same works in the same order give the same outcomes."""

    def __init__(self, engine: PackedEngine, bounds: Bounds, retried: Callable[[], None]) -> None:
        """`retried` is called when something is tried again with less memory."""
        self.engine, self.bounds, self.retried = engine, bounds, retried
        self.state = f"refused: {engine.lone}" if engine.lone else NOT_TRIED
        self.difference = 0.0
        """The largest difference of any logit in the trial."""
        self._rows = bounds.rows
        self._most_rows, self._most_bytes = 0, 0
        self._lanes: dict[Lane, Work] = {}
        self._attention: Any = None
        self._static: StaticRow | None = None
        """Where steps are compiled: the row in which lanes have parts."""

    def compile_steps(self, device: torch.device, features: Sequence[Any], jobs: Sequence[Job]) -> None:
        """From here on steps of decoding go in one shape, as one compiled program.

        Tried on jobs about two images. Raises ModelError where that fails, or gives other logits.
        """
        from .lanes.static import StaticRow, reason_against  # imports transformers

        jobs = [replace(job, generation=Generation(2, min_new_tokens=2)) for job in jobs]
        static = StaticRow(self.engine, self._rows, self.bounds.memory, device)
        try:
            lanes: list[Lane] = []
            for shown in features:
                group = Group(self.engine, shown, jobs, no_observer)
                for prompts in self.engine.buckets(jobs):
                    lane = Lane(group, prompts, Limits(self.bounds.pack_tokens, self._rows // 2))
                    part = static.free(lane.columns, [*lanes, lane])
                    lane.start(None if part is None else static.take(lane, part))
                    lanes += [lane] if lane.live else []
            given = [lane.next_inputs() for lane in lanes]
            reason = reason_against(given)
            if not reason:
                self._static = static
                self._tried(lanes, given)
                reason = self.state.removeprefix("refused: ") if not self.joins else ""
        except Exception as error:  # each compiler has errors of its own
            if out_of_memory(error):
                raise
            reason = describe(error)
        if reason:
            raise ModelError(f"compile=decode: {reason}", hint="leave out compile")

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Whether lanes go together, or why not; the bounds, and the most that there was at once."""
        return {
            "decoding": self.state,
            "decoding_rows": self._rows,
            "decoding_rows_peak": self._most_rows,
            "cache_budget_bytes": self.bounds.memory,
            "cache_peak_bytes": self._most_bytes,
        }

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides answers beside the engine's own: compiled steps round otherwise."""
        return {"compile": DECODE} if self._static else {}

    @property
    def joins(self) -> bool:
        """Whether lanes go together, as far as is known."""
        return self.state in (NOT_TRIED, TOGETHER)

    def add(self, work: Work) -> Iterator[Work]:
        """Begin some work when there is room for it. Yields works that come to their end, perhaps this one."""
        while (held := {id(other): other.pixels for other in self._lanes.values()}) and (
            sum(held.values()) + work.pixels > self.bounds.pixels
        ):
            yield from self._step()
        if self.engine.lone:
            with timed(work):
                self._alone(work)
            yield work
            return
        try:
            with timed(work):
                work.group = Group(self.engine, work.features(), work.jobs, work.observe)
                columns = max(self.bounds.memory // max(self.engine.column_bytes, 1), 1)
                limits = Limits(self.bounds.pack_tokens, self._rows, columns)
                lanes = [Lane(work.group, prompts, limits) for prompts in self.engine.buckets(work.jobs)]
            work.lanes = len(lanes)
            for lane in lanes:
                while not self._fits(lane):
                    yield from self._step()
                if work.error is not None:
                    return
                with timed(work):
                    lane.start(self._cache_of(lane))
                yield from self._settle(lane, work)
                self._note()
        except Exception as error:
            if out_of_memory(error):
                yield from self.rest()
            yield from self._failed(work, error)

    def rest(self) -> Iterator[Work]:
        """Bring everything to its end."""
        while self._lanes:
            yield from self._step()

    def _fits(self, lane: Lane) -> bool:
        """Whether rows and memory suffice for one more lane."""
        if not self._lanes:
            return True
        if not self.joins:
            return False
        lanes = [*self._lanes, lane]
        if self._static and self._static.free(lane.columns, self._lanes) is None:
            return False
        return (
            sum(other.claim for other in lanes) <= self._rows
            and sum(other.columns for other in lanes) * self.engine.column_bytes <= self.bounds.memory
        )

    def _cache_of(self, lane: Lane) -> Any:
        """Where its keys and values go; None: by itself."""
        part = self._static.free(lane.columns, self._lanes) if self._static else None
        return None if part is None or self._static is None else self._static.take(lane, part)

    def _settle(self, lane: Lane, work: Work) -> Iterator[Work]:
        """Take note of a lane that has run; yields its work where that is at its end."""
        if lane.live:
            self._lanes[lane] = work
            return
        self._lanes.pop(lane, None)
        work.lanes -= 1
        if not work.lanes:
            assert work.group is not None
            with timed(work):
                work.outcomes = work.group.outcomes()
            yield work

    def _note(self) -> None:
        """The most that there was at once."""
        self._most_bytes = max(self._most_bytes, sum(lane.held_bytes for lane in self._lanes))
        self._most_rows = max(self._most_rows, sum(lane.live for lane in self._lanes))

    def _failed(self, work: Work, error: Exception) -> Iterator[Work]:
        """End some work; where memory did not suffice, after all of it by itself, in smaller and smaller packs."""
        self._drop(work)
        work.error = error
        if out_of_memory(error):
            with timed(work):
                self._alone(work)
        yield work

    def _drop(self, work: Work) -> None:
        self._lanes = {lane: other for lane, other in self._lanes.items() if other is not work}

    def _alone(self, work: Work) -> None:
        """Do some work again with nothing beside it."""

        def answer(tokens: int) -> list[Outcome]:
            return self.engine.answer(work.features(), work.jobs, tokens, work.observe)

        try:
            work.outcomes, _ = halving(answer, self.bounds.pack_tokens, SMALLEST_PACK, self.retried)
            work.error = None
        except Exception as error:
            work.error = error

    @torch.inference_mode()
    def _step(self) -> list[Work]:
        """A token for each answer that goes on; works that come to their end."""
        lanes = list(self._lanes)
        ended: list[Work] = []
        started = time.perf_counter()
        try:
            given = [lane.next_inputs() for lane in lanes]
            logits = self._logits(lanes, given)  # (live, vocabulary)
            chosen = choose(logits, [draft for lane in lanes for draft in lane.drafts])
        except Exception as error:
            return self._broken(error)
        self._note()
        spent = (time.perf_counter() - started) / len(chosen)
        parts, at = torch.split(logits, [len(row) for row, _ in given]), 0
        for lane, rows in zip(lanes, parts, strict=True):
            best, at = chosen[at : at + len(rows)], at + len(rows)
            work = self._lanes.get(lane)
            if work is None:  # another lane of the same work has failed
                continue
            work.seconds += spent * lane.live
            try:
                with timed(work):
                    lane.take(rows, best)
                ended += self._settle(lane, work)
            except Exception as error:
                ended += self._failed(work, error)
        return ended

    def _broken(self, error: Exception) -> list[Work]:
        """A step failed. Where it was one work's, that has failed; else each is done again by itself."""
        works = list({id(work): work for work in self._lanes.values()}.values())
        if len(works) == 1:
            return list(self._failed(works[0], error))
        if out_of_memory(error):
            self._rows = max(1, sum(lane.live for lane in self._lanes) // 2)
            self.retried()
        self._lanes = {}
        for work in works:
            with timed(work):
                self._alone(work)
        return works

    def _logits(self, lanes: Sequence[Lane], given: Sequence[Given]) -> Tensor:
        """All lanes' (live, vocabulary) float32 logits."""
        from .lanes.attention import reason_against  # imports transformers

        if self._static and all(lane in self._static.parts for lane in lanes):
            return self._compiled(lanes, given)
        if len(lanes) > 1 and self.joins and (reason := reason_against([settings for _, settings in given])):
            self._refuse(reason)
        if len(lanes) == 1 or not self.joins:
            return torch.cat([lane.run(*one) for lane, one in zip(lanes, given, strict=True)])
        return self._joined(lanes, given) if self.state == TOGETHER else self._tried(lanes, given)

    def _compiled(self, lanes: Sequence[Lane], given: Sequence[Given]) -> Tensor:
        """One compiled program for all."""
        assert self._static is not None
        return self._static.step(lanes, given)

    def _joined(self, lanes: Sequence[Lane], given: Sequence[Given]) -> Tensor:
        """One forward for all."""
        from .lanes.attention import LaneAttention, LaneInputs  # imports transformers

        self._attention = self._attention or LaneAttention(self.engine.lm)
        inputs = [LaneInputs(row, lane.cache, more) for lane, (row, more) in zip(lanes, given, strict=True)]
        with self._attention.joined(inputs) as (row, cache, settings):
            return self.engine.run(row, cache, torch.arange(len(row), device=row.device), **settings)

    def _tried(self, lanes: Sequence[Lane], given: Sequence[Given]) -> Tensor:
        """Together, then lane by lane: that counts. Settles whether lanes go together from now on."""
        kept = [lengths(lane.cache) for lane in lanes]
        joined, reason = None, ""
        try:
            joined = self._compiled(lanes, given) if self._static else self._joined(lanes, given)
        except Exception as error:  # an architecture says in its own way that this is not for it
            if out_of_memory(error):
                raise
            reason = describe(error)
        for lane, columns in zip(lanes, kept, strict=True):
            crop(lane.cache, columns)
        alone = torch.cat([lane.run(*one) for lane, one in zip(lanes, given, strict=True)])
        pairs = () if joined is None else zip(joined, alone, strict=True)
        rows = [(one, two) for one, two in pairs if is_finite(two)]
        if rows:
            self.difference = max(max_difference(one, two) for one, two in rows)
            largest = max(float(two.nan_to_num(0.0, 0.0, 0.0).abs().max()) for _, two in rows)
            if self.difference > tolerance(self.engine.lm.dtype, largest):
                reason = f"logits together part by {self.difference:.2g} from those of each lane"
        if reason:
            self._refuse(reason)
        elif rows:
            self.state = TOGETHER
        return alone

    def _refuse(self, reason: str) -> None:
        self.state = f"refused: {reason}"
        LOGGER.warning("answers about several images cannot be decoded together: %s; one image at a time", reason)


@contextmanager
def timed(work: Work) -> Iterator[None]:
    """Count the time to some work."""
    started = time.perf_counter()
    try:
        yield
    finally:
        work.seconds += time.perf_counter() - started
