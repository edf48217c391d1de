"""Low-rank adapters by peft, put into a language model in place: `base_layer`, `lora_A`, `lora_B` join its names.

Source: LoRA, arXiv 2106.09685. Settings are those of the published checkpoints: rank, alpha, dropout, which layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from vlmbench.base.errors import ModelError

ADAPTER = "default"
"""peft's name of the only adapter."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """Which layers carry adapters, and of what size."""

    rank: int
    alpha: int
    targets: tuple[str, ...]
    """Last parts of layer names, or whole dotted names."""
    dropout: float = 0.0
    shared_input: tuple[str, ...] = ()
    """Targets of one attention that share their A: what an adapter on a fused projection is, once it is split."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Adapters:
        """Read the `lora` entry of a config.json. Raises ModelError for what is missing or unknown."""
        known = set(cls.__slots__)
        if unknown := sorted(set(config) - known):
            raise ModelError(f"lora: no setting {unknown[0]!r}", hint=f"there are: {', '.join(sorted(known))}")
        if missing := sorted({"rank", "alpha", "targets"} - set(config)):
            raise ModelError(f"lora: no {missing[0]}", hint="rank, alpha and targets are needed")
        settings = {**config, "targets": tuple(config["targets"])}
        return cls(**{**settings, "shared_input": tuple(config.get("shared_input", ()))})


def add(language_model: nn.Module, adapters: Adapters) -> None:
    """Put fresh adapters in: A drawn, B zero, so that nothing changes yet. Raises ModelError when no layer fits."""
    from peft import LoraConfig, inject_adapter_in_model

    settings = LoraConfig(
        r=adapters.rank, lora_alpha=adapters.alpha, lora_dropout=adapters.dropout, target_modules=[*adapters.targets]
    )
    try:
        inject_adapter_in_model(settings, language_model, adapter_name=ADAPTER)
    except ValueError as error:
        raise ModelError(f"no adapters can be put in: {error}", hint="name layers of the language model") from None
    for module in language_model.modules():
        siblings = [getattr(module, name, None) for name in adapters.shared_input]
        if siblings and all(hasattr(layer, "lora_A") for layer in siblings):
            first, *others = (layer.lora_A[ADAPTER] for layer in siblings if layer is not None)
            for other in others:
                other.weight = first.weight


def merge(language_model: nn.Module) -> None:
    """Add the adapters into the weights they stand beside, and take them out: the same function, less work."""
    adapted = [name for name, module in language_model.named_modules() if hasattr(module, "lora_A")]
    for name in adapted:
        layer: Any = language_model.get_submodule(name)
        layer.merge()
        parent, _, last = name.rpartition(".")
        setattr(language_model.get_submodule(parent), last, layer.get_base_layer())
