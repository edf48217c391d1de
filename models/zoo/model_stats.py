"""What a published variant weighs, counted on networks without weights (torch's meta device): nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from ..engine.quantize import GROUP, linear_layers
from ..network import freezing
from ..network.minigpt_blueprint import blueprint
from ..network.network import Blueprint, VisionLanguageModel
from ..parts.quiet_import import import_transformers
from ..systems import tinyllava
from .variants import VARIANTS, Variant

BLUEPRINTS: Mapping[str, Callable[[Mapping[str, Any]], Blueprint]] = {
    "tinyllava": tinyllava.blueprint,
    "tinygptv": blueprint,
    "minigpt4": blueprint,
    "minigptv2": blueprint,
}
"""By model_type: what reads a config.json."""

PARTS = ("vision tower", "Q-Former", "connector", "language model", "adapters")


@dataclass(frozen=True, slots=True)
class ModelStats:
    """The figures of one variant."""

    name: str
    source: str
    template: str
    visual_tokens: int
    parts: Mapping[str, int]
    """Parameters by part, of those in PARTS that it has. Tied weights count once."""
    never_run: int
    """Of the vision tower: parameters that no answer depends on (layers behind the tap, final norm, pooling head)."""
    stages: Mapping[str, Mapping[str, int]]
    """{stage: {part: parameters that learn}}. A stage may bring adapters that `parts` does not have."""
    memory: Mapping[str, int]
    """Bytes of the weights when loaded to answer, adapters merged: all in float32 or bfloat16; or the language model's
    Linear layers in int8 or int4 with their scales, and in bfloat16 what stays as it is (models/engine/quantize.py):
    its embeddings, head, norms and biases, and all other parts."""

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parts.values())


@cache
def stats_of(name: str) -> ModelStats:
    """Count the published variant of exactly this name. Raises KeyError for another name."""
    return sheet(VARIANTS[name])


def sheet(variant: Variant) -> ModelStats:
    """Count a variant. Takes a second or two; raises ModelError for a part that does not exist here."""
    network = build(variant.config)
    never_run = _never_run(network)
    parts = _counted(network.named_parameters())
    held = memory(network)
    stages = {}
    for stage in variant.stages:
        # Adapters cannot be taken out again: a stage that brings its own gets a network of its own.
        tuned = build(variant.config) if stage.tuning.lora else network
        freezing.apply(tuned, stage.tuning)
        stages[stage.name] = _counted((name, p) for name, p in tuned.named_parameters() if p.requires_grad)
    template = str(variant.config.get("conv_version") or variant.config.get("template"))
    return ModelStats(variant.name, variant.source, template, network.visual_tokens, parts, never_run, stages, held)


@dataclass(frozen=True, slots=True)
class Load:
    """What a stage of training has to hold and to run, for its plan."""

    parts: Mapping[str, int]
    """Parameters by part, of those in PARTS."""
    learns: Mapping[str, int]
    """Of these, the ones that learn."""
    tables: int
    """Parameters of the language model's embedding table, which multiplies nothing."""
    visual_tokens: int
    tower_tokens: int
    """Tokens of an image inside the vision tower."""
    layers: int
    """Of the language model."""
    width: int
    vocabulary: int


def load_of(config: Mapping[str, Any], settings: Mapping[str, Any]) -> Load:
    """Count a stage: the config at its time, and what it trains (the fields of Tuning). Raises TrainingError."""
    network = build(config)
    freezing.apply(network, freezing.Tuning(**settings))
    text, vision = network.language_model.config, network.blueprint.vision
    return Load(
        parts=_counted(network.named_parameters()),
        learns=_counted((name, p) for name, p in network.named_parameters() if p.requires_grad),
        tables=int(network.language_model.get_input_embeddings().weight.numel()),
        visual_tokens=network.visual_tokens,
        tower_tokens=(int(vision["image_size"]) // int(vision["patch_size"])) ** 2,
        layers=int(text.num_hidden_layers),
        width=int(text.hidden_size),
        vocabulary=int(text.vocab_size),
    )


def build(config: Mapping[str, Any]) -> VisionLanguageModel:
    """The network of a config.json without any weights."""
    import_transformers()
    from transformers.initialization import no_init_weights

    with torch.device("meta"), no_init_weights():
        return VisionLanguageModel(BLUEPRINTS[config["model_type"]](config))


def part_of(name: str) -> str:
    """The part, of PARTS, that a parameter belongs to by its name in the state dict."""
    words = name.split(".")
    if words[0] == "connector":
        return "Q-Former" if {"bert", "query_tokens"} & set(words) else "connector"
    if {"lora_A", "lora_B"} & set(words):
        return "adapters"
    return words[0].replace("_", " ")


def _counted(parameters: Iterator[tuple[str, nn.Parameter]]) -> dict[str, int]:
    counts = dict.fromkeys(PARTS, 0)
    for name, parameter in parameters:
        counts[part_of(name)] += parameter.numel()
    return {part: count for part, count in counts.items() if count}


def _never_run(network: VisionLanguageModel) -> int:
    """What gets no gradient from the tower's features has no part in them."""
    side = int(network.blueprint.vision["image_size"])
    network.vision_tower(torch.empty(1, 3, side, side, device="meta")).sum().backward()
    unused = sum(parameter.numel() for parameter in network.vision_tower.parameters() if parameter.grad is None)
    network.zero_grad(set_to_none=True)
    return unused


def memory(network: VisionLanguageModel) -> dict[str, int]:
    """{number type: bytes}, as ModelStats.memory tells."""
    adapters = ("lora_A", "lora_B")
    weights = sum(p.numel() for name, p in network.named_parameters() if not set(adapters) & set(name.split(".")))
    layers = [layer.weight for _, layer in linear_layers(network.language_model)]
    rounded, rows = sum(weight.numel() for weight in layers), sum(len(weight) for weight in layers)
    rest = 2 * (weights - rounded)
    return {
        "float32": 4 * weights,
        "bfloat16": 2 * weights,
        "int8": rest + rounded + 5 * rows,  # torchao: a float32 scale and an int8 zero for each row
        "int4": rest + rounded // 2 + 3 * (rounded // GROUP),  # a bfloat16 scale and a zero for each group
    }
