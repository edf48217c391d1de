"""Learning rates over a stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping


def cosine(done: float) -> float:
    """Half a cosine, from 1 to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def linear(done: float) -> float:
    """A straight line, from 1 to 0."""
    return 1.0 - done


def constant(done: float) -> float:
    """1 throughout."""
    return 1.0


SHAPES: Mapping[str, Callable[[float], float]] = {"cosine": cosine, "linear": linear, "constant": constant}


def factor(shape: str, step: int, steps: int, warmup: float) -> float:
    """The share of the highest learning rate at a step: linear warm-up, then the shape over the rest."""
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return SHAPES[shape]((step - rising) / max(1, steps - rising))
