"""Renders a request by a transformers processor, for both the hf and the vllm adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Request
from vlmbench.chat.turns import turns

from ..engine.decoding import Job
from .prompts import Prompt, Prompts

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False)
class RenderedRequest:
    """A request as text, token ids and tensors."""

    job: Job
    prompt: Prompt
    text: str
    """The open prompt before the processor puts in an image's tokens."""
    choice_texts: tuple[str, ...]
    """The same with each choice behind it."""


def render_request(prompts: Prompts, request: Request, images: Sequence[Image]) -> RenderedRequest:
    """`images`: those of `shown_images(request)`. Raises ModelError for what cannot be asked."""
    most = prompts.max_images
    if most is not None and len(images) > most:
        message = f"this model takes {most} image{'s' * (most != 1)} per question, not {len(images)}"
        raise ModelError(message, hint="use a model that takes more images")
    prompts.check_image_tokens(texts_of(request))
    text = prompts.render(turns(request))
    prompt = prompts.prompt(text, images)
    if not prompt.ids:
        raise ModelError("the prompt has no tokens", hint="ask something")
    if request.choices and prompts.thinking.opened:
        message = f"the prompt opens a thought ({prompts.thinking.opened}): no choice is what comes next"
        raise ModelError(message, hint="add the model's option thinking=off")
    if not all(request.choices):
        raise ModelError(f"cannot rank {list(request.choices)}: one is empty", hint="leave out empty choices")
    texts = tuple(prompts.render(turns(request, choice)) for choice in request.choices)
    choices = tuple(
        prompts.choice_ids(prompt.ids, choice, text, images)
        for choice, text in zip(request.choices, texts, strict=True)
    )
    job = Job(prompt.ids, request.generation, request.choices, choices, request.seed)
    if choices and not 0 < job.answer_start < min(len(row) for row in choices):
        raise ModelError(f"cannot rank {list(request.choices)}: one has no tokens", hint="leave out empty choices")
    return RenderedRequest(job, prompt, text, texts)


def texts_of(request: Request) -> list[str]:
    """All words that are a user's or a benchmark's."""
    shown = (text for example in request.examples for text in (example.prompt, example.answer))
    said = (text for turn in request.history for text in turn)
    return [request.prompt, *request.choices, *said, *shown, *([request.system] if request.system else [])]
