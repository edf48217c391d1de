"""What a stage does to a model: who learns and who sleeps, memory saved, features kept, tasks asked on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.training.test_twins import losses, twin
from tests.training.toy import ready, run, toy
from vlmbench.base import registry
from vlmbench.base.errors import TrainingError, UsageError
from vlmbench.models.parts.language import nf4
from vlmbench.training.loop import learner, loop, state
from vlmbench.training.loop.state import LOG
from vlmbench.training.recipe.recipe import Pool, Recipe, Stage
from vlmbench.training.recipe.schedule import WarmupCosine


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def weights(folder: Path) -> bytes:
    return (folder / loop.MODEL / "model.safetensors").read_bytes()


def model_of(recipe: Recipe, folder: Path) -> Any:
    return state.build_model(recipe, ready(folder))


def test_frozen_parts_sleep(tmp_path: Path) -> None:
    """The Q-Former beside a projector that learns too; what the stage calls awake does not."""
    recipe = twin("tinygptv-code")
    model = learner.prepare_stage(model_of(recipe, tmp_path), recipe.stages[0])
    learner.set_train_modes(model.parts(), recipe.stages[0])
    network: Any = model.module
    assert not any(module.training for module in network.vision_tower.modules())
    assert not any(module.training for module in network.connector._connector.bert.modules())
    assert network.connector._connector.projector.training
    assert network.language_model.training
    base = twin("tinyllava-base").stages[0]
    parts = {name: nn.Sequential(nn.Linear(1, 1), nn.Dropout()) for name in ("connector", "language_model")}
    learner.set_train_modes(parts, base)
    assert parts["language_model"].training
    learner.set_train_modes(parts, replace(base, awake=()))
    assert not parts["language_model"].training


@pytest.mark.slow
def test_recomputing_activations_changes_no_loss(tmp_path: Path) -> None:
    found = []
    for on in (True, False):
        recipe = twin("tinyllava-base")
        stages = tuple(replace(stage, checkpointing=on) for stage in recipe.stages)
        loop.train(replace(recipe, stages=stages), ready(tmp_path / str(on)))
        found.append(losses(tmp_path / str(on)))
    assert found[0] == found[1]


@pytest.mark.slow
def test_kept_features_change_no_loss(tmp_path: Path) -> None:
    """The tower looks at each picture once, over stages and runs."""
    recipe = twin("tinyllava-base")
    loop.train(recipe, ready(tmp_path / "plain"))
    for name in ("first", "again"):
        loop.train(replace(recipe, cache=str(tmp_path / "features")), ready(tmp_path / name))
        for stage, told in losses(tmp_path / "plain").items():
            assert losses(tmp_path / name)[stage] == pytest.approx(told, abs=1e-5)
    assert any((tmp_path / "features").rglob("*"))


def test_four_bits_are_near_and_learn_nothing() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(96, 40).requires_grad_(False)
    packed = nf4.Nf4Linear(layer)
    assert packed.codes.numel() * 2 == layer.weight.numel()
    assert float((packed.weight - layer.weight).norm() / layer.weight.norm()) < 0.1
    x = torch.randn(3, 96, requires_grad=True)
    y = packed(x)
    torch.autograd.backward(y.sum())
    assert torch.allclose(y, x @ packed.weight.T + layer.bias, atol=1e-6)
    assert x.grad is not None
    assert torch.allclose(x.grad, packed.weight.sum(0).expand_as(x), atol=1e-5)
    again = nf4.Nf4Linear(nn.Linear(96, 40))
    again.load_state_dict(packed.state_dict())
    assert torch.equal(again.weight, packed.weight)


@pytest.mark.slow
def test_tasks_are_asked_of_the_live_model(tmp_path: Path) -> None:
    """Results are in the log and in run folders; the training itself goes on as if nothing had been asked."""
    recipe = replace(toy(), stages=toy().stages[-2:])
    run(recipe, tmp_path / "plain")
    run(replace(recipe, eval_every=2, eval_tasks="pope", eval_limit=6), tmp_path / "asked")
    assert weights(tmp_path / "asked") == weights(tmp_path / "plain")
    lines = [json.loads(line) for line in (tmp_path / "asked" / LOG).read_text(encoding="utf-8").splitlines()]
    told = [(line["stage"], line["step"]) for line in lines if "eval" in line]
    assert told == [(stage.name, 2) for stage in recipe.stages]
    for stage, step in told:
        folder = tmp_path / "asked" / "eval" / f"{stage}-{step:07d}"
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        assert scores["pope"]["coverage"] > 0
    found = registry.load_object("vlmbench.reports.site.training_curves:read")(tmp_path / "asked" / LOG)
    assert [len(stage["eval"]["pope"]["step"]) for stage in found] == [1, 1]
    assert all(stage["lr"] and stage["grad_norms"] for stage in found)


def test_a_wider_picture_keeps_the_weights(tmp_path: Path) -> None:
    recipe = twin("tinygptv-code")
    model = model_of(recipe, tmp_path)
    larger = model.changed(recipe.stages[-1].config)
    assert larger.config["vision_config"]["image_size"] == 2 * model.config["vision_config"]["image_size"]
    assert larger.prompt_format.name == "tinygptv"
    before, after = model.module.state_dict(), larger.module.state_dict()
    other = {name for name in after if after[name].shape != before[name].shape}
    assert [name.rpartition(".")[2] for name in other] == ["position_embedding"]
    assert all(torch.equal(after[name], before[name]) for name in after if name not in other)


@pytest.mark.slow
def test_one_stage_alone_goes_on_from_a_folder(tmp_path: Path) -> None:
    recipe = twin("tinyllava-base")
    final = loop.train(recipe.only("pretrain"), ready(tmp_path / "one"))
    loop.train(recipe.only("finetune", str(final)), tmp_path / "two")
    loop.train(recipe, ready(tmp_path / "both"))
    assert weights(tmp_path / "two") == weights(tmp_path / "both")
    with pytest.raises(TrainingError, match="--start"):
        recipe.only("finetune")
    with pytest.raises(UsageError, match="did you mean finetune"):
        recipe.only("finetun")


def test_what_only_watches_may_be_changed_before_resuming(tmp_path: Path) -> None:
    recipe = twin("minigpt4-code")
    loop.train(recipe, ready(tmp_path))
    loop.train(replace(recipe, cache=str(tmp_path / "cache")), tmp_path)


def stage(**changes: Any) -> Stage:
    told = {"tuning": {"connector": "full"}, "batch": 8, "per_device": 2, "pools": (Pool("a", "scenes"),)}
    return replace(Stage("one", (), (), 10, 1e-3, **told), **changes)  # type: ignore[arg-type]


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"train": ("connector",)}, r"train .* contradicts tuning"),
    ({"epochs": 1.0}, "steps 10 contradicts epochs 1"),
    ({"steps": 0}, "steps 0 contradicts epochs 0"),
    ({"per_device": 3}, "batch 8 contradicts per_device 3"),
    ({"per_device": 0}, "batch 8 contradicts per_device 0"),
    ({"accumulate": 2}, "accumulate 2 contradicts batch 8"),
    ({"rates": WarmupCosine(1e-3, 0.0, 0.0, 1, 1, 10)}, "rates contradict lr"),
    ({"rates": WarmupCosine(1e-3, 0.0, 0.0, 1, 1, 9), "lr": 0.0}, "9 steps, which contradicts steps 10"),
    ({"awake": ("connector",)}, "awake .* contradicts what learns"),
    ({"lrs": {"vision_tower": 1e-5}}, "lrs of .* contradict what learns"),
    ({"quantize": "nf4"}, "quantize 'nf4' contradicts language_model without lora"),
    ({"alike": True, "pools": (Pool("a", "scenes"), Pool("b", "scenes"))}, "alike contradicts 2 pools"),
    ({"lrs": {"head": 1e-5}}, "no part 'head'"),
]


@pytest.mark.parametrize(("changes", "says"), CONTRADICTIONS)
def test_contradictions_are_refused_with_both_names(changes: dict[str, Any], says: str) -> None:
    assert stage().micro_batches == 4
    with pytest.raises(TrainingError, match=says):
        stage(**changes)


def test_rates_of_single_parts() -> None:
    told = stage(tuning={"connector": "full", "language_model": "full"}, lrs={"connector": 1e-4}, weight_decay=0.1)

    class Model:
        module = nn.ModuleDict({"connector": nn.Linear(2, 2), "language_model": nn.Linear(2, 2)})

        def decays(self, name: str) -> bool:
            return name.endswith("weight")

    found = learner.parameter_groups(Model(), told, nn.ModuleDict())  # type: ignore[arg-type]
    assert sorted((group["lr"], group["weight_decay"]) for group in found) == [
        (1e-4, 0.0),
        (1e-4, 0.1),
        (1e-3, 0.0),
        (1e-3, 0.1),
    ]


def test_half_precision_needs_a_gpu(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(TrainingError, match="precision 'float16' contradicts"):
        loop.train(replace(twin("minigpt4-code"), precision="float16"), ready(tmp_path))
