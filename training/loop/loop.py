"""Runs a recipe: stage after stage, step after step, with a log, checkpoints, and going on after a kill.

Every random draw of a step follows from the recipe's seed, the stage and the step's number. A training that was killed
and resumed therefore ends with the same weights, bit for bit, as one that ran through (same machine, same threads).
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vlmbench.base import registry
from vlmbench.base.errors import TrainingError, VlmbenchError
from vlmbench.base.trainable import Trainable

from ..recipe.limits import MOST_THREADS
from ..recipe.recipe import Recipe
from ..scenes import vocabulary
from ..sources import mix
from . import checkpoint, data_state
from . import init as start
from .checkpoint import Found, Position
from .devices import Devices
from .folder_lock import FolderLock
from .learner import building, enter
from .log import Tracker
from .mark import Mark
from .stage_run import StageRun

LOGGER = logging.getLogger(__name__)
LOG = "training_log.jsonl"
RECIPE = "recipe.json"
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
    with checkpoint.writing(output):
        output.mkdir(parents=True, exist_ok=True)
        run = Run(recipe, output, progress)
        try:
            run.go()
            return run.finish()
        finally:
            run.close()


@dataclass
class Run:
    """One training."""

    recipe: Recipe
    output: Path
    progress: bool
    devices: Devices = field(init=False)
    model: Trainable = field(init=False)
    mark: Mark = field(init=False)
    """Tells the recipe's trainings, and what they read, from others."""
    found: Found | None = field(init=False)
    """The last checkpoint."""
    tracker: Tracker | None = field(init=False, default=None)
    lock: FolderLock | None = field(init=False, default=None)
    """Of the first process: nobody else trains in this folder."""

    def __post_init__(self) -> None:
        """Raises TrainingError where the folder, the recipe, the data and the machine contradict each other."""
        self.devices = Devices.of(self.recipe)
        self.mark = Mark.of(self.recipe)
        try:
            with self.devices.first_goes_ahead():
                if self.devices.first:
                    self._take_folder()
                self.found = checkpoint.find(self.output, self.mark)
                if self.devices.first:
                    self._write_down()
                self.model = made(self.recipe, self.output)
        except BaseException:
            self.close()
            raise

    def _take_folder(self) -> None:
        """Lock the folder, and bring the newest whole checkpoint to its place."""
        self.lock = FolderLock(self.output)
        checkpoint.settle(self.output)

    def _write_down(self) -> None:
        """What is trained, on which data."""
        self.remember(data_state.of_files(self.recipe))
        fresh = self.output / f"{RECIPE}.new"
        fresh.write_text(json.dumps(self.recipe.to_json(), indent=1) + "\n", encoding="utf-8")
        fresh.replace(self.output / RECIPE)
        if self.recipe.track:
            self.tracker = Tracker(self.recipe.track, self.output, self.recipe.name)

    def remember(self, data: Mapping[str, Any]) -> None:
        """Store what was read with the next checkpoint. Raises TrainingError where it was something else before."""
        before = self.found.data if self.found else {}
        data_state.check(before, data, self.output)
        self.mark.data = {**before, **self.mark.data, **data}

    def close(self) -> None:
        """Let go of the folder."""
        if self.lock is not None:
            self.lock.release()

    def go(self) -> None:
        """All stages, from where the last checkpoint stopped."""
        found = self.found
        position = found.position if found else Position(0, 0, 0, 0.0)
        if self.devices.first:
            _cut(self.output / LOG, position.log)
        # What earlier stages changed in the network; their weights are in the checkpoint.
        for stage in self.recipe.stages[: position.stage]:
            self.model = enter(self.model, stage)
        if found and not position.step:
            checkpoint.load(found.folder, self.model.parts())
        for number in range(position.stage, len(self.recipe.stages)):
            folder = found.folder if found and position.step else None
            position = StageRun(self, number, folder, position).go()
            if self.devices.first:
                self._plot()

    def _plot(self) -> None:
        """The curves so far. A training does not stop for them."""
        try:
            registry.load_object(registry.TRAINING_PLOT)(self.log, self.output / PLOT, title=self.recipe.name)
        except (VlmbenchError, OSError) as error:
            LOGGER.warning("%s", error)

    def finish(self) -> Path:
        """Write the model with its recipe and log."""
        fresh, final = self.output / f"{MODEL}.new", self.output / MODEL
        last = self.recipe.stages[-1]
        self.model.tune(last.tunes, max_length=last.max_length)  # whole matrices again, where they were in four bits
        if self.devices.first:
            shutil.rmtree(fresh, ignore_errors=True)
            if self.recipe.store == "float16":
                self.model.module.half()
            self.model.save(fresh)
            for name in (RECIPE, LOG):
                shutil.copyfile(self.output / name, fresh / name)
            shutil.rmtree(final, ignore_errors=True)
            fresh.rename(final)
            checkpoint.forget_older(self.output)
        self.devices.wait()
        return final

    @property
    def log(self) -> Path:
        """The training log."""
        return self.output / LOG


def made(recipe: Recipe, output: Path) -> Trainable:
    """The recipe's model: read from its start, or fresh with a tokenizer learnt from drawn scenes.

    Raises TrainingError where the recipe's config is none of a model, ModelError where its start is none.
    """
    with building(f"recipe {recipe.name!r}", "its config, build, restore, vocabulary or parts"):
        return _made(recipe, output)


def _made(recipe: Recipe, output: Path) -> Trainable:
    if recipe.start:
        model: Trainable = registry.load_object(recipe.restore)(Path(recipe.start))
        return model
    folder = output / vocabulary.FOLDER
    if "language_model" in recipe.parts:
        start.take_tokenizer(start.folder_of(recipe.parts["language_model"]), folder)
    else:
        vocabulary.learn(folder, recipe.vocabulary)
    model = registry.load_object(recipe.build)(recipe.config, preprocessor=None, tokenizer=folder, seed=recipe.seed)
    torch.manual_seed(mix(recipe.seed, "start"))
    start.fresh(model.parts(), recipe.init)
    for part, place in recipe.parts.items():
        start.take(model.parts()[part], part, start.folder_of(place))
    return model


def _cut(log: Path, length: int) -> None:
    """Drop the lines that the resumed training will write again."""
    if log.is_file():
        with log.open("r+b") as file:
            file.truncate(length)
