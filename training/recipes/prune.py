"""Pruning with recovery training: a trained model with a part of it taken out, then a stage of another recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vlmbench.base import registry
from vlmbench.base.errors import TrainingError, UnknownNameError

from ..recipe.pruning import Pruning, Ratios
from ..recipe.recipe import PARTS, Recipe, Stage

RECOVERY: Mapping[str, str] = {
    "tinyllava": "nano:practise",
    "tinygptv": "tinygptv-nano:multi-task",
    "minigpt4": "minigpt4-code",
    "minigptv2": "minigptv2-code",
}
"""By system: the recipe, and its stage (without one the last), that a pruned model trains on by default."""
STEPS, RATE = 300, 5e-4
"""Of stages on drawn scenes; stages that read files keep theirs."""
HALF = Ratios(heads=0.5, neurons=0.5)


def prune(system: str = "tinyllava", start: str = "", recover: str = "") -> Recipe:
    """Half of the heads and neurons taken out of the small TinyLLaVA, or of another model, and a short training.

    `start`: a checkpoint folder of the system; `recover`: RECIPE or RECIPE:STAGE. Raises TrainingError for a system
    that cannot be pruned, UnknownNameError for a recipe or stage that is not there.
    """
    if system not in RECOVERY:
        hint = f"these can be: {', '.join(RECOVERY)}"
        raise TrainingError(f"{system} cannot be trained here, and so not pruned", where="--model", hint=hint)
    return Recipe(
        name="prune",
        about="half of the heads and neurons taken out of a trained model, then a short training",
        start=start or shipped(system),
        stages=(_stage(recover or RECOVERY[system]),),
        pruning=Pruning(HALF, HALF),
        precision="bfloat16",
        save_every=100,
        store="float16",
        threads=1,
        build=f"vlmbench.models.systems.{system}:build",
        restore=f"vlmbench.models.systems.{system}:restore",
    )


def shipped(system: str) -> str:
    """The folder of a system's small model that ships. Raises TrainingError where there is none."""
    folders = registry.load_object(registry.SHIPPED_MODELS)
    if system not in folders:
        hint = f"name a checkpoint: --model {system}:FOLDER"
        raise TrainingError(f"this installation holds no trained {system}", where="--model", hint=hint)
    return str(folders[system])


def _stage(recover: str) -> Stage:
    """The stage of another recipe, with all parts learning."""
    name, _, named = recover.partition(":")
    recipe: Recipe = registry.recipes.get(name)()
    stages = {stage.name: stage for stage in recipe.stages}
    if named and named not in stages:
        raise UnknownNameError(f"stage of {name}", named, stages)
    stage = stages[named] if named else recipe.stages[-1]
    whole = replace(stage, name="recover", train=PARTS, tuning={}, config={}, anew=(), awake=(), quantize="", lrs={})
    return replace(whole, steps=STEPS, lr=RATE) if whole.feeds else whole
