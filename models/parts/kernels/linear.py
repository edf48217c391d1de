"""Linear layers through oneDNN: `--linear onednn`.

torch hands float32 products to MKL, which reaches half of the machine's peak on some processors (AMD with AVX-512);
oneDNN reaches it. Weights are kept once, in the blocked layout that oneDNN reads: it pays most for few rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from .activation import Fused

DTYPES = (torch.float32, torch.bfloat16)
"""Number types whose products oneDNN has a fast path for on every CPU that it runs on."""


class OneDnnLinear(nn.Module):
    """A Linear layer without gradients whose weight oneDNN keeps."""

    weight: Tensor

    def __init__(self, layer: nn.Linear, *, shared: bool) -> None:
        """`shared`: another module needs the weight too (a head tied to the embeddings), so it stays as it is."""
        super().__init__()
        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias
        self.activation = "none"
        """What is computed on the outputs: `none` or `gelu`, in its tanh form."""
        self.held = 0 if shared else layer.weight.numel()
        """Weights that are no parameter any more."""
        if shared:
            self.weight = layer.weight
        else:
            packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach().contiguous())
            self.register_buffer("weight", packed, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        if not inputs.numel():
            return inputs.new_empty(*inputs.shape[:-1], self.out_features)
        return product(inputs, self.weight, self.bias, self.activation)

    def unpacked(self) -> nn.Linear:
        """The layer as it was, bit by bit."""
        layer = nn.Linear(self.in_features, self.out_features, bias=False, device="meta")
        weight = self.weight.to_dense() if self.held else self.weight
        layer.weight = weight if isinstance(weight, nn.Parameter) else nn.Parameter(weight, requires_grad=False)
        layer.bias = self.bias
        return layer.eval()


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None, activation: str = "none") -> Tensor:
    """(..., in) times (out, in), plain or packed, to (..., out), plus the bias, activated."""
    form = "tanh" if activation == "gelu" else ""
    return cast("Tensor", torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, activation, [], form))


def missing(module: nn.Module) -> str:
    """Why oneDNN cannot run this module's Linear layers; empty if it can."""
    built = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    if not built or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        return "this torch was built without oneDNN"
    layers = [layer for _, layer, _ in _layers(module)]
    if not layers:
        return "it has no Linear layers that oneDNN could run"
    if kinds := {layer.weight.device.type for layer in layers} - {"cpu"}:
        return f"oneDNN runs on the CPU, and the model is on {', '.join(sorted(kinds))}"
    if dtypes := {layer.weight.dtype for layer in layers} - {*DTYPES}:
        return f"oneDNN is used in float32 and bfloat16, not in {', '.join(map(_name, dtypes))}"
    return ""


def pack(module: nn.Module, fused: Mapping[str, str] | None = None) -> None:
    """Give every Linear layer of a module to oneDNN, in place, one after the other.

    `fused`: names of layers that compute the activation behind them, too, and the activations' (see activation).
    """
    for name, layer, shared in list(_layers(module)):
        packed = OneDnnLinear(layer, shared=shared).train(layer.training)
        module.set_submodule(name, packed)
        if behind := (fused or {}).get(name):
            packed.activation = "gelu"
            module.set_submodule(behind, Fused(module.get_submodule(behind)))


def unpack(module: nn.Module) -> None:
    """Undo `pack`."""
    for name, layer in list(module.named_modules()):
        if isinstance(layer, OneDnnLinear):
            module.set_submodule(name, layer.unpacked().train(layer.training))
        elif isinstance(layer, Fused):
            module.set_submodule(name, layer.original)


def shapes(module: nn.Module) -> list[tuple[nn.Linear, bool, int]]:
    """One layer of each shape that `pack` takes, whether another module has its weight, and how many there are."""
    found: dict[tuple[int, int, bool], list[nn.Linear]] = {}
    for _, layer, shared in _layers(module):
        found.setdefault((layer.out_features, layer.in_features, shared), []).append(layer)
    return [(layers[0], shared, len(layers)) for (_, _, shared), layers in found.items()]


def _layers(module: nn.Module) -> Iterator[tuple[str, nn.Linear, bool]]:
    """Layers by name that can go to oneDNN, and whether another module has the same weight.

    Subclasses are left alone, and so are weights that are no plain tensor (quantized ones).
    """
    owners = Counter(id(weight) for part in module.modules() for weight in part.parameters(recurse=False))
    for name, layer in module.named_modules():
        if type(layer) is nn.Linear and not _wraps(layer.weight):
            yield name, layer, owners[id(layer.weight)] > 1


def _wraps(weight: Any) -> bool:
    return hasattr(weight, "__tensor_flatten__") or not weight.is_floating_point()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
