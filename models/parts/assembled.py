"""A network with its tokenizer and its picture preparation: what all systems have in common.

A system adds its templates: how a prompt is encoded, an answer decoded, and a training row learnt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vlmbench.errors import ModelError
from vlmbench.nouns import Conversation

from .assemble import Blueprint, VisionLanguageModel
from .collate import Collator, Learner
from .pixels import Preparation, Processor, default_processor
from .tokenizer import Tokenizer, read_tokenizer


class Assembled(ABC):
    """A System for the engine and a Trainable for training, but for the templates."""

    name: str

    def __init__(
        self,
        blueprint: Blueprint,
        *,
        preprocessor: Mapping[str, Any] | None,
        aspect: str,
        tokenizer: Path,
        pads_with_unk: bool,
        attention: str,
    ) -> None:
        """Untrained. `preprocessor` None: the tower's usual one. Raises ModelError for a part that does not exist, or
        a tokenizer that does not fit.
        """
        self.preprocessor, self.files = preprocessor, tokenizer
        self.tokenizer: Tokenizer = read_tokenizer(tokenizer)
        if pads_with_unk:
            self.tokenizer.pad_id = self.tokenizer.unk_id
        processor = Processor.from_config(preprocessor or default_processor(blueprint.vision))
        self.pixels = Preparation(processor, aspect)
        self.network = VisionLanguageModel(blueprint)
        self.network.language_model.set_attn_implementation(attention)
        rows = self.network.language_model.get_input_embeddings().weight.shape[0]
        if len(self.tokenizer) > rows:
            what = f"the tokenizer has {len(self.tokenizer)} tokens, the language model {rows}"
            raise ModelError(what, where=str(tokenizer), cure="the tokenizer belongs to another checkpoint")
        self.collator = Collator(self.tokenizer, self.pixels, processor.size, blueprint.max_length)

    @abstractmethod
    def learner(self, template: str) -> Learner:
        """The template of a name for training rows; "": the system's own."""

    @property
    def visual_tokens(self) -> int:
        """Tokens a picture takes in the language model."""
        return self.network.visual_tokens

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    def end_tokens(self, told: int | list[int] | None) -> frozenset[int]:
        """What the language model's config calls the end; the tokenizer's end token where it says nothing."""
        ends = told if isinstance(told, list) else [self.tokenizer.eos_id if told is None else told]
        return frozenset(int(token) for token in ends)

    def parts(self) -> Mapping[str, nn.Module]:
        """`vision_tower`, `connector`, `language_model`, as recipes name them."""
        network = self.network
        return {
            "vision_tower": network.vision_tower,
            "connector": network.connector,
            "language_model": network.language_model,
        }

    def collate(self, rows: Sequence[Conversation], template: str = "") -> dict[str, Tensor]:
        """Rows to a batch, in the template of a name; "": the system's own.

        input_ids (rows, length), IMAGE_TOKEN where a row has its image; labels, IGNORE where nothing is learnt;
        attention_mask bool, False on padding; images (rows, 3, height, width) if any row has one, zeros for the others;
        segments if any row is `independent`: 0 the shared prefix (all of an ordinary row), k question k, -1 padding.
        Such a row gives each question the numbers it would have alone, at the cost of one image. Caption templates
        keep the answer alone. Rows that the official code masks whole are masked, and logged.
        """
        return self.collator(rows, self.learner(template))

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Mean cross-entropy over the learnt tokens of a collated batch, scalar; safe under autocast.

        In the place of `images` the batch may hold `image_features` (rows, tokens, vision width), what the tower gives
        (the connector still runs), or `prefix_embeds` (rows, N, language width), put where the image goes (neither
        tower nor connector runs; any N). A row without an image ignores its own entry.
        """
        return self.network.loss(batch)
