"""Tensors that official checkpoints hold in one piece and our networks in several, or the other way round.

Each step takes and gives a whole state dict in official names, and has its inverse. Sources: LAVIS' EVA in MiniGPT-4
minigpt4/models/eva_vit.py@d94738a; the fused projection of TinyGPT-V modeling_phi.py@83f6189.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vlmbench.base.errors import ModelError

State = dict[str, Tensor]

_EVA_BIAS = re.compile(r"(visual_encoder\.blocks\.\d+\.attn\.)(q_bias|v_bias)")
_EVA_WHOLE = re.compile(r"(visual_encoder\.blocks\.\d+\.attn\.)qkv\.bias")
_EVA_OURS = re.compile(r"vision_tower\..+\.self_attn\.qkv\.bias")
FUSED = re.compile(r"(.+\.self_attn\.)query_key_value\.(weight|bias|lora_A\.weight|lora_B\.weight)")
SPLIT = re.compile(r"(.+\.self_attn\.)([qkv])_proj\.(weight|bias|lora_A\.weight|lora_B\.weight)")
SHARED = "lora_A.weight"
"""Of the adapter of a fused projection, what its three parts have in common."""


def join_biases(state: Mapping[str, Tensor]) -> State:
    """EVA's q_bias and v_bias (d,) to one bias (3d,) of queries, keys, values; keys have none, that is zero.

    Raises ModelError where one of the two is missing.
    """
    joined = {}
    for name, tensor in state.items():
        if not (match := _EVA_BIAS.fullmatch(name)):
            joined[name] = tensor
            continue
        block = match[1]
        query, value = (_found(state, f"{block}{bias}") for bias in ("q_bias", "v_bias"))
        joined[f"{block}qkv.bias"] = torch.cat([query, torch.zeros_like(query), value])
    return joined


def part_biases(state: Mapping[str, Tensor]) -> State:
    """The inverse of `join_biases`; what the keys have is left out."""
    parted = {}
    for name, tensor in state.items():
        if match := _EVA_WHOLE.fullmatch(name):
            query, _, value = tensor.chunk(3)
            parted[f"{match[1]}q_bias"], parted[f"{match[1]}v_bias"] = query.clone(), value.clone()
        else:
            parted[name] = tensor
    return parted


def split_fused(state: Mapping[str, Tensor], heads: int) -> State:
    """One projection (heads * 3 * head width, ...), laid out head by head as query, key, value, to three.

    An adapter's B goes with it; its A belongs to all three and is kept under the first's name. Raises ModelError for
    rows that these heads cannot be told from.
    """
    split = {}
    for name, tensor in state.items():
        if not (match := FUSED.fullmatch(name)):
            split[name] = tensor
        elif match[2] == SHARED:
            split[f"{match[1]}q_proj.{SHARED}"] = tensor
        else:
            if len(tensor) % (3 * heads):
                raise ModelError(f"{name} {list(tensor.shape)} is not of {heads} heads with query, key and value")
            for letter, part in zip("qkv", tensor.reshape(heads, 3, -1, *tensor.shape[1:]).unbind(1), strict=True):
                split[f"{match[1]}{letter}_proj.{match[2]}"] = part.flatten(0, 1).clone()
    return split


def fuse(state: Mapping[str, Tensor], heads: int) -> State:
    """The inverse of `split_fused`. Raises ModelError for missing parts, or adapters that do not share their A."""
    fused = {}
    for name, tensor in state.items():
        if not (match := SPLIT.fullmatch(name)):
            fused[name] = tensor
            continue
        layer, _, leaf = match.groups()
        whole = f"{layer}query_key_value.{leaf}"
        if whole in fused:
            continue
        if leaf == SHARED:
            shared = [
                state[f"{layer}{letter}_proj.{leaf}"] for letter in "qkv" if f"{layer}{letter}_proj.{leaf}" in state
            ]
            if not all(torch.equal(shared[0], other) for other in shared[1:]):
                raise ModelError(f"{layer}: the adapters of query, key and value differ in A and cannot be fused")
            fused[whole] = shared[0]
        else:
            parts = [_found(state, f"{layer}{letter}_proj.{leaf}") for letter in "qkv"]
            apart = [part.reshape(heads, -1, *part.shape[1:]) for part in parts]
            fused[whole] = torch.stack(apart, dim=1).flatten(0, 2)
    return fused


def resized_positions(table: Tensor, patches: int) -> Tensor:
    """EVA's position table (1, 1 + old patches, d) for images of another size, (1, 1 + patches, d).

    Bicubic over the square of patches, in float32; the class token's row stays. A table that fits is given back as it
    is. Raises ModelError where either is not a square.
    """
    old, new = int((table.shape[1] - 1) ** 0.5), int(patches**0.5)
    if old**2 != table.shape[1] - 1 or new**2 != patches:
        raise ModelError(f"a position table of {table.shape[1] - 1} patches cannot be drawn out to {patches}")
    if old == new:
        return table
    first, square = table[:, :1].float(), table[:, 1:].float()
    square = square.view(1, old, old, -1).permute(0, 3, 1, 2)
    square = functional.interpolate(square, size=(new, new), mode="bicubic", align_corners=False)
    return torch.cat([first, square.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def key_biases(state: Mapping[str, Tensor]) -> Sequence[str]:
    """EVA's joined biases, in our names, whose part of the keys is not zero: `part_biases` would lose it."""
    return [name for name, tensor in state.items() if _EVA_OURS.fullmatch(name) and tensor.chunk(3)[1].any()]


def _found(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise ModelError(f"1 missing: {name}", hint="the checkpoint is incomplete: fetch it again")
    return state[name]
