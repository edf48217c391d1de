"""Linear layers through oneDNN with gradients: a recipe's `linear: onednn`.

Weights change with each step, so nothing is packed: oneDNN reads them as they are, forward and, transposed, backward.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from . import linear

MKL, ONEDNN = KINDS = ("mkl", "onednn")


class TrainedLinear(nn.Linear):
    """A Linear layer whose three products oneDNN computes; parameters and their names are nn.Linear's."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        plain = inputs.dtype == self.weight.dtype == torch.float32 and inputs.device.type == "cpu"
        if not plain or not inputs.numel() or torch.is_autocast_enabled(inputs.device.type):
            return super().forward(inputs)
        if not torch.is_grad_enabled():
            return linear.product(inputs, self.weight, self.bias)
        return cast("Tensor", _Product.apply(inputs, self.weight, self.bias))  # type: ignore[no-untyped-call]


class _Product(torch.autograd.Function):
    """(..., in) times (out, in) to (..., out), plus the bias."""

    @staticmethod
    def forward(context: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        context.save_for_backward(inputs, weight)
        return linear.product(inputs, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = context.saved_tensors
        of_inputs, of_weight, of_bias = context.needs_input_grad
        rows = grad.reshape(-1, weight.shape[0])  # (rows, out)
        return (
            linear.product(rows, weight.t(), None).view(inputs.shape) if of_inputs else None,
            linear.product(rows.t(), inputs.reshape(-1, weight.shape[1]).t(), None) if of_weight else None,
            rows.sum(dim=0) if of_bias else None,
        )


def use(kind: str, network: nn.Module) -> None:
    """Have a network's Linear layers computed by one of KINDS from now on, in place; weights stay the same objects."""
    before, after = (nn.Linear, TrainedLinear) if kind == ONEDNN else (TrainedLinear, nn.Linear)
    for module in network.modules():
        if type(module) is before:
            module.__class__ = after


def attend(kind: str, tower: nn.Module) -> None:
    """Have a tower of transformers attend by `sdpa` or `eager` from now on. Under bfloat16 on a CPU, sdpa's backward
    pass takes ten times as long as eager's at 36 tokens.
    """
    for module in tower.modules():
        config: Any = getattr(module, "config", None)
        if getattr(config, "_attn_implementation", None) in ("sdpa", "eager"):
            config._attn_implementation = kind
