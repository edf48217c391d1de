"""Cells for shares of right answers: one or several questions per image, as many for each image or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tests.performance.statistics.cells import Cell, Drawn, rarer
from vlmbench.stats.clustered import shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.95
ALIKE = (0.1, 0.3, 0.6)
LEVELS = (0.5, 0.9, 0.99)


def right_answers(rng: np.random.Generator, runs: int, asked: Floats, level: float, alike: float) -> Floats:
    """(runs, C) right answers of beta-binomial clusters of (C,) questions."""
    size = (1 - alike) / alike
    easy = rng.beta(level * size, (1 - level) * size, (runs, len(asked)))
    return rng.binomial(asked.astype(np.int64), np.clip(easy, 0, 1)).astype(np.float64)


def of_clusters(kind: str, columns: dict[str, str], asked: Floats, level: float, alike: float) -> Cell:
    """A share of clusters of these sizes."""

    def draw(rng: np.random.Generator, runs: int) -> Drawn:
        right = right_answers(rng, runs, asked, level, alike)
        return Drawn(*shares.clustered(right, asked, LEVEL), rarer(right, asked))

    shown = {**columns, "share": f"{level:g}", "correlation": f"{alike:g}"}
    return Cell(kind, shown, int(asked.sum()), level, draw)


def even() -> Iterator[Cell]:
    """Section 2.1: 2 to 32 questions per image."""
    for each in (2, 5, 18, 32):
        for images in (5, 10, 20, 60, 200):
            for level in LEVELS:
                for alike in ALIKE:
                    columns = {"per image": str(each), "images": str(images)}
                    yield of_clusters("even", columns, np.full(images, float(each)), level, alike)


def sizes(shape: str, images: int) -> Floats:
    """Questions per image: as in GQA (1 to 80, log-normal), as in MM-Vet (1 to 3), or one image with half of them."""
    rng = np.random.default_rng([5, images, *shape.encode()])
    if shape == "GQA":
        return np.clip(np.round(rng.lognormal(3.2, 0.8, images)), 1, 80)
    if shape == "MM-Vet":
        return rng.integers(1, 4, images).astype(np.float64)
    return np.array([5.0 * (images - 1)] + [5.0] * (images - 1))


SHAPES = {"GQA": (20, 60, 398), "MM-Vet": (20, 60, 200), "one with half": (20, 60)}


def uneven() -> Iterator[Cell]:
    """Section 2.6."""
    for shape, counts in SHAPES.items():
        for images in counts:
            for level in LEVELS:
                for alike in ALIKE:
                    yield of_clusters(
                        "uneven", {"sizes": shape, "images": str(images)}, sizes(shape, images), level, alike
                    )


def single() -> Iterator[Cell]:
    """Section 2.2: one question per image."""
    for n in (10, 20, 24, 30, 50, 60, 218, 500, 2000, 12578):
        for level in (0.5, 0.9, 0.99, 0.999, 1.0):

            def draw(rng: np.random.Generator, runs: int, n: int = n, level: float = level) -> Drawn:
                right = rng.binomial(n, level, runs).astype(np.float64)
                low, high = shares.binomial(right, np.asarray(float(n)), LEVEL)
                return Drawn(low, high, float(min((n - right).mean(), right.mean())))

            yield Cell("single", {"n": str(n), "share": f"{level:g}"}, n, level, draw)
