"""A request as the turns of a dialogue: system prompt, examples, earlier turns, question, images in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmbench.base.samples import Example, ImageRef, JudgeRequest, Request, in_order

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
Parts = Sequence[str | ImageRef]


@dataclass(frozen=True)
class Turn:
    """What one side says."""

    role: str
    parts: tuple[str | ImageRef, ...]
    """Texts and images as they follow one another."""

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """Its images, in order."""
        return tuple(part for part in self.parts if isinstance(part, ImageRef))


def turns(request: Request, answer: str = "") -> list[Turn]:
    """A request's turns; with `answer`, that is the last one, as the model's beginning of a reply."""
    dialogue = [Turn(SYSTEM, (request.system,))] if request.system else []
    for example in request.examples:
        dialogue += [Turn(USER, _placed(example, example.prompt)), Turn(ASSISTANT, (example.answer,))]
    first, *later = [question for question, _ in request.history] + [request.prompt]
    questions = [_placed(request, first), *((question,) for question in later)]
    replies = [reply for _, reply in request.history] + ([answer] if answer else [])
    for number, parts in enumerate(questions):
        dialogue.append(Turn(USER, parts))
        dialogue += [Turn(ASSISTANT, (replies[number],))] if number < len(replies) else []
    return dialogue


def judge_turns(request: JudgeRequest) -> list[Turn]:
    """A judge's messages as turns."""
    return [Turn(role, (content,) if isinstance(content, str) else content) for role, content in request.messages]


def shown_images(request: Request) -> tuple[ImageRef, ...]:
    """All images of a request in the order in which its turns show them: the examples' come first."""
    return (*(image for example in request.examples for image in example.images), *request.images)


def _placed(holder: Request | Example, text: str) -> tuple[str | ImageRef, ...]:
    return tuple(in_order(text, holder.images, holder.image_places))
