"""Answers groups of requests over any system; each image is encoded once.

A model's `answer` calls `Engine(system).answer(groups)`. `kind="shared"` packs all questions of a
image behind one prefix (shared_prefix); `kind="simple"` asks one by one (simple). Both give equal answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vlmbench.base.errors import ImageError, ModelError, UnknownNameError, UsageError
from vlmbench.base.samples import Request, Response
from vlmbench.data.images import decoding as images

from ..parts.kernels import attention as matmul_attention
from ..parts.protocols import System
from .decoding import Job, Observer, Outcome, no_observer
from .finite import bad_weight
from .group_images import GroupFeatures, Prepared, describe, pixels_held, prepare, turns_of
from .linear_choice import LinearChoice
from .margin_scale import LogitRecorder, fixed_jobs, largest_difference, test_features
from .memory import halving, peak_bytes, release_memory
from .quantize import check as check_quantization
from .quantize import quantize as quantize_weights
from .shared_prefix import SharedPrefix
from .simple import OneByOne

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
SMALLEST_PACK = 16
"""Out of memory in packs of this many tokens: given up."""

TRIED = 2
"""Questions of a trial one by one."""

RequestObserver = Callable[[Request, int, Tensor], None]
"""Called with a request, a step and that step's logits, (vocabulary,) float32."""
Features = Callable[[], list[Tensor]]
"""Gives the features of a question's images, (visual tokens, width) each, in the order of their places."""


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
        quantize: str = "",
        linear: str = "",
        attention: str = "",
        observer: RequestObserver | None = None,
    ) -> None:
        """`threads` 0: torch's own number, 1 for a small network. `exact` asks answers with a margin under `fragile`
        again one by one; `fragile` None: four times what a self-check finds, at least 1e-4. `quantize`: `int8` or
        `int4` weights in the language model, which is changed in place. `linear`: `mkl`, `onednn` or `auto`, which
        library computes Linear layers. `attention`: `sdpa`, or `matmul` for bfloat16 on a CPU.

        Raises UsageError or ModelError.
        """
        check_options(kind, dtype, quantize, attention)
        if pack_tokens < 1 or threads < 0:
            raise UsageError("pack_tokens must be at least 1 and threads at least 0", hint="leave them out")
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
        if quantize:
            quantize_weights(system.network.language_model, quantize, self.device)
            release_memory()
        system.module.to(self.device).eval()
        if kind == "shared":
            check_shareable(system.network.language_model)
        self._shared, self._simple = SharedPrefix(system), OneByOne(system)
        self._counts = {"merged": 0, "rerun": 0, "changed": 0, "failed": 0, "memory_retries": 0}
        self._seconds, self._questions, self._words = 0.0, 0, 0
        self._difference: float | None = None
        if not self._broken:
            self.linear.decide(system.module, self._trial)

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
        return facts

    def _trial(self, recorder: LogitRecorder) -> None:
        """Answer fixed questions about a drawn image as this engine answers."""
        jobs, features = fixed_jobs(self.system), test_features(self.system, 0)
        if self.kind == "shared":
            self._shared.answer(features, jobs, self.pack_tokens, recorder.record)
        for job in jobs[:TRIED] if self.kind == "simple" else ():
            self._simple.answer(features, job, recorder.record)

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
            self._difference = largest_difference(self._shared, self._simple, self.pack_tokens)
            self.fragile = max(4 * self._difference, 1e-4)
        load = partial(prepare, self.system)
        for group, prepared in images.prefetch(groups, load, weigh=pixels_held):
            yield from zip(group, self._group(group, prepared), strict=True)

    def _group(self, group: Sequence[Request], prepared: Prepared) -> list[Response]:
        """The responses to one group, in order."""
        started = time.perf_counter()
        responses: dict[int, Response] = {}
        by_images: dict[tuple[str, ...], dict[Job, list[int]]] = {}
        for index, (request, shown) in enumerate(zip(group, prepared, strict=True)):
            try:
                if error := next((image.error for image in shown if image.error), ""):
                    raise ImageError(error)
                job = self._job(request)
            except Exception as error:
                responses[index] = failure(describe(error))
                continue
            by_images.setdefault(tuple(image.key for image in shown), {}).setdefault(job, []).append(index)
        features = GroupFeatures(self.system, prepared, self.device, DTYPES[self.dtype])
        for keys, jobs in by_images.items():
            requests = {job: [group[index] for index in indices] for job, indices in jobs.items()}
            self._counts["merged"] += sum(len(indices) - 1 for indices in jobs.values())
            for job, response in self._jobs(partial(features.of, keys), requests).items():
                responses.update(dict.fromkeys(jobs[job], response))
        self._counts["failed"] += sum(response.finish == "error" for response in responses.values())
        spent = time.perf_counter() - started
        self._seconds += spent
        self._questions += len(group)
        self._words += sum(len(response.text.split()) for response in responses.values())
        seconds = spent / max(len(group), 1)
        return [replace(responses[index], seconds=seconds) for index in range(len(group))]

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

    def _jobs(self, features: Features, requests: Mapping[Job, Sequence[Request]]) -> dict[Job, Response]:
        """Answer distinct jobs about the same images; any exception becomes the responses of what it hit."""

        def observe(job: Job, step: int, logits: Tensor) -> None:
            for request in requests[job] if self.observer else ():
                self.observer(request, step, logits)  # type: ignore[misc]

        observer = observe if self.observer else no_observer
        packed = [job for job in requests if self.kind == "shared" and is_greedy(job)]
        done: dict[Job, Response] = {}
        try:
            for job, outcome in zip(packed, self._packed(features, packed, observer), strict=True):
                fragile = self.exact and outcome.margin is not None and outcome.margin < (self.fragile or 0.0)
                if outcome.error:  # a masked column counts 0 times, and 0 x NaN is NaN: it may be another question's
                    done[job] = self._alone(features, job, observer)
                else:
                    done[job] = self._again(features, job, outcome, observer) if fragile else respond(outcome)
        except Exception as error:
            done.update({job: failure(describe(error)) for job in packed})
        for job in requests:
            if job not in done:
                done[job] = self._alone(features, job, observer)
        return done

    def _packed(self, features: Features, jobs: Sequence[Job], observe: Observer) -> list[Outcome]:
        """The shared-prefix engine, with packs halved as long as memory does not suffice."""
        if not jobs:
            return []

        def count() -> None:
            self._counts["memory_retries"] += 1

        def answer(tokens: int) -> list[Outcome]:
            return self._shared.answer(features(), jobs, tokens, observe)

        return halving(answer, self.pack_tokens, SMALLEST_PACK, count)[0]

    def _alone(self, features: Features, job: Job, observe: Observer) -> Response:
        if job.generation.max_new_tokens < 1 and not job.choices:
            return Response(finish="length")
        try:
            return respond(self._simple.answer(features(), job, observe))
        except Exception as error:
            return failure(describe(error))

    def _again(self, features: Features, job: Job, first: Outcome, observe: Observer) -> Response:
        """Ask a fragile answer again, one by one; that answer counts."""
        second = self._alone(features, job, observe)
        self._counts["rerun"] += 1
        self._counts["changed"] += (second.text, order(second)) != (first.text, order(first))
        return replace(second, rerun=True)


def is_greedy(job: Job) -> bool:
    """Whether the packed engine serves it; sampling, beams and empty answers go one by one."""
    generation = job.generation
    return bool(job.choices) or (
        generation.temperature <= 0 and generation.num_beams <= 1 and generation.max_new_tokens > 0
    )


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
