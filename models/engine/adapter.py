"""The Model of a run: a loaded system behind an engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import torch
from torch import nn

from vlmbench.base.errors import ImageError, ModelError
from vlmbench.base.model import TokenLogprobs, Vocabulary
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.data.images.decoding import prefetch

from ..network.image_gradients import image_loss
from ..network.part_times import PartTimes
from ..parts.language.tokenizer import Tokenizer
from ..parts.protocols import System
from ..parts.top_tokens import TopTokens
from .decoding import Job, Outcome
from .engine import DTYPES, Engine
from .group_images import GroupFeatures, Prepared, describe, pixels_held, prepare, turns_of
from .memory import parameters, stored_bytes
from .packing import common_prefix

if TYPE_CHECKING:
    from vlmbench.base.model import Floats

    from ..network.system import BaseSystem


class SystemInfo(System, Protocol):
    """A system with the name, settings and parts that tables show."""

    name: str
    tokenizer: Tokenizer

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides the answers beside weights and engine."""

    @property
    def visual_tokens(self) -> int:
        """Tokens that an image takes in the language model."""

    def parts(self) -> Mapping[str, nn.Module]:
        """The parts by name."""


class EngineProtocol(Protocol):
    """What a run needs of an engine."""

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What decides the answers beside the weights."""

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Counts and sizes so far."""

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups of requests that share their images."""


class LocalModel:
    """Answers requests through an engine; reports settings and facts."""

    supports_logprobs = True
    supports_multi_turn = True

    def __init__(
        self, system: SystemInfo, fingerprint: str, engine: EngineProtocol, *, training_log: Path | None = None
    ) -> None:
        self.system, self.fingerprint, self.engine = system, fingerprint, engine
        self.name = system.name
        self._log = {"training_log": str(training_log)} if training_log and training_log.is_file() else {}

    @cached_property
    def max_images(self) -> int | None:
        """Most images in one prompt, those of examples included; None: any number."""
        return self.system.max_images

    @property
    def supports_system_prompt(self) -> bool:
        """Whether the model's template has a system text, which another can replace."""
        return self.system.supports_system_prompt

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What else decides the answers."""
        return {**self.engine.settings, **self.system.settings}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Parameters per part, the bytes that hold them, visual tokens, and what the engine counts."""
        sizes = {name: parameters(part) for name, part in self.system.parts().items()}
        stored = {name: stored_bytes(part) for name, part in self.system.parts().items()}
        return {
            "parameters": sum(sizes.values()),
            **{f"parameters_{name}": size for name, size in sizes.items()},
            "weight_bytes": sum(stored.values()),
            **{f"weight_bytes_{name}": size for name, size in stored.items()},
            "visual_tokens": self.system.visual_tokens,
            **self.engine.facts,
            **self._log,
        }

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups of requests that share their images."""
        return self.engine.answer(groups)

    def vocabulary(self) -> Vocabulary:
        """The tokenizer's tokens."""
        return self.system.tokenizer.vocabulary()

    def token_logprobs(
        self, groups: Iterable[Sequence[Request]], top: int, vocabulary: int = 0
    ) -> Iterator[tuple[Request, TokenLogprobs]]:
        """The `top` likeliest tokens at each token of an answer: each request's only choice."""
        assert isinstance(self.engine, Engine)
        for group, prepared in prefetch(groups, partial(prepare, self.system), weigh=pixels_held):
            yield from score_answers(
                self.engine, group, prepared, partial(TopTokens, top, len(self.system.tokenizer), vocabulary)
            )

    @property
    def image_gradients(self) -> str:
        """Why it gives no gradients as it is loaded; empty where it gives them."""
        named = (f"{name} {self.settings[name]}" for name in ("quantize", "linear") if self.settings.get(name))
        return next((f"{words} computes answers alone" for words in named), "")

    def image_loss(self, request: Request, answer: str, images: Sequence[Floats]) -> tuple[float, Sequence[Floats]]:
        """See vlmbench.base.model.GivesImageGradients."""
        if len(images) != len(request.images):
            raise ModelError(f"{len(images)} images for a request with {len(request.images)}")
        if request.examples:
            raise ModelError("no gradients behind few-shot examples", hint="leave out --shots")
        turns = turns_of(request)
        prompt, ids = (tuple(self.system.encode(turns, answer=words, system=request.system)) for words in ("", answer))
        start = common_prefix([prompt, ids])
        if not 0 < start < len(ids):
            raise ModelError(f"the answer {answer!r:.80} has no tokens", hint="name another answer")
        return image_loss(cast("BaseSystem", self.system), ids, start, images)

    def part_times(self) -> AbstractContextManager[PartTimes]:
        """While it lasts, the parts' calls are timed."""
        parts = self.system.parts()
        device = next(parts["language_model"].parameters()).device
        return PartTimes(parts, device).watching()


