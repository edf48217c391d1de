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

from ..scenes import vocabulary
from ..scenes.batches import Batches, source
from ..scenes.feature_pool import Pooled
from ..sources import mix
from . import checkpoint, data_state
from . import evaluate_live as live
from . import log as watch
from .checkpoint import Position
from .learner import Learner, Objective, building, enter, groups, norms, rate_at, set_numbers, start_anew, wake
from .objectives import Scenery
from .state import TrainingState

LOGGER = logging.getLogger(__name__)
MOST_SKIPPED = 50
"""Steps that the gradient scaler may skip in a row before the training counts as broken."""


class StageRun:
    """One stage of a run."""

    def __init__(self, run: TrainingState, number: int, folder: Path | None, position: Position) -> None:
        """`folder`: the checkpoint to go on from, in the middle of the stage. Raises TrainingError or DataError."""
        self.run, self.number, self.stage = run, number, run.recipe.stages[number]
        recipe, stage = run.recipe, self.stage
        run.devices.share(stage)
        torch.manual_seed(mix(recipe.seed, stage.name, "start"))
        run.model = enter(run.model, stage)
        if folder is None:
            start_anew(run.model, stage)
        self.objective = self._objective()
        self.steps = self.objective.steps if isinstance(self.objective, Pooled) else stage.steps
        self.modules: dict[str, nn.Module] = {**run.model.parts(), "heads": self.objective.heads}
        if folder is not None and not run.devices.sharded:
            checkpoint.load(folder, self.modules)
        run.model.module.zero_grad(set_to_none=True)  # what learnt in the stage before and rests now
        set_numbers(run.model, run.devices.device, recipe.precision)
        self.objective.heads.to(run.devices.device)
        told = groups(run.model, stage, self.objective.heads)
        self.learning = [p for group in told for p in group["params"]]
        learner = Learner(run.model, self.objective, run.devices.count)
        optimizer = torch.optim.AdamW(told, lr=told[0]["lr"], betas=stage.betas)
        self.learner, self.optimizer = run.devices.accelerator.prepare(learner, optimizer)
        if folder is not None:
            self._restore(folder, position)
        self.first, self.skipped = position.step, 0
        self.facts = self.objective.facts() if isinstance(self.objective, Pooled) else {}
        """Counts of the rows read so far, the bad ones among them."""
        self.spent, self.began = position.seconds, time.monotonic()
        self.meter = watch.Meter()

    def _objective(self) -> Objective:
        run, stage = self.run, self.stage
        rank, count = run.devices.rank, run.devices.count
        if stage.pools:
            pooled = Pooled(run.model, stage, run.recipe, rank, count)
            if run.devices.first:
                run.remember(data_state.of_rows(stage, pooled.rows))
            return pooled
        folders = (run.output / vocabulary.FOLDER, Path(run.recipe.start or run.output))
        vocab = next((found for folder in folders if (found := folder / "vocab.json").is_file()), None)
        patch = int(run.model.config.get("vision_config", {}).get("patch_size", 16))
        rows = source(stage, run.recipe.seed)
        if run.devices.first:
            run.remember(data_state.of_rows(stage, {stage.data: rows}))
        return Scenery(run.model, stage, rows, patch, vocab, rank, count)

    def go(self) -> Position:
        """Every step that is left."""
        recipe = self.run.recipe
        wake(self.modules, self.stage)
        losses: list[float] = []
        with self._open_log() as log:
            if self.facts and not self.first:
                watch.write(log, {"stage": self.stage.name, "pools": self.facts})
            before = self.facts
            for step, batches in self._batches():
                done = step + 1
                saves = done % recipe.save_every == 0 and done < self.steps
                tells = saves or done % recipe.log_every == 0 or done == self.steps
                loss, told = self._step(step, batches, tells)
                losses.append(loss)
                if tells:
                    self._log(log, done, losses, told)
                    losses = []
                if recipe.eval_every and done % recipe.eval_every == 0:
                    self._evaluate(log, done)
                if saves:
                    self._save(self.number, done, log.tell())
            self._tell_rows(log, before)
            return self._save(self.number + 1, 0, log.tell())

    def _tell_rows(self, log: IO[str], before: Mapping[str, Any]) -> None:
        """Say which rows could not be learnt from, those included that turned out so in this sitting."""
        told = self.run.devices.gathered(self.facts)
        if any(facts != before for facts in told):
            line = {"pools": told[0]} if len(told) == 1 else {"pools_by_process": told}
            watch.write(log, {"stage": self.stage.name, "read_since_step": self.first, **line})
        for rank, facts in enumerate(told if self.run.devices.first else []):
            for name, pool in facts.items():
                if pool["bad"]:
                    at = f"stage {self.stage.name!r}, pool {name!r}" + (f", process {rank}" if len(told) > 1 else "")
                    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(pool["bad"].items()))
                    of = f" beside {pool['rows']} good ones" if pool["rows"] is not None else ""
                    first = "".join(f"\n  {line}" for line in pool.get("first", []))
                    LOGGER.warning("%s: %s could not be learnt from%s%s", at, reasons, of, first)

    def _open_log(self) -> IO[str]:
        if self.run.devices.first:
            return self.run.log.open("a", encoding="utf-8")
        return Path("/dev/null").open("a", encoding="utf-8")

    def _batches(self) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
        """Numbered batches, prepared one step ahead of their use by a second process, under a progress bar."""
        facts = self.objective.facts if isinstance(self.objective, Pooled) else None
        batches = Batches(self.objective.prepare, self.first, self.steps, facts)
        workers = self.run.recipe.workers
        if self.run.recipe.cache and self.run.devices.device.type != "cpu":
            workers = 0  # the tower looks at pictures on the GPU, which a second process cannot use
        ahead: dict[str, Any] = {"prefetch_factor": 4, "worker_init_fn": _leave_interrupts} if workers else {}
        loader = DataLoader(_Stream(batches), batch_size=None, num_workers=workers, **ahead)
        quiet = not (self.run.progress and self.run.devices.first)
        bar = tqdm(loader, self.stage.name, self.steps, initial=self.first, disable=quiet, dynamic_ncols=True)
        for step, found in enumerate(bar, start=self.first):
            if found and "error" in found[0]:
                what, where, hint = found[0]["error"]
                raise DataError(what, where=where, hint=hint)
            if found and "facts" in found[-1]:
                self.facts = found.pop()["facts"]
            yield step, found

    def _step(self, step: int, batches: list[Mapping[str, Any]], tells: bool) -> tuple[float, dict[str, Any]]:
        """One step: its loss, and where it is told the gradient's norms."""
        stage, accelerator = self.stage, self.run.devices.accelerator
        share = rate_at(stage, self.steps, step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share
        self.optimizer.zero_grad(set_to_none=True)
        trial = building(f"stage {stage.name!r}", "its config or settings") if step == self.first else nullcontext()
        with trial:
            own = self.gradients(step, batches)
        total = self.run.devices.mean(own)
        if not math.isfinite(total):
            raise self._broken(step, f"the loss is {total}")
        told: dict[str, Any] = {}
        if self.run.devices.sharded:
            norm = float(accelerator.clip_grad_norm_(self.learning, stage.clip or math.inf))
        else:
            accelerator.unscale_gradients(self.optimizer)
            if tells:
                told["grad_norms"] = {name: _short(value) for name, value in norms(self.modules).items()}
            norm = float(nn.utils.clip_grad_norm_(self.learning, stage.clip or math.inf))
        told["grad_norm"] = _short(norm)
        self.skipped = 0 if math.isfinite(norm) else self.skipped + 1
        if self.skipped and (accelerator.scaler is None or self.skipped > MOST_SKIPPED):
            raise self._broken(step, f"the gradient is {norm}")
        self.optimizer.step()
        return total, told

    def gradients(self, step: int, batches: list[Mapping[str, Any]]) -> float:
        """Add up the gradients of a step's batches on this process; returns their share of the loss."""
        recipe, stage, devices = self.run.recipe, self.stage, self.run.devices
        pairs = self.objective.pairs(batches)
        each = len(pairs) * devices.count // stage.micro_batches  # batches of a micro-batch: one a feed
        total = 0.0
        for at, (feed, batch) in enumerate(pairs):
            if at % each == 0:
                micro = at // each * devices.count + devices.rank
                torch.manual_seed(mix(recipe.seed, stage.name, step, *([micro] if micro else [])))
            with devices.gathering(self.learner, at + 1 == len(pairs)):
                loss = self.learner(feed, batch)
                devices.accelerator.backward(loss)
            total += loss.item()
            self.meter.add(watch.tokens_of(batch, self.run.model.visual_tokens))
        return total

    def _broken(self, step: int, what: str) -> TrainingError:
        stage = self.stage
        key, rate = ("rates.peak", stage.rates.peak) if stage.rates else ("lr", stage.lr)
        hint = f"the last checkpoint is whole; try --set stages.{stage.name}.{key}={rate / 2:g} in another folder"
        return TrainingError(what, where=f"stage {stage.name!r}, step {step}", hint=hint)

    def _log(self, log: IO[str], step: int, losses: list[float], told: Mapping[str, Any]) -> None:
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        line = {
            "stage": self.stage.name,
            "step": step,
            "loss": round(sum(losses) / len(losses), 5),
            "lr": float(f"{rate:.3g}"),
            "seconds": round(self._seconds(), 1),
            **told,
            **self.meter.read(self.run.devices.device),
        }
        watch.write(log, line, self.run.tracker)

    def _evaluate(self, log: IO[str], step: int) -> None:
        """Chosen tasks on the live model; the modes of its parts are as before afterwards."""
        if self.run.devices.first:
            line = live.evaluate(self.run.recipe, self.run.model, self.run.output, self.stage.name, step)
            watch.write(log, line, self.run.tracker)
        self.run.devices.wait()
        wake(self.modules, self.stage)

    def _seconds(self) -> float:
        return self.spent + time.monotonic() - self.began

    def _save(self, stage: int, step: int, log: int) -> Position:
        accelerator = self.run.devices.accelerator
        scaler = accelerator.scaler.state_dict() if accelerator.scaler is not None else {}
        position = Position(stage, step, log, self._seconds(), scaler)
        if self.run.devices.sharded:
            self._save_shards(position)
        elif self.run.devices.first:
            checkpoint.save(self.run.output, position, self.modules, self.optimizer, self.run.mark)
        self.run.devices.wait()
        return position

    def _save_shards(self, position: Position) -> None:
        """Each process writes its own share by accelerate; whole weights are gathered at a stage's end."""
        accelerator = self.run.devices.accelerator
        if position.step == 0:
            state = accelerator.get_state_dict(self.learner)
            own = {name.removeprefix("network."): value for name, value in state.items() if name[:8] == "network."}
            self.run.model = enter(self.run.model, self.stage)
            self.run.model.module.load_state_dict(own, strict=False)
            if self.run.devices.first:
                checkpoint.save(self.run.output, position, self.run.model.parts(), None, self.run.mark)
            return
        fresh = checkpoint.prepare(self.run.output) if self.run.devices.first else self.run.output / checkpoint.FRESH
        self.run.devices.wait()
        with checkpoint.writing(self.run.output):
            accelerator.save_state(str(fresh / "shards"))
        self.run.devices.wait()
        if self.run.devices.first:
            checkpoint.seal(self.run.output, fresh, position, self.run.mark)

    def _restore(self, folder: Path, position: Position) -> None:
        """Put the optimiser, or all shards, back."""
        accelerator = self.run.devices.accelerator
        if self.run.devices.sharded:
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


def _leave_interrupts(_: int) -> None:
    """Ctrl-C reaches the second process too; it ends with the first, without a word of its own."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
