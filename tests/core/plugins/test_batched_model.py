"""A model around a network: batches, failures, fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import vlmbench
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Generation


class Says(vlmbench.BatchedModel):
    """Says yes; remembers what it was asked."""

    def __init__(self, network: Any = None, *, fail: str = "", returns: Any = None, **more: Any) -> None:
        super().__init__("says", nn.Linear(2, 2) if network is None else network, **more)
        self.batches: list[int] = []
        self.modes: set[tuple[bool, bool]] = set()
        self.fail, self.returns = fail, returns

    def generate(self, images: list[list[Any]], questions: list[str], generation: Generation) -> list[str]:
        self.batches.append(len(questions))
        self.modes.add((self.network.training, torch.is_grad_enabled()))
        assert all(len(one) == 1 and one[0].mode == "RGB" for one in images) and len(images) == len(questions)
        if self.fail and any(self.fail in question for question in questions):
            raise RuntimeError("planted")
        return ["Yes"] * len(questions) if self.returns is None else self.returns


def test_it_is_asked_in_batches_across_images() -> None:
    model = Says(nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)).train(), batch_size=4)
    result = vlmbench.evaluate(model, "pope", limit=36)  # 15 questions, some of which stand in several splits
    assert result.coverage == 1.0 and model.batches == [4, 4, 4, 3]
    assert model.modes == {(False, False)} and model.network.training and model.network[0].training
    assert result.manifest["model"]["facts"]["parameters"] == 4


def test_only_what_fails_alone_is_an_error() -> None:
    model = Says(fail="an arrow", batch_size=8)
    result = vlmbench.evaluate(model, "pope", limit=12)
    failed = result.records[result.records["status"] == "error"]
    assert len(failed) and failed["question"].str.contains("an arrow").all()
    assert set(failed["note"]) == {"RuntimeError: planted"}
    assert len(failed) == result.records["question"].str.contains("an arrow").sum()


@pytest.mark.parametrize(
    ("returns", "told"),
    [
        ("yes", "TypeError: generate returned str, not a list of texts"),
        ([None], "TypeError: generate returned list, not a list of texts"),
        (["a", "b", "c"], "ValueError: generate returned 3 texts for 1 questions"),
    ],
)
def test_what_is_no_list_of_answers(returns: Any, told: str) -> None:
    result = vlmbench.evaluate(Says(returns=returns, batch_size=1), "pope", limit=6)
    assert set(result.records["note"]) == {told} and result.coverage == 0


def test_texts_that_end_an_answer_are_cut_off() -> None:
    from vlmbench.plugins.batched_model import _until

    assert _until("a\nb###c", ("###", "\n")) == "a" and _until("ab", ("###",)) == "ab"


def test_the_fingerprint_is_that_of_the_weights() -> None:
    torch.manual_seed(0)
    network = nn.BatchNorm1d(2)  # it counts batches in a tensor without dimensions
    model, same = Says(network), Says(nn.BatchNorm1d(2))
    first = model.fingerprint
    assert first == same.fingerprint == model.fingerprint
    with torch.no_grad():
        network.weight.add_(1)
    assert model.fingerprint != first
    assert Says(nn.BatchNorm1d(2), version="2").fingerprint != first


def test_answers_are_used_again_only_with_the_same_weights(tmp_path: Path) -> None:
    network = nn.Linear(2, 2)
    vlmbench.evaluate(Says(network), "pope", limit=6, output=tmp_path / "run")
    again = Says(network)
    vlmbench.evaluate(again, "pope", limit=6, output=tmp_path / "run")
    assert again.batches == []
    with torch.no_grad():
        network.weight.add_(1)
    vlmbench.evaluate(again, "pope", limit=6, output=tmp_path / "run")
    assert sum(again.batches) > 0


def test_what_it_cannot_do_is_told_before() -> None:
    with pytest.raises(ModelError, match="rank"):
        vlmbench.evaluate(Says(), "vsr", limit=3)
