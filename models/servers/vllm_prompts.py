"""Requests as prompts for a vLLM engine: token ids made as the hf adapter makes them, or conversations where it cannot.

Rendered: template, tokenizer and special tokens are transformers' (questions), and vLLM gets ids in which one token
stands for each image. It puts the image's tokens in by itself; what it read comes back with the output and has to
be what transformers' own processor makes of the same question. Conversations: `LLM.chat` renders and tokenises, for
checkpoints whose processor transformers does not have; what it read is held against the words that were asked.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Request
from vlmbench.chat.turns import ASSISTANT, USER, Turn, turns

from ..huggingface import template_clock
from ..huggingface.prompts import CHAT, Prompts
from ..huggingface.questions import render_request
from ..huggingface.system import image_id_of

if TYPE_CHECKING:
    from PIL.Image import Image

TWICE = "set the template right, or ask a server of your own: --model openai:NAME,base_url=..."


@dataclass(frozen=True, eq=False)
class PreparedPrompt:
    """One request as an engine takes it."""

    open_prompt: Any
    """The prompt that is to be answered."""
    choices: tuple[Any, ...] = ()
    """The prompt with each choice behind it."""
    ids: tuple[int, ...] = ()
    """What the network should read of the open prompt; empty where that is not known before."""
    choice_ids: tuple[tuple[int, ...], ...] = ()


class Rendered:
    """Prompts as token ids, for `LLM.generate`."""

    def __init__(self, prompts: Prompts) -> None:
        self.prompts, self.tokenizer = prompts, prompts.tokenizer
        self.tags = prompts.thinking.tags
        """Pairs of tags around its thoughts, beside the usual ones."""
        self.end_ids: frozenset[int] = frozenset()
        self.stop: tuple[str, ...] = ()

    @property
    def thinks(self) -> bool:
        """Whether its answers hold thoughts that vLLM's own text does not show as such."""
        return "thinking" in self.prompts.settings

    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to text, as the hf adapter does."""
        return self.prompts.decode(ids)

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides how questions are render_request."""
        return self.prompts.settings

    @property
    def takes_turns(self) -> bool:
        """Whether earlier turns of a dialogue are taken into account: a chat template knows how."""
        return self.prompts.way == CHAT

    @property
    def takes_system(self) -> bool:
        """Whether there is a place for a system prompt."""
        return self.prompts.takes_system

    @property
    def max_images(self) -> int | None:
        """The most images of a question; None: any number."""
        return self.prompts.max_images

    def made(self, request: Request, images: Sequence[Image]) -> PreparedPrompt:
        """Raises ModelError for what cannot be asked, in the words of the hf adapter."""
        rendered = render_request(self.prompts, request, images)
        opened = self.prompts.tokens(rendered.text)
        rows = [
            (*opened, *ids[len(rendered.job.ids) :]) if self.prompts.apart else self.prompts.tokens(text)
            for text, ids in zip(rendered.choice_texts, rendered.job.choice_ids, strict=True)
        ]
        choices = tuple(self._prompt(row, images) for row in rows)
        return PreparedPrompt(self._prompt(opened, images), choices, rendered.job.ids, rendered.job.choice_ids)

    @staticmethod
    def _prompt(ids: Sequence[int], images: Sequence[Image]) -> dict[str, Any]:
        return {"prompt_token_ids": list(ids), **({"multi_modal_data": {"image": list(images)}} if images else {})}

    @staticmethod
    def run(llm: Any, prompts: Sequence[Any], params: Sequence[Any]) -> list[Any]:
        """vLLM's output of each."""
        return list(llm.generate(list(prompts), list(params), use_tqdm=False))

    @staticmethod
    def check(_: Request, read: Sequence[int], expected: Sequence[int]) -> None:
        """Raise ModelError where the engine read another prompt than transformers' processor makes."""
        if tuple(read) != tuple(expected):
            message = f"vLLM reads another prompt ({len(read)} tokens) than transformers' processor ({len(expected)})"
            raise ModelError(
                message, hint="this model cannot be asked through vLLM in the process: take hf, or a server"
            )


@dataclass(frozen=True, eq=False)
class _Conversation:
    messages: list[dict[str, Any]]
    goes_on: bool = False
    """Whether the last message is an answer that is given."""


