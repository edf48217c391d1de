"""What a recipe takes out of its model before it trains: shares of heads, neurons, layers and single weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

from vlmbench.base.errors import TrainingError, UnknownNameError

from . import limits

SCORES = ("taylor", "magnitude")
WEIGHT_SCORES = ("wanda", "magnitude")
KINDS = ("heads", "neurons", "layers", "weights")
BLOCK = 32
"""Neurons are kept in multiples of it where there were such a multiple: int4 weights come in groups of 32."""
_PATTERN = re.compile(r"([1-9]\d?):([1-9]\d?)")


@dataclass(frozen=True, slots=True)
class Ratios:
    """What is taken out of a part, as shares below 1."""

    heads: float = 0.0
    """Of each layer; where heads share keys and values, of these groups."""
    neurons: float = 0.0
    """Of each layer's MLP."""
    layers: float = 0.0
    """Whole layers."""
    weights: float = 0.0
    """Single weights of the matrices that are left, set to 0: the model keeps its sizes."""

    def __post_init__(self) -> None:
        """Raises TrainingError for a share that is not at least 0 and below 1."""
        limits.check(self, "pruning")

    @property
    def structured(self) -> bool:
        """Whether the network becomes smaller."""
        return bool(self.heads or self.neurons or self.layers)


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is taken out, and by which scores."""

    vision_tower: Ratios = Ratios()
    language_model: Ratios = Ratios()
    score: str = "taylor"
    """Of heads, neurons and layers. `taylor`: how much the loss would change without a head or neuron, to first order,
    and how much a layer changes its hidden states (Block Influence); `magnitude`: the norm of the weights."""
    weight_score: str = "wanda"
    """Of single weights: `wanda`, their size times the norm of their input; `magnitude`, their size."""
    pattern: str = ""
    """`2:4`: 2 of each 4 weights that follow each other in a row are kept; "": as many in a row as the share says."""
    batches: int = 16
    """Batches of the first stage that the scores are measured on."""

    def __post_init__(self) -> None:
        """Raises UnknownNameError or TrainingError for values that mean nothing."""
        limits.check(self, "pruning")
        if self.score not in SCORES:
            raise UnknownNameError("pruning.score", self.score, SCORES)
        if self.weight_score not in WEIGHT_SCORES:
            raise UnknownNameError("pruning.weight_score", self.weight_score, WEIGHT_SCORES)
        if self.pattern:
            self._check_pattern()

    def _check_pattern(self) -> None:
        match = _PATTERN.fullmatch(self.pattern)
        if match is None or int(match[1]) >= int(match[2]):
            message = f"pattern {self.pattern!r} is none"
            raise TrainingError(message, where="pruning", hint="2:4 keeps 2 of each 4 weights")
        zeros = 1 - int(match[1]) / int(match[2])
        for part, ratios in self.parts.items():
            if ratios.weights not in (0.0, zeros):
                message = (
                    f"pattern {self.pattern!r} sets {zeros:g} of the weights to 0, {part}.weights is {ratios.weights:g}"
                )
                raise TrainingError(message, where="pruning", hint=f"give weights={zeros:g}, or leave out the pattern")
        if not self.zeroes:
            raise TrainingError(f"pattern {self.pattern!r} without weights", where="pruning", hint=f"weights={zeros:g}")

    @property
    def parts(self) -> Mapping[str, Ratios]:
        """The ratios by part, as recipes name it."""
        return {"vision_tower": self.vision_tower, "language_model": self.language_model}

    @property
    def active(self) -> bool:
        """Whether anything is taken out."""
        return self.zeroes or any(ratios.structured for ratios in self.parts.values())

    @property
    def zeroes(self) -> bool:
        """Whether single weights are set to 0."""
        return any(ratios.weights for ratios in self.parts.values())

    @property
    def kept_of(self) -> tuple[int, int]:
        """Of a pattern: (kept, of so many); (0, 0) without one."""
        kept, _, of = self.pattern.partition(":")
        return (int(kept), int(of)) if of else (0, 0)

    def left(self, part: str, layers: int, heads: int, neurons: int) -> tuple[int, int, int]:
        """How many layers, heads of a layer and neurons of a layer are left of so many.

        Raises TrainingError for a share of layers or heads that is no whole number of them.
        """
        ratios = self.parts[part]
        if not ratios.structured:
            return layers, heads, neurons
        return (
            layers - _whole(f"{part}.layers", ratios.layers, layers),
            heads - _whole(f"{part}.heads", ratios.heads, heads),
            _neurons(part, ratios.neurons, neurons),
        )

    def with_ratios(self, text: str) -> Self:
        """With shares in words, all others 0: `0.25` (heads and neurons of both parts), `layers=0.5`,
        `language_model.heads=0.25,neurons=0.5`. Raises TrainingError for anything else.
        """
        found: dict[str, dict[str, float]] = {"vision_tower": {}, "language_model": {}}
        for name, share in _shares(text):
            part, dot, kind = name.rpartition(".")
            if kind not in KINDS or (dot and part not in found):
                known = ", ".join((*KINDS, *(f"{one}.{KINDS[0]}" for one in found)))
                raise TrainingError(f"--ratio {text}: no {name!r}", where="pruning", hint=f"there are: {known}, ...")
            for target in (part,) if dot else tuple(found):
                found[target][kind] = share
        vision, language = (Ratios(**shares) for shares in found.values())
        return replace(self, vision_tower=vision, language_model=language)


NOTHING = Pruning()
"""Of recipes that take nothing out."""


def _shares(text: str) -> Iterator[tuple[str, float]]:
    """Named shares; a number alone is one of heads and of neurons."""
    for word in text.split(","):
        name, equals, number = word.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            hint = "write --ratio 0.25, or --ratio heads=0.25,neurons=0.5"
            raise TrainingError(f"--ratio {text}: {number!r} is no number", where="pruning", hint=hint) from None
        yield from ([(name, share)] if equals else [("heads", share), ("neurons", share)])


def _whole(name: str, ratio: float, number: int) -> int:
    """How many are taken out. Raises TrainingError where that is no whole number."""
    removed = round(ratio * number)
    if abs(removed - ratio * number) > 1e-6:
        shares = ", ".join(f"{count / number:.4g}" for count in range(1, number))
        message = f"{name}={ratio:g} of {number} is {ratio * number:g}, no whole number"
        hint = f"give one of {shares}" if shares else f"there is only one: leave {name} at 0"
        raise TrainingError(message, where="pruning", hint=hint)
    return removed


def _neurons(part: str, ratio: float, number: int) -> int:
    """How many are left. Raises TrainingError for none."""
    unit = BLOCK if number % BLOCK == 0 and ratio else 1
    left = round((1 - ratio) * number / unit) * unit
    if left < 1:
        message = f"{part}.neurons={ratio:g} of {number} leaves none"
        raise TrainingError(message, where="pruning", hint=f"give at most {1 - unit / number:.4g}")
    return left
