"""One stage of a training: its steps, its log and its checkpoints."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from vlmbench.base.errors import DataError, TrainingError
from vlmbench.base.trainable import Trainable

from ..optim.muon import Muon
from ..recipe.recipe import Stage
from ..scenes import vocabulary
from ..scenes.batches import Batches, source
from ..scenes.feature_pool import PoolObjective
from ..sources import mix
from . import checkpoint, data_state, eval_during_training, metrics_log
from .checkpoint import Position
from .learner import (
    LossModule,
    Objective,
    config_errors,
    grad_norms,
    learning_rate_share,
    parameter_groups,
    prepare_stage,
    reinit_modules,
    set_dtypes,
    set_train_modes,
)
from .objectives import SceneObjective
from .state import TrainingState

LOGGER = logging.getLogger(__name__)
MOST_SKIPPED = 50
"""Steps that the gradient scaler may skip in a row before the training counts as broken."""
WHOLE_LOSSES = 200
"""First steps of a stage whose losses the log has in full, for a second training to compare with (checks/digits)."""


def objective_of(state: TrainingState, stage: Stage, model: Trainable | None = None) -> SceneObjective | PoolObjective:
    """What a stage minimises: over rows from files, or over drawn scenes. What is read is recorded. `model`: one with a
    teacher, in the place of the state's.

    Raises DataError for files that cannot be read, TrainingError where they were others before.
    """
    rank, count = state.devices.rank, state.devices.count
    model = model or state.model
    if stage.pools:
        pooled = PoolObjective(model, stage, state.recipe, rank, count)
        if state.devices.first:
            state.record_data(data_state.of_rows(stage, pooled.rows))
        return pooled
    folders = (state.output / vocabulary.FOLDER, Path(state.recipe.start or state.output))
    vocab = next((file for folder in folders if (file := folder / "vocab.json").is_file()), None)
    patch = int(state.model.config.get("vision_config", {}).get("patch_size", 16))
    rows = source(stage, state.recipe.seed)
    if state.devices.first:
        state.record_data(data_state.of_rows(stage, {stage.data: rows}))
    return SceneObjective(model, stage, rows, patch, vocab, rank, count)


class StageRun:
    """One stage of a run."""

    def __init__(self, state: TrainingState, number: int, folder: Path | None, position: Position) -> None:
        """`folder`: the checkpoint to go on from, in the middle of the stage. Raises TrainingError or DataError."""
        self.state, self.number, self.stage = state, number, state.recipe.stages[number]
        recipe, stage = state.recipe, self.stage
        state.devices.share(stage)
        torch.manual_seed(mix(recipe.seed, stage.name, "start"))
        state.model = prepare_stage(state.model, stage, state.recipe.linear, state.recipe.attention)
        if folder is None:
            reinit_modules(state.model, stage)
        self.taught: Mapping[str, object] = {}
        """Counts of what the teacher was asked."""
        self.objective = self._objective()
        self.steps = self.objective.steps if isinstance(self.objective, PoolObjective) else stage.steps
        self.modules: dict[str, nn.Module] = {**state.model.parts(), "heads": self.objective.heads}
        if folder is not None and not state.devices.sharded:
            checkpoint.load(folder, self.modules)
        state.model.module.zero_grad(set_to_none=True)  # what learned in the stage before and rests now
        set_dtypes(state.model, state.devices.device, recipe.precision)
        self.objective.heads.to(state.devices.device)
        groups = parameter_groups(state.model, stage, self.objective.heads)
        self.learning = [p for group in groups for p in group["params"]]
        learner = LossModule(state.model, self.objective, state.devices.count)
        optimizer = (Muon if stage.muon else torch.optim.AdamW)(groups, lr=groups[0]["lr"], betas=stage.betas)
        self.learner, self.optimizer = state.devices.accelerator.prepare(learner, optimizer)
        if folder is not None:
            self._restore(folder, position)
        self.first, self.skipped = position.step, 0
        self.facts = self.objective.facts() if isinstance(self.objective, PoolObjective) else {}
        """Counts of the rows read so far, the bad ones among them."""
        self.spent, self.began = position.seconds, time.monotonic()
        self.meter = metrics_log.Meter()

    def _objective(self) -> Objective:
        state, stage = self.state, self.stage
        if state.teaching is None or not state.teaching.teaches(stage):
            return objective_of(state, stage)
        taught = state.teaching.taught(state.model)
        objective = objective_of(state, stage, taught)
        with state.devices.main_process_first():
            if state.devices.first:
                self.taught = state.teaching.ask(stage, objective, state.model, state.mark.data)
        state.teaching.open(taught)
        return objective

    def run(self) -> Position:
        """Every step that is left."""
        recipe = self.state.recipe
        set_train_modes(self.modules, self.stage)
        losses: list[float] = []
        with self._open_log() as log:
            if self.facts and not self.first:
                metrics_log.write(log, {"stage": self.stage.name, "pools": self.facts})
            if self.taught:
                metrics_log.write(log, {"stage": self.stage.name, "teacher": self.taught})
            before = self.facts
            for step, batches in self._batches():
                done = step + 1
                saves = done % recipe.save_every == 0 and done < self.steps
                tells = saves or done % recipe.log_every == 0 or done == self.steps
                loss, metrics = self._step(step, batches, tells)
                losses.append(loss)
                if tells:
                    self._log(log, done, losses, metrics)
                    losses = []
                if recipe.eval_every and done % recipe.eval_every == 0:
                    self._evaluate(log, done)
                if saves:
                    self._save(self.number, done, log.tell())
            self._log_bad_rows(log, before)
            return self._save(self.number + 1, 0, log.tell())

    def first_losses(self, count: int) -> list[float]:
        """The losses of the first steps; nothing is logged or saved."""
        set_train_modes(self.modules, self.stage)
        losses: list[float] = []
        for step, batches in self._batches():
            losses.append(self._step(step, batches, False)[0])
            if len(losses) == count:
                break
        return losses

    def _log_bad_rows(self, log: IO[str], before: Mapping[str, Any]) -> None:
        """Say which rows could not be trained on, those included that turned out so in this run."""
        by_process = self.state.devices.gathered(self.facts)
        if any(facts != before for facts in by_process):
            line = {"pools": by_process[0]} if len(by_process) == 1 else {"pools_by_process": by_process}
            metrics_log.write(log, {"stage": self.stage.name, "read_since_step": self.first, **line})
        for rank, facts in enumerate(by_process if self.state.devices.first else []):
            for name, pool in facts.items():
                if pool["bad"]:
                    at = f"stage {self.stage.name!r}, pool {name!r}" + (
                        f", process {rank}" if len(by_process) > 1 else ""
                    )
                    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(pool["bad"].items()))
                    of = f" beside {pool['rows']} good ones" if pool["rows"] is not None else ""
                    first = "".join(f"\n  {line}" for line in pool.get("first", []))
                    LOGGER.warning("%s: %s could not be trained on%s%s", at, reasons, of, first)

    def _open_log(self) -> IO[str]:
        if self.state.devices.first:
            return self.state.log.open("a", encoding="utf-8")
        return Path("/dev/null").open("a", encoding="utf-8")

    def _batches(self) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
        """Numbered batches, prepared one step ahead of their use by a second process, under a progress bar."""
        facts = self.objective.facts if isinstance(self.objective, PoolObjective) else None
        batches = Batches(self.objective.prepare, self.first, self.steps, facts)
        workers = self.state.recipe.workers
        if self.state.recipe.cache and self.state.devices.device.type != "cpu":
            workers = 0  # the tower looks at images on the GPU, which a second process cannot use
        ahead: dict[str, Any] = {"prefetch_factor": 4, "worker_init_fn": _ignore_interrupts} if workers else {}
        loader = DataLoader(_Stream(batches), batch_size=None, num_workers=workers, **ahead)
        quiet = not (self.state.progress and self.state.devices.first)
        bar = tqdm(loader, self.stage.name, self.steps, initial=self.first, disable=quiet, dynamic_ncols=True)
        for step, batch in enumerate(bar, start=self.first):
            if batch and "error" in batch[0]:
                message, where, hint = batch[0]["error"]
                raise DataError(message, where=where, hint=hint)
            if batch and "facts" in batch[-1]:
                self.facts = batch.pop()["facts"]
            yield step, batch

    def _step(self, step: int, batches: list[Mapping[str, Any]], tells: bool) -> tuple[float, dict[str, Any]]:
        """One step: its loss, and where it is told the gradient's norms."""
        stage, accelerator = self.stage, self.state.devices.accelerator
        share = learning_rate_share(stage, self.steps, step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share
        self.optimizer.zero_grad(set_to_none=True)
        trial = (
            config_errors(f"stage {stage.name!r}", "its config or settings") if step == self.first else nullcontext()
        )
        with trial:
            own = self.gradients(step, batches)
        total = self.state.devices.mean(own)
        if not math.isfinite(total):
            raise self._broken(step, f"the loss is {total}")
        metrics: dict[str, Any] = {}
        if self.state.devices.sharded:
            norm = float(accelerator.clip_grad_norm_(self.learning, stage.clip or math.inf))
        else:
            accelerator.unscale_gradients(self.optimizer)
            if tells:
                metrics["grad_norms"] = {name: _short(value) for name, value in grad_norms(self.modules).items()}
            norm = float(nn.utils.clip_grad_norm_(self.learning, stage.clip or math.inf))
        metrics["grad_norm"] = _short(norm)
        self.skipped = 0 if math.isfinite(norm) else self.skipped + 1
        if self.skipped and (accelerator.scaler is None or self.skipped > MOST_SKIPPED):
            raise self._broken(step, f"the gradient is {norm}")
        self.optimizer.step()
        return total, metrics

    def gradients(self, step: int, batches: list[Mapping[str, Any]]) -> float:
        """Add up the gradients of a step's batches on this process; returns their share of the loss."""
        recipe, stage, devices = self.state.recipe, self.stage, self.state.devices
        pairs = self.objective.pairs(batches)
        each = len(pairs) * devices.count // stage.micro_batches  # batches of a micro-batch: one per feed
        total = 0.0
        for at, (feed, batch) in enumerate(pairs):
            if at % each == 0:
                micro = at // each * devices.count + devices.rank
                torch.manual_seed(mix(recipe.seed, stage.name, step, *([micro] if micro else [])))
            with devices.gathering(self.learner, at + 1 == len(pairs)):
                loss = self.learner(feed, batch)
                devices.accelerator.backward(loss)
            total += loss.item()
            self.meter.add(metrics_log.tokens_of(batch, self.state.model.visual_tokens))
        return total

    def _broken(self, step: int, message: str) -> TrainingError:
        stage = self.stage
        key, rate = ("rates.peak", stage.rates.peak) if stage.rates else ("lr", stage.lr)
        hint = f"the last checkpoint is whole; try --set stages.{stage.name}.{key}={rate / 2:g} in another folder"
        return TrainingError(message, where=f"stage {stage.name!r}, step {step}", hint=hint)

    def _log(self, log: IO[str], step: int, losses: list[float], metrics: Mapping[str, Any]) -> None:
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        line = {
            "stage": self.stage.name,
            "step": step,
            "loss": round(sum(losses) / len(losses), 5),
            "lr": float(f"{rate:.3g}"),
            "seconds": round(self._seconds(), 1),
            **metrics,
            **self.meter.read(self.state.devices.device),
        }
        if whole := losses[: max(0, WHOLE_LOSSES - step + len(losses))]:
            line["losses"] = whole
        metrics_log.write(log, line, self.state.tracker)

    def _evaluate(self, log: IO[str], step: int) -> None:
        """Chosen tasks on the live model; the modes of its parts are as before afterwards."""
        if self.state.devices.first:
            line = eval_during_training.evaluate(
                self.state.recipe, self.state.model, self.state.output, self.stage.name, step
            )
            metrics_log.write(log, line, self.state.tracker)
        self.state.devices.wait()
        set_train_modes(self.modules, self.stage)

    def _seconds(self) -> float:
        return self.spent + time.monotonic() - self.began

    def _save(self, stage: int, step: int, log: int) -> Position:
        accelerator = self.state.devices.accelerator
        scaler = accelerator.scaler.state_dict() if accelerator.scaler is not None else {}
        position = Position(stage, step, log, self._seconds(), scaler)
        if self.state.devices.sharded:
            self._save_shards(position)
        elif self.state.devices.first:
            checkpoint.save(self.state.output, position, self.modules, self.optimizer, self.state.mark)
        self.state.devices.wait()
        return position

    def _save_shards(self, position: Position) -> None:
        """Each process writes its own share by accelerate; whole weights are gathered at a stage's end."""
        accelerator = self.state.devices.accelerator
        if position.step == 0:
            state = accelerator.get_state_dict(self.learner)
            own = {name.removeprefix("network."): value for name, value in state.items() if name[:8] == "network."}
            self.state.model = prepare_stage(
                self.state.model, self.stage, self.state.recipe.linear, self.state.recipe.attention
            )
            self.state.model.module.load_state_dict(own, strict=False)
            if self.state.devices.first:
                checkpoint.save(self.state.output, position, self.state.model.parts(), None, self.state.mark)
            return
        fresh = (
            checkpoint.prepare(self.state.output) if self.state.devices.first else self.state.output / checkpoint.FRESH
        )
        self.state.devices.wait()
        with checkpoint.write_errors(self.state.output):
            accelerator.save_state(str(fresh / "shards"))
        self.state.devices.wait()
        if self.state.devices.first:
            checkpoint.seal(self.state.output, fresh, position, self.state.mark)

    def _restore(self, folder: Path, position: Position) -> None:
        """Put the optimiser, or all shards, back."""
        accelerator = self.state.devices.accelerator
        if self.state.devices.sharded:
            accelerator.load_state(str(folder / "shards"))
            return
        checkpoint.load(folder, {}, self.optimizer)
        if accelerator.scaler is not None and position.scaler:
            accelerator.scaler.load_state_dict(dict(position.scaler))


def _short(value: float) -> float:
    return float(f"{value:.4g}")


class _Stream(IterableDataset[list[Mapping[str, Any]]]):
    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def __iter__(self) -> Iterator[list[Mapping[str, Any]]]:
        return iter(self._batches)


def _ignore_interrupts(_: int) -> None:
    """Ctrl-C reaches the second process too; it ends with the first, without a word of its own."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
