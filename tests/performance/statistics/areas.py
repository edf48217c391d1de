"""Cells for AUROC: few or many positives, areas of 0.65 to 0.99, one question per image or several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from tests.performance.statistics.cells import Cell, Drawn
from vlmbench.stats.clustered.areas import area, placements

if TYPE_CHECKING:
    from numpy.typing import NDArray

AREAS = (0.65, 0.9, 0.99)
SINGLE = {
    20: (0.1, 0.5),
    40: (0.1, 0.5),
    60: (0.05, 0.1, 0.5),
    218: (0.02, 0.1, 0.5),
    500: (0.02, 0.1, 0.5),
    2000: (0.01, 0.1, 0.5),
}
"""Prevalences by number of questions."""


def of_scores(
    kind: str, columns: dict[str, str], n: int, prevalence: float, level: float, each: int, alike: float, whole: bool
) -> Cell:
    """Normal scores with a shift per image of `each` questions; `whole`: all questions of an image are of one kind."""
    codes = np.arange(n) // each
    distance = math.sqrt(2) * float(stats.norm.ppf(level))

    def one(rng: np.random.Generator) -> tuple[float, float, float]:
        shift = rng.normal(size=codes[-1] + 1)[codes] * math.sqrt(alike)
        truth: NDArray[np.bool_] = rng.random(n) < prevalence
        if whole:
            truth = (rng.random(codes[-1] + 1) < prevalence)[codes]
        scores = distance * truth + shift + rng.normal(size=n) * math.sqrt(1 - alike)
        if truth.all() or not truth.any():
            return math.nan, math.nan, 0.0
        rare = truth if truth.mean() < 0.5 else ~truth
        misplaced = float(len(np.unique(codes[rare & (placements(truth, scores) < 1)])))
        return *area(truth, scores, codes, 0.95), misplaced

    def draw(rng: np.random.Generator, runs: int) -> Drawn:
        found = np.array([one(rng) for _ in range(runs)])
        return Drawn(found[:, 0], found[:, 1], float(found[:, 2].mean()))

    return Cell(kind, {**columns, "area": f"{level:g}"}, n, level, draw)


def single() -> Iterator[Cell]:
    """Section 2.4, one question per image."""
    for n, prevalences in SINGLE.items():
        for prevalence in prevalences:
            for level in AREAS:
                columns = {"n": str(n), "positive": f"{prevalence:g}"}
                yield of_scores("AUROC", columns, n, prevalence, level, 1, 0.0, False)


def clustered() -> Iterator[Cell]:
    """Section 2.4, six questions per image, of both kinds or of one."""
    for images in (20, 60, 200):
        for whole in (False, True):
            for prevalence in (0.1, 0.5):
                for alike in (0.2, 0.6):
                    for level in AREAS:
                        columns = {"images": str(images), "kinds in an image": "one" if whole else "both"}
                        columns |= {"positive": f"{prevalence:g}", "correlation": f"{alike:g}"}
                        yield of_scores("AUROC", columns, 6 * images, prevalence, level, 6, alike, whole)
