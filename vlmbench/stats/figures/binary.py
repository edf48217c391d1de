"""Accuracy, precision, recall, F1 and yes ratio of yes/no answers, as functions of sums. `yes` is the positive answer.

Scripts part in how they count: see `Counting`. Sources: POPE evaluate.py@3df3ba1b (LLaVA's copy@c121f043 computes the
same), TinyLLaVA_Factory tinyllava/eval/eval_pope.py@53f12c78, lmms-eval lmms_eval/tasks/pope/utils.py@75571cfe,
VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vlmbench.stats.metrics import MORE, NEITHER, RATE, TARGET, Metric, share

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

TP, FP, FN, SAID_NO, RIGHT, SAID_YES, TARGET_YES, ALL = range(8)
"""Columns: true and false positives; targets `yes` not answered yes (FN), of these answered no (SAID_NO); ..."""


@dataclass(frozen=True)
class Counting:
    """How a script counts."""

    empty: float = float("nan")
    """What a ratio is whose denominator is 0. Where the script raises ZeroDivisionError: undefined."""
    epsilon: float = 0.0
    """Added to denominators."""
    misses: int = FN
    """What recall counts as missed; SAID_NO leaves out answers that are neither yes nor no."""

    def over(self, top: Floats, bottom: Floats) -> Floats:
        """A ratio under these rules."""
        import numpy as np

        bottom = bottom + self.epsilon
        quotient: Floats = np.divide(top, bottom, out=np.full(np.shape(bottom), self.empty), where=bottom != 0)
        return quotient


def columns(answers: Sequence[str], targets: Sequence[str], right: Sequence[float]) -> Floats:
    """(items, 8): what each answer (`yes`, `no` or another word) adds to the counts."""
    import numpy as np

    said_yes = np.array([answer == "yes" for answer in answers], dtype=bool)
    said_no = np.array([answer == "no" for answer in answers], dtype=bool)
    yes = np.array([target == "yes" for target in targets], dtype=bool)
    counts = [yes & said_yes, ~yes & said_yes, yes & ~said_yes, yes & said_no]
    counts += [np.array(right, dtype=bool), said_yes, yes, np.ones_like(yes)]
    return np.stack(counts, axis=1).astype(np.float64)


def precision(sums: Floats, counting: Counting) -> Floats:
    """TP / (TP + FP)."""
    return counting.over(sums[..., TP], sums[..., TP] + sums[..., FP])


def recall(sums: Floats, counting: Counting) -> Floats:
    """TP / (TP + missed)."""
    return counting.over(sums[..., TP], sums[..., TP] + sums[..., counting.misses])


def f1(sums: Floats, counting: Counting) -> Floats:
    """2 p r / (p + r), as all the scripts write it: undefined when nothing is right."""
    p, r = precision(sums, counting), recall(sums, counting)
    return counting.over(2 * p * r, p + r)


def _of_all(column: int) -> Callable[[Floats, Counting], Floats]:
    """A plain share of all items, which no rule of counting changes."""
    return lambda sums, _: Counting().over(sums[..., column], sums[..., ALL])


FIGURES: Mapping[str, Callable[[Floats, Counting], Floats]] = {
    "accuracy": _of_all(RIGHT),
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "yes_ratio": _of_all(SAID_YES),
    "yes_ratio_of_targets": _of_all(TARGET_YES),
}
"""The last is what lmms-eval prints as its yes ratio."""
USUAL = tuple(FIGURES)[:-1]
SHARES = ("accuracy", "yes_ratio")
"""Plain shares of all items."""
BETTER: Mapping[str, str] = {"yes_ratio": TARGET, "yes_ratio_of_targets": NEITHER}
"""What is not better when it is more: answers `yes` should be as many as targets `yes`."""
GUARDS: Mapping[str, bool] = {"accuracy": True, "yes_ratio": True, "precision": False, "recall": False}
"""What a gate tests beside the headline: F1 can rise by answering yes more often. Precision and recall are traded for
each other by any change of that kind, and neither is worse for it."""
UNDEFINED = "a denominator is 0: the official script stops with ZeroDivisionError"


def figure(name: str, items: Floats, clusters: Sequence[str], counting: Counting, split: str = "") -> Metric:
    """One of FIGURES over all items, or over those of a split."""
    sums = items.sum(axis=0)
    better = BETTER.get(name, MORE)
    return _explained(
        Metric(
            f"{split}_{name}" if split else name,
            items,
            clusters,
            lambda sums: 100 * FIGURES[name](sums, counting),
            breakdown=f"split ({name})" if split else "",
            label=split,
            proportion=name in SHARES,
            opposite=_opposite(items),
            limits=RATE,
            better=better,
            guard=GUARDS.get(name),
            target=100 * float(sums[TARGET_YES] / sums[ALL]) if better == TARGET and sums[ALL] else None,
        )
    )


def means(
    names: Sequence[str],
    items: Floats,
    clusters: Sequence[str],
    counting: Counting,
    splits: Sequence[int],
    note: str = "",
) -> list[Metric]:
    """Means of figures over splits, each named `mean_...`. `splits` says which split an item is of, from 0."""
    import numpy as np

    blocks = np.zeros((len(items), max(splits, default=-1) + 1, items.shape[1]))
    blocks[np.arange(len(items)), splits] = items
    count, width = blocks.shape[1:]
    others = [flipped for index in range(count) if (flipped := _opposite(blocks[:, index])) is not None]
    opposite = np.concatenate(others) if len(others) == count else None

    def mean_of(name: str) -> Callable[[Floats], Floats]:
        def combine(sums: Floats) -> Floats:
            each = FIGURES[name](sums.reshape(*sums.shape[:-1], count, width), counting)
            return np.asarray(100 * each.mean(axis=-1))

        return combine

    def parts_of(name: str) -> list[tuple[float, Metric]]:
        rows = [[row for row, split in enumerate(splits) if split == index] for index in range(count)]
        each = [figure(name, items[these], [clusters[row] for row in these], counting) for these in rows if len(these)]
        return [(1 / count, one) for one in each]

    flat = blocks.reshape(len(items), -1)
    metrics = (
        Metric(
            f"mean_{name}",
            flat,
            clusters,
            mean_of(name),
            proportion=name in SHARES,
            opposite=opposite,
            parts=parts_of(name),
        )
        for name in names
    )
    return [_explained(replace(metric, note=note, limits=RATE, better=MORE)) for metric in metrics]


def f1_of_yes(
    answers: Sequence[bool], true: Sequence[bool], clusters: Sequence[str], empty: float = float("nan")
) -> Metric:
    """F1 of the positive answer as twice the hits over both counts, which differs from `f1` in the last digits.

    It is 0 where nothing is right, and `empty` where neither an answer nor a target is positive.
    """
    import numpy as np

    said_yes, yes = np.array(answers, dtype=np.float64), np.array(true, dtype=np.float64)
    return share("f1", 2 * said_yes * yes, said_yes + yes, clusters, empty=empty)


def _opposite(items: Floats) -> Floats | None:
    """(8,) the sums had every answer been the other word, where all answers are right."""
    import numpy as np

    sums = items.sum(axis=0)
    if sums[RIGHT] != sums[ALL]:
        return None
    no, yes = sums[ALL] - sums[TARGET_YES], sums[TARGET_YES]
    return np.array([0.0, no, yes, yes, 0.0, no, yes, sums[ALL]])


def _explained(metric: Metric) -> Metric:
    """The metric, with a note where it is undefined."""
    return metric if metric.value() == metric.value() else replace(metric, note=UNDEFINED)
