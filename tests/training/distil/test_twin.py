"""The loss of a whole batch, computed again by plain forward passes of both networks; mutants of it are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.distil.rows import rows, taught
from tests.training.distil.slow_losses import token_loss
from vlmbench.base.samples import Conversation
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import NANO, TinyLLaVA
from vlmbench.training.distil import losses, taught_model
from vlmbench.training.distil.taught_model import TaughtModel
from vlmbench.training.recipe.teacher import Distil

SETTINGS = Distil("tinyllava", temperature=3.0, top_k=6, weight=0.4)


def logits_of(system: TinyLLaVA, row: Conversation) -> tuple[list[list[float]], list[int]]:
    """A row alone, through the whole network: logits that predict its trained tokens, and those tokens."""
    batch = system.collate([row])
    with torch.no_grad():
        logits = system.network(batch)[0]
    ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    wider = system.visual_tokens - 1  # the image is one id, and many places
    image = next(at for at, token in enumerate(ids) if token < 0)
    places = [at for at, label in enumerate(labels) if label >= 0]
    assert min(places) > image
    return [logits[at + wider - 1].tolist() for at in places], [labels[at] for at in places]


def slow(model: TaughtModel, batch: list[Conversation]) -> float:
    """The mean over all trained tokens; each question of its own is a row of its own."""
    student, teacher = model.student, tinyllava.restore(NANO)
    assert isinstance(student, TinyLLaVA)
    alone = [
        one
        for row in batch
        for one in ([Conversation((turn,), row.image) for turn in row.turns] if row.independent else [row])
    ]
    found = []
    for row in alone:
        own, labels = logits_of(student, row)
        expected, others = logits_of(teacher, row)
        assert labels == others
        how = SETTINGS.top_k, SETTINGS.temperature, SETTINGS.weight
        found += [token_loss(a, b, label, *how) for a, b, label in zip(own, expected, labels, strict=True)]
    return sum(found) / len(found)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TaughtModel:
    return taught(SETTINGS, tmp_path_factory.mktemp("distil") / "answers", rows())


@pytest.fixture(scope="module")
def wanted(model: TaughtModel) -> float:
    return slow(model, rows())


def loss(model: TaughtModel) -> float:
    # Rows of independent questions and dialogues are batches of their own in training; together they are padded.
    with torch.no_grad():
        return float(model.loss(model.collate(rows(), "")))


def test_the_loss_has_the_digits_of_the_plain_one(model: TaughtModel, wanted: float) -> None:
    assert loss(model) == pytest.approx(wanted, rel=2e-5)


def _temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = losses.soft_loss
    monkeypatch.setattr(losses, "soft_loss", lambda *parts: plain(*parts[:-1], parts[-1] + 1))


def _unscaled(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = losses.soft_loss
    monkeypatch.setattr(losses, "soft_loss", lambda *parts: plain(*parts) / parts[-1] ** 2)


def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(logits: Tensor, ids: Tensor, logprobs: Tensor, rest: Tensor, temperature: float) -> Tensor:
        own = (logits.log_softmax(dim=-1).gather(1, ids) / temperature).log_softmax(dim=-1)
        expected = (logprobs / temperature).log_softmax(dim=-1)
        return temperature**2 * (expected.exp() * (expected - own)).sum(dim=-1)

    monkeypatch.setattr(losses, "soft_loss", without)


def _shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Any = TaughtModel._tables

    def tables(self: TaughtModel, *parts: Any) -> dict[str, Any]:
        found = plain(self, *parts)
        return {**found, "teacher_at": (found["teacher_at"] - 1).clamp(min=-1)}

    monkeypatch.setattr(taught_model.TaughtModel, "_tables", tables)


@pytest.mark.parametrize("mutant", [_temperature, _unscaled, _no_rest, _shifted])
def test_mutants_have_other_digits(
    mutant: Callable[[pytest.MonkeyPatch], None], model: TaughtModel, wanted: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    assert abs(loss(model) / wanted - 1) > 1e-2
