"""The formula: equal to a plain one, to Hinton's where nothing is left out, and blind to what it must not see."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.training.distil.slow_losses import token_loss
from vlmbench.training.distil.losses import mixed_loss, soft_loss

TOKENS, WORDS = 5, 11


def tables(teacher: Tensor, top: int) -> tuple[Tensor, Tensor, Tensor]:
    logprobs = teacher.log_softmax(dim=-1)
    best = logprobs.topk(top, dim=-1)
    rest = (1 - best.values.double().exp().sum(dim=-1)).clamp(min=0).log().float()
    return best.indices, best.values, torch.where(rest < -14, -math.inf, rest)


def drawn(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (3 * torch.randn(TOKENS, WORDS, generator=generator) for _ in range(2))
    return student, teacher, torch.randint(WORDS, (TOKENS,), generator=generator)


@pytest.mark.parametrize("top", [1, 4, WORDS])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_mixed_loss_is_the_plain_one(top: int, temperature: float, weight: float) -> None:
    student, teacher, labels = drawn(top)
    at = torch.tensor([0, 1, -1, 2, 3])
    taught = [row for row, place in enumerate(at.tolist()) if place >= 0]
    found = mixed_loss(student, labels, at, tables(teacher[taught], top), temperature=temperature, weight=weight)
    plain = [
        token_loss(
            student[row].tolist(),
            teacher[row].tolist() if row in taught else None,
            int(labels[row]),
            top,
            temperature,
            weight,
        )
        for row in range(TOKENS)
    ]
    assert float(found) == pytest.approx(sum(plain) / TOKENS, rel=1e-5)


def test_with_the_whole_vocabulary_it_is_hintons() -> None:
    student, teacher, _ = drawn(0)
    found = soft_loss(student, *tables(teacher, WORDS), 4.0)
    own, expected = (student / 4.0).log_softmax(dim=-1), (teacher / 4.0).log_softmax(dim=-1)
    wanted = 16.0 * functional.kl_div(own, expected, reduction="none", log_target=True).sum(dim=-1)
    assert torch.allclose(found, wanted, rtol=1e-5)


def test_a_student_that_knows_as_much_learns_nothing() -> None:
    """Only the sum of what is left out counts: the student may share it out as it likes."""
    _, teacher, _ = drawn(1)
    ids, logprobs, rest = tables(teacher, 3)
    others = torch.ones_like(teacher, dtype=torch.bool).scatter(1, ids, False)
    even = rest[:, None] - math.log(WORDS - 3)
    student = torch.where(others, even, teacher.log_softmax(dim=-1)).requires_grad_()
    loss = soft_loss(student, ids, logprobs, rest, 2.0).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-5)
    assert float(student.grad.abs().max()) < 1e-5


def test_no_rest_and_no_probability_give_finite_gradients() -> None:
    student = torch.zeros(1, 4, requires_grad=True)
    sure = torch.tensor([[0.0, -math.inf]]), torch.tensor([-math.inf])
    soft_loss(student, torch.tensor([[2, 1]]), *sure, 2.0).sum().backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None and bool(student.grad.isfinite().all())
    assert float(student.grad[0, 2]) < 0 < float(student.grad[0, 0])
    whole = torch.zeros(1, 2, requires_grad=True)
    found = soft_loss(whole, torch.tensor([[0, 1]]), torch.tensor([[-0.1, -2.4]]), torch.tensor([-math.inf]), 1.0)
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert whole.grad is not None and bool(whole.grad.isfinite().all())
