"""A transformers image-text model with its processor: requests to tensors, new tokens to text."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import nn

from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Request

from .plain import Question
from .prefix_check import is_encoder_decoder
from .prompts import CHAT, Prompts
from .questions import render_request

if TYPE_CHECKING:
    from PIL.Image import Image


class HfSystem:
    """The model as its authors publish it; greedy unless a request says otherwise.

    Of its own generation settings only the special tokens are kept: penalties and sampling are the request's business.
    """

    name = "hf"

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        way: str = "",
        thinking: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`settings`: others that decide the answers. Raises ModelError for a processor that does not work."""
        self.model = model.eval()
        self.encoder_decoder = is_encoder_decoder(model)
        self._told = dict(settings or {})
        _only_tokens(model)
        self.inputs = frozenset(inspect.signature(model.forward).parameters)
        """What the network takes, by name."""
        self.prompts = Prompts(
            processor,
            image_id=image_id_of(model.config, processor),
            inputs=self.inputs,
            way=way,
            encoder_decoder=self.encoder_decoder,
            thinking=thinking,
        )
        self.tags = self.prompts.thinking.tags
        """Pairs of tags around its thoughts, beside the usual ones."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides the answers beside weights and engine."""
        return {**self.prompts.settings, **self._told}

    @property
    def visual_tokens(self) -> int:
        """Tokens that an image of 320 x 240 takes in the row; 0 where it enters elsewhere."""
        return self.prompts.visual_tokens

    @property
    def supports_multi_turn(self) -> bool:
        """Whether earlier turns of a dialogue are taken into account: a chat template knows how."""
        return self.prompts.way == CHAT

    @property
    def supports_system_prompt(self) -> bool:
        """Whether the chat template has a place for a system prompt."""
        return self.prompts.takes_system

    @property
    def max_images(self) -> int | None:
        """The most images of a question; None: any number."""
        return self.prompts.max_images

    def parts(self) -> Mapping[str, nn.Module]:
        """Everything: which module is what differs with the architecture."""
        return {"network": self.model}

    @cached_property
    def end_ids(self) -> frozenset[int]:
        """Tokens that end an answer: the checkpoint's generation settings, else its tokenizer's."""
        configured = self.model.generation_config.eos_token_id
        if configured is None:
            configured = getattr(self.prompts.tokenizer, "eos_token_id", None)
        ends = [configured] if isinstance(configured, int) else configured or []
        return frozenset(ends)

    @property
    def stop(self) -> tuple[str, ...]:
        """None of the model's own."""
        return ()

    @property
    def pad_id(self) -> int:
        """What fills up shorter rows; nobody looks at it."""
        known = _first(self.model.generation_config, self.prompts.tokenizer, names=("pad_token_id",))
        return known if known is not None else min(self.end_ids, default=0)

    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to the answer text."""
        return self.prompts.decode(ids)

    def question(self, request: Request, images: Sequence[Image]) -> Question:
        """A request as tensors. Raises ModelError for what cannot be asked."""
        rendered = render_request(self.prompts, request, images)
        self._refuse_strange(rendered.job.ids, *rendered.job.choice_ids)
        return Question(rendered.job, rendered.prompt, [request])

    def _refuse_strange(self, *rows: Sequence[int]) -> None:
        """Raise ModelError for tokens that the network has no embedding of."""
        if not self._known_tokens:
            return
        strange = {token for row in rows for token in row if token >= self._known_tokens} - self._marks
        if strange:
            words = [str(self.prompts.tokenizer.convert_ids_to_tokens(token)) for token in sorted(strange)[:3]]
            message = (
                f"the tokenizer makes tokens ({', '.join(words)}) beyond the {self._known_tokens} of the embedding"
            )
            hint = "tokenizer and weights are of two models, or tokens were added without resize_token_embeddings"
            raise ModelError(message, hint=hint)

    @cached_property
    def _known_tokens(self) -> int:
        """Rows of the embedding; 0 where the network does not tell."""
        try:
            table = self.model.get_input_embeddings()
        except (NotImplementedError, AttributeError):
            return 0
        return int(getattr(table, "num_embeddings", 0) or 0)

    @cached_property
    def _marks(self) -> frozenset[int]:
        """Tokens that stand for images and the like: the network puts something else in their place."""
        fields = self.model.config.to_dict().items()
        return frozenset(
            value for name, value in fields if name.endswith(("_token_id", "_token_index")) and type(value) is int
        )


def image_id_of(config: Any, processor: Any) -> int | None:
    """The token that stands for an image in a row of tokens, where there is one."""
    return _first(config, processor, names=("image_token_id", "image_token_index"))


def _first(*holders: Any, names: Sequence[str]) -> int | None:
    """The first number among attributes of some objects."""
    for holder in holders:
        for name in names:
            if isinstance(number := getattr(holder, name, None), int):
                return number
    return None


def _only_tokens(model: Any) -> None:
    """Leave of the model's generation settings (and of the language model's inside it) the special tokens alone."""
    from transformers import GenerationConfig

    for module in model.modules():
        if (config := getattr(module, "generation_config", None)) is not None:
            token_ids = {name: value for name, value in config.to_dict().items() if name.endswith("_token_id")}
            module.generation_config = GenerationConfig(**token_ids)
