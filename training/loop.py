"""Runs a recipe: stage after stage, step after step, with a log, checkpoints, and going on after a kill.

Every random draw of a step follows from the recipe's seed, the stage and the step's number. A training that was killed
and resumed therefore ends with the same weights, bit for bit, as one that ran through (same machine, same threads).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from vlmbench import registry
from vlmbench.errors import DataError, TrainingError
from vlmbench.nouns import Trainable

from . import checkpoint, schedule, vocabulary
from .checkpoint import Position
from .data import Batches, mix, source
from .objectives import Objective, groups
from .recipe import Recipe
from .start import fresh

LOG = "training_log.jsonl"
RECIPE = "recipe.json"
PLOT = "loss.html"
MODEL = "model"
"""The finished model's folder, below the training's own."""


def train(recipe: Recipe, output: Path, *, threads: int | None = None, progress: bool = False) -> Path:
    """Train from the last checkpoint in `output` on, or from the start; returns the finished model's folder.

    Raises TrainingError when the folder holds another recipe's training or the loss is no number any more.
    """
    if threads or recipe.threads:
        torch.set_num_threads(threads or recipe.threads)
    try:
        output.mkdir(parents=True, exist_ok=True)
        run = _Run(recipe, output, progress)
        run.go()
        return run.finish()
    except OSError as error:
        cure = "when there is room to write, the same command goes on from the last checkpoint"
        raise TrainingError(f"cannot write: {error.strerror or error}", where=str(output), cure=cure) from error


@dataclass
class _Run:
    recipe: Recipe
    output: Path
    progress: bool
    model: Trainable = field(init=False)
    mark: str = field(init=False)
    """Tells the recipe's trainings from others."""
    found: tuple[Path, Position] | None = field(init=False)
    """The last checkpoint."""

    def __post_init__(self) -> None:
        text = json.dumps(self.recipe.to_json(), sort_keys=True)
        self.mark = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.found = checkpoint.find(self.output, self.mark)
        (self.output / RECIPE).write_text(json.dumps(self.recipe.to_json(), indent=1) + "\n", encoding="utf-8")
        self.model = _model(self.recipe, self.output)

    def go(self) -> None:
        """All stages, from where the last checkpoint stopped."""
        found = self.found
        position = found[1] if found else Position(0, 0, 0, 0.0)
        _cut(self.output / LOG, position.log)
        if found:
            checkpoint.load(found[0], self.model.parts())
        for number in range(position.stage, len(self.recipe.stages)):
            folder = found[0] if found and position.step else None
            position = _StageRun(self, number, folder, position).go()
            registry.load_object("vlmbench.reports.training:write_plot")(
                self.output / LOG, self.output / PLOT, title=self.recipe.name
            )

    def finish(self) -> Path:
        """Write the model with its recipe and log."""
        fresh, final = self.output / f"{MODEL}.new", self.output / MODEL
        shutil.rmtree(fresh, ignore_errors=True)
        if self.recipe.store == "float16":
            for part in self.model.parts().values():
                part.half()
        self.model.save(fresh)
        for name in (RECIPE, LOG):
            shutil.copyfile(self.output / name, fresh / name)
        shutil.rmtree(final, ignore_errors=True)
        fresh.rename(final)
        return final


