"""Vision towers with fewer heads than their width has room for: what is left of one after pruning.

transformers' vision classes derive a head's width from the number of heads; language models have `head_dim` of their
own. A tower's config with `head_dim` is built whole here, and its attention is then narrowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from torch import Tensor, nn

from vlmbench.base.errors import ModelError


def whole(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A tower's settings as transformers takes them: all heads that the width has room for.

    Raises ModelError for a width that does not go into heads.
    """
    rest = dict(settings)
    head = rest.pop("head_dim", None)
    if head is None:
        return rest
    width, heads = int(rest["hidden_size"]), rest["num_attention_heads"]
    if not isinstance(head, int) or head < 1 or width % head or not 0 < heads <= width // head:
        message = f"vision_config: {heads} heads of width {head} do not go into a hidden_size of {width}"
        raise ModelError(message, hint="a pruned tower's config.json belongs to its weights: take both together")
    return {**rest, "num_attention_heads": width // head}


def narrow(model: Any, settings: Mapping[str, Any]) -> None:
    """Leave as many heads in each layer as the settings say, with fresh weights."""
    if "head_dim" not in settings:
        return
    heads, inner = settings["num_attention_heads"], settings["num_attention_heads"] * settings["head_dim"]
    tower = getattr(model, "vision_model", model)
    width = int(settings["hidden_size"])
    for layer in tower.encoder.layers:
        attention = layer.self_attn
        if hasattr(attention, "qkv"):
            layer.self_attn = _fused_class()(attention, heads, inner)
            continue
        attention.num_heads = heads
        for name in ("q_proj", "k_proj", "v_proj"):
            setattr(attention, name, nn.Linear(width, inner))
        attention.out_proj = nn.Linear(inner, width)
    tower.config.num_attention_heads, tower.config.head_dim = heads, settings["head_dim"]


@cache
def _fused_class() -> Any:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.models.blip_2.modeling_blip_2 import Blip2Attention, eager_attention_forward

    class NarrowAttention(Blip2Attention):  # type: ignore[misc]
        """EVA's attention, whose own forward takes a head's width from the hidden states."""

        def __init__(self, like: Any, heads: int, inner: int) -> None:
            super().__init__(like.config)
            self.num_heads = heads
            self.qkv = nn.Linear(self.embed_dim, 3 * inner, bias=like.qkv.bias is not None)
            self.projection = nn.Linear(inner, self.embed_dim)

        def forward(self, hidden_states: Tensor, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
            """(images, tokens, d) to (images, tokens, d), and the attention weights where asked for."""
            images, tokens, _ = hidden_states.shape
            split = self.qkv(hidden_states).view(images, tokens, 3, self.num_heads, self.head_dim)
            query, key, value = split.permute(2, 0, 3, 1, 4)
            attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
            dropout = self.attention_dropout if self.training else 0.0
            mixed, weights = attend(
                self, query, key, value, attention_mask=None, dropout=dropout, scaling=self.scale, **kwargs
            )
            return self.projection(mixed.reshape(images, tokens, -1)), weights

    return NarrowAttention
