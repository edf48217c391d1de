"""MME's figures: acc, acc+, their sum a subtask, and the sums over subtasks.

Source: calculation.py of eval_tool.zip, BradyFU/Awesome-Multimodal-Large-Language-Models branch Evaluation@dd295090.
acc is of questions, acc+ of pictures with both questions right; a subtask scores 100 (acc + acc+), at most 200.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample, Score
from vlmbench.stats.metrics import MORE, RATE, Metric

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

PERCEPTION = (
    "existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR",
)  # fmt: skip
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
SUBTASKS = PERCEPTION + COGNITION

RIGHT, QUESTIONS, BOTH, PAIRS = range(4)
"""Columns: right answers, questions, pictures with both right, pictures with both answered."""


def metrics(scored: Sequence[tuple[Sample, Score]]) -> list[Metric]:
    """All figures. A picture of whose two questions only one has a score counts for acc and not for acc+."""
    import numpy as np

    pairs: dict[tuple[str, str], list[float]] = {}
    for sample, score in scored:
        pairs.setdefault((sample.tags["subtask"], sample.cluster), []).append(score.value or 0.0)
    names = [cluster for _, cluster in pairs]
    rows = np.array([[sum(v), len(v), len(v) > 1 and all(v), len(v) > 1] for v in pairs.values()], dtype=np.float64)
    of = np.array([SUBTASKS.index(subtask) for subtask, _ in pairs])
    blocks = np.zeros((len(rows), len(SUBTASKS), 4))
    blocks[np.arange(len(rows)), of] = rows
    present = sorted(set(of.tolist()))
    made = []
    for name, group in (("perception", PERCEPTION), ("cognition", COGNITION), ("total", SUBTASKS)):
        inside = [at for at in present if SUBTASKS[at] in group]
        if inside:
            absent = [subtask for subtask in group if SUBTASKS.index(subtask) not in inside]
            part = f"a sum over {len(inside)} of {len(group)} subtasks, at most {200 * len(inside):,}"
            note = f"{part}: without {', '.join(absent)}" if absent else ""
            kept = np.isin(of, inside)
            here = [cluster for cluster, keep in zip(names, kept, strict=True) if keep]
            items = blocks[kept][:, inside].reshape(int(kept.sum()), -1)
            n = int(rows[kept][:, QUESTIONS].sum())
            limits = (0.0, 200.0 * len(inside))
            summed = Metric(name, items, here, _summed(len(inside)), n=n, note=note, limits=limits, better=MORE)
            made.append(summed)
    for at in present:
        here = [cluster for cluster, index in zip(names, of, strict=True) if index == at]
        items, subtask = rows[of == at], SUBTASKS[at]
        n = int(items[:, QUESTIONS].sum())
        bars = (
            ("subtask", subtask, _score, (0.0, 200.0)),
            ("acc", f"{subtask}_acc", _share(RIGHT, QUESTIONS), RATE),
            ("acc_plus", f"{subtask}_acc_plus", _share(BOTH, PAIRS), RATE),
        )
        for breakdown, name, combine, limits in bars:
            bar = Metric(name, items, here, combine, breakdown, subtask, n=n, limits=limits, better=MORE)
            made.append(bar)
    return made


def _share(top: int, bottom: int) -> Callable[[Floats], Floats]:
    def combine(sums: Floats) -> Floats:
        import numpy as np

        over, under = sums[..., top], sums[..., bottom]
        return np.asarray(100 * np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under != 0))

    return combine


def _score(sums: Floats) -> Floats:
    """100 (acc + acc+); nan where a drawn set has no picture of the subtask."""
    return _share(RIGHT, QUESTIONS)(sums) + _share(BOTH, PAIRS)(sums)


def _summed(subtasks: int) -> Callable[[Floats], Floats]:
    def combine(sums: Floats) -> Floats:
        total: Floats = _score(sums.reshape(*sums.shape[:-1], subtasks, 4)).sum(axis=-1)
        return total

    return combine
