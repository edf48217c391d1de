"""TinyGPT-V's small recipe: parts taken over exactly, each stage trains what it says, and all of it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.toy import SMALL, ready, toy
from vlmbench.base import registry
from vlmbench.base.errors import ModelError
from vlmbench.models.systems import init_from_tinyllava, tinyllava
from vlmbench.models.zoo.training_stages import TINYGPTV_STAGES
from vlmbench.training.loop import learner, loop
from vlmbench.training.loop.state import LOG
from vlmbench.training.recipe.recipe import Feed, Recipe, Stage
from vlmbench.training.recipes.tinygptv_nano import CONFIG, four, nano
from vlmbench.training.scenes import vocabulary


@pytest.fixture
def donor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy TinyLLaVA in the place of the one that ships."""
    torch.set_num_threads(1)
    folder = ready(tmp_path) / vocabulary.FOLDER
    registry.load_object(toy().build)(SMALL, preprocessor=None, tokenizer=folder).save(tmp_path / "donor")
    monkeypatch.setattr(tinyllava, "NANO", tmp_path / "donor")
    return tmp_path / "donor"


def small() -> dict[str, Any]:
    return {
        **CONFIG,
        "text_config": {**CONFIG["text_config"], **SMALL["text_config"], "qk_layernorm": True},
        "vision_config": {
            **SMALL["vision_config"],
            **{k: CONFIG["vision_config"][k] for k in ("model_type", "hidden_act", "layer_norm_eps", "qkv_bias")},
        },
        "projector_hidden_size": 24,
        "qformer_config": {
            **CONFIG["qformer_config"],
            "hidden_size": 32,
            "num_attention_heads": 2,
            "intermediate_size": 48,
        },
        "lora": {**CONFIG["lora"], "rank": 4},
    }


def quick() -> Recipe:
    def short(feed: Feed) -> Feed:
        return replace(feed, rows=1, turns=min(feed.turns, 2))

    def brief(stage: Stage) -> Stage:
        return replace(stage, steps=2, feeds=tuple(map(short, stage.feeds)))

    recipe = nano()
    stages = tuple(map(brief, recipe.stages))
    return replace(recipe, config=small(), precision="float32", workers=0, log_every=1, stages=stages)


def test_parts_are_taken_over_exactly(donor: Path) -> None:
    """Without its class token EVA's layers give what SigLIP's gave."""
    made, given = init_from_tinyllava.build(small(), tokenizer=donor), tinyllava.restore(donor)
    pixels = torch.randn(2, 3, 96, 96)
    eva = made.network.vision_tower._vision_tower.vision_model
    with torch.no_grad():
        wanted = given.network.vision_tower(pixels)
        hidden = eva.embeddings(pixels)[:, 1:]
        for layer in eva.encoder.layers:
            hidden = layer(hidden)
    assert torch.allclose(hidden, wanted, atol=1e-5)
    told = given.network.language_model.state_dict()
    own = {name.replace(".base_layer.", "."): t for name, t in made.network.language_model.state_dict().items()}
    assert all(torch.equal(own[name], told[name]) for name in told)
    assert {name.split(".")[-2] for name in own.keys() - told.keys()} == {
        *("q_layernorm", "k_layernorm", "post_layernorm", "default"),
    }


def test_another_tokenizer_is_refused(donor: Path, tmp_path: Path) -> None:
    vocabulary.train_tokenizer(tmp_path / "other", 700, 20)
    with pytest.raises(ModelError, match="is another one than the parts'"):
        init_from_tinyllava.build(small(), tokenizer=tmp_path / "other")


def test_parts_of_other_sizes_are_refused(donor: Path) -> None:
    wide = small() | {"text_config": {**small()["text_config"], "intermediate_size": 96}}
    with pytest.raises(ModelError, match=r"fc1.*meets"):
        init_from_tinyllava.build(wide, tokenizer=donor)


def test_stages_train_what_the_published_ones_do(donor: Path) -> None:
    """The four: linear layers, adapters and weights of grad_norms, as models/zoo/stages.py says of the code."""
    model = init_from_tinyllava.build(small(), tokenizer=donor)
    published = [TINYGPTV_STAGES[name] for name in ("1-code", "2", "3", "4")]
    for stage, known in zip(four(), published, strict=True):
        learner.prepare_stage(model, stage)
        learning = {name for name, parameter in model.network.named_parameters() if parameter.requires_grad}
        assert learning == {name for name, _ in model.network.named_parameters() if known.tuning.trains(name)}


def test_every_stage_runs_and_the_model_answers(donor: Path, tmp_path: Path) -> None:
    recipe = quick()
    model = loop.train(recipe, ready(tmp_path / "run"))
    lines = [json.loads(line) for line in (model / LOG).read_text(encoding="utf-8").splitlines()]
    assert [line["stage"] for line in lines[::2]] == [stage.name for stage in recipe.stages]
    from safetensors.torch import load_file

    assert {tensor.dtype for tensor in load_file(model / "model.safetensors").values()} == {torch.float16}
    again = registry.load_object(recipe.restore)(model)
    assert {parameter.dtype for parameter in again.network.parameters()} == {torch.float32}
    answered = registry.models.get("tinygptv")(str(model))
    assert answered.name == "tinygptv"


def test_a_share_that_is_not_there_is_refused(donor: Path) -> None:
    from vlmbench.base.errors import UnknownNameError

    model = init_from_tinyllava.build(small(), tokenizer=donor)
    stage = replace(four()[0], tuning={"connector": "projectr"})
    with pytest.raises(UnknownNameError, match="projector"):
        learner.prepare_stage(model, stage)
