"""A model in; a smaller one, or one with zeros, and a record of what was taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from vlmbench.base.errors import TrainingError
from vlmbench.base.trainable import Block, Kept, Prunable, Trainable

from ..recipe.pruning import Pruning
from . import calibrate, choose, zeros

Batches = Callable[[Trainable], Iterator[Tensor]]
"""The losses of a model on the calibration batches, one after the other."""


def prune(model: Trainable, pruning: Pruning, batches: Batches) -> tuple[Trainable, dict[str, Any]]:
    """The pruned model, and what is told of it in JSON. Deterministic: equal batches give equal models.

    Raises TrainingError for a model whose layers are not known, and for ratios that are not possible.
    """
    if not isinstance(model, Prunable):
        hint = "tinyllava, minigpt4, minigptv2 and tinygptv can be pruned"
        raise TrainingError(f"{model.name} cannot be pruned: it does not tell its layers", where="pruning", hint=hint)
    model.merge_adapters()
    record: dict[str, Any] = {"settings": asdict(pruning), "parts": {}}
    structured = [part for part, ratios in pruning.parts.items() if ratios.structured]
    if structured:
        blocks = _of(model, structured)
        for part, some in blocks.items():  # ratios that are not possible are told before anything is measured
            _sizes(pruning, part, some)
        kept = _chosen(model, pruning, blocks, batches)
        record["parts"] = {part: _told(kept[part], some) for part, some in blocks.items()}
        model = model.pruned(kept)
    if pruning.zeroes:
        assert isinstance(model, Prunable)
        blocks = _of(model, [part for part, ratios in pruning.parts.items() if ratios.weights])
        wanda = pruning.weight_score == "wanda"
        trained: Trainable = model
        norms = calibrate.input_norms(trained.module, blocks, lambda: batches(trained)) if wanda else {}
        for part, share in zeros.set_zeros(pruning, blocks, norms).items():
            record["parts"].setdefault(part, {})["zeros"] = round(share, 6)
    return model, record


def _of(model: Prunable, parts: list[str]) -> dict[str, list[Block]]:
    """The layers of some parts. Raises TrainingError for a part that cannot be pruned."""
    found = model.blocks()
    for part in parts:
        if part not in found:
            hint = f"towers of transformers' SigLIP, CLIP and EVA can be: leave the ratios of {part} at 0"
            raise TrainingError(f"the {part} of this model cannot be pruned", where="pruning", hint=hint)
    return {part: list(found[part]) for part in parts}


def _sizes(pruning: Pruning, part: str, blocks: list[Block]) -> tuple[int, int, int]:
    running = sum(block.runs for block in blocks)
    return pruning.left(part, running, blocks[0].heads, int(blocks[0].mlp.weight.shape[1]))


def _chosen(model: Prunable, pruning: Pruning, blocks: Mapping[str, list[Block]], batches: Batches) -> dict[str, Kept]:
    assert isinstance(model, Trainable)
    whole: Trainable = model

    def losses() -> Iterator[Tensor]:
        return batches(whole)

    heads, neurons = calibrate.group_scores(blocks, pruning.score, losses)
    layers = {part: [0.0] * len(some) for part, some in blocks.items()}
    if any(pruning.parts[part].layers for part in blocks):
        layers = calibrate.layer_scores(whole.module, blocks, pruning.score, losses)
    return {
        part: choose.kept(pruning, part, some, heads[part], neurons[part], layers[part])
        for part, some in blocks.items()
    }


def _told(kept: Kept, blocks: list[Block]) -> dict[str, Any]:
    neurons = int(blocks[0].mlp.weight.shape[1])
    return {
        "layers": [len(kept.layers), len(blocks)],
        "heads": [len(kept.heads[0]), blocks[0].heads],
        "neurons": [len(kept.neurons[0]), neurons],
        "kept_layers": list(kept.layers),
        "kept_heads": [list(heads) for heads in kept.heads],
    }
