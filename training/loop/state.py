"""The state of one training: its folder, lock, devices, model, and the checkpoint that it resumes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vlmbench.base import registry
from vlmbench.base.trainable import Trainable

from ..recipe.recipe import Recipe
from ..scenes import vocabulary
from ..sources import mix
from . import checkpoint, data_state
from . import init as start
from .checkpoint import Found
from .devices import Devices
from .folder_lock import FolderLock
from .learner import building
from .log import Tracker
from .mark import Mark

LOG = "training_log.jsonl"
RECIPE = "recipe.json"


@dataclass
class TrainingState:
    """What the stages of one training share."""

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
                self.model = build_model(self.recipe, self.output)
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

    @property
    def log(self) -> Path:
        """The training log."""
        return self.output / LOG


def build_model(recipe: Recipe, output: Path) -> Trainable:
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
