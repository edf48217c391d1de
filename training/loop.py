"""Runs a recipe: stage after stage, step after step, with a log, checkpoints, and going on after a kill.

Every random draw of a step follows from the recipe's seed, the stage and the step's number. A training that was killed
and resumed therefore ends with the same weights, bit for bit, as one that ran through (same machine, same threads).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from vlmbench import registry
from vlmbench.errors import TrainingError
from vlmbench.trainable import Trainable

from . import checkpoint, start, vocabulary
from .checkpoint import Position
from .devices import Devices
from .learner import enter
from .recipe import Recipe
from .sources import mix
from .stage_run import StageRun
from .watch import Tracker

LOG = "training_log.jsonl"
RECIPE = "recipe.json"
PLOT = "loss.html"
MODEL = "model"
"""The finished model's folder, below the training's own."""


def train(recipe: Recipe, output: Path, *, threads: int | None = None, progress: bool = False) -> Path:
    """Train from the last checkpoint in `output` on, or from the start; returns the finished model's folder.

    Started by `accelerate launch`, all processes call it and share each step. Raises TrainingError when the folder
    holds another recipe's training or the loss is no number any more.
    """
    if threads or recipe.threads:
        torch.set_num_threads(threads or recipe.threads)
    try:
        output.mkdir(parents=True, exist_ok=True)
        run = Run(recipe, output, progress)
        run.go()
        return run.finish()
    except OSError as error:
        cure = "when there is room to write, the same command goes on from the last checkpoint"
        raise TrainingError(f"cannot write: {error.strerror or error}", where=str(output), cure=cure) from error


@dataclass
class Run:
    """One training."""

    recipe: Recipe
    output: Path
    progress: bool
    devices: Devices = field(init=False)
    model: Trainable = field(init=False)
    mark: str = field(init=False)
    """Tells the recipe's trainings from others."""
    found: tuple[Path, Position] | None = field(init=False)
    """The last checkpoint."""
    tracker: Tracker | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Raises TrainingError where the folder, the recipe and the machine contradict each other."""
        self.devices = Devices.of(self.recipe)
        text = json.dumps(marked(self.recipe), sort_keys=True)
        self.mark = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.found = checkpoint.find(self.output, self.mark)
        if self.devices.first:
            (self.output / RECIPE).write_text(json.dumps(self.recipe.to_json(), indent=1) + "\n", encoding="utf-8")
            if self.recipe.track:
                self.tracker = Tracker(self.recipe.track, self.output, self.recipe.name)
        with self.devices.first_goes_ahead():
            self.model = made(self.recipe, self.output)

    def go(self) -> None:
        """All stages, from where the last checkpoint stopped."""
        found = self.found
        position = found[1] if found else Position(0, 0, 0, 0.0)
        if self.devices.first:
            _cut(self.output / LOG, position.log)
        # What earlier stages changed in the network; their weights are in the checkpoint.
        for stage in self.recipe.stages[: position.stage]:
            self.model = enter(self.model, stage)
        if found and not position.step:
            checkpoint.load(found[0], self.model.parts())
        for number in range(position.stage, len(self.recipe.stages)):
            folder = found[0] if found and position.step else None
            position = StageRun(self, number, folder, position).go()
            if self.devices.first:
                registry.load_object(registry.TRAINING_PLOT)(
                    self.output / LOG, self.output / PLOT, title=self.recipe.name
                )

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
        self.devices.wait()
        return final

    @property
    def log(self) -> Path:
        """The training log."""
        return self.output / LOG


def marked(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides the weights: a training goes on when only the rest was changed."""
    return replace(recipe, eval_every=0, eval_tasks="", eval_limit=0, track="", cache="", store="float32").to_json()


def made(recipe: Recipe, output: Path) -> Trainable:
    """The recipe's model: read from its start, or fresh with a tokenizer learnt from drawn scenes."""
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
