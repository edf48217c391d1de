"""Fewer bits for a language model's weights: `--quantize int8|int4`, by torchao, and `int8-dynamic`, by torch.

What is kept in few bits: the Linear layers of the language model, where nearly all its weights are. What stays as it
is: the embedding table and the head (often one and the same, and the head's products decide between near answers),
norms, biases, adapters (LoRA), and all other parts of the network.

int8 and int4 round only weights, never activations: each product first turns one layer's weights back to the
activations' own number type. So nothing depends on which questions run together, and both engines give equal answers.
int8-dynamic rounds activations too, each row by itself: a difference in the last bit may become a whole step there.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlmbench.base.errors import ModelError, UnknownNameError
from vlmbench.base.process.extras import install_command

from ..parts.kernels.int8_dynamic import Int8DynamicLinear, missing
from ..parts.quiet_import import quiet_logs

DYNAMIC = "int8-dynamic"
MODES = ("int8", "int4", DYNAMIC)
GROUP = 32
"""Weights of a row that share a scale: always in int4, and in int8 under float16."""
ADAPTERS = frozenset({"lora_A", "lora_B"})
"""peft's names of the modules that hold an adapter's layers."""


def check(mode: str) -> None:
    """Raises UnknownNameError for a mode nobody knows, ModelError where torchao is needed and not installed."""
    if mode not in MODES:
        raise UnknownNameError("quantization", mode, MODES)
    if mode != DYNAMIC:
        _torchao()


@torch.no_grad()
def quantize(language_model: Any, mode: str, device: torch.device) -> None:
    """Round the language model's Linear layers in place, one after the other on the way to `device`.

    So the device never holds the whole model unrounded. Whatever is no such layer stays where it was. Raises ModelError
    when there is nothing to round, a layer's width does not go into groups, or the device has no products for it.
    """
    check(mode)
    if mode == DYNAMIC and (reason := missing(device)):
        raise ModelError(f"--quantize {mode}: {reason}", hint="use --quantize int8, or a CPU with VNNI")
    layers = dict(linear_layers(language_model))
    if not layers:
        raise ModelError(f"the language model has no layers left to keep in {mode}", hint="leave out --quantize")
    for name, layer in layers.items():
        grouped = mode == "int4" or layer.weight.dtype == torch.float16
        if grouped and layer.in_features % GROUP:
            message = f"layer {name} takes {layer.in_features} inputs, which do not go into groups of {GROUP}"
            raise ModelError(f"{mode} here: {message}", hint="use --quantize int8 with --dtype float32 or bfloat16")
        layer.to(device)
        if mode == DYNAMIC:
            language_model.set_submodule(name, Int8DynamicLinear(layer))
        elif mode == "int4":
            language_model.set_submodule(name, Int4Linear.of(layer))
        else:
            _to_int8(layer, grouped)


def linear_layers(language_model: Any) -> Iterator[tuple[str, nn.Linear]]:
    """The layers to round, by name: neither the head, nor adapters, nor what is rounded already."""
    head = language_model.get_output_embeddings()
    for name, module in language_model.named_modules():
        unrounded = module is head or not ADAPTERS.isdisjoint(name.split("."))
        if isinstance(module, nn.Linear) and not unrounded and not hasattr(module.weight, "__tensor_flatten__"):
            yield name, module


def _to_int8(layer: nn.Linear, grouped: bool) -> None:
    """torchao's own layer: a scale for each row, multiplied in after the product with whole numbers.

    In float16 that product would pass 65504 on ordinary activations, so there groups are scaled before it.
    """
    torchao = _torchao()
    granularity = torchao.PerGroup(GROUP) if grouped else torchao.PerRow()
    torchao.quantize_(layer, torchao.Int8WeightOnlyConfig(granularity=granularity, set_inductor_config=False))


class Int4Linear(nn.Module):
    """A Linear layer whose weights take 4.75 bits: two in a byte, and a scale and a zero for each group of 32.

    torchao chooses scales and zeros and rounds. Its own int4 layers are not used: none runs on every device and in
    every number type (docs/decisions/0015-quantization.md).
    """

    packed: Tensor
    """(outputs, inputs / 2) uint8: weight i of a row in the low bits, weight i + inputs / 2 in the high ones."""
    scale: Tensor
    """(outputs, groups) bfloat16."""
    zero: Tensor
    """(outputs, groups) uint8."""

    def __init__(self, packed: Tensor, scale: Tensor, zero: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("packed", packed)
        self.register_buffer("scale", scale)
        self.register_buffer("zero", zero)
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)

    @classmethod
    def of(cls, layer: nn.Linear) -> Self:
        """Round a layer's weights; the inputs must go into groups."""
        torchao = _torchao()
        weight, block, outputs = layer.weight.detach().float(), (1, GROUP), layer.out_features
        scale, zero = torchao.choose_qparams_affine(
            weight,
            torchao.MappingType.ASYMMETRIC,
            block,
            torch.uint8,
            quant_min=0,
            quant_max=15,
            scale_dtype=torch.float32,
            zero_point_dtype=torch.uint8,
        )
        # The scale is rounded first: weights are then rounded to what they will really be turned back to.
        scale = scale.bfloat16()
        codes = torchao.quantize_affine(weight, block, scale.float(), zero, torch.uint8, quant_min=0, quant_max=15)
        low, high = codes.chunk(2, dim=1)
        return cls(low | (high << 4), scale.view(outputs, -1), zero.view(outputs, -1), layer.bias)

    @property
    def held(self) -> int:
        """How many weights the bytes stand for."""
        return 2 * self.packed.numel()

    def weight(self, dtype: torch.dtype) -> Tensor:
        """(outputs, inputs), turned back."""
        outputs, half = self.packed.shape
        weights = torch.empty(outputs, 2, half, dtype=dtype, device=self.packed.device)
        weights[:, 0] = self.packed & 15
        weights[:, 1] = self.packed >> 4
        groups = weights.view(outputs, -1, GROUP)
        groups.sub_(self.zero[..., None].to(dtype)).mul_(self.scale[..., None].to(dtype))
        return weights.view(outputs, 2 * half)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        return functional.linear(inputs, self.weight(inputs.dtype), self.bias)


def _torchao() -> Any:
    """torchao.quantization. Raises ModelError with the command that installs it."""
    import importlib

    try:
        with quiet_logs():
            module: ModuleType = importlib.import_module("torchao.quantization")
    except ImportError as error:
        raise ModelError(
            f"--quantize needs torchao, which cannot be imported: {error}", hint=install_command("quantize")
        ) from None
    return module
