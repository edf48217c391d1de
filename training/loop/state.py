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

from ..distil.teaching import Teaching
from ..recipe.recipe import Recipe
from ..scenes import vocabulary
from ..sources import mix
from . import checkpoint, data_state, init
from .checkpoint import SavedState
from .devices import Devices
from .folder_lock import FolderLock
from .learner import config_errors
from .mark import Mark
from .metrics_log import Tracker

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
    saved: SavedState | None = field(init=False)
    """The last checkpoint."""
    tracker: Tracker | None = field(init=False, default=None)
    teaching: Teaching | None = field(init=False, default=None)
    """The teacher, where there is one."""
    lock: FolderLock | None = field(init=False, default=None)
    """Of the first process: nobody else trains in this folder."""

    def __post_init__(self) -> None:
        """Raises TrainingError where the folder, the recipe, the data and the machine contradict each other."""
        self.devices = Devices.of(self.recipe)
        self.mark = Mark.of(self.recipe)
        try:
            with self.devices.main_process_first():
                if self.devices.first:
                    self._lock_folder()
                self.saved = checkpoint.find(self.output, self.mark)
                if self.devices.first:
                    self._write_recipe()
                self.model = build_model(self.recipe, self.output)
                if self.recipe.distil is not None:
                    self._meet_teacher()
        except BaseException:
            self.close()
            raise

    def _lock_folder(self) -> None:
        """Lock the folder, and bring the newest whole checkpoint to its place."""
        self.lock = FolderLock(self.output)
        checkpoint.restore_newest(self.output)

    def _write_recipe(self) -> None:
        """What is trained, on which data."""
        self.record_data(data_state.of_files(self.recipe))
        fresh = self.output / f"{RECIPE}.new"
        fresh.write_text(json.dumps(self.recipe.to_json(), indent=1) + "\n", encoding="utf-8")
        fresh.replace(self.output / RECIPE)
        if self.recipe.track:
            self.tracker = Tracker(self.recipe.track, self.output, self.recipe.name)

    def _meet_teacher(self) -> None:
        """Open the teacher once, so that one that cannot teach is refused before anything is trained."""
        self.teaching = Teaching(self.recipe, self.output, progress=self.progress)
        told = self.teaching.check(self.model, write=self.devices.first)
        if self.devices.first:
            self.record_data(told)

    def record_data(self, data: Mapping[str, Any]) -> None:
        """Store what was read with the next checkpoint. Raises TrainingError where it was something else before."""
        before = self.saved.data if self.saved else {}
        data_state.check(before, data, self.output)
        self.mark.data = {**before, **self.mark.data, **data}

    def close(self) -> None:
        """Let go of the folder, and end the tracker's run."""
        if self.tracker is not None:
            self.tracker.close()
        if self.lock is not None:
            self.lock.release()

    @property
    def log(self) -> Path:
        """The training log."""
        return self.output / LOG


def build_model(recipe: Recipe, output: Path) -> Trainable:
    """The recipe's model: read from its start, or fresh with a tokenizer trained on drawn scenes.

    Raises TrainingError where the recipe's config is none of a model, ModelError where its start is none.
    """
    with config_errors(f"recipe {recipe.name!r}", "its config, build, restore, vocabulary or parts"):
        return _build(recipe, output)


def _build(recipe: Recipe, output: Path) -> Trainable:
    if recipe.start:
        model: Trainable = registry.load_object(recipe.restore)(Path(recipe.start))
        return model
    folder = output / vocabulary.FOLDER
    if place := recipe.parts.get("language_model", recipe.tokenizer):
        init.copy_tokenizer(init.part_folder(place), folder)
    else:
        vocabulary.train_tokenizer(folder, recipe.vocabulary)
    model = registry.load_object(recipe.build)(recipe.config, preprocessor=None, tokenizer=folder, seed=recipe.seed)
    torch.manual_seed(mix(recipe.seed, "start"))
    init.init_weights(model.parts(), recipe.init)
    for part, place in recipe.parts.items():
        init.load_part(model.parts()[part], part, init.part_folder(place))
    return model
