"""Whether a second training gives the same digits: the losses of the first steps of each stage, to the last bit.

The first stage begins from nothing, tokenizer included; each later one from the weights with which it began in the
training that is checked (`vlmbench train --keep-stages`), so that not all that comes before has to be trained again.
Kernels that sum in another order, on another machine or with another number of threads, give other digits.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.base.errors import TrainingError

from ..loop import checkpoint
from ..loop.checkpoint import Position
from ..loop.learner import prepare_stage
from ..loop.loop import prune_once, use_threads
from ..loop.mark import WATCHING, Mark, differences
from ..loop.stage_run import StageRun
from ..loop.state import LOG, RECIPE, TrainingState
from ..recipe.recipe import Recipe
from ..scenes import vocabulary

AGAIN = "train it again with this version and --keep-stages"


@dataclass(frozen=True)
class StageDigits:
    """What became of one stage."""

    stage: str
    steps: int
    """Compared, up to the first that differs."""
    problem: str = ""
    """Empty where all digits are the same."""

    def __str__(self) -> str:
        return f"{self.stage}: {self.problem or f'{self.steps} steps, the same digits'}"


def check(recipe: Recipe, folder: Path, *, threads: int | None = None) -> Iterator[StageDigits]:
    """Train the first steps of each stage again and compare them with those of the training in `folder`.

    Raises TrainingError where the folder holds no training, another recipe's, or one without losses of single steps.
    """
    _refuse_others(recipe, folder)
    known = _losses(folder / LOG)
    use_threads(recipe, threads)
    for number, stage in enumerate(recipe.stages):
        start = checkpoint.start_of(folder, stage.name)
        if stage.name not in known:
            yield StageDigits(stage.name, 0, f"not in the log: it was not trained, or not by this version; {AGAIN}")
        elif number and not start.is_dir():
            yield StageDigits(stage.name, 0, f"not checked: the weights it began with were not kept; {AGAIN}")
        else:
            with tempfile.TemporaryDirectory(prefix="vlmbench-digits-") as scratch:
                found = _trained(recipe, number, folder, Path(scratch), len(known[stage.name]))
            yield _compared(stage.name, known[stage.name], found)


def _refuse_others(recipe: Recipe, folder: Path) -> None:
    try:
        before = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        what = f"no training is there: {RECIPE} cannot be read ({type(error).__name__})"
        raise TrainingError(what, where=str(folder), hint="name a folder that `vlmbench train` wrote") from None
    if named := differences(_deciding(before), _deciding(json.loads(json.dumps(Mark.of(recipe).settings)))):
        what = f"holds the training of another recipe: {named}"
        raise TrainingError(what, where=str(folder), hint=f"use the version that trained it, or {AGAIN}")


def _deciding(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in settings.items() if name not in WATCHING}
    if kept.get("distil"):
        kept["distil"] = {name: value for name, value in kept["distil"].items() if name != "cache"}
    return kept


def _losses(log: Path) -> dict[str, list[float]]:
    """The losses of the first steps by stage."""
    found: dict[str, list[float]] = {}
    try:
        for line in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
            found.setdefault(line["stage"], []).extend(map(float, line.get("losses", ())))
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"the training's log cannot be read ({type(error).__name__}: {error})"
        raise TrainingError(what, where=str(log), hint=AGAIN) from None
    if not any(found.values()):
        what = "the log has no losses of single steps: an earlier version wrote it"
        raise TrainingError(what, where=str(log), hint=AGAIN)
    return {name: losses for name, losses in found.items() if losses}


def _trained(recipe: Recipe, number: int, folder: Path, scratch: Path, steps: int) -> list[float]:
    """The losses of the first steps of a stage, trained again."""
    if number and (folder / vocabulary.FOLDER).is_dir():
        shutil.copytree(folder / vocabulary.FOLDER, scratch / vocabulary.FOLDER)
    state = TrainingState(recipe, scratch, progress=False)
    try:
        if recipe.pruning.active:
            prune_once(state)
        for stage in recipe.stages[:number]:
            state.model = prepare_stage(state.model, stage, recipe.linear, recipe.attention)
        if number:
            checkpoint.load(checkpoint.start_of(folder, recipe.stages[number].name), state.model.parts())
        return StageRun(state, number, None, Position(number, 0, 0, 0.0)).first_losses(steps)
    finally:
        state.close()


def _compared(stage: str, known: list[float], found: list[float]) -> StageDigits:
    for step, (before, now) in enumerate(zip(known, found, strict=False), 1):
        if before != now:
            return StageDigits(stage, step, f"step {step} differs: the loss was {before!r} and is {now!r}")
    return StageDigits(stage, len(found))
