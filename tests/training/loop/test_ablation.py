"""Ablations: all variants train, start from one base, survive an interruption, and the table says what was found."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from tests.training.toy import ready
from vlmbench.base import registry
from vlmbench.base.errors import TrainingError
from vlmbench.training.loop import ablation, loop
from vlmbench.training.loop.ablation import Ablation, Result
from vlmbench.training.loop.state import LOG
from vlmbench.training.recipe.recipe import Recipe
from vlmbench.training.recipes.smoke import smoke


def small(name: str) -> Ablation:
    """An ablation at toy size."""
    found: Ablation = registry.load_object(registry.ABLATIONS[name])()
    assert found.seeds >= 3
    variants = []
    for variant in found.variants:
        assert variant.before is not None
        before = replace(smoke(variant.before), name=variant.before.name, parts=variant.before.parts)
        variants.append(replace(variant, before=before, recipe=smoke(variant.recipe)))
    return replace(found, variants=tuple(variants), limit=2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread; tokenizers are there already."""
    torch.set_num_threads(1)
    own = loop.train

    def train(recipe: Recipe, output: Path, *, threads: int | None = None, progress: bool = False) -> Path:
        return own(recipe, output if recipe.start else ready(output))

    monkeypatch.setattr(loop, "train", train)


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.ABLATIONS)
def test_all_variants_train_with_all_seeds(name: str, tmp_path: Path) -> None:
    what = small(name)
    table = ablation.run(what, tmp_path, seeds=2, changes={})
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert len(results) == 2 * len(what.variants)
    assert not [result["broke"] for result in results if result["broke"]]
    for result in results:
        assert set(what.stages) <= set(result["losses"])
        assert result["scores"].keys() <= {"pope", "gqa"}  # toys say little that can be read
    for variant in what.variants:
        assert f"| {variant.name} | " in table
    drawn = (tmp_path / "plot.html").read_text(encoding="utf-8")
    assert all(json.dumps(variant.name) in drawn for variant in what.variants)
    assert ablation.run(what, tmp_path, seeds=2, changes={}) == table  # nothing is trained twice


def test_variants_are_what_they_are_called() -> None:
    found: Ablation = registry.load_object(registry.ABLATIONS["ablation-tinygptv"])()
    first = {variant.name: variant.recipe.stages[0] for variant in found.variants}
    assert first["full"].config["text_config"]["qk_layernorm"]
    assert "text_config" not in first["without QK-norm"].config
    assert not {
        variant.before.config["text_config"]["qk_layernorm"] for variant in found.variants if variant.before
    } - {False}
    assert "attention_branch_norm" not in first["without RMSNorm"].config
    assert "lora" not in first["without LoRA"].config
    assert first["without LoRA"].tuning["language_model"] == "norms"
    assert first["input norms not trained"].tuning["asleep"] == ["input_layernorm"]
    seeds = "\n".join(found.steps(3))
    assert "before: 800 steps, once" in seeds
    assert "3 seeds" in seeds


def test_a_loss_that_is_no_number_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = small("ablation-tinygptv")
    what = replace(what, variants=(replace(what.variants[0], before=None),), tasks="")

    def broken(recipe: Recipe, output: Path, **_: object) -> Path:
        output.mkdir(parents=True)
        lines = [{"stage": "1", "step": 1, "loss": 2.0, "grad_norms": {"connector": 1e-9}}]
        (output / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        raise TrainingError("the loss is nan", where="stage '1', step 2")

    monkeypatch.setattr(loop, "train", broken)
    table = ablation.run(what, tmp_path, seeds=1, changes={})
    assert "seed 0: stage '1', step 2: the loss is nan" in table
    assert "gradient below 1e-06 in 1" in table
    assert "2.000 (2.000 to 2.000) [2.620]" in table


def test_worse_is_counted_by_seed() -> None:
    def result(variant: str, seed: int, loss: float, score: float) -> Result:
        return Result(variant, seed, {"1": loss}, {"pope": score})

    results = [result("full", 0, 1.0, 80), result("full", 1, 1.2, 70), result("full", 2, 1.0, 60)]
    results += [result("less", 0, 1.1, 81), result("less", 1, 1.1, 69)]
    assert ablation.worse(results, "1", "full") == {"less": (1, 2)}
    assert ablation.worse(results, "pope", "full") == {"less": (1, 2)}
    told = json.dumps([asdict(one) for one in results])
    assert ablation.from_json(told) == results
