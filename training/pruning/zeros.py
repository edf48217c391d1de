"""Single weights set to 0, and kept at 0 while the rest trains."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from vlmbench.base.trainable import Prunable

from ..recipe.pruning import Pruning
from . import importance
from .calibrate import Blocks


@torch.no_grad()
def set_zeros(pruning: Pruning, blocks: Blocks, norms: Mapping[nn.Linear, Tensor]) -> dict[str, float]:
    """Set the weights with the lowest scores to 0; the share of zeros by part. `norms`: of the inputs, for Wanda."""
    shares = {}
    for part, some in blocks.items():
        zeros = total = 0
        for block in some:
            for module in block.linears.values():
                weight = module.weight
                if pruning.weight_score == "magnitude" or module not in norms:  # never run: it has no inputs
                    scores = weight.abs()
                else:
                    scores = importance.wanda(weight, norms[module])
                weight.mul_(importance.keep_mask(scores, pruning.parts[part].weights, pruning.kept_of))
                zeros += int((weight == 0).sum())
                total += weight.numel()
        shares[part] = zeros / max(total, 1)
    return shares


def hold_zeros(pruning: Pruning, model: Prunable) -> None:
    """From now on no gradient moves a weight that is 0. AdamW then leaves it at 0: its moments are 0, decay too."""
    for part, blocks in model.blocks().items():
        if pruning.parts[part].weights:
            for block in blocks:
                for module in block.linears.values():
                    kept = module.weight.detach() != 0
                    module.weight.requires_grad_(True)
                    hook = partial(_masked, kept)
                    module.weight.register_hook(hook)  # type: ignore[no-untyped-call]


def _masked(kept: Tensor, gradient: Tensor) -> Tensor:
    return gradient * kept.to(gradient.device)
