"""Connectors: vision features to embeddings of the language model. A new one is one entry in CONNECTORS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlmbench.base.errors import ModelError

from .qformer import QFormer

HEADS, HEAD_WIDTH = 8, 64
"""Of the resampler, fixed in the official code."""
LEGACY_WIDTH, LEGACY_HEADS = 768, {512: 8}
"""Of the resampler of TinyLLaVA's first code: its usual width, and heads by width where they are not 12."""
MERGED = 4
"""Patches that become one token in MiniGPT-v2."""
TINYGPTV_MIDDLE = 4096
"""Width between TinyGPT-V's two linear layers: that of Vicuna 7B, from which the first may be taken over."""


@dataclass(frozen=True, slots=True)
class Widths:
    """What a connector needs to know of its neighbours and of the config."""

    vision: int
    language: int
    visual_tokens: int
    queries: int = 128
    layers: int = 3
    qformer: Mapping[str, Any] = field(default_factory=dict)
    """What differs from BERT base, in Blip2QFormerConfig's names."""
    inner: int = LEGACY_WIDTH
    """Width inside the legacy resampler."""
    middle: int = TINYGPTV_MIDDLE
    """Width between the two linear layers of `qformer_two_linear`."""


class ResamplerAttention(nn.Module):
    """Latents look at the features and at themselves. Keys: norm_media, norm_latents, to_q, to_kv, to_out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.norm_media, self.norm_latents = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def forward(self, media: Tensor, latents: Tensor) -> Tensor:
        """(images, tokens, d) and (images, queries, d) to (images, queries, d)."""
        latents = self.norm_latents(latents)
        keys = torch.cat((self.norm_media(media), latents), dim=1)
        split = [part.unflatten(-1, (HEADS, HEAD_WIDTH)).transpose(1, 2) for part in self.to_kv(keys).chunk(2, dim=-1)]
        query = self.to_q(latents).unflatten(-1, (HEADS, HEAD_WIDTH)).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(query, *split)
        return cast("Tensor", self.to_out(mixed.transpose(1, 2).flatten(2)))


class Resampler(nn.Module):
    """A fixed number of learned queries reads the features.

    Source: TinyLLaVA_Factory tinyllava/model/connector/resampler.py@53f12c7 (resampler_hidden_size is ignored there).
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        d = widths.language
        self.latents = nn.Parameter(torch.randn(widths.queries, d))
        self.linear = nn.Linear(widths.vision, d)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    ResamplerAttention(d),
                    nn.Sequential(
                        nn.LayerNorm(d), nn.Linear(d, 4 * d, bias=False), nn.GELU(), nn.Linear(4 * d, d, bias=False)
                    ),
                ]
            )
            for _ in range(widths.layers)
        )
        self.norm = nn.LayerNorm(d)

    def forward(self, features: Tensor) -> Tensor:
        """(images, tokens, vision width) to (images, queries, language width)."""
        media = self.linear(features)
        latents = self.latents.expand(len(features), -1, -1)
        for layer in self.layers:
            attention, mlp = cast("nn.ModuleList", layer)
            latents = latents + attention(media, latents)
            latents = latents + mlp(latents)
        return cast("Tensor", self.norm(latents))


class LegacyLayer(nn.Module):
    """Queries look at the features alone. Keys: norm_image, norm_hidden, to_q, to_k, to_v, to_out, feed_forward."""

    def __init__(self, vision: int, d: int) -> None:
        """Raises ModelError when the heads do not divide the width."""
        super().__init__()
        self.heads = LEGACY_HEADS.get(d, 12)
        if d % self.heads:
            raise ModelError(f"resampler_hidden_size {d} cannot be split into {self.heads} heads")
        self.norm_image, self.norm_hidden = nn.LayerNorm(vision), nn.LayerNorm(d)
        self.to_q = nn.Linear(d, d, bias=False)
        self.to_k, self.to_v = nn.Linear(vision, d, bias=False), nn.Linear(vision, d, bias=False)
        self.to_out = nn.Linear(d, d, bias=False)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(d), nn.Linear(d, 4 * d, bias=False), nn.GELU(), nn.Linear(4 * d, d, bias=False)
        )

    def forward(self, hidden: Tensor, features: Tensor) -> Tensor:
        """(images, queries, d) and (images, tokens, vision width) to (images, queries, d)."""
        normed = self.norm_image(features)
        split = [
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_q(self.norm_hidden(hidden)), self.to_k(normed), self.to_v(normed))
        ]
        mixed = functional.scaled_dot_product_attention(*split)
        hidden = hidden + self.to_out(mixed.transpose(1, 2).flatten(2))
        return cast("Tensor", hidden + self.feed_forward(hidden))


class LegacyResampler(nn.Module):
    """The resampler of TinyLLaVA's first code: other names, other widths, other keys than Factory's.

    Source: TinyLLaVA_Factory tinyllava/model/multimodal_projector/builder.py@2d2105f (branch tinyllava_bench).
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.resampler_blocks = nn.ModuleList(LegacyLayer(widths.vision, widths.inner) for _ in range(widths.layers))
        self.queries = nn.Parameter(torch.randn(widths.queries, widths.inner))
        self.post_norm = nn.LayerNorm(widths.inner)
        self.final_proj = nn.Linear(widths.inner, widths.language, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(images, tokens, vision width) to (images, queries, language width)."""
        hidden = self.queries.expand(len(features), -1, -1)
        for layer in self.resampler_blocks:
            hidden = layer(hidden, features)
        return cast("Tensor", self.final_proj(self.post_norm(hidden)))


