"""`linear: onednn` in a recipe: torch's gradients by oneDNN's products, on the same parameters."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vlmbench.models.parts.kernels import linear, training
from vlmbench.models.parts.kernels.training import TrainedLinear


def gradients(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    """The loss, and the gradients of inputs and weights."""
    network.zero_grad()
    inputs = inputs.clone().requires_grad_(True)
    loss = network(inputs).float().square().sum()
    loss.backward()
    learned = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert inputs.grad is not None
    return [loss.detach(), inputs.grad, *learned]


@pytest.mark.parametrize("rows", [(7,), (3, 5), (1,)])
@pytest.mark.parametrize("frozen", ["", "weight", "bias"])
def test_gradients_are_those_of_torch(monkeypatch: pytest.MonkeyPatch, rows: tuple[int, ...], frozen: str) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Linear(40, 8, bias=False))
    for name, weight in plain[0].named_parameters():
        weight.requires_grad_(name != frozen)
    other = copy.deepcopy(plain)
    weights = list(other.parameters())
    training.use("onednn", other)
    assert all(one is after for one, after in zip(weights, other.parameters(), strict=True))
    calls, product = [0], linear.product

    def count(*parts: Any) -> Tensor:
        calls[0] += 1
        return product(*parts)

    monkeypatch.setattr(linear, "product", count)
    inputs = torch.randn(*rows, 24)
    found, wanted = gradients(other, inputs), gradients(plain, inputs)
    assert calls[0] == (5 if frozen == "weight" else 6)
    assert len(found) == len(wanted) == (5 if not frozen else 4)
    assert all(torch.allclose(one, same, rtol=1e-4, atol=1e-5) for one, same in zip(found, wanted, strict=True))


def test_other_number_types_and_autocast_stay_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Tensor:
        raise AssertionError

    monkeypatch.setattr(linear, "product", never)
    layer: nn.Module = nn.Linear(4, 3)
    training.use("onednn", layer)
    layer.double()(torch.randn(2, 4, dtype=torch.float64))
    layer.float()(torch.randn(0, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(torch.randn(2, 4)).dtype == torch.bfloat16


def test_it_can_be_undone_and_leaves_other_layers_alone() -> None:
    class Own(nn.Linear):
        pass

    network = nn.Sequential(nn.Linear(4, 4), Own(4, 4))
    for _ in range(2):
        training.use("onednn", network)
    assert [type(layer) for layer in network] == [TrainedLinear, Own]
    training.use("mkl", network)
    assert [type(layer) for layer in network] == [nn.Linear, Own]
