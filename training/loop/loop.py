"""Runs a recipe: stage after stage, step after step, with a log, checkpoints, and resumption after a kill.

Every random draw of a step follows from the recipe's seed, the stage and the step's number. A training that was killed
and resumed therefore ends with the same weights, bit for bit, as one that ran through (same machine, same threads).
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import torch

from vlmbench.base import registry
from vlmbench.base.errors import TrainingError, VlmbenchError

from ..recipe.limits import MOST_THREADS
from ..recipe.recipe import Recipe
from . import checkpoint
from .checkpoint import Position
from .learner import prepare_stage
from .stage_run import StageRun
from .state import LOG, RECIPE, TrainingState

LOGGER = logging.getLogger(__name__)
PLOT = "loss.html"
MODEL = "model"
"""The finished model's folder, below the training's own."""


def train(recipe: Recipe, output: Path, *, threads: int | None = None, progress: bool = False) -> Path:
    """Train from the last checkpoint in `output` on, or from the start; returns the finished model's folder.

    Started by `accelerate launch`, all processes call it and share each step. Raises TrainingError when the folder
    holds another recipe's training, another process trains there, the data were changed since the last checkpoint, or
    the loss is no number any more.
    """
    if threads is not None and not 0 <= threads <= MOST_THREADS:
        raise TrainingError(f"threads is {threads}: it must be between 0 and {MOST_THREADS}", where="--threads")
    if threads or recipe.threads:
        torch.set_num_threads(threads or recipe.threads)
    with checkpoint.write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        state = TrainingState(recipe, output, progress)
        try:
            _run_stages(state)
            return _finish(state)
        finally:
            state.close()


def _run_stages(state: TrainingState) -> None:
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