class MixtureMlp(nn.Module):
    """An MLP for each half of the tokens, then one of the first by one of the second. Keys: clip.*, dinov2.*.

    Source: TinyLLaVA_Factory tinyllava/model/connector/mof_mlp.py@53f12c7.
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.clip, self.dinov2 = _mlp(widths, 2), _mlp(widths, 2)

    def forward(self, features: Tensor) -> Tensor:
        """(images, CLIP's tokens then DINOv2's, vision width) to (images, tokens, language width)."""
        first, second = features.chunk(2, dim=1)
        return torch.stack([self.clip(first), self.dinov2(second)], dim=2).flatten(1, 2)


class MergeFour(nn.Module):
    """Each four patches that follow each other in a row of the image become one token.

    Source: MiniGPT-4 minigpt4/models/minigpt_v2.py@d94738a. Keys: projector.
    """

    def __init__(self, widths: Widths) -> None:
        """Raises ModelError when the patches are not a multiple of four."""
        super().__init__()
        if widths.visual_tokens % MERGED:
            raise ModelError(f"{widths.visual_tokens} visual tokens cannot be merged by {MERGED}")
        self.projector = nn.Linear(MERGED * widths.vision, widths.language)

    def forward(self, features: Tensor) -> Tensor:
        """(images, tokens, vision width) to (images, tokens / 4, language width)."""
        images, tokens, width = features.shape
        return cast("Tensor", self.projector(features.reshape(images, tokens // MERGED, MERGED * width)))


def _qformer(widths: Widths, *, affine: bool = True, middle: tuple[int, ...] = ()) -> nn.Module:
    projector = [*middle, widths.language]
    return QFormer(widths.qformer, vision=widths.vision, queries=widths.queries, affine=affine, projector=projector)


def _qformer_two_linear(widths: Widths) -> nn.Module:
    return _qformer(widths, middle=(widths.middle,))


def _mlp(widths: Widths, depth: int) -> nn.Module:
    """Linear, then (depth - 1) times GELU and Linear. Keys: 0, 2, 4, ..."""
    layers: list[nn.Module] = [nn.Linear(widths.vision, widths.language)]
    for _ in range(1, depth):
        layers += [nn.GELU(), nn.Linear(widths.language, widths.language)]
    return nn.Sequential(*layers)


@dataclass(frozen=True, slots=True)
class Entry:
    """How one connector is built and how many tokens it gives."""

    build: Callable[[Widths], nn.Module]
    tokens: Callable[[Widths], int] = lambda widths: widths.visual_tokens


CONNECTORS: Mapping[str, Entry] = {
    "identity": Entry(lambda widths: nn.Identity()),
    "linear": Entry(lambda widths: nn.Linear(widths.vision, widths.language)),
    "resampler": Entry(Resampler, tokens=lambda widths: widths.queries),
    "legacy_resampler": Entry(LegacyResampler, tokens=lambda widths: widths.queries),
    "mof_mlp": Entry(MixtureMlp),
    "qformer": Entry(partial(_qformer, affine=False), tokens=lambda widths: widths.queries),
    "qformer_linear": Entry(_qformer, tokens=lambda widths: widths.queries),
    "qformer_two_linear": Entry(_qformer_two_linear, tokens=lambda widths: widths.queries),
    "merge4_linear": Entry(MergeFour, tokens=lambda widths: widths.visual_tokens // MERGED),
}
"""By exact name. Factory's code looks for a substring of the name and takes the last that fits. `qformer` is Factory's,
the three below it are MiniGPT-4's, TinyGPT-V's and MiniGPT-v2's (and MiniGPT-4's with Llama-2)."""

MLP = re.compile(r"mlp([1-9]\d?)x_gelu")


def find(name: str) -> Entry:
    """The entry of a connector_type. Raises ModelError, naming what there is."""
    if match := MLP.fullmatch(name):
        return Entry(lambda widths: _mlp(widths, int(match[1])))
    if name not in CONNECTORS:
        raise ModelError(f"no connector {name!r}", hint=f"there are: {', '.join(CONNECTORS)}, mlpNx_gelu")
    return CONNECTORS[name]


class Connector(nn.Module):
    """What Factory calls connector. Keys: `_connector.*`."""

    def __init__(self, name: str, widths: Widths) -> None:
        """Raises ModelError for an unknown name, or for identity between different widths."""
        super().__init__()
        entry = find(name)
        if name == "identity" and widths.vision != widths.language:
            raise ModelError(f"identity cannot join widths {widths.vision} and {widths.language}", hint="take linear")
        self._connector = entry.build(widths)
        self.tokens = entry.tokens(widths)
        """Visual tokens it gives."""

    def forward(self, features: Tensor) -> Tensor:
        """(images, visual tokens, vision width) to (images, tokens, language width)."""
        return cast("Tensor", self._connector(features))

    def read(self, features: Tensor) -> Tensor:
        """What a Q-Former gives, (images, queries, its width): before the projector. Raises ModelError without one."""
        if not isinstance(self._connector, QFormer):
            raise ModelError("this connector has no Q-Former")
        return self._connector.read(features)
