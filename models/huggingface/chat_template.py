"""Turns through a model's chat template: how it takes each role's words is found out by trials, not from its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from vlmbench.base.errors import ModelError
from vlmbench.base.samples import ImageRef
from vlmbench.chat.turns import ASSISTANT, SYSTEM, USER, Parts, Turn

from . import template_clock

MARK = "vlmbench"
"""A word to look for in what a template or a processor makes of a text."""
AN_IMAGE = ImageRef("image", partial(bytes, b""))
"""Stands for an image in trials."""
PARTS, TEXT = "parts", "text"
"""Forms of a message's content: a list of parts, or a text with the image's token in it."""


class ChatTemplate:
    """Renders turns as one text."""

    def __init__(
        self,
        template: Any,
        holder: Any,
        image_token: str,
        *,
        has_image: Callable[[str], bool],
        way_out: str,
        switches: Mapping[str, bool] | None = None,
    ) -> None:
        """`holder`: the processor or tokenizer whose template it is. `has_image`: whether the processor finds an image
        in a rendered text. `way_out`: another way of prompting, for the hint. `switches`: variables of the template.

        Raises ModelError for a template that renders no words of a user or of the model.
        """
        self._switches = dict(switches or {})
        self.template, self._holder, self._token, self._has_image = template, holder, image_token, has_image
        self.forms: dict[str, str] = {}
        """By role."""
        for role in (USER, ASSISTANT, SYSTEM):
            if form := self._form(role):
                self.forms[role] = form
            elif role != SYSTEM:
                raise ModelError(f"the chat template renders no words of the {role}", hint=f"try prompting={way_out}")

    @property
    def takes_system(self) -> bool:
        """Whether it renders a system prompt: some templates raise on one, some drop it."""
        return SYSTEM in self.forms

    def render(self, turns: Sequence[Turn]) -> str:
        """All turns as text, ready for the model's reply, or for the rest of it where the last turn is its beginning.

        Raises ModelError for a system prompt that it has no place for.
        """
        if turns[0].role == SYSTEM and not self.takes_system:
            raise ModelError("the chat template has no place for a system prompt", hint="leave out the system prompt")
        return self._apply([self._message(turn, self.forms[turn.role]) for turn in turns])

    def _message(self, turn: Turn, form: str) -> dict[str, Any]:
        if form == TEXT:
            return {"role": turn.role, "content": flat(turn.parts, self._token)}
        shown = ({"type": "text", "text": part} if isinstance(part, str) else {"type": "image"} for part in turn.parts)
        return {"role": turn.role, "content": list(shown)}

    def _form(self, role: str) -> str:
        """Which form the template takes a role's words in: the first that it renders; empty where it renders none."""
        for form in (PARTS, TEXT):
            try:
                ask = self._message(Turn(USER, (AN_IMAGE, MARK)), form if role == USER else self.forms[USER])
                other = [] if role == USER else [self._message(Turn(role, (MARK,)), form)]
                text = self._apply([*other, ask] if role == SYSTEM else [ask, *other])
                shown = "'type'" not in text and text.count(MARK) == 1 + len(other)
                if shown and (role != USER or self._has_image(text)):
                    return form
            except Exception:  # jinja and processors raise what they like
                continue
        return ""

    def _apply(self, messages: list[dict[str, Any]]) -> str:
        goes_on = messages[-1]["role"] == ASSISTANT
        with template_clock.stopped(self.template):
            rendered = self._holder.apply_chat_template(
                messages,
                chat_template=self.template if isinstance(self.template, str) else None,
                tokenize=False,
                add_generation_prompt=not goes_on,
                continue_final_message=goes_on,
                **self._switches,
            )
        return str(rendered)


def leading(parts: Parts) -> int:
    """How many images stand before the first text."""
    return next((at for at, part in enumerate(parts) if isinstance(part, str)), len(parts))


def flat(parts: Parts, token: str) -> str:
    """Parts as one text with a token for each image: those before all words on a line of their own, others in place."""
    first = leading(parts)
    return " ".join([token] * first) + ("\n" if first else "") + inline(parts[first:], token)


def inline(parts: Parts, token: str) -> str:
    """Parts as one text, with a token in each image's place."""
    return "".join(part if isinstance(part, str) else token for part in parts)
