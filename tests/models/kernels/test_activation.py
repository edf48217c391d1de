"""Activations inside oneDNN's products, and in place: those of torch, and only where nothing else takes the numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.activations import GELUTanh, NewGELUActivation, QuickGELUActivation

from tests.models.engine.test_engine import ask, check_equal, questions
from tests.models.engine.toy import ToySystem, network
from vlmbench.models.engine.engine import Engine
from vlmbench.models.parts.kernels import activation, linear
from vlmbench.models.parts.kernels.activation import Fused, InPlaceQuickGelu
from vlmbench.models.parts.kernels.linear import OneDnnLinear


class Mlp(nn.Module):
    """Two layers, and a way from one to the other."""

    def __init__(self, act: nn.Module, use: str = "") -> None:
        super().__init__()
        self.first, self.act, self.second, self.use = nn.Linear(16, 32), act, nn.Linear(32, 16), use

    def forward(self, inputs: Tensor) -> Tensor:
        between = self.first(inputs)
        activated = {
            "": lambda: self.act(between),
            "moved first": lambda: self.act(between + 1.0),
            "twice": lambda: self.act(between) + self.act(between * 2),
            "now and then": lambda: self.act(between) + self.first(inputs),
        }
        found: Tensor = self.second(activated[self.use]())
        return found


@torch.inference_mode()
def fused(mlp: Mlp, rows: Tensor) -> dict[str, str]:
    with activation.watched(mlp) as found:
        mlp(rows)
        mlp(rows[:1])
    return found


@pytest.mark.parametrize("act", [GELUTanh(), NewGELUActivation(), nn.GELU("tanh")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_product_activates(act: nn.Module, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    mlp, rows = Mlp(act).to(dtype).eval(), torch.randn(3, 7, 16, dtype=dtype) * 3
    wanted = mlp(rows).detach()
    found = fused(mlp, rows)
    assert found == {"first": "act"}
    linear.pack(mlp, found)
    assert isinstance(mlp.first, OneDnnLinear) and mlp.first.activation == "gelu" and isinstance(mlp.act, Fused)
    with torch.inference_mode():
        assert torch.allclose(mlp(rows), wanted, atol=1e-6 if dtype == torch.float32 else 2e-2)
    linear.unpack(mlp)
    assert mlp.act is act and torch.equal(mlp(rows), wanted)


@pytest.mark.parametrize("use", ["moved first", "twice", "now and then"])
def test_an_activation_of_other_numbers_stays(use: str) -> None:
    assert fused(Mlp(GELUTanh(), use), torch.randn(3, 16)) == {}


def test_another_activation_stays() -> None:
    for act in (nn.GELU(), nn.SiLU(), QuickGELUActivation()):
        assert fused(Mlp(act), torch.randn(3, 16)) == {}


class OneMore(nn.Module):
    """A language model's head that takes a layer's outputs before their activation, too."""

    def __init__(self, mlp: Any) -> None:
        super().__init__()
        self.fc1, self.activation_fn, self.fc2 = mlp.fc1, mlp.activation_fn, mlp.fc2

    def forward(self, states: Tensor) -> Tensor:
        between = self.fc1(states)
        found: Tensor = self.fc2(self.activation_fn(between) + between)
        return found


def toy() -> ToySystem:
    """Of its own, with GELU in its tanh form."""
    made = ToySystem(network.__wrapped__("phi"))
    for layer in made.network.language_model.model.layers:
        layer.mlp.activation_fn = GELUTanh()
    return made


def taken_twice() -> ToySystem:
    made = toy()
    for layer in made.network.language_model.model.layers:
        layer.mlp = OneMore(layer.mlp)
    return made


def test_where_the_trial_parts_only_the_products_are_taken() -> None:
    groups = questions(2, 6)
    plain = ask(taken_twice(), groups)
    system = taken_twice()
    with_products = ask(system, groups, linear="onednn")
    assert any(isinstance(module, OneDnnLinear) for module in system.module.modules())
    assert not any(isinstance(module, Fused) for module in system.module.modules())
    check_equal(with_products, plain)


def test_answers_with_fused_activations_are_those_of_torch() -> None:
    groups, system = questions(3, 8), toy()
    plain = ask(toy(), groups)
    check_equal(ask(system, groups, linear="onednn"), plain)
    assert (
        sum(isinstance(module, Fused) for module in system.module.modules()) == 5
    )  # two layers of each network, and the tower's head
    assert len(set(plain.texts.values())) > 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_place_is_bit_equal(dtype: torch.dtype) -> None:
    act, numbers = QuickGELUActivation(), torch.randn(50, 300).mul(4).to(dtype)
    wanted, before = act(numbers), numbers.clone()
    activation.use_in_place(act)
    assert type(act) is InPlaceQuickGelu
    with torch.inference_mode():
        assert torch.equal(act(numbers), wanted)
    assert torch.equal(numbers, before)
    learnt = numbers.float().requires_grad_()
    act(learnt).sum().backward()
    assert learnt.grad is not None


def test_an_engine_has_it_in_place() -> None:
    system = toy()
    system.network.vision.encoder.layers[0].mlp.activation_fn = QuickGELUActivation()
    Engine(system)
    assert any(isinstance(module, InPlaceQuickGelu) for module in system.module.modules())
