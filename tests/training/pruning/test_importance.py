"""The scores on matrices small enough to compute by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vlmbench.training.pruning import choose, importance


def rows(*values: list[float]) -> Tensor:
    """A matrix."""
    return torch.tensor(values)


def test_taylor_sums_before_it_takes_the_absolute_value() -> None:
    """Group 0: 1*2 + 2*(-1) + 3*1 + 4*0 = 3; group 1: 5*1 + 6*(-1) + 7*0 + 8*(-1) = -9."""
    weight = rows([1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0])
    gradient = rows([2.0, -1.0, 1.0, -1.0], [1.0, 0.0, 0.0, -1.0])
    assert importance.taylor(weight, gradient, 2).tolist() == [3.0, 9.0]
    assert importance.taylor(weight, gradient, 4).tolist() == [5.0, 2.0, 5.0, 14.0]


def test_taylor_is_the_derivative_by_a_gate() -> None:
    """A gate of 1 on each head's inputs: |dL/dgate| is the score."""
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 6, generator=draw, requires_grad=True)
    inputs, gates = torch.randn(7, 6, generator=draw), torch.ones(3, requires_grad=True)
    loss = ((inputs * gates.repeat_interleave(2)) @ weight.T).pow(3).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert gates.grad is not None
    assert torch.allclose(importance.taylor(weight, weight.grad, 3), gates.grad.abs(), rtol=1e-4)


def test_magnitude_is_the_norm_of_a_groups_weights() -> None:
    weight = rows([3.0, 0.0, 0.0, 1.0], [4.0, 0.0, 2.0, 2.0])
    assert importance.magnitude(weight, 2).tolist() == [5.0, 3.0]


def test_influence_is_one_minus_the_cosine() -> None:
    before = rows([1.0, 0.0], [1.0, 0.0], [3.0, 4.0])
    after = rows([2.0, 0.0], [0.0, 5.0], [-3.0, -4.0])
    assert importance.influence(before, after).tolist() == pytest.approx([0.0, 1.0, 2.0])


def test_wanda_keeps_what_size_alone_would_not() -> None:
    """The worked example of the idea: a small weight behind a large input counts more than a large one behind none."""
    weight, norms = rows([4.0, 0.0, 1.0, -1.0], [3.0, -2.0, -1.0, -3.0]), torch.tensor([1.0, 2.0, 8.0, 3.0])
    scores = importance.wanda(weight, norms)
    assert scores.tolist() == [[4.0, 0.0, 8.0, 3.0], [3.0, 4.0, 8.0, 9.0]]
    assert importance.keep_mask(scores, 0.5).tolist() == [[True, False, True, False], [False, False, True, True]]
    assert importance.keep_mask(weight.abs(), 0.5).tolist()[1] == [True, False, False, True]


def test_each_row_keeps_as_many_and_ties_go_by_order() -> None:
    scores = rows([1.0, 1.0, 1.0, 1.0], [0.0, 9.0, 8.0, 7.0])
    assert importance.keep_mask(scores, 0.25).tolist() == [[True, True, True, False], [False, True, True, True]]
    larger = rows([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0])
    assert importance.keep_mask(larger, 0.5).tolist() == [[False, False, True, True]] * 2


def test_two_of_four_and_what_is_left_over() -> None:
    scores = rows([1.0, 2.0, 3.0, 4.0, 9.0, 8.0, 7.0, 6.0, 0.1])
    kept = [False, False, True, True, True, True, False, False, True]
    assert importance.keep_mask(scores, 0.5, (2, 4)).tolist() == [kept]


def test_the_best_are_kept_in_their_order() -> None:
    assert choose.best([0.5, 2.0, 0.1, 2.0, 1.0], 3) == (1, 3, 4)
    assert choose.best([1.0, 1.0, 1.0], 2) == (0, 1)
    assert choose.best([1.0, 2.0, 3.0], 2) == (1, 2)
