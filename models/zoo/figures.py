"""What a config's network costs: parameters, FLOPs of one question, bytes of its weights; and a smaller config.

Counted on networks without weights (torch's meta device), adapters merged, as a model answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vlmbench.base.trainable import Kept

from ..engine.adapter import LocalModel
from ..network import pruning
from ..network.network import VisionLanguageModel
from ..systems import minigpt, tinyllava
from .model_stats import build, memory

SHIPPED: Mapping[str, Path] = {"tinyllava": tinyllava.NANO, **minigpt.SHIPPED}
"""The folders of the small models that ship, by system."""
WORDS, ANSWER = 32, 16
"""Tokens of the question beside the image's, and of the answer."""


def of_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """{parameters, flops_per_question, visual_tokens, bytes: {number type: bytes}}. Takes about a second.

    A question is one image, WORDS tokens and an answer of ANSWER tokens; an addition and a multiplication are two.
    """
    network = build({name: value for name, value in config.items() if name != "lora"})
    return {
        "parameters": parameters(network),
        "flops_per_question": question_flops(network),
        "visual_tokens": network.visual_tokens,
        "bytes": memory(network),
    }


def of_model(model: Any) -> dict[str, Any]:
    """{flops_per_question} of a loaded model of the included systems; {} of any other."""
    if not isinstance(model, LocalModel) or not isinstance(config := getattr(model.system, "config", None), dict):
        return {}
    network = build({name: value for name, value in config.items() if name != "lora"})
    return {"flops_per_question": question_flops(network, int(model.facts["visual_tokens"]))}


def parameters(network: nn.Module) -> int:
    """All of them, tied ones once."""
    return sum(parameter.numel() for parameter in network.parameters())


def question_flops(network: VisionLanguageModel, visual: int | None = None) -> int:
    """FLOPs of one question. `visual`: tokens of the image in the language model, where not all are kept.

    The answer's tokens are counted as one forward behind the prompt, each attending to the whole row; the head runs
    for each token of the answer.
    """
    side = network.blueprint.pixels or int(network.blueprint.vision["image_size"])
    tokens = (network.visual_tokens if visual is None else visual) + WORDS + ANSWER - 1
    width = int(network.language_model.config.hidden_size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.image_features(torch.empty(1, 3, side, side, device="meta"))
        row = torch.empty(1, tokens, width, device="meta")
        network.language_model(
            inputs_embeds=row,
            attention_mask=torch.empty(1, 1, tokens, tokens, device="meta"),  # transformers would look into its own
            position_ids=torch.empty(1, tokens, dtype=torch.long, device="meta"),
            use_cache=False,
            logits_to_keep=ANSWER,
        )
    return int(counter.get_total_flops())


def pruned_config(
    config: Mapping[str, Any], left: Callable[[str, int, int, int], tuple[int, int, int]]
) -> dict[str, Any]:
    """The config that pruning leaves, without weights. `left`: part, its layers, heads and neurons to how many of each
    are left (training/recipe/pruning.py). Raises ModelError, and what `left` raises.
    """
    network = build({name: value for name, value in config.items() if name != "lora"})
    kept = {}
    for part, blocks in pruning.blocks(network).items():
        running = sum(block.runs for block in blocks)
        whole = running, blocks[0].heads, int(blocks[0].mlp.weight.shape[1])
        layers, heads, neurons = left(part, *whole)
        if (layers, heads, neurons) == whole:
            continue
        rest = (*range(layers), *range(running, len(blocks)))
        kept[part] = Kept(rest, (tuple(range(heads)),) * len(rest), (tuple(range(neurons)),) * len(rest))
    return pruning.smaller_config(network, {name: value for name, value in config.items() if name != "lora"}, kept)
