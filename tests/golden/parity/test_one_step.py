"""One step of training as the recipes have it, on the official code's batches: losses, gradients, decay groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.golden.parity import minigpt as minigpt_parity
from tests.golden.parity import tinyllava as tinyllava_parity
from tests.golden.parity.kinds import facts
from vlmbench.base import registry
from vlmbench.models.checkpoints.minigpt.names import ours_to_official
from vlmbench.training.loop.devices import Devices
from vlmbench.training.loop.learner import LossModule, learning_rate_share, parameter_groups, prepare_stage
from vlmbench.training.recipe.recipe import Feed, Stage

Counted = Callable[[Path, int], None]
KINDS = ("tuned factory", "minigpt")
FAMILY = {"minigpt4": ("minigpt4-code", 1), "minigptv2": ("minigptv2-code", 0), "tinygptv": ("tinygptv-code", 1)}
"""Recipe and number of the stage that trained what the folder's gradients are of."""


class Whole:
    """An objective that is the model's own loss."""

    def __init__(self, model: Any) -> None:
        self.model, self.heads = model, nn.ModuleDict()

    def prepare(self, step: int) -> list[Mapping[str, Any]]:
        """Batches are given by hand."""
        return []

    def pairs(self, batches: list[Mapping[str, Any]]) -> list[tuple[Feed, Mapping[str, Any]]]:
        """One feed."""
        return [(Feed("rows", 1), batch) for batch in batches]

    def loss(self, feed: Feed, batch: Mapping[str, Any]) -> Tensor:
        """The whole of it."""
        loss: Tensor = self.model.loss(batch)
        return loss


class Trained:
    """A system whose loss goes the way of training: through the module that accelerate prepared."""

    def __init__(self, system: Any) -> None:
        self._system = system
        recipe = registry.recipes.get("nano")().replace({"precision": "float32"})
        self._learner = Devices.of(recipe).accelerator.prepare(LossModule(system, Whole(system)))

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """See LossModule."""
        loss: Tensor = self._learner(Feed("rows", 1), batch)
        return loss

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)


def stage_of(settings: Mapping[str, Any]) -> Stage:
    """The recipes' stage that trains what Factory's arguments say."""
    base: tuple[Stage, ...] = registry.recipes.get("tinyllava-base")().stages
    share: tuple[Stage, ...] = registry.recipes.get("tinyllava-share-paper")().stages
    if settings["tune_type_vision_tower"] == "partially-tune":
        return replace(share[1], tuning={**share[1].tuning, "first_layer": settings["tune_vision_tower_from_layer"]})
    return base[0] if settings["tune_type_llm"] == "frozen" else base[1]


def test_gradients_are_the_official_ones(
    parity_folder: Path, counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "tune" in facts(parity_folder, "info.json"):
        case = tinyllava_parity.Case.read(parity_folder)
        system = case.load(tmp_path / "model")
        system.network.eval()
        monkeypatch.setattr(
            tinyllava_parity, "tune", lambda system, settings: prepare_stage(system._system, stage_of(settings))
        )
        found = list(tinyllava_parity.gradients(case, Trained(system)))  # type: ignore[arg-type]
    else:
        other = minigpt_parity.Case.read(parity_folder)
        minigpt = other.load()
        recipe, number = FAMILY[minigpt.name]
        prepare_stage(minigpt, registry.recipes.get(recipe)().stages[number])
        found = list(minigpt_parity.learning(other, Trained(minigpt)))  # type: ignore[arg-type]
    counted(parity_folder, len(found))
    assert found
    assert not [difference for difference in found if difference.bad]


def test_decay_acts_on_the_official_weights(parity_folder: Path, counted: Counted) -> None:
    if "tune" in facts(parity_folder, "info.json"):
        # TinyLLaVA's scripts say 0: nothing decays.
        assert {stage.weight_decay for stage in registry.recipes.get("tinyllava-base")().stages} == {0.0}
        counted(parity_folder, 1)
        return
    case = minigpt_parity.Case.read(parity_folder)
    system = case.load()
    recipe, number = FAMILY[system.name]
    stage = registry.recipes.get(recipe)().stages[number]
    prepare_stage(system, stage)
    names = {id(p): name for name, p in system.network.named_parameters()}
    found: dict[bool, list[str]] = {True: [], False: []}
    for group in parameter_groups(system, stage, nn.ModuleDict()):
        assert group["lr"] == stage.rates.peak if stage.rates else False
        found[group["weight_decay"] == stage.weight_decay] += [names[id(p)] for p in group["params"]]
    known = {id(p) for p in system.network.parameters()}
    every = dict(system.network.named_parameters(remove_duplicate=False))
    for decays, key in ((True, "weight_decay_params"), (False, "no_weight_decay_params")):
        chosen = {id(every[name]) for name in found[decays]} & known
        state = {name: p.detach() for name, p in every.items() if id(p) in chosen}
        assert sorted(ours_to_official(state, system.config)) == sorted(case.info[key])
        counted(parity_folder, 1)


def test_rates_of_stages_are_their_schedules() -> None:
    """The share of the highest rate, step by step; epochs count from zero in the family's warm-up."""
    for name in registry.RECIPES:
        for stage in registry.recipes.get(name)().stages:
            if stage.rates is None:
                continue
            for step in (0, 1, stage.rates.warmup_steps, stage.rates.steps_per_epoch, stage.rates.steps - 1):
                expected = stage.rates.rate(*divmod(step, stage.rates.steps_per_epoch))
                assert learning_rate_share(stage, stage.steps, step) * stage.rates.peak == pytest.approx(
                    expected, rel=1e-12
                )


def test_transformers_cosine() -> None:
    """TinyLLaVA's rates are those of HF's Trainer."""
    from transformers import get_cosine_schedule_with_warmup

    stage = registry.recipes.get("tinyllava-base")().stages[0]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=66, num_training_steps=2180)
    for step in range(2180):
        assert learning_rate_share(stage, 2180, step) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()
