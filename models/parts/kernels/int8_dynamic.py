"""Linear layers in 8-bit integers, weights and inputs: `--quantize int8-dynamic`.

Each row of inputs is rounded by its own scale as it comes in (so what else is in the batch plays no part), multiplied
in integers by the processor's VNNI instructions, and scaled back. Weights have a scale for each output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 127
ZERO = 128
"""Inputs are stored unsigned, with this as their zero: the form that VNNI multiplies."""


def missing(device: torch.device) -> str:
    """Why it cannot be had on this device; empty if it can."""
    if device.type != "cpu":
        return f"it multiplies by instructions of a CPU, and the model is on {device.type}"
    if not hasattr(torch.ops.onednn, "qlinear_prepack"):
        return "this torch was built without oneDNN's integer products"
    return "" if has_vnni() else "this processor has no VNNI instructions, without which sums of products overflow"


def has_vnni() -> bool:
    """Whether the processor multiplies 8-bit integers into 32-bit sums."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is None:
        return bool(torch.cpu._is_vnni_supported())
    found = capabilities()
    return bool(found.get("avx512_vnni") or found.get("avx_vnni") or found.get("amx_int8"))


class Int8DynamicLinear(nn.Module):
    """A Linear layer without gradients, its weights in 8 bits."""

    codes: Tensor
    """(outputs, inputs) int8, packed by oneDNN."""
    scale: Tensor
    """(outputs,) float32."""
    zeros: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias
        weight = layer.weight.detach().float()
        scale = weight.abs().amax(dim=1).clamp_(min=torch.finfo(torch.float32).tiny) / LEVELS
        codes = (weight / scale[:, None]).round_().to(torch.int8)
        self.register_buffer("codes", torch.ops.onednn.qlinear_prepack(codes, None), persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("zeros", torch.zeros(self.out_features, dtype=torch.int32), persistent=False)
        self.dtype = layer.weight.dtype

    @property
    def held(self) -> int:
        """How many weights the bytes stand for."""
        return self.in_features * self.out_features

    @property
    def weight(self) -> Tensor:
        """An empty tensor of the layer's number type and device, which is what others look at it for."""
        return self.scale.new_empty(0, dtype=self.dtype)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs), in the number type of the inputs."""
        rows = inputs.reshape(-1, self.in_features).float()
        if not rows.numel():
            return inputs.new_empty(*inputs.shape[:-1], self.out_features)
        scale = rows.abs().amax(dim=1, keepdim=True).clamp_(min=torch.finfo(torch.float32).tiny) / LEVELS
        codes = rows.div(scale).add_(ZERO + 0.5).to(torch.uint8)  # rounded: what is cut off is below the half added
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            codes, 1.0, ZERO, self.codes, self.scale, self.zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        product.mul_(scale)
        if self.bias is not None:
            product += self.bias
        return product.to(inputs.dtype).view(*inputs.shape[:-1], self.out_features)
