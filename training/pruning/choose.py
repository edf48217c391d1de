"""Scores and ratios to what is kept: the same number of heads and neurons in each layer of a part, chosen by layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from vlmbench.base.trainable import Block, Kept

from ..recipe.pruning import Pruning


def kept(
    pruning: Pruning,
    part: str,
    blocks: Sequence[Block],
    heads: Sequence[Tensor],
    neurons: Sequence[Tensor],
    layers: Sequence[float],
) -> Kept:
    """What is left of a part. Layers that never run are neither counted nor taken out.

    Raises TrainingError for a ratio that leaves no whole number of heads or layers.
    """
    running = [number for number, block in enumerate(blocks) if block.runs]
    sizes = pruning.left(part, len(running), blocks[0].heads, int(blocks[0].mlp.weight.shape[1]))
    lowest = sorted(running, key=lambda number: (layers[number], number))[: len(running) - sizes[0]]
    rest = tuple(number for number in range(len(blocks)) if number not in lowest)
    return Kept(
        rest,
        tuple(best(heads[number].tolist(), sizes[1]) for number in rest),
        tuple(best(neurons[number].tolist(), sizes[2]) for number in rest),
    )


def best(scores: Sequence[float], count: int) -> tuple[int, ...]:
    """The places of so many of the highest scores, in order; of equal ones the first."""
    return tuple(sorted(sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:count]))
