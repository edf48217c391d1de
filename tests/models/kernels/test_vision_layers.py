"""Vision layers behind the one that is read are not run, where that changes no bit of what the decoder gets."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import ask, questions, system
from vlmbench.models.huggingface import load as hf
from vlmbench.models.huggingface.loading import vision_layers

SKIPS = {"llava": 1, "llava_next": 1, "onevision": 0, "gemma3": 0, "blip2": 0, "qwen2_vl": 0, "mllama": 0}
"""How many of the tower's layers nobody reads, by kind."""
pytestmark = pytest.mark.slow


def layers_run(model: Any, run: Any) -> set[str]:
    """Names of the vision layers whose attention runs meanwhile."""
    seen: set[str] = set()

    def note(name: str) -> Any:
        return lambda *_: seen.add(name)

    named = [(name, module) for name, module in model.named_modules() if name.endswith("self_attn")]
    hooks = [module.register_forward_pre_hook(note(name)) for name, module in named if "vision" in name]
    run()
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("kind", SKIPS)
def test_answers_stay_and_layers_rest(tmp_path: Path, kind: str) -> None:
    groups = questions(2, 4)
    model = hf.load(str(tiny_hf.checkpoint(kind, tmp_path)))
    assert model.skipped == SKIPS[kind]
    assert model.facts.get("vision_layers_skipped", 0) == SKIPS[kind]
    answered: dict[str, str] = {}
    ran = layers_run(
        model.hf.model, lambda: answered.update({one.sample_id: said.text for one, said in model.answer(groups)})
    )
    assert answered == ask(system(kind), groups).texts
    if SKIPS[kind]:
        assert ran and not any(".layers.2." in name for name in ran)


@pytest.mark.parametrize("layer", [-1, -3, 1, [-3, -2]])
def test_the_last_layer_that_is_read_still_runs(layer: Any) -> None:
    made = system("llava")
    made.model.config.vision_feature_layer = layer
    if isinstance(layer, list):
        made.model.model.multi_modal_projector.linear_1 = torch.nn.Linear(64, 32)
    count = {"-1": 0, "-3": 2, "1": 2, "[-3, -2]": 1}[str(layer)]
    assert vision_layers.skip_unread(made.model, partial(hf.trial_inputs, made)) == count
    if count:
        batch = hf.trial_inputs(made)
        skipping = vision_layers.decoder_inputs(made.model, batch)
        for one in vision_layers.unread(made.model):
            del one.forward
        assert all(map(torch.equal, skipping, vision_layers.decoder_inputs(made.model, batch)))


def test_the_layers_before_run_once() -> None:
    made, ran = system("llava"), Counter[str]()
    for number, layer in enumerate(made.model.model.vision_tower.encoder.layers):
        layer.mlp.register_forward_pre_hook(lambda *_, name=str(number): ran.update([name]))
    assert vision_layers.skip_unread(made.model, partial(hf.trial_inputs, made)) == 1
    assert ran == {"0": 1, "1": 1, "2": 1}
    earlier = list(made.model.model.vision_tower.encoder.layers)[:2]
    assert all("forward" not in vars(layer) for layer in earlier)


def test_a_layer_that_is_read_after_all_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant: one layer too many, and the features differ; everything is as before."""
    made = system("llava")
    stack = made.model.model.vision_tower.encoder.layers
    monkeypatch.setattr(vision_layers, "unread", lambda model: list(stack[1:]))
    assert vision_layers.skip_unread(made.model, partial(hf.trial_inputs, made)) == 0
    assert all("forward" not in vars(layer) for layer in stack)


def test_a_model_that_fails_otherwise_is_left_alone() -> None:
    made = system("llava")
    assert vision_layers.skip_unread(made.model, lambda: {"nothing": 1}) == 0
    assert all("forward" not in vars(layer) for layer in vision_layers.unread(made.model))


def test_a_model_in_memory_is_not_touched() -> None:
    model, processor = tiny_hf.build("llava")
    assert hf.of_objects(model, processor).skipped == 0
    assert all("forward" not in vars(layer) for layer in vision_layers.unread(model))
