"""Every stage of every published recipe really trains: its twin at toy size, with losses that are stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.training.toy import ready
from vlmbench.base import registry
from vlmbench.training.loop import loop
from vlmbench.training.loop.state import LOG
from vlmbench.training.recipe.recipe import Recipe
from vlmbench.training.recipes.smoke import STEPS, smoke

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).with_name("twin_losses.json")
"""{recipe: {stage: losses}}. `python -m tests.training.twin_losses` writes it anew."""
TWINS = [name for name in registry.RECIPES if name != "nano"]


def twin(name: str) -> Recipe:
    """A recipe at toy size."""
    return smoke(registry.recipes.get(name)())


def losses(folder: Path) -> dict[str, list[float]]:
    """A training's losses by stage."""
    found: dict[str, list[float]] = {}
    for line in map(json.loads, (folder / LOG).read_text(encoding="utf-8").splitlines()):
        if "loss" in line:
            found.setdefault(line["stage"], []).append(line["loss"])
    return found


@pytest.mark.parametrize("name", TWINS)
def test_twins_train_with_golden_losses(name: str, tmp_path: Path) -> None:
    recipe = twin(name)
    torch.set_num_threads(1)
    loop.train(recipe, ready(tmp_path))
    found, golden = losses(tmp_path), json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    assert found.keys() == golden.keys() == {stage.name for stage in recipe.stages}
    for stage, told in golden.items():
        assert len(told) == STEPS
        assert found[stage] == pytest.approx(told, abs=1e-3), stage
    written = json.loads((tmp_path / loop.MODEL / "config.json").read_text(encoding="utf-8"))
    restored = registry.load_object(recipe.restore)(tmp_path / loop.MODEL)
    assert restored.config["model_type"] == written["model_type"]


def test_a_twin_keeps_what_a_stage_is() -> None:
    for name in TWINS:
        whole, small = registry.recipes.get(name)(), twin(name)
        for stage, tiny in zip(whole.stages, small.stages, strict=True):
            assert (stage.name, stage.learns, stage.lr) == (tiny.name, tiny.learns, tiny.lr)
            assert (stage.template, stage.awake, stage.checkpointing) == (tiny.template, tiny.awake, tiny.checkpointing)
            assert [pool.ratio for pool in stage.pools] == [pool.ratio for pool in tiny.pools]
            assert (stage.rates is None) == (tiny.rates is None)
            if stage.rates and tiny.rates:
                assert (stage.rates.peak, stage.rates.last) == (tiny.rates.peak, tiny.rates.last)


def test_every_stage_is_listed() -> None:
    """`vlmbench train --list` has them all, full size and nano."""
    for name in registry.RECIPES:
        recipe = registry.recipes.get(name)()
        assert all(f"  {stage.name} " in recipe.describe() for stage in recipe.stages)
