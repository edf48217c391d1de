"""Answers groups of requests over any system; each image is encoded once.

A model's `answer` calls `Engine(system).answer(groups)`. `kind="shared"` packs all questions of a
image behind one prefix (shared_prefix); `kind="simple"` asks one by one (simple). Both give equal answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vlmbench.base.errors import ImageError, ModelError, UnknownNameError, UsageError
from vlmbench.base.samples import Request, Response
from vlmbench.data.images import decoding as images

from ..network.finite import bad_weight
from ..parts.kernels import activation
from ..parts.kernels import attention as matmul_attention
from ..parts.protocols import System
from .decoding import Job, Observer, Outcome, no_observer
from .group_images import GroupFeatures, Prepared, describe, pixels_held, prepare, turns_of
from .linear_choice import LinearChoice
from .margin_scale import LogitRecorder, fixed_jobs, largest_difference, test_features
from .memory import peak_bytes, release_memory
from .quantize import check as check_quantization
from .quantize import quantize as quantize_weights
from .shared_prefix import SharedPrefix
from .simple import OneByOne
from .together import Together, Work, bounds_of, check_compile

KINDS = ("shared", "simple")
DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
SMALL = 50_000_000
"""Parameters below which one thread is fastest: on tiny operations threads spend their time waiting for each other, and
on a busy machine hardly anything else."""
ATTENTIONS = ("sdpa", matmul_attention.NAME)
TRIED = 2
"""Questions of a trial one by one."""
RequestObserver = Callable[[Request, int, Tensor], None]
"""Called with a request, a step and that step's logits, (vocabulary,) float32."""
Features = Callable[[], list[Tensor]]
"""Gives the features of a question's images, (visual tokens, width) each, in the order of their places."""


@dataclass(eq=False)
class GroupWork(Work):
    """Jobs of a group, with the places of the requests that they answer."""

    indices: Mapping[Job, Sequence[int]] = field(default_factory=dict)


@dataclass(eq=False)
class OpenGroup:
    """A group whose answers are not all there yet."""

    group: Sequence[Request]
    responses: dict[int, Response] = field(default_factory=dict)
    works: list[GroupWork] = field(default_factory=list)
    ended: int = 0
    """Works that are at their end."""
    seconds: float = 0.0

    def answer(self, indices: Sequence[int], response: Response) -> None:
        """The response to the requests at these places."""
        self.responses.update(dict.fromkeys(indices, response))


