"""Learning rates over a stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import limits


def cosine(done: float) -> float:
    """Half a cosine, from 1 to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def linear(done: float) -> float:
    """A straight line, from 1 to 0."""
    return 1.0 - done


def constant(done: float) -> float:
    """1 throughout."""
    return 1.0


SHAPES: Mapping[str, Callable[[float], float]] = {
    "cosine": cosine,
    "linear": linear,
    "constant": constant,
    "hf_cosine": cosine,
    "hf_constant": constant,
}
FROM_ZERO = frozenset({"hf_cosine", "hf_constant"})
"""Schedules whose first step of the warm-up has a rate of 0, as transformers' own (get_cosine_schedule_with_warmup)."""


def factor(shape: str, step: int, steps: int, warmup: float) -> float:
    """The share of the highest learning rate at a step: linear warm-up, then the shape over the rest."""
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step if shape in FROM_ZERO else step + 1) / rising
    return SHAPES[shape]((step - rising) / max(1, steps - rising))


@dataclass(frozen=True, slots=True)
class WarmupCosine:
    """The MiniGPT family's learning rates, in absolute values.

    The cosine spans the whole run, warm-up included, so the rate jumps when the warm-up ends; and it rises where the
    lowest rate is above the highest, as in TinyGPT-V's stage 4. Source: MiniGPT-4 minigpt4/common/optims.py@d94738a.
    """

    peak: float
    """Where the warm-up aims and the cosine starts from (`init_lr`)."""
    last: float
    """Where the cosine ends (`min_lr`)."""
    start: float
    """Where the warm-up starts (`warmup_lr`)."""
    warmup_steps: int
    epochs: int
    steps_per_epoch: int

    def __post_init__(self) -> None:
        """Raises TrainingError for values that mean nothing."""
        limits.check(self, "rates")

    @property
    def steps(self) -> int:
        """Of the whole stage."""
        return self.epochs * self.steps_per_epoch

    def rate(self, epoch: int, step: int) -> float:
        """The learning rate at a step, counted from 0 within an epoch."""
        total = epoch * self.steps_per_epoch + step
        if total < self.warmup_steps:
            # The step within the epoch: a warm-up longer than an epoch starts anew with each.
            return min(self.peak, self.start + (self.peak - self.start) * step / max(self.warmup_steps, 1))
        done = total / (self.epochs * self.steps_per_epoch)
        return (self.peak - self.last) * cosine(done) + self.last
