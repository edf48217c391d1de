"""Skips work that no trained token, and no answer behind a shared prefix, depends on.

The last layer's MLP acts on each position by itself; only positions that predict a trained token are read after it. In
a caption's row they are a tenth: the image's places are not among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def last_mlp(language_model: Any, row: Tensor, column: Tensor) -> Iterator[None]:
    """While it lasts, the last layer's MLP runs at these places alone, (places,) each; elsewhere it adds nothing.

    No place may be there twice. Not where activations are computed again in the backward pass: by then it has ended;
    nor without gradients in a model that is set to do so, where something is measured over all places.
    """
    if not torch.is_inference_mode_enabled() and recomputes(language_model):  # a walk over all modules: not to answer
        yield
        return
    shape: list[Any] = []

    def choose(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        if len(row) == inputs[0].shape[:-1].numel():
            return inputs
        shape[:] = inputs[0].shape
        return (inputs[0][row, column],)

    def put_back(_: nn.Module, __: tuple[Tensor], outputs: Tensor) -> Tensor:
        if not shape:
            return outputs
        return outputs.new_zeros(shape).index_put((row, column), outputs)

    mlp = language_model.base_model.layers[-1].mlp
    hooks = mlp.register_forward_pre_hook(choose), mlp.register_forward_hook(put_back)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def recomputes(module: Any) -> bool:
    """Whether activations are computed again; transformers' word for it was another one before."""
    if hasattr(module, "is_activation_checkpointing"):
        return bool(module.is_activation_checkpointing)
    return bool(module.is_gradient_checkpointing)
