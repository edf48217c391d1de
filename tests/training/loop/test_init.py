"""Fresh weights for small widths."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.toy import ready, toy
from vlmbench.base import registry
from vlmbench.training.loop import init
from vlmbench.training.recipe.recipe import Init
from vlmbench.training.scenes import vocabulary


def test_spreads_are_the_recipes(tmp_path: Path) -> None:
    recipe = toy()
    folder = ready(tmp_path) / vocabulary.FOLDER
    model = registry.load_object(recipe.build)(recipe.config, preprocessor=None, tokenizer=folder)
    torch.manual_seed(0)
    init.init_weights(model.parts(), Init(embeddings=0.5, linear=0.3, alike=0.1))
    weights = dict(model.parts()["language_model"].named_parameters())
    assert weights["model.embed_tokens.weight"].std().item() == pytest.approx(0.5, rel=0.05)
    for layer in range(2):
        name = f"model.layers.{layer}"
        query, key = (weights[f"{name}.self_attn.{part}_proj.weight"] for part in ("q", "k"))
        assert torch.equal(query, key)
        assert query.std().item() == pytest.approx(0.1, rel=0.1)
        assert weights[f"{name}.mlp.fc1.weight"].std().item() == pytest.approx(0.3, rel=0.1)
        for writer in ("mlp.fc2", "self_attn.dense"):
            assert weights[f"{name}.{writer}.weight"].std().item() == pytest.approx(0.15, rel=0.1)


def test_nothing_asked_nothing_changed(tmp_path: Path) -> None:
    recipe = toy()
    folder = ready(tmp_path) / vocabulary.FOLDER
    build = registry.load_object(recipe.build)
    one, two = (build(recipe.config, preprocessor=None, tokenizer=folder) for _ in range(2))
    init.init_weights(one.parts(), Init())
    for part, module in one.parts().items():
        for name, value in module.state_dict().items():
            assert torch.equal(value, two.parts()[part].state_dict()[name])
