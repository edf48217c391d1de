"""Renders questions by a transformers model's own processor: text, token ids, image tensors.

A model with a chat template is prompted through it; without one, by a named style (PROMPT_STYLES). What template and
processor do with images in a text is found out by trials, never from the model's name.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError, UnknownNameError
from vlmbench.chat.turns import ASSISTANT, USER, Turn
from vlmbench.data.images.decoding import PIXELS_AHEAD

from ..engine.margin_scale import test_image
from ..parts import host
from ..parts.quiet_import import quiet_logs
from . import template_clock
from .chat_template import AN_IMAGE, MARK, ChatTemplate, inline, leading
from .thinking import AUTO, ThinkingOption, TokenDecoder

if TYPE_CHECKING:
    from PIL.Image import Image

CHAT = "chat"
IN_PLACE, BY_TEMPLATE, FIRST = "in place", "the template puts images first", "images first"
"""Where images of a question end up: between its words, or before them by the model's own template or processor."""
REMEMBERED = 8
"""Images whose tensors are kept, for the questions that follow about the same; fewer of large ones."""
NOT_INPUTS = ("labels",)
"""What some processors return beside the inputs: for training alone."""
History = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class PromptStyle:
    """How a question is render_request for a model without a chat template."""

    words: str
    """`{image}` is where the processor's image tokens go, if it wants any in the text."""
    note: str
    gap: str = " "
    """Between the prompt and an answer, when answers are ranked."""


PROMPT_STYLES: Mapping[str, PromptStyle] = {
    "plain": PromptStyle("{image}{prompt}", "the question and nothing else"),
    "question": PromptStyle("{image}Question: {prompt} Answer:", "BLIP-2's words for questions"),
    "answer-en": PromptStyle("{image}answer en {prompt}", "PaliGemma's words for questions", ""),
    "user": PromptStyle("USER: {image}\n{prompt} ASSISTANT:", "LLaVA-1.5's words, where its template is missing"),
}


