"""Attention by plain products in bfloat16 on a CPU: `--attention matmul`.

torch's scaled_dot_product_attention runs there at float32's speed; two matrix products and a softmax are 2 to 3 times
as fast. Scores are rounded to bfloat16 before the softmax, as transformers' `eager` rounds them; sdpa keeps them whole.
A few heads at a time, so that their scores stay in the processor's cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vlmbench.base.errors import ModelError

NAME = "matmul"
SCORES = 1 << 20
"""Most scores at a time: 2 MiB."""
BLOCK = 256
"""Queries at a time where each sees only what is before it: keys behind a block are left out."""


def check(name: str, device: torch.device, dtype: torch.dtype) -> None:
    """Raise ModelError for a device and a number type that `matmul` is not for; other names pass."""
    if name == NAME and (reason := missing(device, dtype)):
        raise ModelError(reason, hint="add --dtype bfloat16 --device cpu, or leave out --attention")


def missing(device: torch.device, dtype: torch.dtype) -> str:
    """Why it is not for this device and number type; empty if it is."""
    if device.type == "cpu" and dtype == torch.bfloat16:
        return ""
    name = str(dtype).removeprefix("torch.")
    return f"attention matmul is for bfloat16 on a CPU, not for {name} on {device.type}, where sdpa is faster"


def register() -> None:
    """Make it known to transformers, with the masks of sdpa."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def use(name: str, network: nn.Module) -> None:
    """Have every part of a network attend by `matmul` that attends by sdpa; other names change nothing."""
    if name != NAME:
        return
    register()
    for module in network.modules():
        config: Any = getattr(module, "config", None)
        if getattr(config, "_attn_implementation", None) == "sdpa":
            config._attn_implementation = NAME


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """(batch, heads, queries, d), (batch, groups, keys, d) twice, and (batch or 1, heads or 1, queries, keys), bool or
    additive, to (batch, queries, heads, d).

    What it is not for goes to sdpa: other number types and devices, gradients, dropout, positions as biases, paged
    caches.
    """
    special = dropout or any(more.get(name) is not None for name in ("position_bias", "cache", "softcap"))
    special = special or (torch.is_grad_enabled() and query.requires_grad)
    if special or missing(query.device, query.dtype):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **more
        )
        return found
    batch, heads, queries, width = query.shape
    keys = key.shape[2]
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    causal = bool(causal) and attention_mask is None and queries > 1
    bias = None if attention_mask is None else additive(attention_mask, query.dtype)
    if (groups := heads // key.shape[1]) > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    query = query * (width**-0.5 if scaling is None else scaling)
    output = query.new_empty(batch, queries, heads, value.shape[3])
    for first in range(0, queries, BLOCK if causal else queries):
        rows = slice(first, min(first + BLOCK, queries) if causal else queries)
        seen = min(rows.stop, keys) if causal else keys
        if causal:
            lower = torch.ones(1, 1, rows.stop - first, seen, dtype=torch.bool).tril(first)
            bias = additive(lower, query.dtype)
        _by_heads(query[:, :, rows], key[:, :, :seen], value[:, :, :seen], bias, output[:, rows])
    return output, None


def _by_heads(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, output: Tensor) -> None:
    """Fill `output`, (batch, queries, heads, d). `bias`: added to scores, (batch or 1, heads or 1, queries, keys).

    The first product goes head by head: several heads' keys, views of a cache with room for more, would be copied.
    """
    batch, heads, queries, _ = query.shape
    keys = key.shape[2]
    step = max(1, SCORES // (batch * queries * keys))
    for first in range(0, heads, step):
        part = range(first, min(first + step, heads))
        scores = query.new_empty(batch, len(part), queries, keys)
        for row in range(batch):
            added = None if bias is None else bias[row if bias.shape[0] > 1 else 0]  # (heads or 1, queries, keys)
            for place, head in enumerate(part):
                factors, product = (query[row, head], key[row, head].t()), scores[row, place]
                if added is None:
                    torch.mm(*factors, out=product)
                else:
                    torch.addmm(added[head if added.shape[0] > 1 else 0], *factors, out=product)
        output[:, :, part.start : part.stop] = (scores.softmax(dim=-1) @ value[:, part.start : part.stop]).transpose(
            1, 2
        )


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask to add to scores. Half the lowest number, so that a score on top of it stays finite."""
    if mask.dtype != torch.bool:
        return mask.to(dtype).clamp(min=torch.finfo(dtype).min / 2)
    hidden = mask.logical_not().view(torch.uint8)  # bytes: converting them is several times as fast as masked_fill
    return hidden.to(dtype).mul_(torch.finfo(dtype).min / 2)
