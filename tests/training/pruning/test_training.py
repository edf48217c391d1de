"""The training after pruning: golden losses are in test_twins.py; zeros stay, a kill changes nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.loop.killing import finish, kill_at, weights
from tests.training.test_twins import losses, twin
from tests.training.toy import ready
from vlmbench.cli.main import main
from vlmbench.training.loop import loop
from vlmbench.training.pruning.store import RECORD
from vlmbench.training.recipe.pruning import Pruning, Ratios

HALF = Ratios(weights=0.5)
GOLDEN = [6.95923, 6.86451, 6.83921, 6.78952]
"""Losses of the twin with half of its weights set to 0 by Wanda."""


def test_zeros_stay_zeros_while_the_rest_trains(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    recipe = replace(twin("prune"), pruning=Pruning(HALF, HALF, batches=2))
    model = loop.train(recipe, ready(tmp_path))
    before = load_file(tmp_path / loop.PRUNED / "model.safetensors")
    after = load_file(model / "model.safetensors")
    matrices = [name for name in before if "layers." in name and before[name].ndim == 2]
    assert len(matrices) == 36
    for name in matrices:
        zero = before[name] == 0
        assert 0.45 < zero.float().mean() < 0.55
        assert torch.equal(after[name] == 0, zero), name
        assert not torch.equal(after[name], before[name].to(after[name].dtype)), name
    assert losses(tmp_path)["recover"] == pytest.approx(GOLDEN, abs=1e-3)


@pytest.mark.slow
def test_killed_while_it_prunes_and_trains_it_ends_with_equal_weights(tmp_path: Path) -> None:
    whole, broken = (ready(tmp_path / name) for name in ("whole", "broken"))
    finish(whole, "prune")
    kill_at(broken, 0, "prune")  # before anything is there
    kill_at(broken, 3, "prune")
    assert (broken / loop.PRUNED / RECORD).is_file()
    finish(broken, "prune")
    assert weights(broken) == weights(whole)
    assert losses(broken) == losses(whole)


def test_a_pruned_model_of_other_settings_is_not_taken(tmp_path: Path) -> None:
    """Killed before the first checkpoint, then other ratios in the same folder."""
    recipe = replace(twin("prune"), pruning=Pruning(language_model=Ratios(heads=0.5), score="magnitude"))
    loop.train(recipe, ready(tmp_path))
    for name in ("checkpoint", "model"):
        shutil.rmtree(tmp_path / name)
    loop.train(replace(recipe, pruning=Pruning(language_model=Ratios(neurons=0.5), score="magnitude")), tmp_path)
    record = json.loads((tmp_path / loop.MODEL / RECORD).read_text("utf-8"))
    assert record["parts"]["language_model"]["heads"] == [2, 2]
    assert record["parts"]["language_model"]["neurons"] == [32, 64]


def test_the_models_figures_before_and_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = replace(twin("prune"), pruning=Pruning(Ratios(), Ratios(heads=0.5, neurons=0.5), score="magnitude"))
    model = loop.train(recipe, ready(tmp_path))
    capsys.readouterr()
    assert main(["models", f"tinyllava:{model}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)[f"tinyllava:{model}"]
    assert told["parameters"] == told["pruned"]["after"]["parameters"] < told["pruned"]["before"]["parameters"]
    assert told["flops_per_question"] == told["pruned"]["after"]["flops_per_question"]
    assert told["pruned"]["after"]["bytes"]["float32"] == 4 * told["parameters"]
    assert main(["models", f"tinyllava:{model}"]) == 0
    shown = capsys.readouterr().out
    assert "language_model: 2 of 2 layers, 1 of 2 heads, 32 of 64 neurons" in shown
    assert "before" in shown
    assert (
        main(
            [
                "run",
                "--model",
                f"tinyllava:{model}",
                "--tasks",
                "pope",
                "--limit",
                "4",
                "--output",
                str(tmp_path / "run"),
            ]
        )
        == 0
    )
