"""A recipe's `linear`: the losses of torch's own library within rounding, and a training that keeps its choice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.toy import ready, run, toy
from vlmbench.base.errors import TrainingError, UnknownNameError
from vlmbench.models.parts.kernels import linear
from vlmbench.training.loop.devices import Devices
from vlmbench.training.loop.state import LOG, RECIPE
from vlmbench.training.recipe.recipe import Recipe


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def short(**changes: str) -> Recipe:
    return toy().only(toy().stages[0].name).replace(changes)


@pytest.mark.slow
def test_losses_stay_and_another_choice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: Mapping[str, Path] = {name: ready(tmp_path / name) for name in ("mkl", "onednn")}
    calls, product = [0], linear.product

    def count(*parts: Any) -> torch.Tensor:
        calls[0] += 1
        return product(*parts)

    monkeypatch.setattr(linear, "product", count)
    run(short(), folders["mkl"])
    assert not calls[0]
    run(short(linear="onednn"), folders["onednn"])
    assert calls[0]
    wanted, found = losses(folders["mkl"]), losses(folders["onednn"])
    assert len(found) == len(wanted) > 0
    assert found == pytest.approx(wanted, rel=1e-4)
    assert "linear" not in json.loads((folders["mkl"] / RECIPE).read_text("utf-8"))
    assert json.loads((folders["onednn"] / RECIPE).read_text("utf-8"))["linear"] == "onednn"
    with pytest.raises(TrainingError, match='another recipe: linear was not set, is "onednn"'):
        run(short(linear="onednn"), folders["mkl"])
    with pytest.raises(TrainingError, match='another recipe: linear was "onednn", is not set'):
        run(short(), folders["onednn"])


def test_bad_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="no library for Linear layers named 'blas'"):
        toy().replace({"linear": "blas"})
    with pytest.raises(TrainingError, match="linear 'onednn' contradicts precision 'bfloat16'"):
        toy().replace({"linear": "onednn", "precision": "bfloat16"})
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(TrainingError, match="contradicts a machine with a torch without oneDNN"):
        Devices.of(toy().replace({"linear": "onednn"}))
