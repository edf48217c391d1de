"""Which weights a stage trains: each part frozen, whole or a named share of it; and which weights decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import TrainingError, UnknownNameError

if TYPE_CHECKING:
    from torch import nn

    from .network import VisionLanguageModel

FROZEN, FULL = "frozen", "full"

NORMS = frozenset({"q_layernorm", "k_layernorm", "post_layernorm", "input_layernorm", "final_layernorm"})
"""The norms of TinyGPT-V's language model, all that it has."""
LAYERS = ["vision_model", "encoder", "layers"]
"""What stands before a layer's number in the towers of which Factory trains a share. DINOv2's layers have other names:
beside CLIP it stays frozen, as in Factory; alone it is refused here, where Factory would train nothing.
"""

Words = Sequence[str]
"""A parameter's dotted name, split: `model`, `layers`, `0`, `input_layernorm`, `weight`."""


def _none(words: Words) -> bool:
    return False


def _all(words: Words) -> bool:
    return True


def _adapter(words: Words) -> bool:
    return "lora_A" in words or "lora_B" in words


def _norm_weight(words: Words) -> bool:
    return words[-1] == "weight" and words[-2] in NORMS


def _adapter_or_norm(words: Words) -> bool:
    return _adapter(words) or _norm_weight(words)


def _projector(words: Words) -> bool:
    return "projector" in words


def share(part: str, name: str) -> Callable[[Words], bool]:
    """Whether a parameter of a part, by the words of its name there, is of a named share of it.

    Raises UnknownNameError for a share that the part does not have.
    """
    table = {"vision_tower": VISION, "connector": CONNECTOR, "language_model": LANGUAGE}[part]
    if name not in table:
        raise UnknownNameError(f"tuning of the {part}", name, table)
    return table[name]


def layer_of(words: Words) -> int | None:
    """The number of the tower's layer that a parameter belongs to; None outside the layers."""
    at = next((i for i in range(len(words) - 3) if list(words[i : i + 3]) == LAYERS), None)
    return None if at is None else int(words[at + 3])


VISION: Mapping[str, Callable[[Words], bool]] = {FROZEN: _none, FULL: _all, "layers": _none}
"""`layers` is decided by first_layer."""
CONNECTOR: Mapping[str, Callable[[Words], bool]] = {
    FROZEN: _none,
    FULL: _all,
    "projector": _projector,
    "qformer": lambda words: not _projector(words),
}
LANGUAGE: Mapping[str, Callable[[Words], bool]] = {
    FROZEN: _none,
    FULL: _all,
    "base": lambda words: not _adapter(words),
    "lora": _adapter,
    "norms": _norm_weight,
    "lora+norms": _adapter_or_norm,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What one stage trains; everything else is frozen."""

    vision_tower: str = FROZEN
    """`frozen`, `full`, or `layers`: the encoder's layers from `first_layer` on, without embeddings and final norm."""
    first_layer: int = 0
    connector: str = FROZEN
    """`frozen`, `full`, `projector`: the linear layers behind a Q-Former, which stays as it is; or `qformer` alone."""
    language_model: str = FROZEN
    """`frozen`, `full`, `base` (all but the adapters), `lora`, `norms` (the weights of TinyGPT-V's norms, never their
    biases) or `lora+norms`.
    """
    lora: Mapping[str, Any] = field(default_factory=dict)
    """Adapters that this stage puts in, as config.json's `lora`; empty: the network has its own."""
    asleep: Sequence[str] = ()
    """Modules that stay frozen whatever their part says, by the last word of their names."""

    def __post_init__(self) -> None:
        """Raises UnknownNameError for a word that does not exist, TrainingError where fields contradict each other."""
        for part, known in (("vision_tower", VISION), ("connector", CONNECTOR), ("language_model", LANGUAGE)):
            if getattr(self, part) not in known:
                raise UnknownNameError(f"tuning of the {part}", getattr(self, part), known)
        if self.first_layer and self.vision_tower != "layers":
            raise TrainingError(
                f"first_layer {self.first_layer} contradicts vision_tower {self.vision_tower!r}",
                hint="vision_tower 'layers' is what counts from a layer on",
            )
        if self.lora and "lora" not in self.language_model.split("+"):
            raise TrainingError(
                f"lora adds adapters, but language_model {self.language_model!r} does not train any",
                hint="language_model 'lora' trains them",
            )
        if {self.vision_tower, self.connector, self.language_model} == {FROZEN}:
            raise TrainingError("vision_tower, connector and language_model are all frozen: nothing learns")

    def trains(self, name: str) -> bool:
        """Whether a parameter of the network, by its name in the state dict, learns."""
        part, *words = name.split(".")
        if set(words) & set(self.asleep):
            return False
        if part == "vision_tower" and self.vision_tower == "layers":
            layer = layer_of(words)
            return layer is not None and layer >= self.first_layer
        table = {"vision_tower": VISION, "connector": CONNECTOR, "language_model": LANGUAGE}[part]
        return table[getattr(self, part)](words)


def apply(network: VisionLanguageModel, tuning: Tuning) -> None:
    """Set requires_grad of every parameter; adapters that the stage brings are put in first.

    Raises TrainingError where the tuning and the network contradict each other.
    """
    _check_layers(network, tuning)
    _check_adapters(network, tuning)
    if tuning.lora and network.blueprint.lora is None:
        from ..parts.language import lora

        adapters = lora.Adapters.from_config(tuning.lora)
        lora.add(network.language_model, adapters)
        network.blueprint = replace(network.blueprint, lora=adapters)
    chosen = {name for name, _ in network.named_parameters() if tuning.trains(name)}
    lacks = {
        "vision_tower": f"vision_config {network.blueprint.vision.get('model_type')!r}",
        "connector": f"connector_type {network.blueprint.connector!r}",
        "language_model": f"text_config {network.blueprint.text.get('model_type')!r}",
    }
    for part, of in lacks.items():
        choice = getattr(tuning, part)
        if choice != FROZEN and not any(name.startswith(f"{part}.") for name in chosen):
            raise TrainingError(f"{part} {choice!r} trains nothing: {of} has no such weights")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in chosen)


