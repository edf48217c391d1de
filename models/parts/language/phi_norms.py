"""TinyGPT-V's language model: Phi with one more norm, put around transformers' own attention.

Source: TinyGPT-V modeling_phi.py@83f6189. Its three differences from plain Phi: normalised queries and keys (Phi's own
`qk_layernorm`, switched on), an RMSNorm on what the attention branch gives (the MLP branch has none), and rotary
tables that were rounded to half precision when the model was loaded.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

from .model import fit_head_norms

RMS_EPS = 1e-6
"""Fixed in the official code, unlike the eps of Phi's own norms."""


@cache
def _attention_class() -> Any:
    from transformers.models.llama.modeling_llama import LlamaRMSNorm
    from transformers.models.phi.modeling_phi import PhiAttention

    class NormedAttention(PhiAttention):  # type: ignore[misc]
        """Phi's attention with an RMSNorm behind it. Adds the key `post_layernorm.weight`."""

        def __init__(self, config: Any, layer_idx: int) -> None:
            super().__init__(config, layer_idx)
            self.post_layernorm = LlamaRMSNorm(config.hidden_size, eps=RMS_EPS)

        def forward(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
            """(rows, length, d) to (rows, length, d), and the attention weights where asked for."""
            mixed, weights = super().forward(*args, **kwargs)
            return self.post_layernorm(mixed), weights

    return NormedAttention


class HalfTables(nn.Module):
    """A rotary embedding whose cosines and sines are rounded to float16, whatever they are used in."""

    def __init__(self, rotary: nn.Module) -> None:
        super().__init__()
        self.rotary = rotary

    def forward(self, hidden: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, length, d) and (rows, length) positions to cos and sin, (rows, length, rotary width) each."""
        exact = torch.empty(0, dtype=torch.float32, device=hidden.device)
        cos, sin = cast("tuple[Tensor, Tensor]", self.rotary(exact, position_ids=position_ids))
        return cos.half().to(hidden.dtype), sin.half().to(hidden.dtype)


def norm_branches(language_model: Any) -> None:
    """Give every layer's attention its RMSNorm, freshly at 1. The layers' other weights are drawn anew."""
    build = _attention_class()
    for index, layer in enumerate(language_model.model.layers):
        layer.self_attn = build(language_model.config, index)
    fit_head_norms(language_model)


def round_tables(language_model: Any) -> None:
    """Round the rotary tables as the official loading does (the model is built under float16)."""
    language_model.model.rotary_emb = HalfTables(language_model.model.rotary_emb)
