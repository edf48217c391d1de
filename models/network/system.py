"""A network with its tokenizer and its image preparation: what all systems have in common.

A system adds its templates: how a prompt is encoded, an answer decoded, and a training row learned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from vlmbench.base.errors import ModelError, UnknownNameError
from vlmbench.base.model import Vocabulary
from vlmbench.base.samples import Conversation
from vlmbench.base.trainable import Block, Kept

from ..parts.kernels import training as training_kernels
from ..parts.language import lora, nf4
from ..parts.language.tokenizer import Tokenizer, read_tokenizer
from ..parts.quiet_import import import_transformers
from ..parts.vision.preprocess import Preparation, Processor, default_processor
from . import freezing, pruning, visual_tokens
from .collate import Collator, TrainingTemplate
from .network import Blueprint, VisionLanguageModel


class BaseSystem(ABC):
    """A System for the engine and a Trainable for training, but for the templates."""

    name: str
    config: dict[str, Any]
    """The whole config.json."""

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
            message = f"the tokenizer has {len(self.tokenizer)} tokens, the language model {rows}"
            raise ModelError(message, where=str(tokenizer), hint="the tokenizer belongs to another checkpoint")
        self.attention = attention
        self._own_length = blueprint.max_length
        self.collator = Collator(self.tokenizer, self.pixels, processor.size, blueprint.max_length)

    @abstractmethod
    def training_template(self, template: str) -> TrainingTemplate:
        """The template of a name for training rows; "": the system's own."""

    @abstractmethod
    def clone_with_config(self, config: Mapping[str, Any]) -> Self:
        """A fresh one with another config, the same tokenizer and the same preparation of images."""

    @property
    def visual_tokens(self) -> int:
        """Tokens that an image takes in the language model."""
        return self.network.visual_tokens

    def keep_visual_tokens(self, text: str) -> None:
        """Drop tokens of images when answering: `18` or `0.5` are kept (visual_tokens.py); "" and all: nothing changes.

        Raises ModelError for a number that is not possible.
        """
        total = self.network.connector.tokens
        if text and (kept := visual_tokens.kept_of(text, total)) < total:
            self.network.token_pruning = visual_tokens.TokenPruning(self.network, kept)

    @property
    def token_settings(self) -> Mapping[str, str]:
        """What tables say of tokens that are dropped: part of the answers' keys. Nothing where none are."""
        dropped = self.network.token_pruning
        return {} if dropped is None else {"kept_tokens": str(dropped)}

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    def end_tokens(self, configured: int | list[int] | None) -> frozenset[int]:
        """What the language model's config calls the end; the tokenizer's end token where it says nothing."""
        ends = (
            configured
            if isinstance(configured, list)
            else [self.tokenizer.eos_id if configured is None else configured]
        )
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

        input_ids (rows, length), IMAGE_TOKEN where a row has its image; labels, IGNORE where nothing is trained on;
        attention_mask bool, False on padding; images (rows, 3, height, width) if any row has one, zeros for the others;
        segments if any row is `independent`: 0 the shared prefix (all of an ordinary row), k question k, -1 padding.
        Such a row gives each question the numbers it would have alone, at the cost of one image. Caption templates
        keep the answer alone. Rows that the official code masks whole are masked, and logged.
        """
        return self.collator(rows, self.training_template(template))

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Mean cross-entropy over the trained tokens of a collated batch, scalar; safe under autocast.

        In the place of `images` the batch may hold `image_features` (rows, tokens, vision width), what the tower gives
        (the connector still runs), or `prefix_embeds` (rows, N, language width), put where the image goes (neither
        tower nor connector runs; any N). A row without an image ignores its own entry.
        """
        return self.network.loss(batch)

    def trained_logits(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """The logits that `loss` is computed from, (trained tokens, vocabulary) float32, and their labels."""
        logits, labels, _ = self.network.trained_logits(batch)
        return logits, labels

    def vocabulary(self) -> Vocabulary:
        """The tokenizer's tokens."""
        return self.tokenizer.vocabulary()

    def encode_images(self, images: Tensor) -> Tensor:
        """(rows, 3, height, width) to what the vision tower gives, (rows, tokens, vision width), without gradients.

        `loss` takes it as `image_features` in the place of `images`.
        """
        like = next(self.network.vision_tower.parameters())
        with torch.no_grad():
            features: Tensor = self.network.vision_tower(images.to(like.device, like.dtype))
        return features

    def tune(
        self,
        settings: Mapping[str, Any],
        *,
        max_length: int = 0,
        checkpointing: bool = False,
        quantize: str = "",
        linear: str = "mkl",
        attention: str = "sdpa",
    ) -> None:
        """Make ready for a stage: what learns (the fields of freezing.Tuning), how long rows may be (0: the config's),
        and whether activations are computed again in the backward pass. Adapters that the stage brings join the config.
        `quantize` "nf4": the language model's frozen matrices are held in four bits. `linear`: the library of Linear
        layers, `mkl` (torch's own) or `onednn`. `attention`: of the vision tower, `sdpa` or `eager`.

        Raises UnknownNameError or TrainingError where the settings and the network contradict each other.
        """
        known = {entry.name for entry in fields(freezing.Tuning)}
        if unknown := sorted(set(settings) - known):
            raise UnknownNameError("setting of tuning", unknown[0], known)
        chosen = freezing.Tuning(**settings)
        freezing.apply(self.network, chosen)
        training_kernels.use(training_kernels.MKL, self.network)
        (nf4.pack if quantize else nf4.unpack)(self.network.language_model)
        training_kernels.use(linear, self.network)
        training_kernels.attend(attention, self.network.vision_tower)
        if chosen.lora:
            self.config["lora"] = {name: _listed(value) for name, value in chosen.lora.items()}
        length = max_length or self._own_length
        self.network.blueprint = replace(self.network.blueprint, max_length=length)
        self.collator = Collator(self.tokenizer, self.pixels, self.pixels.processor.size, length)
        for part in (self.network.vision_tower, self.network.language_model):
            for module in part.modules():
                if getattr(module, "supports_gradient_checkpointing", False):
                    _recompute(module, checkpointing)

    def decays(self, name: str) -> bool:
        """Whether weight decay acts on a parameter that learns, by its name in the network: MiniGPT-4's rule."""
        return name in freezing.weight_decay_groups(self.network).decayed

    def changed(self, settings: Mapping[str, Any]) -> Self:
        """The same model with a changed config.json: a larger image, norms or adapters that it did not have.

        Weights that fit are kept; position tables of the vision tower are resized; what is new starts fresh, drawn
        from torch's current seed. Raises ModelError for a weight that fits nowhere.
        """
        config = deep_merge(self.config, settings)
        system = self.clone_with_config(config)
        weights = self.network.state_dict()
        own = system.network.state_dict()
        for name, value in own.items():
            if name in weights:
                value.copy_(resized_weight(name, weights[name], value.shape))
            elif (before := name.replace(".base_layer.", ".")) in weights:
                value.copy_(weights[before])
        return system

    def merge_adapters(self) -> None:
        """Add adapters into the weights beside them, and take them out of the network and its config."""
        lora.merge(self.network.language_model)
        self.config.pop("lora", None)
        self.network.blueprint = replace(self.network.blueprint, lora=None)

    def blocks(self) -> Mapping[str, Sequence[Block]]:
        """The layers of each part that pruning can make smaller, in order."""
        return pruning.blocks(self.network)

    def pruned(self, kept: Mapping[str, Kept]) -> Self:
        """A smaller model of the same weights, its config changed; parts that are not named stay as they are.

        All layers of a part keep as many heads and neurons. Raises ModelError where the part cannot be so.
        """
        from transformers.initialization import no_init_weights

        import_transformers()
        config = pruning.smaller_config(self.network, self.config, kept)
        with no_init_weights():
            system = self.clone_with_config(config)
        system.network.load_state_dict(pruning.smaller_state(self.network, kept))
        system.network.train(self.network.training)
        return system


def deep_merge(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A config with changes at any depth."""
    both = {**config, **changes}
    for name, value in changes.items():
        if isinstance(value, Mapping) and isinstance(config.get(name), Mapping):
            both[name] = deep_merge(config[name], value)
    return both


def resized_weight(name: str, weight: Tensor, shape: torch.Size) -> Tensor:
    """A weight in another shape. Raises ModelError unless it is a table of positions in an image."""
    if weight.shape == shape:
        return weight
    if "position_embedding" not in name.split(".") or weight.ndim != 3 or len(shape) != 3:
        raise ModelError(f"{name} is {tuple(weight.shape)}, but the changed config wants {tuple(shape)}")
    from ..parts.reshaping import resized_positions

    return resized_positions(weight, shape[1] - 1)


def _recompute(module: Any, on: bool) -> None:
    options = {"use_reentrant": False}
    if not hasattr(module, "activation_checkpointing_enable"):  # before transformers gave it this name
        if on:
            module.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
        elif module.is_gradient_checkpointing:
            module.gradient_checkpointing_disable()
    elif on:
        module.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
    elif module.is_activation_checkpointing:
        module.activation_checkpointing_disable()


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
