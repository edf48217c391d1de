"""Runs a recipe: stage after stage, step after step, with a log, checkpoints, and resumption after a kill.

Every random draw of a step follows from the recipe's seed, the stage and the step's number. A training that was killed
and resumed therefore ends with the same weights, bit for bit, as one that ran through (same machine, same threads).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from vlmbench.base import registry
from vlmbench.base.errors import TrainingError, VlmbenchError
from vlmbench.base.trainable import Prunable, Trainable

from ..pruning import store
from ..pruning.prune import prune
from ..pruning.zeros import hold_zeros
from ..recipe.limits import MOST_THREADS
from ..recipe.recipe import Recipe
from ..sources import mix
from . import checkpoint, data_state
from .checkpoint import Position
from .learner import prepare_stage
from .stage_run import StageRun, objective_of
from .state import LOG, RECIPE, TrainingState

LOGGER = logging.getLogger(__name__)
PLOT = "loss.html"
MODEL = "model"
"""The finished model's folder, below the training's own."""
PRUNED = "pruned"
"""The model before the first stage, where the recipe takes something out of it."""


def train(
    recipe: Recipe, output: Path, *, threads: int | None = None, progress: bool = False, keep_stages: bool = False
) -> Path:
    """Train from the last checkpoint in `output` on, or from the start; returns the finished model's folder.

    With `keep_stages` the weights with which each stage begins stay in the folder. Started by `accelerate launch`, all
    processes call it and share each step. Raises TrainingError when the folder holds another recipe's training, another
    process trains there, the data were changed since the last checkpoint, or the loss is no number any more.
    """
    use_threads(recipe, threads)
    with checkpoint.write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        state = TrainingState(recipe, output, progress)
        try:
            if recipe.pruning.active:
                prune_once(state)
            _run_stages(state, keep_stages)
            return _finish(state)
        finally:
            state.close()


def use_threads(recipe: Recipe, threads: int | None) -> None:
    """As many processor threads as asked for, or as the recipe says. Raises TrainingError."""
    if threads is not None and not 0 <= threads <= MOST_THREADS:
        raise TrainingError(f"threads is {threads}: it must be between 0 and {MOST_THREADS}", where="--threads")
    if threads or recipe.threads:
        torch.set_num_threads(threads or recipe.threads)


def prune_once(state: TrainingState) -> None:
    """Put the pruned model in the place of the recipe's; pruned once, it is read by all processes, and when resuming.

    Raises TrainingError for a model that cannot be pruned so.
    """
    pruning, folder = state.recipe.pruning, state.output / PRUNED
    if pruning.zeroes and state.devices.sharded:
        hint = "train on one process, or without FSDP and DeepSpeed"
        raise TrainingError(
            "pruning.weights contradicts shards: zeros would not stay zeros", where="pruning", hint=hint
        )
    with state.devices.main_process_first():
        made = {"recipe": state.mark.recipe, "data": data_state.of_files(state.recipe)}
        if state.devices.first and store.made_by(folder) != made:
            before = dict(state.model.config)
            model, record = prune(state.model, pruning, lambda model: _calibration(state, model))
            store.write(folder, model, {**record, "start": state.recipe.start, **made}, before)
        state.model = registry.load_object(state.recipe.restore)(folder)
    if pruning.zeroes:
        hold_zeros(pruning, cast("Prunable", state.model))


def _calibration(state: TrainingState, model: Trainable) -> Iterator[Tensor]:
    """The losses of a model on batches of the first stage, all its weights frozen, nothing random in it."""
    stage, recipe = state.recipe.stages[0], state.recipe
    # With activations computed again no work is skipped for tokens that are not trained; in eval mode none are.
    model.tune(stage.tunes, max_length=stage.max_length, checkpointing=True)
    model.module.requires_grad_(False)
    model.module.to(state.devices.device).eval()
    state.model = model
    objective = objective_of(state, stage)

    def losses() -> Iterator[Tensor]:
        for step in range(recipe.pruning.batches):
            torch.manual_seed(mix(recipe.seed, "pruning", step))
            for feed, batch in objective.pairs(objective.prepare(step)):
                yield objective.loss(feed, batch)

    return losses()


def _run_stages(state: TrainingState, keep: bool) -> None:
    """All stages, from where the last checkpoint stopped."""
    saved = state.saved
    position = saved.position if saved else Position(0, 0, 0, 0.0)
    if state.devices.first:
        _cut(state.output / LOG, position.log)
    # What earlier stages changed in the network; their weights are in the checkpoint.
    for stage in state.recipe.stages[: position.stage]:
        state.model = prepare_stage(state.model, stage, state.recipe.linear, state.recipe.attention)
    if saved and not position.step:
        checkpoint.load(saved.folder, state.model.parts())
    for number in range(position.stage, len(state.recipe.stages)):
        if keep and number and not position.step and state.devices.first:
            checkpoint.keep_start(state.output, state.recipe.stages[number].name)
        folder = saved.folder if saved and position.step else None
        position = StageRun(state, number, folder, position).run()
        if state.devices.first:
            _plot(state)


def _plot(state: TrainingState) -> None:
    """The curves so far. A training does not stop for them."""
    try:
        registry.load_object(registry.TRAINING_PLOT)(state.log, state.output / PLOT, title=state.recipe.name)
    except (VlmbenchError, OSError) as error:
        LOGGER.warning("%s", error)


def _finish(state: TrainingState) -> Path:
    """Write the model with its recipe and log."""
    fresh, final = state.output / f"{MODEL}.new", state.output / MODEL
    last = state.recipe.stages[-1]
    state.model.tune(last.tunes, max_length=last.max_length)  # whole matrices again, where they were in four bits
    if state.devices.first:
        shutil.rmtree(fresh, ignore_errors=True)
        if state.recipe.store == "float16":
            state.model.module.half()
        state.model.save(fresh)
        for name in (RECIPE, LOG):
            shutil.copyfile(state.output / name, fresh / name)
        if state.recipe.pruning.active:
            shutil.copyfile(state.output / PRUNED / store.RECORD, fresh / store.RECORD)
        shutil.rmtree(final, ignore_errors=True)
        fresh.rename(final)
        checkpoint.remove_older(state.output)
    state.devices.wait()
    return final


def _cut(log: Path, length: int) -> None:
    """Drop the lines that the resumed training will write again."""
    if log.is_file():
        with log.open("r+b") as file:
            file.truncate(length)
