"""Muon: matrices move by orthogonal steps, everything else as AdamW moves it; eager attention in the vision tower."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.training.loop.test_linear import losses
from tests.training.toy import ready, run, toy
from vlmbench.base.errors import TrainingError, UnknownNameError
from vlmbench.training.loop.checkpoint import Position
from vlmbench.training.loop.learner import parameter_groups
from vlmbench.training.loop.loop import MODEL
from vlmbench.training.loop.stage_run import StageRun
from vlmbench.training.loop.state import RECIPE, TrainingState
from vlmbench.training.optim.muon import MOMENTUM, Muon, orthogonal
from vlmbench.training.recipe.recipe import Recipe


def short(changes: Mapping[str, str], steps: int = 4) -> Recipe:
    recipe = toy(steps)
    return recipe.only(recipe.stages[0].name).replace(changes)


MUON = {"stages.see.muon": "0.02", "attention": "eager"}


def test_steps_are_orthogonal() -> None:
    torch.manual_seed(0)
    for shape in ((16, 48), (48, 16)):
        turned = orthogonal(torch.randn(3, *shape))
        values = torch.linalg.svdvals(turned.float())
        assert turned.shape == (3, *shape)
        assert values.min() > 0.6 and values.max() < 1.2, shape


def test_matrices_turn_and_the_rest_follows_adamw() -> None:
    torch.manual_seed(0)
    matrix, vector = nn.Parameter(torch.randn(8, 4)), nn.Parameter(torch.randn(4))
    alone, start = nn.Parameter(vector.detach().clone()), matrix.detach().clone()
    groups = [
        {"params": [matrix], "weight_decay": 0.5, "lr": 0.1, "orthogonal": True},
        {"params": [vector], "weight_decay": 0.0, "lr": 0.01},
    ]
    muon, adam = Muon(groups, lr=0.1), torch.optim.AdamW([alone], lr=0.01, weight_decay=0.0)
    gradient = torch.randn(8, 4)
    for step in range(1, 4):
        matrix.grad, vector.grad, alone.grad = gradient.clone(), torch.ones(4), torch.ones(4)
        before = matrix.detach().clone()
        muon.step()
        adam.step()
        # A constant gradient: each step is its orthogonal form, longer for tall matrices, after the decay. Nesterov's
        # momentum makes it shorter at first, which decides the last digits in bfloat16.
        push = gradient * (1 - MOMENTUM + MOMENTUM * (1 - MOMENTUM**step))
        wanted = -0.1 * 2**0.5 * orthogonal(push[None])[0].float()
        moved = matrix - before * (1 - 0.1 * 0.5)
        assert (moved - wanted).norm() < 0.02 * wanted.norm()
    assert torch.equal(vector, alone) and not torch.equal(matrix, start)
    assert torch.allclose(muon.state[matrix]["momentum"], gradient * (1 - MOMENTUM**3))
    assert len(muon.param_groups) == 2


def test_only_matrices_are_turned(tmp_path: Path) -> None:
    recipe = short({"stages.see.muon": "0.02"})
    state = TrainingState(recipe, ready(tmp_path), progress=False)
    try:
        heads = nn.ModuleDict({"read": nn.Linear(4, 4)})
        state.model.tune({"language_model": "full", "vision_tower": "full"})
        stage = replace(recipe.stages[0], train=("vision_tower", "language_model"))
        groups = parameter_groups(state.model, stage, heads)
    finally:
        state.close()
    turned = {id(p) for group in groups if group.get("orthogonal") for p in group["params"]}
    tables = {id(m.weight) for m in state.model.module.modules() if isinstance(m, nn.Embedding)}
    assert turned and all(group["peak"] == (0.02 if group.get("orthogonal") else stage.lr) for group in groups)
    for name, parameter in state.model.module.named_parameters():
        if parameter.requires_grad:
            assert (id(parameter) in turned) == (parameter.ndim == 2 and id(parameter) not in tables), name
    assert not turned & {id(parameter) for parameter in heads.parameters()}


@pytest.mark.slow
def test_a_stopped_training_goes_on_as_if_it_had_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(short(MUON, 6), save_every=2)
    run(recipe, tmp_path / "whole")
    saved = StageRun._save
    with monkeypatch.context() as stopping:

        def stop(self: StageRun, stage: int, step: int, log: int) -> Position:
            position = saved(self, stage, step, log)
            if step == 4:
                raise KeyboardInterrupt
            return position

        stopping.setattr(StageRun, "_save", stop)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, tmp_path / "stopped")
    run(recipe, tmp_path / "stopped")
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")
    one, other = ((tmp_path / name / MODEL / "model.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert one == other


@pytest.mark.slow
def test_attention_of_the_tower_changes_last_digits_alone(tmp_path: Path) -> None:
    for name in ("sdpa", "eager"):
        run(short({"attention": name}), tmp_path / name)
    wanted, found = losses(tmp_path / "sdpa"), losses(tmp_path / "eager")
    assert found == pytest.approx(wanted, rel=1e-5)
    assert "attention" not in json.loads((tmp_path / "sdpa" / RECIPE).read_text("utf-8"))
    assert json.loads((tmp_path / "eager" / RECIPE).read_text("utf-8"))["attention"] == "eager"


def test_wrong_values_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="no attention of the vision tower named 'flash'"):
        toy().replace({"attention": "flash"})
    with pytest.raises(TrainingError, match="muon is -1"):
        toy().replace({"stages.see.muon": "-1"})
