"""The plan counts what the papers and the official code count; the command line tells it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.training import sources
from vlmbench.training.recipe import plan

pytestmark = pytest.mark.slow

M = 10**6
MLP, PHI = 9_507_840, 2_779_683_840
TINYGPTV = 45_266_944
LEARNS: dict[str, tuple[int, ...]] = {
    "tinyllava-base": (MLP, MLP + PHI),
    "tinyllava-base-paper": (MLP, MLP + PHI),
    "tinyllava-share-paper": (MLP, MLP + PHI + 15 * 15_239_504, MLP + PHI),
    "tinyllava-share-factory": (MLP, MLP + PHI, MLP + PHI),
    "tinyllava-lora": (MLP, MLP + 188_743_680),
    "tinyllava-qlora": (MLP, MLP + 188_743_680),
    "tinyllava-custom-lora": (MLP + 188_743_680,),
    "minigpt4-paper": (3_937_280,) * 2,
    "minigpt4-code": (3_937_280,) * 2,
    "minigpt4-7b-code": (3_149_824,) * 2,
    "minigpt4-llama2-code": (23_072_768,) * 2,
    "minigptv2-paper": (56_627_200,) * 3,
    "minigptv2-code": (56_627_200,),
    "tinygptv-paper": (13_638_144 + 171_520, *(TINYGPTV,) * 3),
    "tinygptv-code": (TINYGPTV,) * 4,
}
"""Parameters that learn, stage by stage: two linear layers 1152-2560-2560; Phi-2; of SigLIP the layers 12 to 26 at
15.24 M each; 768 x 5120 + 5120 behind the Q-Former; adapters of rank 64."""
QUICK = ("tinygptv-paper", "minigptv2-code")


def test_every_published_recipe_is_counted() -> None:
    assert LEARNS.keys() == set(registry.RECIPES) - {"nano", "tinygptv-nano", "prune"}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in LEARNS]
)
def test_what_learns_is_as_published(name: str) -> None:
    recipe = registry.recipes.get(name)()
    stages = plan.plan(recipe, "3090")
    assert tuple(stage.parameters for stage in stages) == LEARNS[name]
    for stage in stages:
        assert stage.hours > 0
        assert stage.memory > 0
        assert stage.tokens > 0


def test_steps_are_the_published_ones() -> None:
    """2180 and 5197 by the scripts; 20 x 1000, 400 and 1000 of MiniGPT-4; 50,000 of the last stages."""
    told = {
        name: [plan.steps_of(stage, stage.rows) for stage in registry.recipes.get(name)().stages] for name in LEARNS
    }
    assert told["tinyllava-base"] == [2180, 5197]
    assert told["minigpt4-paper"] == [20_000, 400]
    assert told["minigpt4-code"] == [20_000, 1000]
    assert told["minigptv2-code"] == [50_000]
    assert told["minigptv2-paper"][-1] == 35_000
    assert told["tinygptv-paper"] == [17_000, 20_000, 1000, 50_000]
    assert told["tinygptv-code"] == [5000, 20_000, 1000, 50_000]


def test_every_pool_is_of_a_kind_that_can_be_read() -> None:
    for name in LEARNS:
        for stage in registry.recipes.get(name)().stages:
            assert stage.pools
            assert {pool.kind for pool in stage.pools} <= sources.KINDS.keys()


def test_ratios_are_the_published_ones() -> None:
    """MiniGPT-v2's stage 3: 22 data sets, ratios of 730 in all; TinyGPT-V's code leaves two of them out."""
    third = registry.recipes.get("minigptv2-code")().stages[0]
    assert len(third.pools) == 22
    assert sum(pool.ratio for pool in third.pools) == 730
    assert len(registry.recipes.get("tinygptv-code")().stages[-1].pools) == 20


def test_more_gpus_take_less_time_and_four_bits_less_memory() -> None:
    recipe = registry.recipes.get("tinygptv-paper")()
    one, four = plan.plan(recipe, "3090"), plan.plan(recipe, "3090", 4)
    assert [stage.hours for stage in one] == pytest.approx([4 * stage.hours for stage in four])
    assert all(stage.memory < 24e9 for stage in one), "the paper trained it on one 24 GB card"
    lora, packed = (registry.recipes.get(f"tinyllava-{name}")() for name in ("lora", "qlora"))
    both = [plan.plan(replace(found, stages=found.stages[1:]), "4090")[0] for found in (lora, packed)]
    assert both[1].memory < both[0].memory < 24e9


def test_an_unknown_gpu_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 3090"):
        plan.plan(registry.recipes.get("nano")(), "309")


def test_the_command_tells_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "tinygptv-paper:1", "--dry-run", "--gpu", "3090"]) == exit_codes.OK
    said = capsys.readouterr().out
    assert "13,809,664" in said
    assert "17,000" in said
    assert "1 x 3090" in said
    assert cli.main(["train", "--list"]) == exit_codes.OK
    said = capsys.readouterr().out
    assert all(name in said for name in [*registry.RECIPES, *registry.ABLATIONS])
