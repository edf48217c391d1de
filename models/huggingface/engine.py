"""Answers groups of requests over any transformers image-text model: prefixes shared where that is proven, else plain.

`shared`: a group's questions run as one packed row behind their images, if the model passes prefix_check's checks;
questions that share with nobody go into plain batches, if those pass batch_check's. `batched`: plain batches alone.
`simple`: one by one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch

from vlmbench.base.errors import ModelError, UnknownNameError, UsageError
from vlmbench.base.samples import Request, Response
from vlmbench.chat.turns import shown_images
from vlmbench.data.images import decoding as images
from vlmbench.parsing.thinking import apart

from ..engine.decoding import Job, Observer, Outcome, no_observer
from ..engine.engine import RequestObserver, can_pack, failure, is_greedy, order, respond
from ..engine.group_images import describe
from ..engine.linear_choice import LinearChoice
from ..engine.memory import halving, peak_bytes
from ..engine.together import AUTO, Together, Work, bounds_of, check_compile, rows_of_setting
from ..network.finite import bad_weight
from ..parts.kernels import activation
from .batch_check import batch_check
from .batching import BatchQueue, BatchSize, rows_of
from .plain import Plain, Question
from .prefix_check import choose, trial, trial_questions
from .prompts import ImageTensors
from .sharing.features import RememberedParts
from .sharing.packed import HfSharedPrefix
from .system import HfSystem

LOGGER = logging.getLogger(__name__)
KINDS = ("shared", "batched", "simple")
AHEAD = images.PIXELS_AHEAD // 2
"""Pixels prepared ahead of the network; about as many wait for a batch, and a processor copies what it works on."""


@dataclass(frozen=True)
class Prepared:
    """A request as a question, or why it is none."""

    question: Question | None = None
    error: str = ""


@dataclass(eq=False)
class QuestionWork(Work):
    """Questions about the same images that go behind one prefix."""

    questions: Sequence[Question] = ()


class HfEngine:
    """Generates and ranks answers. Deterministic but for the sizes that a GPU's memory decides."""

    def __init__(
        self,
        system: HfSystem,
        *,
        kind: str = "shared",
        batch: str = AUTO,
        exact: bool = False,
        fragile: float | None = None,
        pack_tokens: int = 512,
        cache_memory: int = 0,
        linear: str = "",
        compile: str = "",
        observer: RequestObserver | None = None,
    ) -> None:
        """`kind` shared is tried out here, and becomes batched where it fails: `sharing` says why.

        `batch`: most rows of a plain batch, and most answers that are decoded together; `cache_memory`: most bytes of
        the latter's keys and values, 0 for what suits the device. `exact` asks answers with a margin under `fragile`
        again one by one; `fragile` None: four times what the trials found, at least 1e-4. `linear`: `mkl`, `onednn` or
        `auto`, which library computes Linear layers. `compile`: `decode` for compiled steps behind a shared prefix.

        Raises UsageError, and ModelError where oneDNN cannot be had.
        """
        if kind not in KINDS:
            raise UnknownNameError("engine", kind, KINDS)
        check_compile(compile, kind)
        if pack_tokens < 1 or cache_memory < 0:
            raise UsageError("pack_tokens must be at least 1 and cache_memory at least 0", hint="leave them out")
        self.system, self.pack_tokens, self.exact, self.observer = system, pack_tokens, exact, observer
        self.size = BatchSize("1" if kind == "simple" else batch, system.model.device)
        self.plain = Plain(system.model, system, pad_id=system.pad_id, encoder_decoder=system.encoder_decoder)
        self.shared = HfSharedPrefix(system.model, system, system.prompts.image_id)
        self._difference = 0.0
        self._remembered: RememberedParts | None = None
        self.kind, self.sharing, self.batching = kind, "not asked for", "not tried"
        self._broken = bad_weight(system.model)
        activation.use_in_place(system.model)
        self.linear = LinearChoice(linear)
        if not self._broken:
            self.linear.decide(system.model, partial(trial, self.plain, system.prompts))
        if kind == "shared":
            self.kind, self.sharing = self._try_sharing()
        bounds = bounds_of(rows_of_setting(batch), cache_memory, system.model.device, pack_tokens)
        self._together = Together(self.shared, bounds, self._retry)
        if compile and not self._broken:
            self._compile()
        self.fragile = max(4 * self._difference, 1e-4) if fragile is None else fragile
        self._counts = {"merged": 0, "rerun": 0, "changed": 0, "failed": 0, "memory_retries": 0, "packed": 0}
        self._seconds, self._questions, self._words = 0.0, 0, 0

    def _try_sharing(self) -> tuple[str, str]:
        """The kind to work as, and what the tables say of it."""
        if self._broken:
            return "batched", f"refused: {self._broken}"
        system = self.system
        found = choose(system.model, system, self.plain, system.prompts, self.pack_tokens, self.linear.trial)
        if found.way is not None:
            self.shared, self._difference = found.way, found.difference
            return "shared", found.told
        self._remembered = found.parts
        LOGGER.warning("%s: questions about an image cannot share its prefix: %s; plain batches", self.name, found.told)
        return "batched", found.told

    def _compile(self) -> None:
        if self.kind != "shared":
            raise ModelError(f"compile=decode: sharing is {self.sharing}", hint="leave out compile")
        prompt, jobs = trial_questions(self.system.prompts)
        self._together.compile_steps(self.system.model.device, [prompt] * 2, jobs)

    def _try_batching(self) -> None:
        """Before the first batch of several rows: whether batches change no answer. Else questions go one by one."""
        reason = batch_check(self.system, self.plain)
        self.batching = f"refused: {reason}" if reason else "yes"
        if reason:
            self.size.one_by_one()
            LOGGER.warning("%s: questions cannot go in batches: %s; one by one", self.name, reason)

    @property
    def name(self) -> str:
        """For what is told."""
        return self.system.name

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What decides the answers beside the weights: part of every answer's key."""
        own = {**self.linear.settings, **self._together.settings}
        return {"engine": self.kind, "exact": self.exact, "device": self.system.model.device.type, **own}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Whether prefixes are shared and batches sound, or why not; counts so far; seconds per question and word."""
        facts: dict[str, str | int | float] = {
            "sharing": self.sharing,
            "batching": self.batching,
            "batch": self.size.now,
            **self.linear.facts,
        }
        facts |= {f"engine_{name}": count for name, count in self._counts.items()}
        if peak := peak_bytes(self.system.model.device):
            facts["peak_memory_bytes"] = peak
        if self._questions:
            facts["seconds_per_question"] = float(f"{self._seconds / self._questions:.3g}")
        if self._words:
            facts["seconds_per_word"] = float(f"{self._seconds / self._words:.3g}")
        if self.kind == "shared":
            facts["engine_self_check_difference"] = self._difference
            facts |= self._together.facts
        return facts

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups, best made of requests about the same images, in any order, as they finish.

        Any failure, of an image or the network, becomes a response with `finish="error"`; interrupts pass through.
        """
        if self._broken:
            for group in groups:
                yield from self._told([(request, failure(self._broken)) for request in group])
            return
        try:
            yield from self._answer(groups)
        finally:
            if self._remembered:
                self._remembered.forget()

    def _answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        waiting = BatchQueue(self.size)
        for group, prepared in images.prefetch(_by_images(groups), self._prepare, weigh=_pixels_held, most=AHEAD):
            questions: list[Question] = []
            for request, item in zip(group, prepared, strict=True):
                if item.question is None:
                    yield from self._told([(request, failure(item.error))])
                else:
                    self._merge(item.question, questions)
            for part in self._parts(questions):
                yield from self._begin(part, waiting)
        for work in self._together.rest():
            yield from self._packed(work)
        for rest in waiting.rest():
            yield from self._timed(rest)

    def _begin(self, part: Sequence[Question], waiting: BatchQueue) -> Iterator[tuple[Request, Response]]:
        """Begin questions that may share a prefix; yields responses that are there meanwhile."""
        if self._goes_packed(part):
            for work in self._together.add(self._work(part)):
                yield from self._packed(work)
            return
        for question in part:
            for full in waiting.add(question):
                yield from self._timed(full)

    def _goes_packed(self, part: Sequence[Question]) -> bool:
        """Whether questions go behind a prefix: several that share one, or one that others may be decoded beside."""
        jobs = [question.job for question in part]
        if self.kind != "shared" or not all(map(can_pack, jobs)) or not self.shared.can_share(jobs):
            return False
        return rows_of(part) > 1 or self._together.joins

    def _work(self, questions: Sequence[Question]) -> QuestionWork:
        prompt, observe = questions[0].prompt, self._observer(questions)
        return QuestionWork(
            [question.job for question in questions], lambda: prompt, observe, questions[0].pixels, questions=questions
        )

    def _prepare(self, group: Sequence[Request]) -> list[Prepared]:
        """Each request as tensors; images are read once. Runs in a thread, ahead of the network."""
        decoded: dict[object, object] = {}
        medias: list[ImageTensors] = []
        prepared = []
        for request in group:
            try:
                shown = shown_images(request)
                for image in shown:
                    source = images.source_of(image)
                    if source not in decoded:
                        decoded[source] = images.decode(image.load(), image.name)
                loaded = [decoded[images.source_of(image)] for image in shown]
                question = self.system.question(request, loaded)  # type: ignore[arg-type]
            except Exception as error:
                prepared.append(Prepared(error=describe(error)))
                continue
            known = next((media for media in medias if media.same(question.prompt.media)), None)
            if known is None:
                medias.append(question.prompt.media)
            else:
                question.prompt = replace(question.prompt, media=known)
            prepared.append(Prepared(question))
        return prepared

    def _merge(self, question: Question, questions: list[Question]) -> None:
        """Put a question to a group's others, or its requests to the same question's."""
        for other in questions:
            if other.job == question.job and other.prompt.media is question.prompt.media:
                other.requests += question.requests
                self._counts["merged"] += 1
                return
        questions.append(question)

    def _parts(self, questions: Sequence[Question]) -> list[list[Question]]:
        """Questions that may share a prefix: the same images in the same places."""
        parts: dict[object, list[Question]] = {}
        for question in questions:
            key = (
                id(question)
                if not can_pack(question.job)
                else (id(question.prompt.media), self.shared.head(question.job.ids))
            )
            parts.setdefault(key, []).append(question)
        return list(parts.values())

    def _timed(self, questions: Sequence[Question]) -> Iterator[tuple[Request, Response]]:
        """The responses of a plain batch, each with its share of the time."""
        started = time.perf_counter()
        with self._remembered.used() if self._remembered else nullcontext():
            pairs = self._batch(questions)
        yield from self._shared_out(pairs, time.perf_counter() - started)

    def _shared_out(
        self, pairs: Sequence[tuple[Question, Response]], spent: float
    ) -> Iterator[tuple[Request, Response]]:
        """Responses for all requests of some questions, which took so many seconds."""
        requests = sum(len(question.requests) for question, _ in pairs)
        self._seconds += spent
        yield from self._told(
            [
                (request, replace(response, seconds=spent / requests))
                for question, response in pairs
                for request in question.requests
            ]
        )

    def _told(self, pairs: Sequence[tuple[Request, Response]]) -> Iterator[tuple[Request, Response]]:
        if self.system.tags:  # nobody else knows them
            pairs = [(request, apart(response, self.system.tags)) for request, response in pairs]
        self._questions += len(pairs)
        self._words += sum(len(response.text.split()) for _, response in pairs)
        self._counts["failed"] += sum(response.finish == "error" for _, response in pairs)
        yield from pairs

    def _packed(self, work: Work) -> Iterator[tuple[Request, Response]]:
        """The responses of questions that went behind their prefix."""
        assert isinstance(work, QuestionWork)
        if work.error is not None:
            reason = describe(work.error)
            yield from self._shared_out([(question, failure(reason)) for question in work.questions], work.seconds)
            return
        started = time.perf_counter()
        self._counts["packed"] += len(work.questions)
        pairs = [self._checked(*pair) for pair in zip(work.questions, work.outcomes, strict=True)]
        yield from self._shared_out(pairs, work.seconds + time.perf_counter() - started)

    def _batch(self, questions: Sequence[Question]) -> list[tuple[Question, Response]]:
        """One plain batch. One that fails is asked question by question, so that only the culprit fails."""
        empty = [
            question
            for question in questions
            if question.job.generation.max_new_tokens < 1 and not question.job.choices
        ]
        alone = [question for question in questions if question not in empty and not is_greedy(question.job)]
        rest = [question for question in questions if question not in empty and question not in alone]
        pairs = [(question, Response(finish="length")) for question in empty] + [
            (question, self._alone(question)) for question in alone
        ]
        try:
            outcomes = self._sized(rest)
        except Exception as error:
            if len(rest) == 1:
                return [*pairs, (rest[0], failure(describe(error)))]
            return pairs + [pair for question in rest for pair in self._batch([question])]
        return pairs + [self._checked(question, outcome) for question, outcome in zip(rest, outcomes, strict=True)]

    def _sized(self, questions: Sequence[Question]) -> list[Outcome]:
        if not questions:
            return []
        if self.batching == "not tried" and self.size.now > 1 and rows_of(questions) > 1:
            self._try_batching()
        outcomes, size = halving(
            lambda rows: self.plain.answer(questions, rows, self._observer(questions)), self.size.now, 1, self._retry
        )
        self.size.worked(rows_of(questions), size)
        return outcomes

    def _alone(self, question: Question) -> Response:
        """Asked by itself: sampling and beams, and what is asked again."""
        try:
            if is_greedy(question.job):
                return respond(self.plain.answer([question], 1, self._observer([question]))[0])
            return respond(self.plain.sample(question))
        except Exception as error:
            return failure(describe(error))

    def _checked(self, question: Question, outcome: Outcome) -> tuple[Question, Response]:
        """With `exact`, a fragile answer is asked again, one by one; that answer counts.

        So is one that failed in company: another question's NaN may have spread (masked columns count 0 times, and
        0 x NaN is NaN).
        """
        if outcome.error and self.kind != "simple":
            return question, self._alone(question)
        limit = max(self.fragile, 4 * self._together.difference)
        fragile = outcome.margin is not None and outcome.margin < limit
        if not (self.exact and fragile and self.kind != "simple"):
            return question, respond(outcome)
        second = self._alone(question)
        self._counts["rerun"] += 1
        self._counts["changed"] += (second.text, order(second)) != (outcome.text, order(outcome))
        return question, replace(second, rerun=True)

    def _retry(self) -> None:
        self._counts["memory_retries"] += 1

    def _observer(self, questions: Sequence[Question]) -> Observer:
        if self.observer is None:
            return no_observer
        by_job = {id(question.job): question.requests for question in questions}

        def observe(job: Job, step: int, logits: torch.Tensor) -> None:
            for request in by_job[id(job)]:
                self.observer(request, step, logits)  # type: ignore[misc]

        return observe


def _pixels_held(prepared: Sequence[Prepared]) -> int:
    """How many pixels the distinct images of a group hold."""
    questions = (item.question for item in prepared if item.question is not None)
    return sum({id(question.prompt.media): question.pixels for question in questions}.values())


def _by_images(groups: Iterable[Sequence[Request]]) -> Iterator[list[Request]]:
    """Groups whose requests show the same images, examples' too: what is prepared together holds them once."""
    for group in groups:
        parts: dict[object, list[Request]] = {}
        for request in group:
            parts.setdefault(tuple(images.source_of(image) for image in shown_images(request)), []).append(request)
        yield from parts.values()
