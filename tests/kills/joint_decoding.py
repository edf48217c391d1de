"""Runs that end (SIGKILL, SIGINT) inside a forward pass of answers about several images, and go on by the same command.

The models are tiny and random, with answers of many lengths: a system of this package and a LLaVA of transformers. A
run that ended must keep every answer that was in its log, and the finished one must hold the records of a run that was
left alone, and the answers of one question at a time.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from transformers import AttentionInterface

from tests.kills import commands, kill_points
from tests.models.engine.toy import toy
from tests.models.huggingface import tiny_hf
from tests.models.huggingface.tiny_families import FAMILIES
from vlmbench.base import registry
from vlmbench.base.samples import Request, Response
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.lanes import attention
from vlmbench.models.engine.together import rows_of_setting
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.system import HfSystem
from vlmbench.runs.storage import answer_log
from vlmbench.runs.storage.layout import LOG, RECORDS, SCORES

TASKS, ROWS = "vqav2@lavis,okvqa@minigpt_v2", 16
"""187 questions about 56 images, with answers of up to 10 and 20 tokens; answers that are decoded together."""
DISTINCT = 50
"""Answers that a run must have at least, so that one in another's place is seen."""
ENDS = (signal.SIGKILL, signal.SIGINT)
CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130}
MARGINS = 1e-4
"""How far margins may part: what else is in a forward pass changes the order of sums."""
COMPUTED = ("seconds", "crc32", "margin")
"""Columns that depend on more than the answers."""


class JointSteps(kill_points.Points):
    """Counts forward passes of several images' answers, and ends the process when the second layer attends."""

    def install(self) -> None:
        """Put the points into the attention of answers decoded together."""
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
        attend = attention._attend

        def counted(module: Any, *args: Any, **settings: Any) -> Any:
            if module.layer_idx == 1:  # the first layer's keys and values are written, the others' are not
                parts = attention._RUNNING.get().parts
                self.pass_by(f"{sum(part.stop - part.start for part in parts)}-rows-of-{len(parts)}-images")
            return attend(module, *args, **settings)

        AttentionInterface.register(attention.NAME, counted)


class Toy:
    """The tiny system as the Model of a run."""

    name = fingerprint = "toy"
    facts: Mapping[str, str | int | float] = {}

    def __init__(self, engine: Engine | HfEngine) -> None:
        self._engine = engine

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Part of every answer's key."""
        return self._engine.settings

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """By the engine."""
        return self._engine.answer(groups)


def load_system(checkpoint: str | None = None, *, engine: str = "shared", batch_size: str = "auto") -> Toy:
    """A system of this package."""
    return Toy(Engine(toy(), kind=engine, batch=rows_of_setting(batch_size), threads=1))


def load_hf(checkpoint: str | None = None, *, engine: str = "shared", batch_size: str = "auto") -> Toy:
    """A LLaVA of transformers."""
    torch.set_num_threads(1)
    return Toy(HfEngine(HfSystem(*tiny_hf.build(FAMILIES["llava"])), kind=engine, batch=batch_size))


MODELS = {"toy_system": load_system, "toy_hf": load_hf}


def words(model: str, run: Path, *more: str) -> list[str]:
    """The command."""
    said = ["run", "--model", model, "--tasks", TASKS, "--output", str(run)]
    return [*said, *(more or ("--batch-size", str(ROWS)))]


def results(run: Path, but: Sequence[str] = ()) -> tuple[list[dict[str, Any]], Any, list[float]]:
    """A finished run: its records, its scores, and the margins."""
    table = pq.read_table(run / RECORDS)
    left = sorted(path.name for path in run.iterdir() if path.name == LOG or path.suffix == ".tmp")
    scores = json.loads((run / SCORES).read_text())
    margins = [-1.0 if margin is None else margin for margin in table["margin"].to_pylist()]
    return table.drop([*COMPUTED, *but]).to_pylist(), (scores, left), margins


def parted(left: Any, expected: Any) -> str:
    """Where two results part; nothing where they do not."""
    if left[:2] != expected[:2]:
        pairs = zip(left[0], expected[0], strict=True)
        rows = next((commands.different(one, two) for one, two in pairs if one != two), "")
        return rows or commands.different(left[1][0], expected[1][0])
    far = max(abs(one - two) for one, two in zip(left[2], expected[2], strict=True))
    return f"margins part by {far:.2g}" if far > MARGINS else ""


def rounds(number: int, dice: random.Random, folder: Path) -> commands.Tally:
    """End runs of both models at so many joint steps."""
    tally, root = commands.Tally(), folder / "work"
    commands.warm()
    for name, load in MODELS.items():
        with registry.models.temporarily_registered(name, load):
            _rounds(name, -(-number // len(MODELS)), dice, root, tally)
    return tally


def _rounds(model: str, number: int, dice: random.Random, root: Path, tally: commands.Tally) -> None:
    run = root / "run"
    _fresh(root)
    kill_points.run(words(model, run, "--engine", "simple"), root)
    simple = results(run, ("key",))
    _fresh(root)
    steps = len(kill_points.run(words(model, run), root, kind=JointSteps).points)
    calm = results(run)
    tally.points += steps
    if (distinct := len({row["text"] for row in calm[0]})) < DISTINCT:
        tally.failed.append(f"{model}: only {distinct} distinct answers")
    if why := parted(results(run, ("key",)), simple):
        tally.failed.append(f"{model}, left alone: other answers than one at a time: {why}")
    until = tally.kills.total() + number
    while tally.kills.total() < until:
        _fresh(root)
        if why := _one(model, run, dice, steps, tally) or parted(results(run), calm):
            tally.failed.append(f"{model}: {why}")


def _one(model: str, run: Path, dice: random.Random, steps: int, tally: commands.Tally) -> str:
    """End a run once by each signal, the second time on the way back, then let it finish. Why it failed, or nothing."""
    had: list[str] = []
    for end in dice.sample(ENDS, 2):
        ended = kill_points.run(words(model, run), run.parent, dice.randrange(1, steps + 1), kind=JointSteps, end=end)
        if not ended.code:  # fewer steps were left
            break
        tally.kills[f"{end.name}-at-{ended.points[-1]}"] += 1
        before, had = had, list(answer_log.read_log(run / LOG).answers)
        if ended.code != CODES[end]:
            return f"{end.name} ended it with {ended.code}: {ended.said[-300:]}"
        if had[: len(before)] != before:
            return "an answer that had been written is gone"
    ended = kill_points.run(words(model, run), run.parent)
    found = commands.REUSED.search(ended.said)
    tally.reused += (reused := int(found[1]) if found else 0)
    if ended.code:
        return f"the same command ended with {ended.code}: {ended.said[-300:]}"
    return f"{len(had)} answers were in the log, the command took {reused}" if reused < len(had) else ""


def _fresh(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
