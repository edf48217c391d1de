"""MME's figures: acc, acc+, their sum per subtask, and the sums over subtasks.

Source: calculation.py of eval_tool.zip, BradyFU/Awesome-Multimodal-Large-Language-Models branch Evaluation@dd295090.
acc is of questions, acc+ of images with both questions right; a subtask scores 100 (acc + acc+), at most 200.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample, Score
from vlmbench.stats.metrics import MORE, RATE, Metric, ratio

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

PERCEPTION = (
    "existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR",
)  # fmt: skip
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
SUBTASKS = PERCEPTION + COGNITION

RIGHT, QUESTIONS, BOTH, PAIRS = range(4)
"""Columns: right answers, questions, images with both right, images with both answered."""


def metrics(scored: Sequence[tuple[Sample, Score]], protocol: str) -> list[Metric]:
    """Perception, cognition and total, and each subtask's score, acc and acc+.

    An image of whose two questions only one has a score counts for acc and not for acc+.
    """
    import numpy as np

    pairs: dict[tuple[str, str], list[float]] = {}
    for sample, score in scored:
        pairs.setdefault((sample.tags["subtask"], sample.cluster), []).append(score.value or 0.0)
    clusters = np.array([cluster for _, cluster in pairs], dtype=object)
    rows = np.array([[sum(v), len(v), len(v) > 1 and all(v), len(v) > 1] for v in pairs.values()], dtype=np.float64)
    of = np.array([SUBTASKS.index(subtask) for subtask, _ in pairs])
    blocks = np.zeros((len(rows), len(SUBTASKS), 4))
    blocks[np.arange(len(rows)), of] = rows
    there = sorted(set(of.tolist()))

    def sums(name: str, group: Sequence[str]) -> Metric:
        inside = [at for at in there if SUBTASKS[at] in group]
        absent = ", ".join(subtask for subtask in group if SUBTASKS.index(subtask) not in inside)
        limits, mine = (0.0, 200.0 * len(inside)), np.isin(of, inside)
        note = f"a sum over {len(inside)} of {len(group)} subtasks, at most {limits[1]:,.0f}: without {absent}"
        items, n = blocks[mine][:, inside].reshape(int(mine.sum()), -1), int(rows[mine][:, QUESTIONS].sum())
        combine = _summed(len(inside))
        return Metric(
            name, items, list(clusters[mine]), combine, n=n, note=note if absent else "", limits=limits, better=MORE
        )

    found = [
        sums(name, group)
        for name, group in (("perception", PERCEPTION), ("cognition", COGNITION), ("total", SUBTASKS))
        if any(SUBTASKS[at] in group for at in there)
    ]
    for at in there:
        subtask, items, n = SUBTASKS[at], rows[of == at], int(rows[of == at][:, QUESTIONS].sum())
        for breakdown, name, combine, limits in (
            ("subtask", subtask, _score, (0.0, 200.0)),
            ("acc", f"{subtask}_acc", ratio(RIGHT, QUESTIONS), RATE),
            ("acc_plus", f"{subtask}_acc_plus", ratio(BOTH, PAIRS), RATE),
        ):
            inside = list(clusters[of == at])
            found.append(Metric(name, items, inside, combine, breakdown, subtask, n=n, limits=limits, better=MORE))
    return found


def _score(sums: Floats) -> Floats:
    """100 (acc + acc+); nan where a drawn set has no image of the subtask."""
    return ratio(RIGHT, QUESTIONS)(sums) + ratio(BOTH, PAIRS)(sums)


def _summed(subtasks: int) -> Callable[[Floats], Floats]:
    def combine(sums: Floats) -> Floats:
        total: Floats = _score(sums.reshape(*sums.shape[:-1], subtasks, 4)).sum(axis=-1)
        return total

    return combine
