"""Runs chosen tasks on the model while it trains: a run folder each time, as `vlmbench run` leaves it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from vlmbench.base import registry, settings
from vlmbench.base.trainable import Trainable
from vlmbench.plugins import specs as loading
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage import manifest
from vlmbench.runs.storage.store import RunStore

from ..recipe.recipe import Recipe

FOLDER = "eval"
"""Below the training's folder: the leaderboard takes it as it takes any folder of runs."""


def evaluate(recipe: Recipe, model: Trainable, output: Path, stage: str, step: int) -> dict[str, Any]:
    """Run the recipe's tasks on the live model; a line of the training log: stage, step, {task: headline's value}.

    Raises what `vlmbench run` raises for unknown tasks and missing data.
    """
    chosen = registry.choose_tasks(recipe.eval_tasks)
    options = settings.load({})
    data = {choice.key: loading.open_data(choice, options) for choice in chosen}
    folder = output / FOLDER / f"{stage}-{step:07d}"
    shutil.rmtree(folder, ignore_errors=True)  # of a training that was killed and resumed
    limit = recipe.eval_limit or None
    with registry.load_object(registry.LIVE)(model) as live:
        plan = planning.plan(chosen, data, live, limit=limit, seed=recipe.seed)
        request = {
            "model": f"{live.name}:{recipe.name}@{stage}-{step}",
            "settings": dict(live.settings),
            "tasks": [choice.key for choice in chosen],
            "data": options.data,
            "limit": limit,
            "perturb": "",
            "seed": recipe.seed,
        }
        content = manifest.build(
            request=request, model=live, tasks=plan.tasks, seed=recipe.seed, data_folder=options.data
        )
        with RunStore.open(folder, content) as store:
            outcome = runner.execute(plan, live, store)
    return {"stage": stage, "step": step, "eval": {key: _headline(task) for key, task in outcome.scores.items()}}


def _headline(task: dict[str, Any]) -> float | None:
    value = task[task["headline"]]["value"]
    return None if value is None else round(float(value), 3)
