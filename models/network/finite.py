"""Weights that are NaN or infinite: a diverged or damaged training, or numbers too large for the dtype.

Most make every logit NaN, where they are noticed. Not all do: torch's attention on a CPU treats queries and keys of NaN
as masked, gives zeros, and the network continues with plausible words. So weights are checked when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn


def bad_weight(network: nn.Module) -> str:
    """Why no answer can come from these weights; empty where all are finite. One pass over them, at a sum's cost.

    Tables of embeddings are left out: a row concerns the questions with its token alone, whose logits become NaN.
    """
    for owner, module in network.named_modules():
        if isinstance(module, nn.Embedding):
            continue
        for name, weight in module.named_parameters(recurse=False):
            for tensor in _stored(weight):
                wide = tensor.is_floating_point() and tensor.element_size() > 1  # nothing adds up eight-bit numbers
                if not wide or bool(torch.isfinite(tensor.sum(dtype=torch.float32))):
                    continue
                if not bool(torch.isfinite(tensor).all()):  # else finite numbers whose sum overflows
                    value = "NaN" if bool(tensor.isnan().any()) else "inf"
                    place = ".".join(filter(None, (owner, name)))
                    why = "a diverged or damaged training, or numbers too large for this dtype (try --dtype float32)"
                    return f"the logits are not finite: {value} in the weight {place}: {why}"
    return ""


def _stored(tensor: Any) -> Iterator[Tensor]:
    """The plain tensors in one that wraps others, as torchao's do."""
    if hasattr(tensor, "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            yield from _stored(getattr(tensor, name))
    else:
        yield tensor.detach()
