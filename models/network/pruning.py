"""Heads, neurons and layers taken out of a network: its layers as pruning sees them, and the smaller network.

Which ones are taken out is decided in training/pruning. The weights that stay are the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vlmbench.base.errors import ModelError
from vlmbench.base.trainable import Block, Kept

from .network import VisionLanguageModel

LAYERS: Mapping[str, str] = {
    "vision_tower": "vision_tower._vision_tower.vision_model.encoder.layers",
    "language_model": "language_model.model.layers",
}
"""Where the layers of a part are. DINOv2, alone or beside CLIP, has others, and is not made smaller."""
CONFIGS: Mapping[str, str] = {"vision_tower": "vision_config", "language_model": "text_config"}
WRITERS = ("o_proj", "dense", "out_proj", "projection")
READERS = ("q_proj", "k_proj", "v_proj", "qkv")
MLP_READERS, MLP_WRITERS = ("fc1", "gate_proj", "up_proj"), ("fc2", "down_proj")
FIXED_HEADS = frozenset({"stablelm"})
"""Language models whose class in transformers derives a head's width from the number of heads."""
POOLING = "vision_tower._vision_tower.vision_model.head.mlp."
"""SigLIP's pooling head: never run, and as wide inside as the layers are."""
_PLACE = re.compile(rf"({'|'.join(map(re.escape, LAYERS.values()))})\.(\d+)\.(.+)")


def belongs_to_layers(name: str) -> bool:
    """Whether a tensor is one of those that pruning makes smaller or takes out."""
    return name.startswith(POOLING) or _PLACE.fullmatch(name) is not None


def blocks(network: VisionLanguageModel) -> dict[str, list[Block]]:
    """The layers of each part that can be made smaller, in order. Adapters must be merged first."""
    found: dict[str, list[Block]] = {}
    for part, place in LAYERS.items():
        try:
            layers: Any = network.get_submodule(place)
        except AttributeError:
            continue
        config = _config(network, part)
        runs = _running(network, len(layers)) if part == "vision_tower" else len(layers)
        found[part] = [_block(layer, _groups(config), number < runs) for number, layer in enumerate(layers)]
    return found


def _block(layer: Any, heads: int, runs: bool) -> Block:
    linears = {name: module for name, module in layer.named_modules() if isinstance(module, nn.Linear)}
    by_word = {name.rpartition(".")[2]: module for name, module in linears.items()}
    attention = next(by_word[name] for name in WRITERS if name in by_word)
    mlp = next(by_word[name] for name in MLP_WRITERS if name in by_word)
    return Block(layer, heads, attention, mlp, linears, runs)


def _config(network: VisionLanguageModel, part: str) -> Any:
    """The config that transformers' class was built from, defaults filled in."""
    if part == "language_model":
        return network.language_model.config
    return network.vision_tower._vision_tower.vision_model.config


def _groups(config: Any) -> int:
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)


def _running(network: VisionLanguageModel, layers: int) -> int:
    """How many layers of the tower are run: those up to the one that is read."""
    tap = network.vision_tower.layer
    return tap if tap >= 0 else layers + 1 + tap


def smaller_config(network: VisionLanguageModel, config: Mapping[str, Any], kept: Mapping[str, Kept]) -> dict[str, Any]:
    """The config.json of what is left of a network. Raises ModelError where no such part can be built."""
    smaller = dict(config)
    for part, rest in kept.items():
        own, layers = dict(smaller[CONFIGS[part]]), len(network.get_submodule(LAYERS[part]))  # type: ignore[arg-type]
        whole = _config(network, part)
        heads, neurons = len(rest.heads[0]), len(rest.neurons[0])
        if heads != (groups := _groups(whole)):
            if own.get("model_type") in FIXED_HEADS:
                message = f"a {own['model_type']} cannot have fewer heads: transformers derives their width from them"
                raise ModelError(message, hint=f"prune its neurons or layers: leave {part}.heads at 0")
            query = int(whole.num_attention_heads)
            own["head_dim"] = int(getattr(whole, "head_dim", None) or whole.hidden_size // query)
            own["num_attention_heads"] = heads * (query // groups)
            if part == "language_model":
                own["num_key_value_heads"] = heads
        own["intermediate_size"] = neurons
        own["num_hidden_layers"] = len(rest.layers)
        if isinstance(kinds := own.get("layer_types"), list) and len(kinds) == layers:
            own["layer_types"] = [kinds[number] for number in rest.layers]
        tap = network.blueprint.feature_layer
        if part == "vision_tower" and tap >= 0:
            smaller["vision_feature_layer"] = sum(number < tap for number in rest.layers)
        smaller[CONFIGS[part]] = own
    return smaller


def smaller_state(network: VisionLanguageModel, kept: Mapping[str, Kept]) -> dict[str, Tensor]:
    """The weights of what is left, by their names in the smaller network."""
    parts = {place: part for part, place in LAYERS.items()}
    state = {}
    for name, tensor in network.state_dict().items():
        match = _PLACE.fullmatch(name)
        if POOLING in name and "vision_tower" in kept:
            first = range(len(kept["vision_tower"].neurons[0]))
            state[name] = _cut(name.removeprefix(POOLING), tensor, (), first, (0, 0))
            continue
        if match is None or parts[match[1]] not in kept:
            state[name] = tensor
            continue
        rest, number = kept[parts[match[1]]], int(match[2])
        if number in rest.layers:
            at = rest.layers.index(number)
            width = _head_width(network, parts[match[1]])
            state[f"{match[1]}.{at}.{match[3]}"] = _cut(match[3], tensor, rest.heads[at], rest.neurons[at], width)
    return state


def _head_width(network: VisionLanguageModel, part: str) -> tuple[int, int]:
    """Rows of one group in q_proj and in k_proj."""
    config = _config(network, part)
    query, groups = int(config.num_attention_heads), _groups(config)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // query)
    return query // groups * width, width


def _cut(name: str, tensor: Tensor, heads: Sequence[int], neurons: Sequence[int], width: tuple[int, int]) -> Tensor:
    """A layer's tensor without what belongs to other heads and neurons. `width`: rows of a group, of its keys."""
    *_, word, last = f".{name}".split(".")
    if word in MLP_READERS:
        return tensor[list(neurons)]  # weight (neurons, width) or bias (neurons,)
    if word in MLP_WRITERS and last == "weight":
        return tensor[:, list(neurons)]
    if word in WRITERS and last == "weight":
        return tensor[:, _places(heads, width[0])]
    if word == "qkv":
        return torch.cat([third[_places(heads, width[0])] for third in tensor.chunk(3)])
    if word in READERS:
        return tensor[_places(heads, width[0] if word == "q_proj" else width[1])]
    return tensor


def _places(heads: Sequence[int], width: int) -> list[int]:
    return [head * width + at for head in heads for at in range(width)]
