"""What a model must be able to do for a request; a run that asks for more is refused before it begins.

The properties are those of the protocols in base/model.py.
"""

from __future__ import annotations

from contextlib import suppress

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


def refuse_unable(model: Model, choice: TaskChoice, sample: Sample, request: Request) -> None:
    """Raise ModelError, naming the model, the task's key and the fix, where the model cannot do what a request asks.

    UsageError for a request that no model can answer as it says.
    """
    key = choice.key
    if request.choices and not supports_logprobs(model):
        message = f"{model.name} cannot rank answers by likelihood, which {key} asks for"
        raise ModelError(message, hint=getattr(model, "ranking_hint", "") or _readers(choice, sample))
    if request.history and not supports_multi_turn(model):
        raise ModelError(f"{model.name} takes no dialogue, which {key} asks for", hint="use another")
    if request.examples and not supports_multi_turn(model):
        message = f"{model.name} takes no earlier turns, which the examples of {key} need"
        raise ModelError(message, hint="leave out --shots, or use another model")
    if request.system and not supports_system_prompt(model):
        message = f"{model.name} has no place for a system prompt, which {key} asks for"
        raise ModelError(message, hint="leave out --system, or use another model")
    words = model.image_words if isinstance(model, ReadsImageWords) else ()
    if taken := next((word for word in words if word in request.system), ""):
        message = f"{model.name} reads {taken} in the system prompt of {key} as an image"
        raise ModelError(message, hint="reword --system")
    if unheard := [word for word in choice.variant.generation_words if word in ignored_generation(model)]:
        options = ", ".join(OPTIONS[word] for word in unheard)
        message = f"{model.name} cannot be told {options}, which {key} asks for"
        raise ModelError(message, hint=getattr(model, "generation_hint", "") or f"leave out {options}")
    if request.generation.length_penalty != 1.0 and request.generation.num_beams < 2:
        message = f"{key} asks for a length penalty, which counts in beam search alone"
        raise UsageError(message, hint="set num_beams above 1, or leave length_penalty out")
    shown = sum(len(example.images) for example in request.examples)
    most, count = max_images(model), len(request.images) + shown
    if most is not None and count > most:
        where = f", {shown} of them in examples" if shown else ""
        limit = f"{model.name} takes at most {most} image{'s' * (most != 1)} per question"
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