class Engine:
    """Generates and ranks answers. Deterministic: the same requests give the same responses, times aside."""

    def __init__(
        self,
        system: System,
        *,
        kind: str = "shared",
        dtype: str = "float32",
        device: str = "",
        threads: int = 0,
        exact: bool = False,
        fragile: float | None = None,
        pack_tokens: int = 512,
        batch: int = 0,
        cache_memory: int = 0,
        quantize: str = "",
        linear: str = "",
        attention: str = "",
        compile: str = "",
        observer: RequestObserver | None = None,
    ) -> None:
        """`threads` 0: torch's own number, 1 for a small network. `exact` asks answers with a margin under `fragile`
        again one by one; `fragile` None: four times what a self-check finds, at least 1e-4. `batch`: most answers that
        are decoded together, over all images; `cache_memory`: most bytes of their keys and values; 0: what suits the
        device. `quantize`: `int8` or `int4` weights in the language model, which is changed in place. `linear`: `mkl`,
        `onednn` or `auto`, which library computes Linear layers. `attention`: `sdpa`, or `matmul` for bfloat16 on a
        CPU. `compile`: `decode` for steps of decoding as a compiled program.

        Raises UsageError or ModelError.
        """
        check_options(kind, dtype, quantize, attention)
        check_compile(compile, kind)
        if pack_tokens < 1 or min(threads, batch, cache_memory) < 0:
            message = "pack_tokens must be at least 1; threads, batch and cache_memory at least 0"
            raise UsageError(message, hint="leave them out")
        self.linear, self.attention = LinearChoice(linear), attention
        small = sum(parameter.numel() for parameter in system.module.parameters()) < SMALL
        if threads or small:
            torch.set_num_threads(threads or 1)
        self.system, self.kind, self.dtype, self.device = system, kind, dtype, resolve_device(device)
        matmul_attention.check(attention, self.device, DTYPES[dtype])
        self.exact, self.fragile, self.pack_tokens, self.observer = exact, fragile, pack_tokens, observer
        self.quantize = quantize
        system.module.to(dtype=DTYPES[dtype])
        self._broken = bad_weight(system.module)
        matmul_attention.use(attention, system.module)
        activation.use_in_place(system.module)
        if quantize:
            quantize_weights(system.network.language_model, quantize, self.device)
            release_memory()
        system.module.to(self.device).eval()
        if kind == "shared":
            check_shareable(system.network.language_model)
        self.shared, self.simple = SharedPrefix(system), OneByOne(system)
        bounds = bounds_of(batch, cache_memory, self.device, pack_tokens)
        self._together = Together(self.shared, bounds, self._retry)
        self._counts = {"merged": 0, "rerun": 0, "changed": 0, "failed": 0, "memory_retries": 0}
        self._seconds, self._questions, self._words = 0.0, 0, 0
        self._difference: float | None = None
        if not self._broken:
            self._try_out(compile)

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Settings that decide the answers beside the weights: part of every answer's key."""
        quantization = (
            {"quantize": self.quantize} if self.quantize else {}
        )  # keys of answers given before it are still good
        return {
            "engine": self.kind,
            "dtype": self.dtype,
            "exact": self.exact,
            "device": self.device.type,
            **quantization,
            **self.linear.settings,
            **({"attention": self.attention} if self.attention not in ("", "sdpa") else {}),
            **self._together.settings,
        }

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Counts so far: merged as duplicates, asked again, changed by that, failed; the margin that is fragile; the
        most memory the process has had (on a GPU: torch's tensors there); seconds per question and per answer word.
        """
        facts: dict[str, str | int | float] = {f"engine_{name}": count for name, count in self._counts.items()}
        if peak := peak_bytes(self.device):
            facts["peak_memory_bytes"] = peak
        if self._questions:
            facts["seconds_per_question"] = float(f"{self._seconds / self._questions:.3g}")
        if self._words:
            facts["seconds_per_word"] = float(f"{self._seconds / self._words:.3g}")
        if self.fragile is not None:
            facts["engine_fragile_margin"] = self.fragile
        facts |= self.linear.facts
        if self._difference is not None:
            facts["engine_self_check_difference"] = self._difference
        if self.kind == "shared":
            facts |= self._together.facts
        return facts

    def _try_out(self, compile: str) -> None:
        self.linear.decide(self.system.module, self._trial)
        if compile:
            shown = [test_features(self.system, number) for number in range(2)]
            self._together.compile_steps(self.device, shown, fixed_jobs(self.system)[:2])

    def _trial(self, recorder: LogitRecorder) -> None:
        """Answer fixed questions about a drawn image as this engine answers."""
        jobs, features = fixed_jobs(self.system), test_features(self.system, 0)
        if self.kind == "shared":
            self.shared.answer(features, jobs, self.pack_tokens, recorder.record)
        for job in jobs[:TRIED] if self.kind == "simple" else ():
            self.simple.answer(features, job, recorder.record)

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups, best made of requests about the same images; a group's responses come together, in order.

        Any failure, of an image or the network, becomes a response with `finish="error"`; interrupts pass through.
        """
        if self._broken:
            for group in groups:
                self._counts["failed"] += len(group)
                yield from ((request, failure(self._broken)) for request in group)
            return
        if self.exact and self.kind == "shared" and self.fragile is None:
            self._difference = largest_difference(self.shared, self.simple, self.pack_tokens)
            self.fragile = max(4 * self._difference, 1e-4)
        load = partial(prepare, self.system)
        open_works: dict[int, OpenGroup] = {}
        for group, prepared in images.prefetch(groups, load, weigh=pixels_held):
            opened = self._open(group, prepared)
            if not opened.works:
                yield from self._close(opened)
            for work in opened.works:
                open_works[id(work)] = opened
                for ended in self._together.add(work):
                    yield from self._end(ended, open_works.pop(id(ended)))
        for ended in self._together.rest():
            yield from self._end(ended, open_works.pop(id(ended)))

    def _open(self, group: Sequence[Request], prepared: Prepared) -> OpenGroup:
        """A group's jobs: those to decode together as works, the others answered."""
        started = time.perf_counter()
        opened = OpenGroup(group)
        by_images: dict[tuple[str, ...], dict[Job, list[int]]] = {}
        for index, (request, shown) in enumerate(zip(group, prepared, strict=True)):
            try:
                if error := next((image.error for image in shown if image.error), ""):
                    raise ImageError(error)
                job = self._job(request)
            except Exception as error:
                opened.responses[index] = failure(describe(error))
                continue
            by_images.setdefault(tuple(image.key for image in shown), {}).setdefault(job, []).append(index)
        features = GroupFeatures(self.system, prepared, self.device, DTYPES[self.dtype])
        for keys, jobs in by_images.items():
            self._counts["merged"] += sum(len(indices) - 1 for indices in jobs.values())
            load, observe = partial(features.of, keys), self._observer(group, jobs)
            together = [job for job in jobs if self.kind == "shared" and can_pack(job)]
            if together:
                opened.works.append(GroupWork(together, load, observe, indices=jobs))
            for job in jobs:
                if job not in together:
                    opened.answer(jobs[job], self._alone(load, job, observe))
        opened.seconds = time.perf_counter() - started
        return opened

    def _observer(self, group: Sequence[Request], jobs: Mapping[Job, Sequence[int]]) -> Observer:
        """Passes what jobs observe on to the engine's own observer, for each request that they answer."""

        def observe(job: Job, step: int, logits: Tensor) -> None:
            for index in jobs[job]:
                self.observer(group[index], step, logits)  # type: ignore[misc]

        return observe if self.observer else no_observer

    def _end(self, work: Work, opened: OpenGroup) -> Iterator[tuple[Request, Response]]:
        """Take a work's outcomes; with the last one the group's responses come, in order."""
        assert isinstance(work, GroupWork)
        started = time.perf_counter()
        for at, job in enumerate(work.jobs):
            if work.error is not None:
                response = failure(describe(work.error))
            else:
                response = self._checked(work, job, work.outcomes[at])
            opened.answer(work.indices[job], response)
        opened.seconds += work.seconds + time.perf_counter() - started
        opened.ended += 1
        if opened.ended == len(opened.works):
            yield from self._close(opened)

    def _checked(self, work: Work, job: Job, outcome: Outcome) -> Response:
        """What is fragile is asked again, and what failed in company: a masked column counts 0 times, and 0 x NaN is
        NaN, so it may be another question's.
        """
        if outcome.error:
            return self._alone(work.features, job, work.observe)
        limit = max(self.fragile or 0.0, 4 * self._together.difference)
        if self.exact and outcome.margin is not None and outcome.margin < limit:
            return self._again(work.features, job, outcome, work.observe)
        return respond(outcome)

    def _close(self, opened: OpenGroup) -> Iterator[tuple[Request, Response]]:
        """The responses to one group, in order."""
        responses = [opened.responses[index] for index in range(len(opened.group))]
        self._counts["failed"] += sum(response.finish == "error" for response in responses)
        self._seconds += opened.seconds
        self._questions += len(responses)
        self._words += sum(len(response.text.split()) for response in responses)
        seconds = opened.seconds / max(len(responses), 1)
        yield from zip(opened.group, (replace(response, seconds=seconds) for response in responses), strict=True)

    def _job(self, request: Request) -> Job:
        """The request as ids. Raises ModelError for more images than the system takes, a system prompt that it has no
        place for, and a choice that is no text.
        """
        turns = turns_of(request)
        shown = sum(turn.images for turn in turns)
        if shown > 1 and (limit := self.system.max_images) is not None and shown > limit:
            message = f"this model takes at most {limit} image{'s' * (limit != 1)} per question, not {shown}"
            raise ModelError(message, hint="ask about fewer images, or a model that takes more")
        encode = partial(self.system.encode, turns, system=request.system)
        ids = tuple(encode())
        choices = tuple(tuple(encode(answer=choice)) for choice in request.choices)
        seed = request.seed
        job = Job(ids, request.generation, request.choices, choices, seed)
        if not ids:
            raise ModelError("the prompt has no tokens", hint="ask something")
        if choices and not 0 < job.answer_start < min(len(row) for row in choices):
            raise ModelError(f"cannot rank {list(request.choices)}: one has no tokens", hint="leave out empty choices")
        return job

    def _retry(self) -> None:
        self._counts["memory_retries"] += 1

    def _alone(self, features: Features, job: Job, observe: Observer) -> Response:
        if job.generation.max_new_tokens < 1 and not job.choices:
            return Response(finish="length")
        try:
            return respond(self.simple.answer(features(), job, observe))
        except Exception as error:
            return failure(describe(error))

    def _again(self, features: Features, job: Job, first: Outcome, observe: Observer) -> Response:
        """Ask a fragile answer again, one by one; that answer counts."""
        second = self._alone(features, job, observe)
        self._counts["rerun"] += 1
        self._counts["changed"] += (second.text, order(second)) != (first.text, order(first))
        return replace(second, rerun=True)


def is_greedy(job: Job) -> bool:
    """Whether its answer is neither drawn, nor searched for by beams, nor empty."""
    return can_pack(job) and (bool(job.choices) or job.generation.temperature <= 0)


def can_pack(job: Job) -> bool:
    """Whether the packed engine serves it; beams and empty answers go one by one."""
    generation = job.generation
    return bool(job.choices) or (generation.num_beams <= 1 and generation.max_new_tokens > 0)


def order(outcome: Outcome | Response) -> list[str]:
    """Ranked choices, best first."""
    return [score.choice for score in sorted(outcome.choices, key=lambda score: -score.logprob)]


def respond(outcome: Outcome) -> Response:
    """Turn an outcome into the runner's Response."""
    if outcome.error:
        return failure(outcome.error)
    return Response(
        text=outcome.text,
        choices=outcome.choices,
        finish=outcome.finish,
        prompt_tokens=outcome.prompt_tokens,
        new_tokens=outcome.new_tokens,
        margin=outcome.margin,
        reasoning_tokens=outcome.reasoning_tokens,
    )


def failure(reason: str) -> Response:
    """Build the response of a failed question."""
    return Response(finish="error", error=reason)


def check_options(kind: str, dtype: str, quantize: str, attention: str) -> None:
    """Raises UnknownNameError, and ModelError where a quantization lacks its library."""
    if kind not in KINDS:
        raise UnknownNameError("engine", kind, KINDS)
    if dtype not in DTYPES:
        raise UnknownNameError("dtype", dtype, DTYPES)
    if attention and attention not in ATTENTIONS:
        raise UnknownNameError("attention", attention, ATTENTIONS)
    if quantize:
        check_quantization(quantize)


def resolve_device(device: str) -> torch.device:
    """Resolve a device by name; "" is the GPU where there is one. Raises ModelError when there is none of that name."""
    if not device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"no device {device!r}: {error}", hint="try --device cpu") from None
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ModelError("this torch sees no CUDA device", hint="install a CUDA build of torch, or use --device cpu")
    return resolved


def check_shareable(lm: Any) -> None:
    """Raises ModelError for a language model whose attention cannot run packed rows."""
    hint = "use --engine simple"
    config = lm.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise ModelError(f"layers of kind {', '.join(sorted(kinds))} cannot share a prefix", hint=hint)
    attention = getattr(lm.config, "_attn_implementation", "sdpa")
    if attention not in ("sdpa", "eager", matmul_attention.NAME):
        raise ModelError(f"attention {attention!r} takes no block mask", hint=hint)
