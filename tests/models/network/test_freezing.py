"""What a stage trains: parameters by name, contradictions refused with both names, and the groups of weight decay."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from tests.models import tiny_minigpt
from vlmbench.base.errors import TrainingError, UnknownNameError
from vlmbench.models.network.freezing import Tuning, apply, share, weight_decay_groups
from vlmbench.models.network.minigpt_blueprint import blueprint
from vlmbench.models.network.network import Blueprint, VisionLanguageModel
from vlmbench.models.parts.language.lora import Adapters
from vlmbench.models.zoo.training_stages import factory_lora

TEXT = {
    "model_type": "phi",
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
VISION = {"hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
QFORMER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
ATTENTION = ("q_proj", "k_proj", "v_proj")


def tinyllava() -> VisionLanguageModel:
    """SigLIP of four layers tapped one early, an MLP, Phi; without weights."""
    vision = {**VISION, "model_type": "siglip_vision_model", "num_hidden_layers": 4}
    with torch.device("meta"):
        return VisionLanguageModel(Blueprint(TEXT, vision, "mlp2x_gelu"))


def tinygptv(lora: bool = True) -> VisionLanguageModel:
    """EVA, Q-Former, two linears, Phi with more norms; without weights."""
    vision = {**VISION, "model_type": "blip_2_vision_model", "num_hidden_layers": 2}
    blueprint = Blueprint(
        {**TEXT, "qk_layernorm": True},
        vision,
        "qformer_two_linear",
        feature_layer=-1,
        selection="cls_patch",
        queries=4,
        final_norm=True,
        qformer=QFORMER,
        lora=Adapters(4, 8, (*ATTENTION, "dense"), shared_input=ATTENTION) if lora else None,
        branch_norm=True,
        half_tables=True,
    )
    with torch.device("meta"):
        return VisionLanguageModel(blueprint)


def learning(network: VisionLanguageModel, tuning: Tuning) -> set[str]:
    """Names of what learns, layer numbers left out."""
    apply(network, tuning)
    learns = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    return {re.sub(r"\.\d+\.", ".N.", name) for name in learns}


def test_connector_alone() -> None:
    found = learning(tinyllava(), Tuning(connector="full"))
    assert found == {"connector._connector.N.weight", "connector._connector.N.bias"}


def test_connector_and_language_model() -> None:
    network = tinyllava()
    apply(network, Tuning(connector="full", language_model="full"))
    frozen = {name.split(".")[0] for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert frozen == {"vision_tower"}
    assert all(parameter.requires_grad for parameter in network.language_model.parameters())


def test_the_tower_from_a_layer_on() -> None:
    network = tinyllava()
    apply(network, Tuning(vision_tower="layers", first_layer=2, connector="full"))
    learns = [name for name, parameter in network.vision_tower.named_parameters() if parameter.requires_grad]
    assert {name.split(".")[4] for name in learns} == {"2", "3"}
    assert all(name.startswith("_vision_tower.vision_model.encoder.layers.") for name in learns)


def test_a_stage_brings_its_adapters() -> None:
    network = tinyllava()
    found = learning(network, factory_lora("phi"))
    layers = {name.split(".")[-4] for name in found if name.startswith("language_model.")}
    assert layers == {"q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"}
    assert {name.split(".")[-3] for name in found if name.startswith("language_model.")} == {"lora_A", "lora_B"}
    assert network.blueprint.lora is not None
    assert network.blueprint.lora.rank == 128
    assert learning(network, factory_lora("phi")) == found  # the same stage again, as when it goes on after a kill


def test_tinygptv_trains_norm_weights_never_their_biases() -> None:
    found = learning(tinygptv(), Tuning(connector="projector", language_model="lora+norms"))
    norms = {name for name in found if "norm" in name}
    layer = "language_model.model.layers.N."
    assert norms == {
        f"{layer}input_layernorm.weight",
        f"{layer}self_attn.q_layernorm.weight",
        f"{layer}self_attn.k_layernorm.weight",
        f"{layer}self_attn.post_layernorm.weight",
        "language_model.model.final_layernorm.weight",
    }
    assert {name for name in found if name.startswith("connector.")} == {
        "connector._connector.projector.N.weight",
        "connector._connector.projector.N.bias",
    }
    assert not any(name.startswith("vision_tower.") for name in found)


def test_a_small_model_first_trains_what_published_parts_know() -> None:
    """The Q-Former without its linear layers; the language model without its adapters."""
    network = tinygptv()
    qformer = learning(network, Tuning(connector="qformer"))
    assert qformer and all(name.startswith("connector.") and "projector" not in name for name in qformer)
    base = learning(network, Tuning(language_model="base"))
    assert base and all(name.startswith("language_model.") and "lora" not in name for name in base)
    whole = {name for name, _ in network.connector.named_parameters()}
    assert {name for name in whole if share("connector", "projector")(name.split("."))} == {
        f"_connector.projector.{layer}.{kind}" for layer in (0, 1) for kind in ("weight", "bias")
    }
    with pytest.raises(UnknownNameError, match="norms"):
        share("language_model", "norm")


def test_the_next_stage_freezes_again() -> None:
    network = tinyllava()
    before = learning(network, Tuning(connector="full"))
    learning(network, Tuning(vision_tower="full", connector="full", language_model="full"))
    assert learning(network, Tuning(connector="full")) == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"first_layer": 3, "connector": "full"}, ("first_layer 3", "vision_tower 'frozen'")),
        ({"connector": "full", "lora": {"rank": 4}}, ("lora adds adapters", "language_model 'frozen'")),
        ({}, ("vision_tower, connector and language_model",)),
    ],
)
def test_contradictions_within_a_tuning(settings: dict[str, Any], said: tuple[str, ...]) -> None:
    with pytest.raises(TrainingError) as caught:
        Tuning(**settings)
    assert all(words in str(caught.value) for words in said)


def test_unknown_words_are_told() -> None:
    with pytest.raises(UnknownNameError, match="did you mean frozen"):
        Tuning(connector="froze")


OTHER = {"rank": 8, "alpha": 8, "targets": ["q_proj"]}


@pytest.mark.parametrize(
    ("network", "tuning", "said"),
    [
        (tinyllava, Tuning(connector="projector"), ("connector 'projector'", "connector_type 'mlp2x_gelu'")),
        (tinyllava, Tuning(language_model="lora"), ("language_model 'lora'", "without lora")),
        (
            tinyllava,
            Tuning(vision_tower="layers", first_layer=3),
            ("first_layer 3", "vision_feature_layer -2", "layers from 3 on are never run"),
        ),
        (tinygptv, Tuning(language_model="full"), ("language_model 'full'", "the network's lora (rank 4)")),
        (tinygptv, Tuning(language_model="lora", lora=OTHER), ("the stage's lora (rank 8)", "the network's lora")),
        (lambda: tinygptv(lora=False), Tuning(language_model="lora+norms"), ("'lora+norms'", "without lora")),
    ],
)
def test_contradictions_with_the_network(network: Any, tuning: Tuning, said: tuple[str, ...]) -> None:
    with pytest.raises(TrainingError) as caught:
        apply(network(), tuning)
    assert all(words in str(caught.value) for words in said)


def test_norms_of_another_language_model_are_refused() -> None:
    network = tinyllava()
    for layer in network.language_model.model.layers:
        layer.input_layernorm = torch.nn.Identity()
    network.language_model.model.final_layernorm = torch.nn.Identity()
    with pytest.raises(TrainingError, match="language_model 'norms' trains nothing: text_config 'phi'"):
        apply(network, Tuning(language_model="norms"))


def test_matrices_decay_and_nothing_else() -> None:
    network = tinygptv()
    apply(network, Tuning(connector="projector", language_model="lora+norms"))
    groups = weight_decay_groups(network)
    learns = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert groups.decayed.keys() | groups.spared.keys() == learns
    assert not groups.decayed.keys() & groups.spared.keys()
    assert {name.split(".")[-1] for name in groups.decayed} == {"weight"}
    assert all("lora_" in name or "projector" in name for name in groups.decayed)
    # Per layer: one A and one B each for q, k, v (their A is one) and dense; two linear layers.
    assert len(groups.decayed) == 2 * (4 + 2) + 2
    assert len(groups.spared) == 2 * 4 + 1 + 2


def test_the_width_between_tinygptvs_linear_layers_is_a_config_field() -> None:
    config = tiny_minigpt.config("tinygptv")
    for settings, middle in (({}, 4096), ({"projector_hidden_size": 24}, 24)):
        assert blueprint({**config, **settings}).middle == middle
    with torch.device("meta"):
        network = VisionLanguageModel(blueprint({**config, "projector_hidden_size": 24}))
    first, second = (network.connector.get_parameter(f"_connector.projector.{at}.weight") for at in (0, 1))
    assert (first.shape[0], second.shape[1]) == (24, 24)