@dataclass(frozen=True, eq=False)
class ImageTensors:
    """The tensors of a question's images, by the processor's names. Equal ones of a group are one object."""

    tensors: Mapping[str, Any]

    def same(self, other: ImageTensors) -> bool:
        """Whether all values are equal."""
        if self.tensors.keys() != other.tensors.keys():
            return False
        return all(_same(value, other.tensors[name]) for name, value in self.tensors.items())

    def to(self, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
        """On a device; floating numbers in the network's type, as `BatchFeature.to` does."""
        return {name: move(value, device, dtype) for name, value in self.tensors.items()}


NO_IMAGES = ImageTensors({})


@dataclass(frozen=True, eq=False)
class Prompt:
    """One question as the processor gives it."""

    ids: tuple[int, ...]
    rows: Mapping[str, Tensor] = field(default_factory=dict)
    """What has an entry for each token, (1, tokens, ...), beside ids and attention mask: token types, ..."""
    media: ImageTensors = NO_IMAGES


def _same(first: Any, other: Any) -> bool:
    if first is other:
        return True
    if isinstance(first, Tensor) and isinstance(other, Tensor):
        return first.dtype == other.dtype and torch.equal(first, other)
    return type(first) is type(other) and not isinstance(first, Tensor) and bool(first == other)


def move(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """A tensor to a device, floating numbers to a type; other values as they are."""
    if not isinstance(value, Tensor):
        return value
    moved = host.send(value, device)
    return moved.to(dtype) if value.is_floating_point() else moved


class Prompts:
    """The processor of a model, asked as its authors ask it. One thread at a time goes through it."""

    def __init__(
        self,
        processor: Any,
        *,
        image_id: int | None,
        inputs: Container[str],
        way: str = "",
        encoder_decoder: bool = False,
        thinking: str = "",
    ) -> None:
        """`way` "": the chat template, or `plain` where there is none. `inputs`: what the model's forward takes.
        `thinking`: auto, on, off, or the tag around the model's thoughts.

        Raises ModelError or UnknownNameError.
        """
        self._inputs = inputs
        self.processor, self.tokenizer = processor, getattr(processor, "tokenizer", processor)
        template = getattr(processor, "chat_template", None) or getattr(self.tokenizer, "chat_template", None)
        self.way = way or (CHAT if template else "plain")
        if self.way not in (CHAT, *PROMPT_STYLES):
            raise UnknownNameError("way of prompting", self.way, (CHAT, *PROMPT_STYLES))
        if self.way == CHAT and not template:
            raise ModelError(
                "this model has no chat template", hint=f"name a way of prompting: {', '.join(PROMPT_STYLES)}"
            )
        self._template = template
        self.dated = self.way == CHAT and template_clock.asked_by(template)
        """Whether the chat template writes the date."""
        self._lock = Lock()
        self.image_id = image_id
        self.image_token = self._image_token(image_id)
        if hasattr(getattr(processor, "image_processor", None), "preprocess"):
            _remember(processor.image_processor)
        self._probe = [test_image(0)]
        self.thinking = ThinkingOption(thinking, template if self.way == CHAT else None)
        self._chat: ChatTemplate | None = None
        if self.way == CHAT:
            holder = processor if hasattr(processor, "tokenizer") else self.tokenizer
            way_out = next(iter(PROMPT_STYLES))
            self._chat = ChatTemplate(
                template,
                holder,
                self.image_token or "",
                has_image=self._has_image,
                way_out=way_out,
                switches=self.thinking.switches,
            )
        self.thinking.look(self.text(MARK, 1) if self._chat is not None else "")
        self._decoder = TokenDecoder(self.tokenizer, self.thinking)
        self._lead = self.way != CHAT and self._wants_tokens()
        probe = self.prompt(self.text(MARK, 1), self._probe)
        self.visual_tokens = probe.ids.count(image_id) if image_id is not None else 0
        words = self.tokenizer.decode(probe.ids, skip_special_tokens=False).rstrip(" ")
        self.apart = encoder_decoder or not words.endswith(self.text(MARK, 1).rstrip()[-4:])
        """Whether an answer to rank is tokenised on its own: the processor writes something behind the question."""
        self.image_words = self._find_placeholders()
        """Words that stand for an image."""
        self.max_images, self.interleaving = self._try_places()

    @property
    def settings(self) -> dict[str, str]:
        """What decides how questions are render_request: part of every answer's key."""
        date = {"template_date": template_clock.DAY.date().isoformat()} if self.dated else {}
        thinks = self.thinking.word != AUTO or self.thinking.opened or self._decoder.tags
        return {"prompting": self.way, **date, **({"thinking": self.thinking.word} if thinks else {})}

    @property
    def takes_system(self) -> bool:
        """Whether there is a place for a system prompt."""
        return self._chat is not None and self._chat.takes_system

    def text(self, prompt: str, images: int, history: History = (), answer: str = "") -> str:
        """The whole prompt as text, `images` images first in its first question; with `answer`, that goes on behind."""
        turns = [turn for asked, said in history for turn in (Turn(USER, (asked,)), Turn(ASSISTANT, (said,)))]
        turns += [Turn(USER, (prompt,)), *([Turn(ASSISTANT, (answer,))] if answer else [])]
        turns[0] = Turn(USER, (*[AN_IMAGE] * images, *turns[0].parts))
        return self.render(turns)

    def render(self, turns: Sequence[Turn]) -> str:
        """Turns as one text, images in their places. A last turn of the model is the beginning of its reply.

        Raises ModelError for turns that this way of prompting has no place for.
        """
        if self._chat is not None:
            if turns[-1].role != ASSISTANT:
                return self._chat.render(turns) + self.thinking.closing
            if not self.thinking.closed:
                return self._chat.render(turns)
            answer = inline(turns[-1].parts, self.image_token or "")
            return self._chat.render(turns[:-1]) + self.thinking.closing + answer
        asked, *reply = turns
        if asked.role != USER or len(reply) > 1 or any(turn.role != ASSISTANT for turn in reply):
            hint = "leave out system prompt, examples and earlier turns"
            raise ModelError(f"prompting={self.way} takes one question alone", hint=hint)
        way, first = PROMPT_STYLES[self.way], leading(asked.parts)
        token = self.image_token or "" if self._lead else ""
        words = way.words if first and self._lead else way.words.replace("{image}\n", "{image}")
        # Not str.format: a question may hold braces.
        text = words.replace("{image}", token * first).replace("{prompt}", inline(asked.parts[first:], token))
        return text + "".join(way.gap + inline(turn.parts, token) for turn in reply)

    def prompt(self, text: str, images: Sequence[Image]) -> Prompt:
        """The processor's tensors of one text with its images."""
        more = self._special(text)
        with self._lock, self._counted(len(images)):
            inputs = dict(
                self.processor(text=[text], images=[list(images)] if images else None, return_tensors="pt", **more)
            )
        ids, mask = inputs.pop("input_ids"), inputs.pop("attention_mask", None)
        if mask is not None and not bool(mask.all()):
            raise ModelError("the processor pads a single prompt", hint="this model cannot be asked here")
        inputs = {name: value for name, value in inputs.items() if name not in NOT_INPUTS}
        by_token = {name for name, value in inputs.items() if isinstance(value, Tensor) and _by_token(value, ids)}
        # Tokenizers give token types whether or not the model knows any.
        rows = {name: inputs[name] for name in by_token if name in self._inputs}
        media = {name: value for name, value in inputs.items() if name not in by_token}
        return Prompt(tuple(ids[0].tolist()), rows, ImageTensors(media) if media else NO_IMAGES)

    def tokens(self, text: str) -> tuple[int, ...]:
        """A text's ids by the tokenizer alone: one token stands for each image."""
        with self._lock:
            return tuple(self.tokenizer(text, **self._special(text))["input_ids"])

    def _special(self, text: str) -> dict[str, Any]:
        """As transformers' processors do: a template that writes the first token itself gets no second one."""
        bos = getattr(self.tokenizer, "bos_token", None)
        return {"add_special_tokens": False} if self.way == CHAT and bos and text.startswith(bos) else {}

    @contextmanager
    def _counted(self, images: int) -> Iterator[None]:
        """Processors run out of images where a text holds more image tokens than it has images."""
        try:
            yield
        except StopIteration:
            message = f"the text holds more image tokens ({self.image_token}) than it has images ({images})"
            raise ModelError(message, hint="reword the question") from None

    def check_image_tokens(self, texts: Iterable[str]) -> None:
        """Raise ModelError for words of a user that the processor would take for an image."""
        for token in self.image_words:
            if any(token in text for text in texts):
                message = f"the question holds {token}, which this model reads as an image"
                raise ModelError(message, hint="reword the question: images have places of their own")

    def choice_ids(self, ids: tuple[int, ...], answer: str, text: str, images: Sequence[Image]) -> tuple[int, ...]:
        """Prompt and answer as one text (`text`), or the answer's own tokens behind the prompt's where it must be."""
        if not self.apart:
            return self.prompt(text, images).ids
        with self._lock:
            gap = "" if self.way == CHAT else PROMPT_STYLES[self.way].gap
            return ids + tuple(self.tokenizer(gap + answer, add_special_tokens=False)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to text: special ones out, outer spaces removed; a thought that the prompt opens with its tag."""
        with self._lock:
            return self._decoder(ids)

    def _image_token(self, image_id: int | None) -> str | None:
        for holder in (self.processor, self.tokenizer):
            if token := getattr(holder, "image_token", None):
                return str(getattr(token, "content", token))
        return None if image_id is None else str(self.tokenizer.convert_ids_to_tokens(image_id))

    def _wants_tokens(self) -> bool:
        """Whether the processor wants image tokens in the text: without them it fails or puts in none, or it makes
        the same of both and asks for them. One that puts in its own would put in more than the image's.
        """
        counts: list[int] = []
        for lead in (False, True):
            self._lead = lead
            try:
                with quiet_logs():
                    counts.append(self.prompt(self.text(MARK, 1), self._probe).ids.count(self.image_id or -1))
            except Exception:  # processors raise what they like on a text that does not suit them
                counts.append(0)
        alone, led = counts
        return led > 0 and (alone == 0 or alone == led)

    def _has_image(self, text: str) -> bool:
        """Whether the processor finds the place of one image in a text. Raises what processors raise."""
        ids = self.prompt(text, self._probe).ids
        return self.image_id is None or self.image_id in ids

    def _find_placeholders(self) -> tuple[str, ...]:
        """Texts that stand for an image: the processor's token, the network's, and what the template writes."""
        known = [self.image_token] if self.image_token else []
        if self.image_id is not None and isinstance(token := self.tokenizer.convert_ids_to_tokens(self.image_id), str):
            known.append(token)
        led = self.text(MARK, 1)
        if self._chat is not None and not any(token in led for token in known):
            start = next((at for at, (a, b) in enumerate(zip(led, self.text(MARK, 0), strict=False)) if a != b), 0)
            written = led[start:].partition(MARK)[0]
            known += [token for token in self.tokenizer.get_added_vocab() if token in written]
        return tuple(dict.fromkeys(known))

    def _try_places(self) -> tuple[int | None, str]:
        """(the most images of a question, where they end up), by a trial."""
        first, between, last = (f"{MARK}{letter} " for letter in "abc")
        alone = self.prompt(self.render([Turn(USER, (first, AN_IMAGE, between, last))]), self._probe).ids
        try:
            turn = Turn(USER, (first, AN_IMAGE, between, AN_IMAGE, last))
            both = self.prompt(self.render([turn]), [*self._probe, test_image(1)]).ids
        except Exception:  # processors that take one image alone say so in their own ways
            both = alone
        more = len(both) > len(alone) if self.image_id is None else self._images(both) > self._images(alone)
        return (None, self._where(both, (first, between))) if more else (1, self._where(alone, (first,)))

    def _images(self, ids: Sequence[int]) -> tuple[int, int]:
        """How many stretches of image tokens there are, and how many of these tokens: two images may take fewer."""
        marks = [token == self.image_id for token in ids]
        return sum(mark and not before for before, mark in zip([False, *marks], marks, strict=False)), sum(marks)

    def _where(self, ids: Sequence[int], words: Sequence[str]) -> str:
        """Where the images of a trial ended up: `words` were given before each of them."""
        places = [at for at, token in enumerate(ids) if token == self.image_id]
        if not places:
            return FIRST
        spans = [ids[: places[0]], [ids[at] for at in range(places[0], places[-1]) if ids[at] != self.image_id]]
        shown = [self.tokenizer.decode(list(span), skip_special_tokens=False) for span in spans]
        if all(word.strip() in text for word, text in zip(words, shown, strict=False)):
            return IN_PLACE
        return BY_TEMPLATE if self.way == CHAT else FIRST


def _by_token(value: Tensor, ids: Tensor) -> bool:
    return value.dim() >= 2 and value.shape[:2] == ids.shape and not value.is_floating_point()


def _remember(image_processor: Any) -> None:
    """Let an image processor give the same tensors again for the same image objects: a group's questions share them.

    It becomes one of a class with another `preprocess`: what the processor around it does with the result goes on as
    ever, and so does how it is written down.
    """
    known: OrderedDict[tuple[Any, ...], tuple[list[Any], dict[str, Any]]] = OrderedDict()
    kind = type(image_processor)

    def preprocess(self: Any, images: Any, *args: Any, **kwargs: Any) -> Any:
        flat = _flat(images)
        key = (tuple(map(id, flat)), repr(args), repr(sorted(kwargs.items(), key=lambda item: item[0])))
        if key not in known:
            tensors = kind.preprocess(self, images, *args, **kwargs)
            known[key] = (flat, tensors)  # the images are held: their ids cannot come to mean others
            while len(known) > REMEMBERED or (len(known) > 1 and pixels_of(list(known.values())) > PIXELS_AHEAD):
                known.popitem(last=False)
        tensors = known[key][1]
        return type(tensors)(dict(tensors)) if hasattr(tensors, "keys") else tensors

    image_processor.__class__ = type(kind.__name__, (kind,), {"preprocess": preprocess, "__module__": kind.__module__})


def pixels_of(values: Any) -> int:
    """What images and tensors hold, in pixels of three numbers."""
    if isinstance(values, Tensor):
        return values.numel() // 3
    if isinstance(values, list | tuple):
        return sum(map(pixels_of, values))
    if hasattr(values, "values"):
        return pixels_of(list(values.values()))
    if hasattr(values, "dtype"):  # an array
        return int(values.size) // 3
    return values.width * values.height if hasattr(values, "width") else 0


def _flat(images: Any) -> list[Any]:
    return [leaf for item in images for leaf in _flat(item)] if isinstance(images, list | tuple) else [images]
