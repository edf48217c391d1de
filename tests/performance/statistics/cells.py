"""What a simulated cell of the audit's grid is, and how its coverage is measured and printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vlmbench.stats.clustered.shares import effective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOWEST, HIGHEST = 0.93, 0.97
"""The coverage that a 95 % interval may have."""
FEW = 20.0
"""Effective number of clusters (images) that turned out the rarer way, below which a share takes too few values."""
LARGE = 60
"""Questions from which a cell counts for how many are too few to tell."""
CHUNK = 50
"""Runs computed at once, so that they stay in the processor's cache."""

Ends = tuple["Floats", "Floats"]
"""(runs,) low and high ends; nan where it is too few to tell."""


@dataclass(frozen=True)
class Drawn:
    """Simulated runs of one cell."""

    low: Floats
    high: Floats
    rarer: float
    """How many clusters turned out the rarer way, on average: those not all right, or those not all wrong."""


@dataclass(frozen=True)
class Cell:
    """One world, and how often to draw from it."""

    kind: str
    columns: Mapping[str, str]
    """What describes it, as the table prints it."""
    n: int
    """Questions."""
    truth: float
    draw: Callable[[np.random.Generator, int], Drawn]

    @property
    def name(self) -> str:
        """`18 per image, 10 images, 0.9`."""
        return ", ".join(f"{name} {value}" for name, value in self.columns.items())


@dataclass(frozen=True)
class Found:
    """Shares of a cell's runs."""

    cell: Cell
    coverage: float
    """Of the runs that have an interval; nan where none has."""
    above: float
    """The interval lies above the truth: it says too much good."""
    below: float
    width: float
    untold: float
    """Runs that are too few to tell, of all."""
    rarer: float

    @property
    def verdict(self) -> str:
        """`untold`, `low`, `lattice`, `high` or nothing."""
        if self.untold > 0.5:
            return "untold"
        if self.coverage < LOWEST:
            return "low"
        if self.coverage > HIGHEST:
            return "lattice" if self.rarer < FEW else "high"
        return ""


def measured(cell: Cell, runs: int, seed: int = 0) -> Found:
    """The cell's coverage over so many runs."""
    rng = np.random.default_rng([seed, *cell.name.encode()])
    drawn = [cell.draw(rng, min(CHUNK, runs - start)) for start in range(0, runs, CHUNK)]
    low, high = (np.concatenate([getattr(part, side) for part in drawn]) for side in ("low", "high"))
    told = ~np.isnan(low)
    slack = 1e-9
    above, below = low[told] > cell.truth + slack, high[told] < cell.truth - slack
    share = float(1 - (above | below).mean()) if told.any() else float("nan")
    means = [float(side.mean()) if told.any() else float("nan") for side in (above, below, (high - low)[told])]
    return Found(
        cell,
        share,
        means[0],
        means[1],
        means[2],
        float(1 - told.mean()),
        float(np.mean([part.rarer for part in drawn])),
    )


def rarer(right: Floats, asked: Floats) -> float:
    """Of (runs, C) right answers: how many clusters are not all right, or not all wrong, whichever is less.

    The effective number: clusters of very unlike sizes are fewer than they seem.
    """
    return float(effective(right, asked).mean(axis=1).min())


def summary(found: Sequence[Found]) -> Iterable[str]:
    """How many cells are where, and the list of those outside the range."""
    verdicts = [one.verdict for one in found]
    told = [one.coverage for one in found if one.verdict != "untold"]
    counts = {name: verdicts.count(name) for name in ("low", "high", "lattice", "untold")}
    large = [one for one in found if one.cell.n >= LARGE]
    untold = sum(one.verdict == "untold" for one in large)
    yield (
        f"{len(found)} cells: coverage {min(told, default=float('nan')):.3f} to {max(told, default=float('nan')):.3f}; "
        f"below {LOWEST}: {counts['low']}; above {HIGHEST}: {counts['high']}, and {counts['lattice']} of few answers; "
        f"too few to tell: {counts['untold']}, of the {len(large)} with n >= {LARGE}: {untold}"
    )
    for one in sorted((one for one in found if one.verdict), key=lambda one: one.verdict):
        yield (
            f"- {one.verdict}: {one.cell.name}: {one.coverage:.3f} (above {one.above:.3f}, below {one.below:.3f}, "
            f"none {one.untold:.2f}, rarer {one.rarer:.1f})"
        )


def table(found: Sequence[Found], across: str) -> Iterable[str]:
    """Markdown: a row per combination of columns, `across` as columns of coverage."""
    heads = list(dict.fromkeys(one.cell.columns[across] for one in found))
    names = [name for name in found[0].cell.columns if name != across]
    yield "| " + " | ".join([*names, *(f"{across} {head}" for head in heads)]) + " |"
    yield "|" + "---|" * (len(names) + len(heads))
    rows: dict[tuple[str, ...], dict[str, Found]] = {}
    for one in found:
        rows.setdefault(tuple(one.cell.columns[name] for name in names), {})[one.cell.columns[across]] = one
    for row, cells in rows.items():
        yield "| " + " | ".join([*row, *(_shown(cells.get(head)) for head in heads)]) + " |"


def _shown(one: Found | None) -> str:
    if one is None:
        return ""
    if one.verdict == "untold":
        return "too few"
    return f"{one.coverage:.3f}" + (" (few)" if one.verdict == "lattice" else "")