class Conversations:
    """Prompts as chat messages, for `LLM.chat`."""

    settings: Mapping[str, str] = {"prompting": "vllm"}
    takes_turns = takes_system = True
    """A template without a place for them is noticed by `check`."""
    max_images = None

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.template = getattr(tokenizer, "chat_template", None)

    def made(self, request: Request, images: Sequence[Image]) -> PreparedPrompt:
        """Raises ModelError for what cannot be asked."""
        if not all(request.choices):
            raise ModelError(f"cannot rank {list(request.choices)}: one is empty", hint="leave out empty choices")
        rows = [_messages(turns(request, choice), images) for choice in request.choices]
        return PreparedPrompt(
            _Conversation(_messages(turns(request), images)), tuple(_Conversation(row, goes_on=True) for row in rows)
        )

    def run(self, llm: Any, prompts: Sequence[_Conversation], params: Sequence[Any]) -> list[Any]:
        """vLLM's output of each. Special tokens are added as transformers' processors do, in every version of it."""
        by_number: dict[int, Any] = {}
        for goes_on in (False, True):
            at = [number for number, prompt in enumerate(prompts) if prompt.goes_on is goes_on]
            if not at:
                continue
            how: dict[str, Any] = {
                "add_generation_prompt": not goes_on,
                "continue_final_message": goes_on,
                "use_tqdm": False,
            }
            if "tokenization_kwargs" in inspect.signature(llm.chat).parameters:
                how["tokenization_kwargs"] = {"add_special_tokens": not self._writes_bos()}
            with template_clock.stopped(self.template):
                outputs = llm.chat([prompts[one].messages for one in at], [params[one] for one in at], **how)
            by_number |= dict(zip(at, outputs, strict=True))
        return [by_number[number] for number in range(len(prompts))]

    def _writes_bos(self) -> bool:
        """Whether the template itself begins with the first token."""
        bos = getattr(self.tokenizer, "bos_token", None)
        if not bos or not self.template:
            return False
        with template_clock.stopped(self.template):
            text = self.tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
        return str(text).startswith(bos)

    def check(self, request: Request, read: Sequence[int], _: Sequence[int]) -> None:
        """Raise ModelError where the first token is missing or doubled, or words that were asked are not there."""
        bos = getattr(self.tokenizer, "bos_token_id", None)
        if bos is not None and tuple(self.tokenizer("x")["input_ids"])[:1] == (bos,):
            count = next((at for at, token in enumerate(read) if token != bos), len(read))
            if count != 1:
                raise ModelError(
                    f"vLLM's prompt begins with {count} of the token {self.tokenizer.bos_token}", hint=TWICE
                )
        shown = _dense(self.tokenizer.decode(list(read)))
        asked = turns(request)
        for text in (part for turn in asked for part in turn.parts if isinstance(part, str)):
            if (
                _dense(text) not in shown
                and _dense(self.tokenizer.decode(self.tokenizer(text)["input_ids"])) not in shown
            ):
                raise ModelError(f"the words {text[:60]!r} are not in the prompt that vLLM made of them", hint=TWICE)
        replies = [_dense(str(turn.parts[0])) for turn in asked if turn.role == ASSISTANT]
        if any(f"'text':{quote}{reply}" in shown for reply in replies for quote in "'\""):
            raise ModelError("vLLM's template prints an answer as a Python list", hint=TWICE)


def _messages(turns: Sequence[Turn], images: Sequence[Image]) -> list[dict[str, Any]]:
    """Chat messages: a user's content as parts in order, others' as text."""
    left = iter(images)
    messages: list[dict[str, Any]] = []
    for turn in turns:
        parts = [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "image_pil", "image_pil": next(left)}
            for part in turn.parts
        ]
        messages.append({"role": turn.role, "content": parts if turn.role == USER else turn.parts[0]})
    return messages


def _dense(text: str) -> str:
    return "".join(text.split())


def refuse_other_choice(tokenizer: Any, tail: Sequence[int], choice: str) -> None:
    """Raise ModelError unless the tokens that are scored are the choice, spaces aside."""
    words, expected = _dense(tokenizer.decode(list(tail), skip_special_tokens=True)), _dense(choice)
    again = _dense(tokenizer.decode(tokenizer(choice, add_special_tokens=False)["input_ids"], skip_special_tokens=True))
    if not (words.endswith((expected, again)) and "'type'" not in words.removesuffix(expected)):
        hint = "the chat template prints something else behind the question: this model cannot rank through vLLM"
        raise ModelError(f"the tokens to score say {words[:60]!r}, not the choice {choice!r}", hint=hint)


def open_prompts(checkpoint: str, *, commit: str, trusted: bool, way: str, thinking: str = "") -> Prompts:
    """The prompts of a checkpoint by transformers' processor. Raises what transformers raises where it has none."""
    from transformers import AutoConfig

    from ..huggingface.loading.processors import open_processor
    from ..parts.quiet_import import quiet_logs

    more = {"revision": commit} if commit else {}
    source = str(Path(checkpoint).expanduser()) if Path(checkpoint).expanduser().is_dir() else checkpoint
    with quiet_logs():
        config = AutoConfig.from_pretrained(source, trust_remote_code=trusted, **more)
        processor = open_processor(source, trusted=trusted, **more)
    if getattr(processor, "image_processor", None) is None:
        raise ModelError("transformers has no processor of images for it", where=checkpoint)
    both = bool(getattr(config, "is_encoder_decoder", False))
    image_id = image_id_of(config, processor)
    return Prompts(processor, image_id=image_id, inputs=(), way=way, encoder_decoder=both, thinking=thinking)