def _check_layers(network: VisionLanguageModel, tuning: Tuning) -> None:
    tap, layers = network.blueprint.feature_layer, int(network.blueprint.vision["num_hidden_layers"])
    used = tap if tap >= 0 else layers + 1 + tap
    if tuning.vision_tower == "layers" and tuning.first_layer >= used:
        raise TrainingError(
            f"first_layer {tuning.first_layer} contradicts vision_feature_layer {tap}: "
            f"layers from {used} on are never run",
            hint=f"first_layer must be below {used}",
        )


def _check_adapters(network: VisionLanguageModel, tuning: Tuning) -> None:
    own = network.blueprint.lora
    if own is not None and tuning.language_model == FULL:
        raise TrainingError(
            f"language_model 'full' contradicts the network's lora (rank {own.rank})",
            hint="merge the adapters into the weights first, or train 'lora'",
        )
    if own is not None and tuning.lora:
        from ..parts.language.lora import Adapters

        if Adapters.from_config(tuning.lora) != own:
            raise TrainingError(
                f"the stage's lora (rank {tuning.lora.get('rank')}) contradicts the network's lora (rank {own.rank})",
                hint="merge the network's adapters into the weights first",
            )
    if own is None and not tuning.lora and "lora" in tuning.language_model.split("+"):
        raise TrainingError(
            f"language_model {tuning.language_model!r} contradicts a network without lora",
            hint="give rank, alpha and targets: in the tuning's lora, or in config.json",
        )


@dataclass(frozen=True, slots=True)
class DecayGroups:
    """The parameters that learn, by name, told apart by whether weight decay acts on them."""

    decayed: Mapping[str, nn.Parameter]
    spared: Mapping[str, nn.Parameter]


def weight_decay_groups(network: nn.Module) -> DecayGroups:
    """MiniGPT-4's rule: matrices decay; biases and the weights of norms, all that have one dimension, do not.

    Source: MiniGPT-4 minigpt4/runners/runner_base.py@d94738a. It also spares names that contain "bias", "ln" or "bn";
    in the four systems every such parameter that learns has one dimension already.
    """
    learning = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    return DecayGroups(
        decayed={name: parameter for name, parameter in learning.items() if parameter.ndim >= 2},
        spared={name: parameter for name, parameter in learning.items() if parameter.ndim < 2},
    )
