"""The vision tower interface (a module that gives the hidden states of one layer) and the towers of transformers."""

from __future__ import annotations

from typing import Any, Protocol, cast

from torch import Tensor, nn

from vlmbench.base.errors import ModelError


class Tower(Protocol):
    """What an entry of TOWERS builds: a module that can be tapped at a layer."""

    def tap(self, pixels: Tensor, layer: int) -> Tensor | tuple[Tensor, ...]:
        """(images, 3, height, width) to (images, tokens, width): entry `layer` of the encoder's hidden states.

        Towers of several parts give one such tensor per part.
        """

    def norm(self, hidden: Tensor) -> Tensor:
        """The tower's final norm, (images, tokens, width) both."""

    def tokens(self, pixels: int) -> tuple[int, ...]:
        """How many tokens each part gives of an image with this edge (0: the tower's own), class token included."""


class TransformersTower(nn.Module):
    """SigLIP, CLIP or EVA of transformers. The attribute is named `vision_model` to keep the keys of transformers 4."""

    def __init__(self, model: nn.Module, class_token: bool, masks: bool = True) -> None:
        """`masks`: whether its layers want to be handed an attention mask."""
        super().__init__()
        self.masks = (None,) if masks else ()
        # Before 5.x the classes held a `vision_model` of their own; since then they are it.
        self.vision_model: Any = getattr(model, "vision_model", model)
        self.class_token = class_token

    def tap(self, pixels: Tensor, layer: int) -> Tensor:
        """(images, 3, height, width) to (images, tokens, width). Layers after the tapped one are not run.

        `layer` counts as in transformers' `hidden_states`: 0 is the embedding, -1 the output of the last layer; the
        final norm is never applied.
        """
        layers = self.vision_model.encoder.layers
        last = layer if layer >= 0 else len(layers) + 1 + layer
        if not 0 <= last <= len(layers):
            raise ModelError(f"vision_feature_layer {layer} of a tower with {len(layers)} layers")
        hidden = self.vision_model.embeddings(pixels)
        if (first := getattr(self.vision_model, "pre_layrnorm", None)) is not None:
            hidden = first(hidden)
        for block in layers[:last]:
            hidden = block(hidden, *self.masks)
        return cast("Tensor", hidden)

    def norm(self, hidden: Tensor) -> Tensor:
        """The final norm, (images, tokens, width) both."""
        return cast("Tensor", self.vision_model.post_layernorm(hidden))

    def tokens(self, pixels: int) -> tuple[int, ...]:
        """Patches, and the class token where there is one. The image's size is the config's."""
        config = self.vision_model.config
        return (int((config.image_size // config.patch_size) ** 2) + int(self.class_token),)
