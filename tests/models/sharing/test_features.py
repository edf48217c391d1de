"""Features of an image are made once where its prefix cannot be shared; answers are the same to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.models.huggingface.asking import ask, questions, system
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.sharing.features import RememberedParts, image_parts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # PaliGemma's processor
]
KINDS = ("paligemma", "blip2", "blip2_t5", "instructblip", "florence2", "kosmos2")


def count_runs(model: Any) -> dict[str, int]:
    """How often each part of a model really runs, by a part within it that nobody wraps."""
    runs: dict[str, int] = {}

    def watch(name: str, module: nn.Module) -> None:
        leaf = next(part for part in module.modules() if not list(part.children()))
        leaf.register_forward_hook(lambda *_: runs.__setitem__(name, runs.get(name, 0) + 1))

    for part in image_parts(model):
        watch(type(part).__name__, part)
    return runs


@pytest.mark.parametrize("kind", KINDS)
def test_a_tower_runs_once_an_image(kind: str) -> None:
    model = system(kind)
    engine = HfEngine(model)
    assert engine.kind == "batched" and engine.sharing.endswith("its images' features are shared")
    groups = questions(2, 5, tokens=2)
    runs = count_runs(model.model)
    assert len(list(engine.answer(groups))) == 10
    tower = next(count for name, count in runs.items() if "Vision" in name)
    assert tower == 2, runs
    other = [count for name, count in runs.items() if "QFormer" in name]
    assert other == ([10] if kind == "instructblip" else [2] if kind.startswith("blip2") else []), runs


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_same_to_the_last_bit(kind: str) -> None:
    groups = questions(2, 5, ranked=True)
    shared, plain = ask(system(kind), groups), ask(system(kind), groups, kind="batched")
    assert shared.engine.settings == plain.engine.settings, "so are the keys of the answers"
    assert shared.texts == plain.texts
    for name, logits in plain.logits.items():
        assert all(map(torch.equal, logits, shared.logits[name]))


def test_modules_are_as_before_afterwards() -> None:
    model = system("paligemma").model
    tower = model.model.vision_tower
    tower.forward = own = tower.forward  # as wrappers of modules do
    parts = RememberedParts(model)
    with parts.used():
        assert tower.forward is not own
    assert tower.forward is own
    assert all("forward" not in vars(part) for part in image_parts(model) if part is not tower)


def test_what_a_model_writes_into_its_features_is_not_remembered() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower, self.words = Tower(), nn.Embedding(2, 2)

        def get_decoder(self) -> nn.Module:
            return self.words

        get_input_embeddings = get_output_embeddings = get_decoder

    class Tower(nn.Module):
        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            return pixel_values * 2

    model, pixels = Model(), torch.ones(2)
    parts = RememberedParts(model)
    with parts.used():
        first = model.tower(pixels)
        first += 1
        assert model.tower(torch.ones(2)).tolist() == [2.0, 2.0] and parts.repeats == 1
        pixels += 1
        assert model.tower(pixels).tolist() == [4.0, 4.0] and parts.repeats == 1
        assert model.tower(pixel_values=pixels).tolist() == [4.0, 4.0]
