"""DINOv2 alone and beside CLIP: hidden states, position tables of another size, names in files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Dinov2Config, Dinov2Model

from tests.models.checkpoints.formats import BERT, DINO, MIXTURE, QFORMER, made
from tests.models.systems.test_tinyllava import ask
from tests.models.tiny import config
from vlmbench.base.errors import ModelError
from vlmbench.models.parts.connector.connector import Connector, Widths
from vlmbench.models.parts.language import weight_names as names
from vlmbench.models.parts.vision import dino
from vlmbench.models.parts.vision.dino import DinoTower
from vlmbench.models.parts.vision.tower import VisionTower
from vlmbench.models.systems import tinyllava

SMALL = {name: value for name, value in DINO.items() if name != "model_type"}
PROCESSOR = {"size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": {"height": 28, "width": 28}}


@pytest.mark.parametrize("layer", [0, 1, -1, -2])
@torch.no_grad()
def test_the_tap_is_the_hidden_state_of_transformers(layer: int) -> None:
    model: Any = Dinov2Model(Dinov2Config(**SMALL)).eval()
    torch.nn.init.normal_(model.embeddings.cls_token)
    tower = DinoTower(SMALL).eval()
    tower.load_state_dict(model.state_dict())
    image = torch.randn(2, 3, 42, 42)
    whole = model(image, output_hidden_states=True).hidden_states
    assert torch.allclose(tower.tap(image, layer), whole[layer], atol=1e-5)
    assert torch.allclose(tower.norm(whole[-1]), model(image).last_hidden_state, atol=1e-5)


def cubic(x: float) -> float:
    """The weight of a neighbour at a distance, by torch's a = -0.75."""
    x, a = abs(x), -0.75
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def sampled(row: Tensor, patches: int) -> Tensor:
    """A row of a table at other places, the scale a tenth of a patch more than the number of patches says."""
    values = []
    for place in range(patches):
        at = (place + 0.5) * len(row) / (patches + 0.1) - 0.5
        around = range(math.floor(at) - 1, math.floor(at) + 3)
        values.append(sum(cubic(at - one) * row[min(max(one, 0), len(row) - 1)] for one in around))
    return torch.stack([torch.as_tensor(value) for value in values])


@torch.no_grad()
def test_a_smaller_picture_samples_the_table_as_version_4_did() -> None:
    tower = DinoTower({**SMALL, "image_size": 98})
    torch.nn.init.normal_(tower.embeddings.position_embeddings)
    found = tower._positions(2, 2)
    assert found.shape == (1, 5, 24)
    table = tower.embeddings.position_embeddings[0, 1:, 0].reshape(7, 7)
    columns = torch.stack([sampled(row, 2) for row in table])
    expected = torch.stack([sampled(column, 2) for column in columns.T]).T
    assert torch.allclose(found[0, 1:, 0].reshape(2, 2), expected, atol=1e-5)
    assert torch.equal(found[:, :1], tower.embeddings.position_embeddings[:, :1])


def test_dinov2_alone_answers_at_the_size_of_its_pictures(tmp_path: Path) -> None:
    told = {**config(), "vision_config": DINO, "connector_type": "linear"}
    files = made(tmp_path).files
    system = tinyllava.build(told, preprocessor=PROCESSOR, tokenizer=files)
    assert (system.visual_tokens, system.network.blueprint.pixels) == (4, 28)
    system.save(tmp_path / "checkpoint")
    model = tinyllava.load(str(tmp_path / "checkpoint"))
    assert model.facts["visual_tokens"] == 4
    ask(model)


def test_the_published_preparation_of_dinov2() -> None:
    plan = tinyllava.blueprint({**config(), "vision_config": {**dino.published("facebook/dinov2-large")}})
    assert plan.pixels == 224
    tower = DinoTower({**SMALL, "image_size": 518})
    assert tower.tokens(plan.pixels) == (257,)


@torch.no_grad()
def test_a_mixture_is_both_towers_without_their_class_tokens(tmp_path: Path) -> None:
    tower = made(tmp_path, **MIXTURE).network.vision_tower
    image = torch.randn(2, 3, 28, 28)
    clip, second = tower._vision_tower.clip.tap(image, -2), tower._vision_tower.dinov2.tap(image, -2)
    assert torch.equal(tower(image), torch.cat([clip[:, 1:], second[:, 1:]], dim=1))
    tower.selection = "cls_patch"
    assert (tower(image).shape, tower.tokens()) == ((2, 10, 24), 10)


@torch.no_grad()
def test_the_mixtures_tokens_alternate() -> None:
    joined: Any = Connector("mof_mlp", Widths(6, 8, 10))
    features = torch.randn(2, 10, 6)
    found = joined(features)
    assert torch.allclose(found[:, 0::2], joined._connector.clip(features[:, :5]), atol=1e-6)
    assert torch.allclose(found[:, 1::2], joined._connector.dinov2(features[:, 5:]), atol=1e-6)


def test_what_does_not_go_together() -> None:
    clip = config(vision="clip_vision_model")["vision_config"]
    with pytest.raises(ModelError, match="width 24, DINOv2 5 of width 30"):
        VisionTower(clip, second={**DINO, "hidden_size": 30})
    with pytest.raises(ModelError, match="no mixture of 'siglip_vision_model' and 'dinov2'"):
        VisionTower(config()["vision_config"], second=DINO)
    with pytest.raises(ModelError, match="use_swiglu_ffn"):
        VisionTower({**DINO, "use_swiglu_ffn": True})
    with pytest.raises(ModelError, match="no final norm"):
        VisionTower(clip, second=DINO, final_norm=True)(torch.zeros(1, 3, 28, 28))
    with pytest.raises(ModelError, match="vision_feature_layer 9"):
        VisionTower(DINO, layer=9)(torch.zeros(1, 3, 28, 28))
    with pytest.raises(ModelError, match="resampler_hidden_size 40"):
        Connector("legacy_resampler", Widths(6, 8, 10, inner=40))


@pytest.mark.parametrize("told", [MIXTURE, QFORMER, {"vision_config": DINO}], ids=["mixture", "qformer", "dinov2"])
def test_names_go_there_and_back(told: dict[str, Any], tmp_path: Path) -> None:
    if "vision_config" in told:
        files = made(tmp_path).files
        system = tinyllava.build({**config(), **told}, preprocessor=PROCESSOR, tokenizer=files)
    else:
        system = made(tmp_path, **told)
    ours = list(system.network.state_dict())
    files_ = [names.to_file(name) for name in ours]
    assert [names.to_module(name) for name in files_] == ours
    assert len(set(files_)) == len(ours)
    for old in ("attention.q_proj", "bert.encoder.layer.0.attention.attention"):
        assert not any(old in name for name in files_)
    assert not [
        name for name in files_ if names.to_module(name) == name and "bert.encoder" in name and ".self." in name
    ]


def test_qformers_of_other_sizes_are_told_in_the_config(tmp_path: Path) -> None:
    system = made(tmp_path, **QFORMER)
    bert: Any = system.network.connector._connector.bert
    assert bert.config.hidden_size == BERT["hidden_size"]
    assert tinyllava.blueprint({**config(), "connector_type": "qformer"}).qformer == {}
