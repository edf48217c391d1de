"""Fewer tokens of each image: those with the lowest scores are dropped between connector and language model.

Scores, in the order in which a connector allows them:
- `attention`, where a token stands for a patch (or four): the attention that it receives in the last layer of the
  tower that is run, mean over heads, from the class token where there is one (FasterVLM, arXiv 2412.01818), else mean
  over all tokens (VisionZip, arXiv 2412.04467).
- `norm`, where tokens are answers to learned queries, which no patch stands behind: the Euclidean norm.

Questions play no part, unlike in FastV (arXiv 2403.06764): so all questions about an image share what is left of it.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from vlmbench.base.errors import ModelError

from ..parts.vision.base import TransformersTower
from ..parts.vision.tower import SELECTIONS

BY_ATTENTION, BY_NORM = "attention", "norm"


class TokenPruning:
    """Which tokens of an image are kept."""

    def __init__(self, network: Any, kept: int) -> None:
        """`network`: a VisionLanguageModel; `kept`: tokens of each image.

        Raises ModelError for a tower whose attention is not known.
        """
        self.kept, self.total = kept, int(network.connector.tokens)
        patches = network.vision_tower.tokens()
        self.score = BY_ATTENTION if patches % self.total == 0 and not _asks(network) else BY_NORM
        tower = network.vision_tower._vision_tower
        if self.score == BY_ATTENTION and not isinstance(tower, TransformersTower):
            message = "visual_tokens: the attention of a DINOv2 tower is not read here"
            raise ModelError(message, hint="leave visual_tokens out, or take a model with SigLIP, CLIP or EVA")

    def __str__(self) -> str:
        return f"{self.kept} of {self.total} by {self.score}"

    def features(self, network: Any, pixels: Tensor) -> Tensor:
        """(images, 3, height, width) to (images, kept, width of the language model), tokens in their usual order."""
        if self.score == BY_NORM:
            features = cast("Tensor", network.connector(network.vision_tower(pixels)))
            scores = features.float().norm(dim=-1)
        else:
            seen, received = attention_received(network.vision_tower, pixels)
            features = cast("Tensor", network.connector(seen))
            scores = received.view(len(received), self.total, -1).mean(dim=2)  # (images, tokens)
        places = scores.argsort(dim=1, descending=True, stable=True)[:, : self.kept].sort(dim=1).values
        return features.gather(1, places[..., None].expand(-1, -1, features.shape[-1]))


def kept_of(text: str, total: int) -> int:
    """How many of so many tokens: `18`, or a share with a point, `0.5`. Raises ModelError for none, or too many."""
    hint = f"give a number of tokens from 1 to {total}, or a share with a point: visual_tokens=0.5"
    try:
        kept = round(float(text) * total) if "." in text else int(text)
    except ValueError:
        raise ModelError(f"visual_tokens {text!r} is no number", hint=hint) from None
    if not 1 <= kept <= total:
        raise ModelError(f"visual_tokens {text} leaves {kept} of {total} tokens of an image", hint=hint)
    return kept


def attention_received(tower: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """What a vision tower gives, (images, tokens, width), and the attention each token receives, (images, tokens)."""
    inner = tower._vision_tower
    layers = inner.vision_model.encoder.layers
    last = tower.layer if tower.layer >= 0 else len(layers) + 1 + tower.layer
    if last < 1:
        message = f"visual_tokens: vision_feature_layer {tower.layer} has no attention before it"
        raise ModelError(message, hint="leave visual_tokens out")
    attention, given = layers[last - 1].self_attn, []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...], words: dict[str, Tensor]) -> None:
        given.append(inputs[0] if inputs else words["hidden_states"])

    hook = attention.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        features = tower(pixels)
    finally:
        hook.remove()
    weights = _weights(attention, given[0])  # (images, heads, tokens, tokens)
    received = (weights[:, :, 0] if inner.class_token else weights.mean(dim=2)).mean(dim=1)
    return features, SELECTIONS[tower.selection](received[..., None])[..., 0]


def _weights(attention: Any, hidden: Tensor) -> Tensor:
    """Attention weights in float32, of a layer of SigLIP, CLIP or EVA."""
    if hasattr(attention, "qkv"):
        query, key, _ = attention.qkv(hidden).chunk(3, dim=-1)
    else:
        query, key = attention.q_proj(hidden), attention.k_proj(hidden)
    query, key = (part.float().unflatten(-1, (-1, attention.head_dim)).transpose(1, 2) for part in (query, key))
    return torch.softmax(query @ key.transpose(2, 3) * attention.scale, dim=-1)


def _asks(network: Any) -> bool:
    """Whether tokens are answers to learned queries."""
    return "qformer" in network.blueprint.connector or "resampler" in network.blueprint.connector