def score_answers(
    engine: Engine, group: Sequence[Request], prepared: Prepared, watcher: Callable[[], TopTokens]
) -> Iterator[tuple[Request, TokenLogprobs]]:
    """What was expected at the answers of a group: all questions about the same images behind one prefix."""
    end = end_of(engine.system)  # type: ignore[arg-type]
    features = GroupFeatures(engine.system, prepared, engine.device, DTYPES[engine.dtype])
    by_images: dict[tuple[str, ...], dict[Job, list[Request]]] = {}
    for request, shown in zip(group, prepared, strict=True):
        try:
            if error := next((image.error for image in shown if image.error), ""):
                raise ImageError(error)
            turns, system = turns_of(request), engine.system
            ids = tuple(system.encode(turns, system=request.system))
            own = tuple(system.encode(turns, answer=request.choices[0], system=request.system))
            job = Job(ids, Generation(), request.choices, ((*own, *end),))
        except Exception as error:
            yield request, TokenLogprobs(error=describe(error))
            continue
        by_images.setdefault(tuple(image.key for image in shown), {}).setdefault(job, []).append(request)
    for keys, requests in by_images.items():
        jobs, watch = list(requests), watcher()
        try:
            seen = features.of(keys)
            if engine.kind == "shared":
                outcomes = engine.shared.answer(seen, jobs, engine.pack_tokens, watch)
            else:
                outcomes = [engine.simple.answer(seen, job, watch) for job in jobs]
        except Exception as error:
            outcomes = [Outcome(error=describe(error)) for _ in jobs]
        for job, outcome in zip(jobs, outcomes, strict=True):
            expected = expectations(watch, job, outcome)
            yield from ((request, expected) for request in requests[job])


def end_of(system: SystemInfo) -> tuple[int, ...]:
    """What the model writes behind an answer: the stop text of its template, or else the end token."""
    tokenizer = system.tokenizer
    for stop in system.stop[:1]:
        return tuple(tokenizer.ids(stop)[len(tokenizer.ids("")) :])
    return (min(system.end_ids),)


def expectations(watch: TopTokens, job: Job, outcome: Outcome) -> TokenLogprobs:
    """What was observed of a job."""
    if outcome.error:
        return TokenLogprobs(error=outcome.error)
    return watch.of(job, job.choice_ids[0][job.answer_start :])


@contextmanager
def model_in_training(system: BaseSystem) -> Iterator[LocalModel]:
    """A model that is being trained, as the Model of a run: nothing is loaded or copied.

    Its adapters stay apart. Afterwards what the engine changed (attention, modes, numbers, threads) is as it was.
    """
    language_model, threads = system.network.language_model, torch.get_num_threads()
    attention = system.attention
    modes = {module: module.training for module in system.network.modules()}
    numbers = {parameter: parameter.dtype for parameter in system.network.parameters()}
    device = next(system.network.parameters()).device.type
    language_model.set_attn_implementation("sdpa")
    try:
        mark = fingerprint(system.network)
        engine = Engine(system, device=device, threads=threads)  # type: ignore[arg-type]
        yield LocalModel(system, mark, engine)  # type: ignore[arg-type]
    finally:
        language_model.set_attn_implementation(attention)
        torch.set_num_threads(threads)
        for parameter, number in numbers.items():  # the engine works in float32: halves come back as they were
            parameter.data = parameter.data.to(number)
        for module, mode in modes.items():
            module.training = mode


def fingerprint(network: nn.Module) -> str:
    """Content hash of a network's weights."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
