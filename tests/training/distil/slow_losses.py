"""The mixed loss computed again, in plain Python floats, token by token, from whole logits: slow, and of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

Row = Sequence[float]


def log_softmax(row: Row) -> list[float]:
    """Of one row."""
    most = max(row)
    total = math.log(sum(math.exp(value - most) for value in row)) + most
    return [value - total for value in row]


def coarse(logprobs: Row, kept: Sequence[int], temperature: float) -> list[float]:
    """Probabilities of the kept tokens and, behind them, of all others together, tempered."""
    others = sum(math.exp(value) for at, value in enumerate(logprobs) if at not in kept)
    outcomes = [math.exp(logprobs[at]) for at in kept] + ([others] if len(kept) < len(logprobs) else [])
    powers = [outcome ** (1 / temperature) for outcome in outcomes]
    return [power / sum(powers) for power in powers]


def token_loss(student: Row, teacher: Row | None, label: int, top: int, temperature: float, weight: float) -> float:
    """Of one token; without a teacher, the hard loss alone."""
    own = log_softmax(student)
    hard = -own[label]
    if teacher is None:
        return hard
    expected = log_softmax(teacher)
    kept = sorted(range(len(expected)), key=lambda at: -expected[at])[:top]
    p, q = coarse(expected, kept, temperature), coarse(own, kept, temperature)
    divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)
    return (1 - weight) * hard + weight * temperature**2 * divergence
