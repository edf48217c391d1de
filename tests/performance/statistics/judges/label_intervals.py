"""How often intervals of labels and a judge hold: `python -m tests.performance.statistics.judges.label_intervals`.

Runs of 216 answers; a judge with noise grades all, people grade those of some images. Grades from 0 to 1: the judge is
too kind by `bias`. Grades of 0 or 1: images differ much in difficulty; the judge errs on 10 of 100, and on a share of
2 `bias` more of the wrong answers. docs/evaluate/judging.md has the table;
tests/core/stats/test_prediction_powered.py runs a part of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from vlmbench.stats.judges.prediction_powered import FEWEST, powered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Draw = Callable[[np.random.Generator, int, int, float], tuple[Floats, Floats]]

ANSWERS = 216
LABELS = (20, 30, 60, 100)
EACH = (1, 3, 6)
BIASES = (0.0, 0.05, 0.1)


def between(rng: np.random.Generator, images: int, each: int, bias: float) -> tuple[Floats, Floats]:
    """(people's, judge's) grades from 0 to 1, (images, answers per image)."""
    base = rng.normal(0, 1, (images, each)) + rng.normal(0, 0.6, (images, 1))
    truth = np.where(base > 0.5, 1.0, np.where(base < -0.3, 0.0, np.round(rng.random((images, each)), 1)))
    return truth, np.clip(np.round(truth + bias + rng.normal(0, 0.15, truth.shape), 1), 0, 1)


def right_or_wrong(rng: np.random.Generator, images: int, each: int, bias: float) -> tuple[Floats, Floats]:
    """The same for grades of 0 and 1."""
    level = np.clip(0.5 + rng.normal(0, 0.3, (images, 1)), 0.02, 0.98)
    truth = (rng.random((images, each)) < level).astype(np.float64)
    errs = rng.random(truth.shape) < np.where(truth == 0, 0.1 + 2 * bias, 0.1)
    return truth, np.where(errs, 1 - truth, truth)


KINDS: Mapping[str, Draw] = {"0 to 1": between, "0 or 1": right_or_wrong}


@dataclass(frozen=True)
class Held:
    """What many intervals came to; widths in points of 100."""

    share: float
    width: float
    alone: float
    """Width of the labels alone."""


@lru_cache
def mean_of(kind: str, each: int) -> float:
    """What people's grades are on average."""
    return float(KINDS[kind](np.random.default_rng(9), 600_000 // each, each, 0.0)[0].mean())


def held(kind: str, labels: int, bias: float, each: int, draws: int) -> Held | None:
    """How often the interval holds the mean; None for too few images with labels."""
    known, images = -(-labels // each), ANSWERS // each
    if known < FEWEST:
        return None
    rng = np.random.default_rng([labels, each, int(100 * bias)])
    mean, inside, widths, alone = mean_of(kind, each), 0, 0.0, 0.0
    for _ in range(draws):
        truth, grade = KINDS[kind](rng, images, each, bias)
        rows = [(float(t), float(g), str(c)) for c in range(known) for t, g in zip(truth[c], grade[c], strict=True)]
        found = powered(rows, [(float(g), str(c)) for c in range(known, images) for g in grade[c]])
        assert found is not None
        inside += found.value.low <= mean <= found.value.high
        widths, alone = widths + found.value.width, alone + found.people.width
    return Held(inside / draws, 100 * widths / draws, 100 * alone / draws)


def main(draws: int = 4000) -> None:
    """The table."""
    print("| grades | answers per image | labels | bias 0 | 5 points | 10 points | width | labels alone |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        for each in EACH:
            for labels in LABELS:
                found = [one for bias in BIASES if (one := held(kind, labels, bias, each, draws)) is not None]
                if not found:
                    continue
                shares = " | ".join(f"{one.share:.3f}" for one in found)
                widths = f"{np.mean([one.width for one in found]):.0f} | {np.mean([one.alone for one in found]):.0f}"
                print(f"| {kind} | {each} | {labels} | {shares} | {widths} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
