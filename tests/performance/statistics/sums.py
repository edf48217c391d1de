"""Cells for sums and means over categories: MME's total at its real sizes and under `--limit`, POPE's mean F1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.performance.statistics.cells import Cell
from tests.performance.statistics.rates import Made, of_metrics
from vlmbench.stats.figures import binary
from vlmbench.stats.figures.question_pairs import question_pairs

SIZES = {
    "all": (30, 30, 30, 30, 147, 170, 200, 200, 200, 20),
    "2 each": (2,) * 10,
    "6 each": (6,) * 10,
    "--limit 200": (7,) * 10,
    "--limit 400": (14,) * 10,
    "2 to 19": (3, 3, 3, 3, 14, 16, 19, 19, 19, 2),
}
"""Images per subtask. `--limit` draws equally from MME's 14 subtasks, 10 of which are perception; the last has a tenth
of each."""
SKILLS = {
    "mid": (0.9, 0.6, 0.65, 0.75, 0.7, 0.65, 0.8, 0.75, 0.65, 0.6),
    "strong": (0.99, 0.95, 0.93, 0.97, 0.95, 0.92, 0.95, 0.97, 0.93, 0.9),
}


def mme() -> Iterator[Cell]:
    """Section 2.5."""
    for shape, sizes in SIZES.items():
        for model, skills in SKILLS.items():
            for alike in (0.1, 0.5):
                yield _mme({"images": shape, "model": model, "correlation": f"{alike:g}"}, sizes, skills, alike)


def _mme(columns: dict[str, str], sizes: Sequence[int], skills: Sequence[float], alike: float) -> Cell:
    truth = sum(100 * (skill + skill**2 + alike * skill * (1 - skill)) for skill in skills)
    names = [f"subtask {place}" for place in range(len(sizes))]

    def make(rng: np.random.Generator) -> Made:
        questions, imperfect = [], 0
        for name, images, skill in zip(names, sizes, skills, strict=True):
            size = (1 - alike) / alike
            easy = rng.beta(skill * size, (1 - skill) * size, images)
            right = rng.random((images, 2)) < easy[:, None]
            imperfect += int((~right.all(axis=1)).sum())
            questions += [(name, f"{name} {image}", float(value)) for image, pair in enumerate(right) for value in pair]
        return question_pairs(questions, names).total("perception", names), float(imperfect)

    return of_metrics("MME", columns, 2 * sum(sizes), truth, make)


def pope() -> Iterator[Cell]:
    """Section 2.7b: the mean of three F1 over the same images, 18 questions each."""
    for images in (10, 20, 60, 500):
        for skill in (0.85, 0.99):
            for alike in (0.1, 0.3):
                yield _pope(images, skill, alike)


def _pope(images: int, skill: float, alike: float) -> Cell:
    n = 18 * images
    clusters = [str(place // 18) for place in range(n)]
    yes, splits = np.arange(n) % 2 == 0, [place // 2 % 3 for place in range(n)]
    columns = {
        f"{target} {said}": binary.columns([said], [target], [float(said == target)])[0]
        for target in ("yes", "no")
        for said in ("yes", "no")
    }

    def make(rng: np.random.Generator) -> Made:
        size = (1 - alike) / alike
        easy = rng.beta(skill * size, (1 - skill) * size, images).repeat(18)
        right = rng.random(n) < easy
        rows = np.where((yes & right)[:, None], columns["yes yes"], 0.0) + np.where(
            (yes & ~right)[:, None], columns["yes no"], 0.0
        )
        rows += np.where((~yes & right)[:, None], columns["no no"], 0.0) + np.where(
            (~yes & ~right)[:, None], columns["no yes"], 0.0
        )
        metric = binary.means(["f1"], rows, clusters, binary.Counting(), splits)[0]
        return metric, float((~right.reshape(images, 18).all(axis=1)).sum())

    shown = {"images": str(images), "accuracy": f"{skill:g}", "correlation": f"{alike:g}"}
    return of_metrics("POPE", shown, n, 100 * skill, make)
