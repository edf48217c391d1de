"""Kept log-probabilities against the teacher's forward pass in each step: tokens trained per CPU second, in turns.

    python -m tests.performance.distil_speed [--rounds 5] [--steps 12]

The baseline runs the teacher's network on the student's own batch, without gradients, and takes the likeliest tokens
from its logits: nothing is read, drawn or tokenised again. One thread; the first steps of each side are not counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch
from torch import Tensor

from vlmbench.base.trainable import Trainable
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import NANO
from vlmbench.training.distil.losses import mixed_loss
from vlmbench.training.distil.taught_model import TaughtModel
from vlmbench.training.distil.teaching import Teaching
from vlmbench.training.loop.objectives import SceneObjective
from vlmbench.training.recipe.recipe import Feed, Recipe, Stage
from vlmbench.training.recipe.teacher import Distil
from vlmbench.training.recipes.nano import CONFIG
from vlmbench.training.scenes.batches import source

WARM = 2
WIDTHS = {"the same size": (160, 4), "half the width": (80, 4), "half the width and layers": (80, 2)}
"""Students: width and layers of the language model; tower and connector as the teacher's."""


class EachStep(TaughtModel):
    """A student whose teacher looks at each batch."""

    def __init__(self, student: Trainable, settings: Distil, teacher: Trainable) -> None:
        super().__init__(student, settings)
        self._teacher = teacher

    def collate(self, rows: Any, template: str) -> Mapping[str, Any]:
        """The student's own."""
        return self.student.collate(rows, template)

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """The mixed loss, by the teacher's forward pass."""
        with torch.no_grad():
            logprobs = self._teacher.trained_logits(batch)[0].log_softmax(dim=-1)
            best = logprobs.topk(self._settings.top_k, dim=-1)
            rest = logprobs.scatter(1, best.indices, -torch.inf).logsumexp(dim=-1)
        logits, labels = self.student.trained_logits(batch)
        how = {"temperature": self._settings.temperature, "weight": self._settings.weight}
        return mixed_loss(logits, labels, torch.arange(len(labels)), (best.indices, best.values, rest), **how)


@dataclass
class Side:
    """One way of training, with its own student."""

    model: TaughtModel
    objective: SceneObjective
    optimizer: torch.optim.Optimizer
    tokens: int = 0
    seconds: float = 0.0

    def step(self, number: int, counts: bool) -> float:
        """One step, its batch drawn and collated too; returns the loss."""
        began = time.process_time()
        self.optimizer.zero_grad(set_to_none=True)
        total, tokens = 0.0, 0
        for feed, batch in self.objective.pairs(self.objective.prepare(number)):
            loss = self.objective.loss(feed, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            tokens += int(batch["attention_mask"].sum()) + batch["images"].shape[0] * (self.model.visual_tokens - 1)
        self.optimizer.step()
        if counts:
            self.tokens += tokens
            self.seconds += time.process_time() - began
        return total


def recipe(width: int, layers: int, steps: int) -> Recipe:
    """One stage of nano's kind of questions."""
    text = {**CONFIG["text_config"], "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    stage = Stage(
        name="finetune",
        train=("language_model", "connector"),
        feeds=(Feed("short", rows=16, turns=12),),
        steps=steps,
        lr=1e-3,
        repeat=steps,
    )
    config = {**CONFIG, "text_config": text, "hidden_size": width}
    return Recipe("speed", "", (stage,), config=config, distil=Distil("tinyllava"))


def side(made: Recipe, folder: Path, *, kept: bool) -> Side:
    """A student, its teacher asked beforehand or in each step."""
    student = cast("Trainable", tinyllava.build(made.config, preprocessor=None, tokenizer=NANO))
    stage = made.stages[0]
    student.tune(stage.tunes)
    assert made.distil is not None
    if kept:
        teaching = Teaching(made, folder, progress=False)
        teaching.check(student, write=True)
        model = cast("TaughtModel", teaching.taught(student))
    else:
        model = EachStep(student, made.distil, cast("Trainable", tinyllava.restore(NANO)))
    objective = SceneObjective(cast("Trainable", model), stage, source(stage, made.seed), 16, None)
    if kept:
        teaching.ask(stage, objective, student, {})
        teaching.open(cast("Trainable", model))
    learning = [parameter for parameter in student.module.parameters() if parameter.requires_grad]
    return Side(model, objective, torch.optim.AdamW(learning, lr=1e-3))


def measure(width: int, layers: int, steps: int) -> tuple[float, float, float]:
    """Tokens per CPU second with kept answers and with the teacher in each step, and how far losses are apart."""
    made = recipe(width, layers, steps + WARM)
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        sides = [side(made, Path(folder), kept=kept) for kept in (True, False)]
        apart = 0.0
        for number in range(steps + WARM):
            losses = [one.step(number, number >= WARM) for one in (sides if number % 2 else sides[::-1])]
            apart = max(apart, abs(losses[0] - losses[1]))
    kept, each = (one.tokens / one.seconds for one in sides)
    return kept, each, apart


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    told = parser.parse_args()
    torch.set_num_threads(1)
    print("| student | kept, tokens per CPU second | teacher in each step | ratio | losses differ by |")
    print("|---|---|---|---|---|")
    for name, (width, layers) in WIDTHS.items():
        found = [measure(width, layers, told.steps) for _ in range(told.rounds)]
        ratios = sorted(kept / each for kept, each, _ in found)
        rates = [median(rates) for rates in zip(*found, strict=True)]
        spread = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(
            f"| {name} | {rates[0]:,.0f} | {rates[1]:,.0f} | {spread} | {max(apart for *_, apart in found):.0e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
