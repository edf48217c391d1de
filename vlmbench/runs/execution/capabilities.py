"""What a model must be able to do for a request; a run that asks for more is refused before it begins.

The properties are those of the protocols in base/model.py.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from vlmbench.base.errors import ModelError, UsageError, VlmbenchError
from vlmbench.base.model import (
    IgnoresGeneration,
    Model,
    ReadsImageWords,
    SupportsImages,
    SupportsLogprobs,
    SupportsMultiTurn,
    SupportsSystemPrompt,
)
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request, Sample
from vlmbench.base.variant import OPTIONS


def supports_logprobs(model: Model) -> bool:
    """Whether a model ranks choices."""
    return isinstance(model, SupportsLogprobs) and model.supports_logprobs


def supports_multi_turn(model: Model) -> bool:
    """Whether a model uses the earlier turns of a dialogue."""
    return isinstance(model, SupportsMultiTurn) and model.supports_multi_turn


def supports_system_prompt(model: Model) -> bool:
    """Whether a model uses a request's system prompt."""
    return isinstance(model, SupportsSystemPrompt) and model.supports_system_prompt


def max_images(model: Model) -> int | None:
    """The most images of one request; None: any number, or a model that does not say."""
    return model.max_images if isinstance(model, SupportsImages) else None


def ignored_generation(model: Model) -> tuple[str, ...]:
    """The generation settings that a model cannot be told."""
    return tuple(model.ignored_generation) if isinstance(model, IgnoresGeneration) else ()


@dataclass(frozen=True)
class Abilities:
    """What a model can do, asked once: a request is compared with it."""

    model: Model
    logprobs: bool
    multi_turn: bool
    system_prompt: bool
    max_images: int | None
    ignored: tuple[str, ...]
    image_words: tuple[str, ...]

    @classmethod
    def of(cls, model: Model) -> Abilities:
        """Ask a model."""
        return cls(
            model,
            supports_logprobs(model),
            supports_multi_turn(model),
            supports_system_prompt(model),
            max_images(model),
            ignored_generation(model),
            model.image_words if isinstance(model, ReadsImageWords) else (),
        )

    def refuse(self, choice: TaskChoice, sample: Sample, request: Request) -> None:
        """Raise ModelError, naming the model, the task's key and the fix, where it cannot do what a request asks.

        UsageError for a request that no model can answer as it says.
        """
        model, key = self.model, choice.key
        if request.choices and not self.logprobs:
            message = f"{model.name} cannot rank answers by likelihood, which {key} asks for"
            raise ModelError(message, hint=getattr(model, "ranking_hint", "") or _readers(choice, sample))
        if request.history and not self.multi_turn:
            raise ModelError(f"{model.name} takes no dialogue, which {key} asks for", hint="use another")
        if request.examples and not self.multi_turn:
            message = f"{model.name} takes no earlier turns, which the examples of {key} need"
            raise ModelError(message, hint="leave out --shots, or use another model")
        if request.system:
            self._refuse_system(key, request.system)
        if self.ignored and (unheard := [word for word in choice.variant.generation_words if word in self.ignored]):
            options = ", ".join(OPTIONS[word] for word in unheard)
            message = f"{model.name} cannot be told {options}, which {key} asks for"
            raise ModelError(message, hint=getattr(model, "generation_hint", "") or f"leave out {options}")
        if request.generation.length_penalty != 1.0 and request.generation.num_beams < 2:
            message = f"{key} asks for a length penalty, which counts in beam search alone"
            raise UsageError(message, hint="set num_beams above 1, or leave length_penalty out")
        if self.max_images is not None:
            self._refuse_images(key, sample, request, self.max_images)

    def _refuse_system(self, key: str, system: str) -> None:
        name = self.model.name
        if not self.system_prompt:
            message = f"{name} has no place for a system prompt, which {key} asks for"
            raise ModelError(message, hint="leave out --system, or use another model")
        if taken := next((word for word in self.image_words if word in system), ""):
            message = f"{name} reads {taken} in the system prompt of {key} as an image"
            raise ModelError(message, hint="reword --system")

    def _refuse_images(self, key: str, sample: Sample, request: Request, most: int) -> None:
        shown = sum(len(example.images) for example in request.examples)
        count = len(request.images) + shown
        if count <= most:
            return
        where = f", {shown} of them in examples" if shown else ""
        limit = f"{self.model.name} takes at most {most} image{'s' * (most != 1)} per question"
        message = f"{limit}, but sample {sample.id!r} of {key} has {count}{where}"
        fewer = "show fewer examples (--shots), or " if shown else ""
        raise ModelError(message, hint=f"{fewer}use a model that takes more images")


def _readers(choice: TaskChoice, sample: Sample) -> str:
    """The hint that names the protocols that read text."""
    readers = []
    for name in choice.task.protocols:
        with suppress(VlmbenchError):  # a protocol need not know this kind of question
            if not choice.task.build_request(sample, name).choices:
                readers.append(name)
    task = choice.task.name if choice.split == choice.task.splits[0] else f"{choice.task.name}:{choice.split}"
    return f"protocols that read text: {', '.join(f'{task}@{name}' for name in readers)}" if readers else "use another"
