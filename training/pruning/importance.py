"""Scores of what could be taken out, as formulas on tensors. The lowest go first.

Sources: the change of the loss without a head or neuron, to first order: Michel et al., arXiv 1905.10650 (heads) and
Molchanov et al., arXiv 1906.10771; Block Influence of layers: Men et al., ShortGPT, arXiv 2403.03853; Wanda: Sun et
al., arXiv 2306.11695; norms of weights: Li et al., arXiv 1608.08710.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def taylor(weight: Tensor, gradient: Tensor, groups: int) -> Tensor:
    """(groups,): |sum of w * dL/dw| over the inputs of each group, of a matrix (outputs, inputs).

    The sum over a group's inputs is the derivative by a gate on the group, so this is how far the loss moves, to first
    order, when the gate closes.
    """
    return (weight * gradient).sum(dim=0).view(groups, -1).sum(dim=1).abs()


def magnitude(weight: Tensor, groups: int) -> Tensor:
    """(groups,): the Euclidean norm of the weights of each group's inputs, of a matrix (outputs, inputs)."""
    return weight.detach().square().sum(dim=0).view(groups, -1).sum(dim=1).sqrt()


def influence(before: Tensor, after: Tensor) -> Tensor:
    """(tokens,): 1 - cosine of hidden states before and after a layer, (tokens, width) each."""
    return 1 - functional.cosine_similarity(before.float(), after.float(), dim=-1)


def wanda(weight: Tensor, norms: Tensor) -> Tensor:
    """(outputs, inputs): |w| times the norm of its input over all tokens, (inputs,)."""
    return weight.detach().abs() * norms


def keep_mask(scores: Tensor, zeros: float, pattern: tuple[int, int] = (0, 0)) -> Tensor:
    """(outputs, inputs) bool: in each row the weights with the highest scores, equal ones by their order.

    `zeros`: the share of a row that is not kept, rounded to whole weights. `pattern`: (n, m) keeps n of each m weights
    that follow each other instead; inputs that are left over when there are no m of them any more are all kept.
    """
    if pattern == (0, 0):
        return _best(scores, scores.shape[1] - round(zeros * scores.shape[1]))
    kept, of = pattern
    mask = torch.ones_like(scores, dtype=torch.bool)
    whole = scores.shape[1] // of * of
    mask[:, :whole] = _best(scores[:, :whole].reshape(-1, of), kept).view(len(scores), whole)
    return mask


def _best(scores: Tensor, count: int) -> Tensor:
    """In each row, True for so many of the highest scores."""
    order = scores.argsort(dim=1, descending=True, stable=True)[:, :count]
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, order, True)
