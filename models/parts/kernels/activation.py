"""Activations that cost less: GELU's tanh form inside the product before it, and CLIP's in place.

torch takes as long for the tanh form of GELU as for a third of the product before it (bfloat16; an eighth in float32).
oneDNN computes it on the numbers that it has just summed: part of `--linear onednn`. The one of CLIP gives the same
bits in place, so it is always taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import GELUTanh, NewGELUActivation, QuickGELUActivation


class Fused(nn.Module):
    """In the place of an activation that the layer before it computes."""

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        self.original = original

    def forward(self, inputs: Tensor) -> Tensor:
        """They are activated already."""
        return inputs


def is_tanh_gelu(module: nn.Module) -> bool:
    """Whether it is GELU in its tanh form."""
    return isinstance(module, GELUTanh | NewGELUActivation) or (
        isinstance(module, nn.GELU) and module.approximate == "tanh"
    )


@contextmanager
def watched(network: nn.Module) -> Iterator[dict[str, str]]:
    """While it lasts, look at the network's calls. At the end the dict has, for each Linear layer whose outputs all
    went straight to one tanh GELU that takes no others, its name and the activation's.
    """
    found: dict[str, str] = {}
    called: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    last: list[Any] = ["", None]

    def after_linear(name: str, output: Any) -> None:
        called[name] += 1
        last[:] = name, output

    def before_gelu(name: str, given: Any) -> None:
        called[name] += 1
        if given and given[0] is last[1]:
            pairs[last[0], name] += 1

    hooks = []
    for name, module in network.named_modules():
        if type(module) is nn.Linear:
            hooks.append(module.register_forward_hook(lambda _, __, output, name=name: after_linear(name, output)))
        elif is_tanh_gelu(module):
            hooks.append(module.register_forward_pre_hook(lambda _, given, name=name: before_gelu(name, given)))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
        last.clear()
    found |= {
        layer: gelu for (layer, gelu), count in pairs.items() if count == called[layer] == called[gelu]
    }  # what an activation takes besides, or gives to several, is left alone


class InPlaceQuickGelu(QuickGELUActivation):  # type: ignore[misc]  # transformers counts as Any
    """x times sigmoid(1.702 x), with one new tensor instead of three; bit for bit the same."""

    def forward(self, input: Tensor) -> Tensor:
        """(...) to (...)."""
        if torch.is_grad_enabled():
            found: Tensor = super().forward(input)
            return found
        return (1.702 * input).sigmoid_().mul_(input)


def use_in_place(network: nn.Module) -> None:
    """Have a network's activations computed in place where that changes no bit."""
    for module in network.modules():
        if type(module) is QuickGELUActivation:
            module.__class__ = InPlaceQuickGelu
