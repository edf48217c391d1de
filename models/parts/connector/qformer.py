"""The Q-Former: learned queries read the vision features through a small BERT. transformers' Blip2 class does the work.

Sources: BLIP-2, arXiv 2301.12597; MiniGPT-4 minigpt4/models/Qformer.py@d94738a; TinyLLaVA_Factory
tinyllava/model/connector/qformer.py@53f12c7, which leaves the weights of the first norm out.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

QUERY_STD = 0.02


class QFormer(nn.Module):
    """Keys: `query_tokens`, `bert.*` in transformers' Blip2QFormerModel names, `projector.*`."""

    def __init__(
        self, settings: Mapping[str, Any], *, vision: int, queries: int, affine: bool, projector: list[int]
    ) -> None:
        """`settings`: what differs from BERT base, in Blip2QFormerConfig's names. `affine`: whether the norm of the
        queries has weights. `projector`: widths after the Q-Former's own; several make linear layers in a row.
        """
        from transformers import Blip2QFormerConfig, Blip2QFormerModel

        super().__init__()
        config = Blip2QFormerConfig(**{**settings, "encoder_hidden_size": vision})
        self.bert: Any = Blip2QFormerModel(config)
        width = int(config.hidden_size)
        if not affine:
            self.bert.layernorm = nn.LayerNorm(width, eps=config.layer_norm_eps, elementwise_affine=False)
        self.query_tokens = nn.Parameter(torch.empty(1, queries, width).normal_(std=QUERY_STD))
        widths = [width, *projector]
        layers = [nn.Linear(before, after) for before, after in pairwise(widths)]
        self.projector = layers[0] if len(layers) == 1 else nn.Sequential(*layers)

    def read(self, features: Tensor) -> Tensor:
        """(images, tokens, vision width) to (images, queries, Q-Former width): before the projector."""
        # The model's own forward takes its dtype from a weight that the affine-free norm lacks: norm and encoder it is.
        start = self.bert.dropout(self.bert.layernorm(self.query_tokens.to(features.dtype)))
        hidden = start.expand(len(features), -1, -1)
        output = self.bert.encoder(hidden, encoder_hidden_states=features, query_length=hidden.shape[1])
        return cast("Tensor", output.last_hidden_state)

    def forward(self, features: Tensor) -> Tensor:
        """(images, tokens, vision width) to (images, queries, language width)."""
        return cast("Tensor", self.projector(self.read(features)))
