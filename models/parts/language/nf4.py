"""Frozen matrices in four bits, as QLoRA holds them: NormalFloat4 by blocks of 64, whose scales have eight bits.

Source: arXiv 2305.14314 (levels: appendix E). In plain torch, so on any device; the scales of 256 blocks share one of
their own, in even steps, where bitsandbytes has uneven ones.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK, GROUP = 64, 256
LEVELS = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
    *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)


class Nf4Linear(nn.Module):
    """A linear layer whose matrix does not learn. Its gradient passes; the whole matrix exists only while it runs."""

    codes: Tensor
    scales: Tensor
    steps: Tensor
    middle: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias
        weight = layer.weight.detach()
        self.dtype = weight.dtype
        flat = functional.pad(weight.float().flatten(), (0, -weight.numel() % BLOCK)).view(-1, BLOCK)
        largest = flat.abs().amax(dim=1)
        middle = largest.mean()
        groups = functional.pad(largest - middle, (0, -len(largest) % GROUP)).view(-1, GROUP)
        steps = (groups.abs().amax(dim=1, keepdim=True) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        self.register_buffer("scales", (groups / steps).round().to(torch.int8))
        self.register_buffer("steps", steps)
        self.register_buffer("middle", middle)
        levels = torch.tensor(LEVELS, device=flat.device)
        shares = flat / self._scales(len(flat)).clamp(min=torch.finfo(torch.float32).tiny)
        nearest = torch.bucketize(shares.contiguous(), (levels[1:] + levels[:-1]) / 2).to(torch.uint8).flatten()
        self.register_buffer("codes", nearest[::2] << 4 | nearest[1::2])

    def _scales(self, blocks: int) -> Tensor:
        return (self.scales * self.steps + self.middle).flatten()[:blocks].unsqueeze(1)

    @property
    def weight(self) -> Tensor:
        """(out_features, in_features) as float32 or what it was, made anew each time."""
        codes = torch.stack([self.codes >> 4, self.codes & 15], dim=1).long()
        flat = torch.tensor(LEVELS, device=codes.device)[codes].view(-1, BLOCK)
        whole = (flat * self._scales(len(flat))).flatten()[: self.in_features * self.out_features]
        return whole.view(self.out_features, self.in_features).to(self.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        product = cast("Tensor", _Product.apply(x, self))  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias.to(product.dtype)


class _Product(torch.autograd.Function):
    """x times the matrix; the matrix is made again in the backward pass instead of kept."""

    @staticmethod
    def forward(context: Any, x: Tensor, layer: Nf4Linear) -> Tensor:
        context.layer = layer
        return x @ layer.weight.to(x.dtype).T

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad @ context.layer.weight.to(grad.dtype), None


def pack(language_model: nn.Module) -> None:
    """Hold every frozen linear layer but the head in four bits, in place; a second time changes nothing."""
    head = language_model.get_output_embeddings()  # type: ignore[operator]
    for name, module in [*language_model.named_modules()]:
        if type(module) is nn.Linear and module is not head and not module.weight.requires_grad:
            _put(language_model, name, Nf4Linear(module))


def unpack(language_model: nn.Module) -> None:
    """Whole matrices again, as rounded."""
    for name, module in [*language_model.named_modules()]:
        if isinstance(module, Nf4Linear):
            layer = nn.Linear(module.in_features, module.out_features, module.bias is not None)
            layer = layer.to(module.codes.device, module.dtype).requires_grad_(False)
            layer.weight.data = module.weight
            if module.bias is not None:
                layer.bias = module.bias
            _put(language_model, name, layer)


def _put(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(root.get_submodule(parent), last, module)