class _StageRun:
    """One stage of a run."""

    def __init__(self, run: _Run, number: int, folder: Path | None, position: Position) -> None:
        self.run, self.number, self.stage = run, number, run.recipe.stages[number]
        recipe = run.recipe
        vocab = run.output / vocabulary.FOLDER / "vocab.json"
        patch = int(recipe.config.get("vision_config", {}).get("patch_size", 16))
        torch.manual_seed(mix(recipe.seed, self.stage.name, "start"))
        self.objective = Objective(
            run.model, self.stage, source(self.stage, recipe.seed), patch, vocab if vocab.is_file() else None
        )
        self.modules: dict[str, nn.Module] = {**run.model.parts(), "heads": self.objective.heads}
        self.optimizer = torch.optim.AdamW(groups(self.modules, self.stage), lr=self.stage.lr, betas=self.stage.betas)
        if folder is not None:
            checkpoint.load(folder, self.modules, self.optimizer)
        self.first = position.step
        self.spent, self.began = position.seconds, time.monotonic()

    def go(self) -> Position:
        """Every step that is left."""
        recipe, stage = self.run.recipe, self.stage
        learning = [p for group in self.optimizer.param_groups for p in group["params"]]
        for part, module in self.modules.items():
            module.train(part in stage.shares or part == "heads")
        losses: list[float] = []
        with (self.run.output / LOG).open("a", encoding="utf-8") as log:
            for step, batches in self._steps():
                losses.append(self._step(step, batches, learning))
                done = step + 1
                saves = done % recipe.save_every == 0 and done < stage.steps
                if saves or done % recipe.log_every == 0 or done == stage.steps:
                    self._log(log, done, losses)
                    losses = []
                if saves:
                    self._save(self.number, done, log.tell())
            return self._save(self.number + 1, 0, log.tell())

    def _steps(self) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
        """Numbered batches, prepared one step ahead of their use by a second process, under a progress bar."""
        stage = self.stage
        batches = Batches(partial(self.objective.prepare), self.first, stage.steps)
        workers = self.run.recipe.workers
        ahead: dict[str, Any] = {"prefetch_factor": 4, "worker_init_fn": _leave_interrupts} if workers else {}
        loader = DataLoader(_Stream(batches), batch_size=None, num_workers=workers, **ahead)
        bar = tqdm(
            loader, stage.name, stage.steps, initial=self.first, disable=not self.run.progress, dynamic_ncols=True
        )
        for step, found in enumerate(bar, start=self.first):
            if found and "error" in found[0]:
                what, where, cure = found[0]["error"]
                raise DataError(what, where=where, cure=cure)
            yield step, found

    def _step(self, step: int, batches: list[Mapping[str, Any]], learning: list[nn.Parameter]) -> float:
        recipe, stage = self.run.recipe, self.stage
        torch.manual_seed(mix(recipe.seed, stage.name, step))
        rate = stage.lr * schedule.factor(stage.schedule, step, stage.steps, stage.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for loss in self._losses(batches):
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        if not math.isfinite(total):
            cure = f"the last checkpoint is whole; try --set stages.{stage.name}.lr={stage.lr / 2:g} in another folder"
            raise TrainingError(f"the loss is {total}", where=f"stage {stage.name!r}, step {step}", cure=cure)
        if stage.clip:
            nn.utils.clip_grad_norm_(learning, stage.clip)
        self.optimizer.step()
        return total

    def _losses(self, batches: list[Mapping[str, Any]]) -> Iterator[torch.Tensor]:
        half = self.run.recipe.precision == "bfloat16"
        for feed, batch in self.objective.pairs(batches):
            with torch.autocast("cpu", torch.bfloat16) if half else contextlib.nullcontext():
                yield self.objective.loss(feed, batch)

    def _log(self, log: Any, step: int, losses: list[float]) -> None:
        rate = self.optimizer.param_groups[0]["lr"]
        line = {
            "stage": self.stage.name,
            "step": step,
            "loss": round(sum(losses) / len(losses), 5),
            "lr": float(f"{rate:.3g}"),
            "seconds": round(self._seconds(), 1),
        }
        log.write(json.dumps(line) + "\n")
        log.flush()

    def _seconds(self) -> float:
        return self.spent + time.monotonic() - self.began

    def _save(self, stage: int, step: int, log: int) -> Position:
        position = Position(stage, step, log, self._seconds())
        checkpoint.save(self.run.output, position, self.modules, self.optimizer, self.run.mark)
        return position


class _Stream(IterableDataset[list[Mapping[str, Any]]]):
    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def __iter__(self) -> Iterator[list[Mapping[str, Any]]]:
        return iter(self._batches)


def _model(recipe: Recipe, output: Path) -> Trainable:
    """The recipe's model: read from its start, or fresh with a tokenizer learnt from drawn scenes."""
    if recipe.start:
        model: Trainable = registry.load_object(recipe.restore)(Path(recipe.start))
        return model
    folder = output / vocabulary.FOLDER
    vocabulary.learn(folder, recipe.vocabulary)
    model = registry.load_object(recipe.build)(recipe.config, preprocessor=None, tokenizer=folder, seed=recipe.seed)
    torch.manual_seed(mix(recipe.seed, "start"))
    fresh(model.parts(), recipe.init)
    return model


def _leave_interrupts(_: int) -> None:
    """Ctrl-C reaches the second process too; it ends with the first, without a word of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cut(log: Path, length: int) -> None:
    """Drop the lines that the resumed training will write again."""
    if log.is_file():
        with log.open("r+b") as file:
            file.truncate(length)
