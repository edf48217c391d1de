"""DINOv2, alone or beside CLIP on the same pixels (MoF, mixture of features).

Sources: TinyLLaVA_Factory tinyllava/model/vision_tower/{dinov2,mof}.py@53f12c7; transformers v4.40.1,
models/dinov2/modeling_dinov2.py, whose rule for other image sizes the checkpoints were trained with (later versions
have another one).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlmbench.base.errors import ModelError

from .base import TransformersTower

PUBLISHED: Mapping[str, tuple[int, int, int]] = {
    "facebook/dinov2-small": (384, 12, 6),
    "facebook/dinov2-base": (768, 12, 12),
    "facebook/dinov2-large": (1024, 24, 16),
}
"""Width, layers, heads of the published towers: Factory's files name a second tower, but hold no config of it."""
NUDGE = 0.1
"""Added to the number of patches when the position table is resized: it decides where the table is sampled."""


def published(name: str) -> dict[str, Any]:
    """The config of a published tower. Raises ModelError for another name."""
    if name not in PUBLISHED:
        hint = f"put its config into config.json, as vision_config2; known are {', '.join(PUBLISHED)}"
        raise ModelError(f"the size of the second vision tower {name!r} is not known", hint=hint)
    width, layers, heads = PUBLISHED[name]
    return {
        "model_type": "dinov2",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "image_size": 518,
        "patch_size": 14,
    }


class DinoTower(nn.Module):
    """DINOv2 of transformers. Keys: embeddings.*, encoder.layer.*, layernorm.*."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Raises ModelError for the giant's gated MLP, which transformers 5 keeps in another form than the files."""
        from transformers import Dinov2Config, Dinov2Model

        super().__init__()
        if config.get("use_swiglu_ffn"):
            raise ModelError("no DINOv2 with use_swiglu_ffn", hint="take the small, base or large one")
        model = Dinov2Model(Dinov2Config(**config, attn_implementation="sdpa"))
        self.config = model.config
        self.embeddings, self.encoder, self.layernorm = model.embeddings, model.encoder, model.layernorm

    def tap(self, pixels: Tensor, layer: int) -> Tensor:
        """(images, 3, height, width) to (images, tokens, width). Layers after the tapped one are not run."""
        layers = self.encoder.layer
        last = layer if layer >= 0 else len(layers) + 1 + layer
        if not 0 <= last <= len(layers):
            raise ModelError(f"vision_feature_layer {layer} of a tower with {len(layers)} layers")
        patches = self.embeddings.patch_embeddings(pixels)
        first = self.embeddings.cls_token.expand(len(patches), -1, -1)
        rows, columns = (edge // int(self.config.patch_size) for edge in pixels.shape[-2:])
        hidden = torch.cat([first, patches], dim=1) + self._positions(rows, columns)
        for block in layers[:last]:
            hidden = block(hidden, None)
        return hidden

    def _positions(self, rows: int, columns: int) -> Tensor:
        """The position table for (rows, columns) patches, (1, 1 + rows * columns, width)."""
        table: Tensor = self.embeddings.position_embeddings
        edge = math.isqrt(table.shape[1] - 1)
        if rows == columns == edge:
            return table
        grid = table[:, 1:].reshape(1, edge, edge, -1).permute(0, 3, 1, 2)
        scale = ((rows + NUDGE) / edge, (columns + NUDGE) / edge)
        grid = functional.interpolate(grid.float(), scale_factor=scale, mode="bicubic").to(table.dtype)
        return torch.cat([table[:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)

    def norm(self, hidden: Tensor) -> Tensor:
        """The final norm, (images, tokens, width) both."""
        return cast("Tensor", self.layernorm(hidden))

    def tokens(self, pixels: int) -> tuple[int, ...]:
        """Patches and the class token of an image with this edge."""
        edge = (pixels or int(self.config.image_size)) // int(self.config.patch_size)
        return (edge**2 + 1,)


class MixtureTower(nn.Module):
    """CLIP and DINOv2 on the same pixels. Keys: clip.vision_model.*, dinov2.*."""

    def __init__(self, clip: TransformersTower, dinov2: Mapping[str, Any], pixels: int) -> None:
        """`pixels`: edge of CLIP's images. Raises ModelError when the two do not give equally many tokens."""
        super().__init__()
        self.clip, self.dinov2 = clip, DinoTower(dinov2)
        self.pixels = pixels
        widths = int(clip.vision_model.config.hidden_size), int(self.dinov2.config.hidden_size)
        (clip_tokens,), (dino_tokens,) = clip.tokens(pixels), self.dinov2.tokens(pixels)
        if widths[0] != widths[1] or clip_tokens != dino_tokens:
            message = f"CLIP gives {clip_tokens} tokens of width {widths[0]}, DINOv2 {dino_tokens} of width {widths[1]}"
            raise ModelError(message, hint="a mixture of features needs towers of the same width and patch size")

    def tap(self, pixels: Tensor, layer: int) -> tuple[Tensor, ...]:
        """(images, 3, height, width) to what each tower gives, (images, tokens, width) both."""
        return self.clip.tap(pixels, layer), self.dinov2.tap(pixels, layer)

    def norm(self, hidden: Tensor) -> Tensor:
        """Raises ModelError: no published mixture applies the towers' final norms."""
        raise ModelError("a mixture of features has no final norm")

    def tokens(self, pixels: int) -> tuple[int, ...]:
        """Those of each tower."""
        return (*self.clip.tokens(self.pixels), *self.dinov2.tokens(self.pixels))
